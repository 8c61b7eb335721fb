"""Exceptions of the package, grouped by the possible reaction of the caller.

::

    ConversationsError
    ├── InvalidArgumentError (ValueError)         fix the call
    │   ├── ArgumentTypeError (TypeError)         the argument is of a type that cannot be
    │   ├── UnknownEventError (AttributeError)    this object has no such event
    │   └── TokenError                            get another token: the text names the fault
    ├── WrongThreadError (RuntimeError)           call it on a thread of your own: this one must not wait
    ├── NotPicklableError (TypeError)             a live object; `to_dict()` gives what may travel
    ├── FileError (OSError)                       a file cannot be read or written; see `.errno`, `.filename`
    │   ├── MissingFileError (FileNotFoundError)      there is none
    │   └── FileAccessError (PermissionError)         the system does not allow it
    ├── NoThreadError (RuntimeError)              the system gives no further thread; try again later
    ├── NoDescriptorError (OSError)               the system gives no further descriptor; try again later
    ├── ProtocolError                             the peer sent something that is not the protocol
    ├── NotReadyError                             ask again after `wait_until_ready()`
    ├── InitializationError                       the client could not start; a new token may help
    ├── ClientClosedError                         make a new client
    ├── UnsupportedOperationError                 this object cannot do that
    ├── NotFoundError (LookupError)               no such thing, or it is not visible to this identity
    ├── PushPayloadError (ValueError)             that is no push notification of Conversations
    ├── RegistrationError                         another registration of that channel is under way
    ├── PageUnavailableError                      look at `has_next_page` / `has_prev_page` first
    ├── RequestTimeoutError (TimeoutError)        the deadline passed; see `.sent`
    ├── TransportUnavailableError (ConnectionError)   no connection; see `.sent`
    ├── OperationCancelledError                   `UploadHandle.cancel()` was called
    ├── RequestTooLargeError (ValueError)         the service takes no request of that size; see `.size`, `.limit`
    ├── ReplyError                                the connection refused the frame itself
    └── ServiceError                              the service answered with an error
        ├── RestError                             a Conversations command failed
        │   ├── RestNotFoundError (NotFoundError)     404
        │   ├── ForbiddenError                        403
        │   ├── ConflictError                         409
        │   └── ThrottledError                        429
        ├── SyncError                             a Sync object failed
        └── MediaError                            the media service refused; see `.media_sid`

Every error can be pickled: it arrives in another process with all that it knows.
Every one carries `status`, `code`, `body`, `request_id`, `attempts` and `retryable`; facts that are not known are `None`.
"""

from __future__ import annotations

from typing import Any, Self, TypeVar

import attrs

E = TypeVar("E", bound="ConversationsError")

_RETRYABLE_STATUS = frozenset({429, 502, 503, 504})


class ConversationsError(Exception):
    """Base of every error this package raises.

    Attributes:
        status: HTTP-like status of the answer, e.g. 404.
        code: Twilio's error code, e.g. 50350.
        body: the decoded answer.
        request_id: the service's name for the request (``RQ...``).
        attempts: how often the request was sent.
        sent: whether the last attempt was written to the socket (so that it may have had its effect).
        retryable: whether the same call may succeed later.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: int | None = None,
        body: Any = None,
        request_id: str | None = None,
        attempts: int | None = None,
        sent: bool | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.body = body
        self.request_id = request_id
        self.attempts = attempts
        self.sent = sent
        self.retryable = retryable

    def again(self) -> Self:
        """Return a copy to raise in another call: raising one object repeatedly would keep the frames of all calls alive."""
        error = _rebuild(type(self), self.message, self._facts())
        error.__cause__ = self.__cause__
        return error

    def _facts(self) -> dict[str, Any]:
        """Return the attributes that a copy of this error needs."""
        return self.__dict__.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self._facts()))


def _rebuild(kind: type[E], message: str, facts: dict[str, Any]) -> E:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    for name, value in facts.items():
        setattr(error, name, value)
    return error


class InvalidArgumentError(ConversationsError, ValueError):
    """An argument is not acceptable; raised before anything is sent."""


class ArgumentTypeError(InvalidArgumentError, TypeError):
    """An argument is of a type that this call does not accept."""


class UnknownEventError(InvalidArgumentError, AttributeError):
    """The object has no event of that name; the text lists its events."""


class TokenError(InvalidArgumentError):
    """The access token is invalid; the text names the fault, and `code` is the code that the service would return."""


class WrongThreadError(ConversationsError, RuntimeError):
    """A blocking method was called on a thread that must not block: one of the client's own, or a handler's."""


class NotPicklableError(ConversationsError, TypeError):
    """A live object cannot be pickled or copied; `to_dict()` returns its data."""


class FileError(ConversationsError, OSError):
    """A file of the program cannot be read or written.

    Attributes:
        errno: the system's error number, as in `OSError`.
        filename: the file, if it has a name.
    """

    def __init__(self, message: str, *, errno: int | None = None, filename: Any = None) -> None:
        super().__init__(message)
        self.errno = errno
        self.filename = filename

    @staticmethod
    def of(error: OSError) -> FileError:
        """Return the error of this package for an `OSError`."""
        kinds = {FileNotFoundError: MissingFileError, PermissionError: FileAccessError}
        return kinds.get(type(error), FileError)(str(error), errno=error.errno, filename=error.filename)

    def _facts(self) -> dict[str, Any]:
        return {**super()._facts(), "errno": self.errno, "filename": self.filename}

    def __str__(self) -> str:
        return self.message


class MissingFileError(FileError, FileNotFoundError):
    """The file does not exist."""


class FileAccessError(FileError, PermissionError):
    """The system does not allow reading or writing the file."""


class NoThreadError(ConversationsError, RuntimeError):
    """The system cannot start another thread."""


class NoDescriptorError(ConversationsError, OSError):
    """The process has no further file descriptor available."""


class ProtocolError(ConversationsError):
    """Bytes or values from the service violate the protocol."""


class NotReadyError(ConversationsError):
    """The value is not known before the client is ready."""


class InitializationError(ConversationsError):
    """The client could not start, or was rejected for good; `info` has the reason."""

    def __init__(self, info: ConnectionErrorInfo) -> None:
        super().__init__(info.message, status=info.http_status_code, code=info.error_code)
        self.info = info


class ClientClosedError(ConversationsError):
    """The client was closed, before or during the call."""


class UnsupportedOperationError(ConversationsError):
    """The object does not support the operation."""


class NotFoundError(ConversationsError, LookupError):
    """The object does not exist, or is not visible to this identity."""


class PushPayloadError(ConversationsError, ValueError):
    """The payload is not a push notification of Twilio Conversations."""


class RegistrationError(ConversationsError):
    """Another push registration for the same channel is under way."""


class PageUnavailableError(ConversationsError):
    """There is no further page in that direction."""


class RequestTimeoutError(ConversationsError, TimeoutError):
    """The deadline of the call passed."""


class TransportUnavailableError(ConversationsError, ConnectionError):
    """There is no connection, or it was lost during the request."""


class OperationCancelledError(ConversationsError):
    """The upload was cancelled; a message whose POST was already under way may still appear."""


class RequestTooLargeError(ConversationsError, ValueError):
    """The request is larger than the service accepts. It had no effect, and is not sent again.

    Attributes:
        size: size of the request as a frame in bytes: body, address and headers.
        limit: largest size that the service accepts in bytes; `None` if unknown.
    """

    def __init__(self, message: str, *, size: int, limit: int | None = None, sent: bool = False) -> None:
        super().__init__(message, status=413, sent=sent)
        self.size = size
        self.limit = limit


class ReplyError(ConversationsError):
    """The service rejected a frame of the connection (start, token update, request)."""


class ServiceError(ConversationsError):
    """The service answered with an error."""

    @classmethod
    def from_answer(
        cls, what: str, status: int, body: Any, *, request_id: str | None = None, attempts: int | None = None
    ) -> ServiceError:
        """Create the error for a response with `status` and a decoded `body` (Twilio's ``{status, code, message}``)."""
        facts = body if isinstance(body, dict) else {}
        code = facts.get("code")
        text = facts.get("message") or f"HTTP {status}"
        code_text = f", code {code}" if code else ""
        return cls._kind(status)(
            f"{what}: {text} (status {status}{code_text})",
            status=status,
            code=code if isinstance(code, int) else None,
            body=body,
            request_id=request_id,
            attempts=attempts,
            sent=True,
            retryable=status in _RETRYABLE_STATUS,
        )

    @classmethod
    def _kind(cls, status: int) -> type[ServiceError]:
        del status
        return cls

    @property
    def more_info(self) -> str | None:
        """URL of Twilio's explanation of the code, if the response had one."""
        value = self.body.get("more_info") if isinstance(self.body, dict) else None
        return value if isinstance(value, str) else None


class RestError(ServiceError):
    """The Conversations API returned an error for a command or query."""

    @classmethod
    def _kind(cls, status: int) -> type[ServiceError]:
        return _BY_STATUS.get(status, RestError)


class RestNotFoundError(RestError, NotFoundError):
    """Status 404: the object does not exist, or is not visible to this identity."""


class ForbiddenError(RestError):
    """Status 403: the identity's roles do not allow it."""


class ConflictError(RestError):
    """Status 409: the object exists already, or is being changed."""


class ThrottledError(RestError):
    """Status 429: too many requests, also after the retries that the deadline allowed."""


class SyncError(ServiceError):
    """A Sync object could not be opened, read or subscribed to."""


class MediaError(ServiceError):
    """The media service, or the storage of the content, returned an error.

    Attributes:
        media_sid: sid of the attachment (``ME...``), if known.
    """

    media_sid: str | None = None


_BY_STATUS: dict[int, type[RestError]] = {
    403: ForbiddenError,
    404: RestNotFoundError,
    409: ConflictError,
    429: ThrottledError,
}


@attrs.frozen
class ConnectionErrorInfo:
    """Payload of ``connection_error``.

    Attributes:
        terminal: no further attempt is made until there is a new token.
        message: description of the cause.
        http_status_code: status of a rejected start, update or close, or of the response to the WebSocket upgrade or a
            proxy's CONNECT; `None` for socket errors.
        error_code: Twilio's code, such as 20104 (token expired).
    """

    terminal: bool
    message: str
    http_status_code: int | None = None
    error_code: int | None = None
