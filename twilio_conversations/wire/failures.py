"""Reports of the service and the socket, as causes and errors."""

from __future__ import annotations

import attrs

from twilio_conversations.errors import (
    ClientClosedError,
    ConnectionErrorInfo,
    ConversationsError,
    ProtocolError,
    ReplyError,
    RequestTimeoutError,
    TransportUnavailableError,
)
from twilio_conversations.wire.packets import BackoffHint, Close, Reply, Status


class ConnectRefusedError(TransportUnavailableError):
    """The service, or a proxy, answered with HTTP instead of opening the connection.

    Attributes:
        retry_after: seconds that it asks to stay away.
    """

    def __init__(self, message: str, status: int, retry_after: float = 0.0) -> None:
        super().__init__(message, status=status, sent=False, retryable=True)
        self.retry_after = retry_after


@attrs.frozen
class Cause:
    """Cause of a change of a connection. `close_code` is the WebSocket's, if the peer closed it."""

    message: str = ""
    status: Status | None = None
    hint: BackoffHint | None = None
    close_code: int | None = None

    @classmethod
    def of_reply(cls, reply: Reply) -> Cause:
        """Return the cause of a rejected init or update."""
        status = reply.status
        return cls(f"Connection error: {status.description or status.status}", status, _hint(reply))

    @classmethod
    def of_close(cls, packet: Close) -> Cause:
        """Return the cause of a close by the service."""
        status = packet.status or Status(0, "without a reason")
        return cls(f"Closed by the service: {status.description or status.status}", packet.status, packet.backoff)

    @classmethod
    def of_socket(cls, error: BaseException | str, close_code: int | None = None) -> Cause:
        """Return the cause of a socket that could not be opened, failed, or was closed by the peer."""
        message = f"Socket error: {error}"
        if not isinstance(error, ConnectRefusedError):
            return cls(message, close_code=close_code)
        hint = BackoffHint(int(error.retry_after * 1000)) if error.retry_after else None
        return cls(message, Status(error.status or 0), hint)

    @property
    def codes(self) -> tuple[int | None, int | None]:
        """Status and Twilio's error code; `None` for unknown values."""
        return (self.status.code, self.status.error_code) if self.status else (None, None)

    def info(self, *, terminal: bool) -> ConnectionErrorInfo:
        """Return the payload of ``connection_error``."""
        return ConnectionErrorInfo(terminal, self.message, *self.codes)

    def refusal(self) -> ConversationsError:
        """Return the error for a caller that waited for a token to be accepted."""
        if self.status is None:
            return TransportUnavailableError(self.message, sent=False, retryable=True)
        return reply_error(self.message, self.status)


def reply_error(message: str, status: Status) -> ReplyError:
    """Return the error for a frame that was answered with a status other than 2xx."""
    retryable = status.code == 429 or status.code >= 500
    return ReplyError(message, status=status.code, code=status.error_code, sent=True, retryable=retryable)


def timed_out(*, written: bool, trouble: str | None = None) -> RequestTimeoutError:
    """Return the error for a deadline that passed; `trouble` is what keeps the connection away."""
    where = "the service did not answer" if written else "there was no connection" if trouble else "the request was not sent"
    why = f": {trouble}" if trouble else ""
    return RequestTimeoutError(f"{where} within the time limit{why}", sent=written, retryable=True)


def unavailable(cause: Cause, *, closed: bool) -> ConversationsError:
    """Return the error for what cannot be sent; `closed` when the program closed the client."""
    if closed:
        return ClientClosedError("the client was closed", sent=False)
    code, error_code = cause.codes
    return TransportUnavailableError(f"unable to connect: {cause.message}", status=code, code=error_code, sent=False)


def cut_off(cause: Cause, *, closed: bool) -> ConversationsError:
    """Return the error for a request whose socket ended before its answer; `closed` when the program closed the client."""
    if closed:
        return ClientClosedError("the client was closed before the answer came", sent=True)
    text = f"the connection broke before the answer came: {cause.message}"
    code, error_code = cause.codes
    return TransportUnavailableError(text, status=code, code=error_code, sent=True, retryable=True)


def outcome_of(reply: Reply) -> Reply | ConversationsError:
    """Return the outcome of a request from its reply."""
    if not reply.status.ok:
        status = reply.status
        return reply_error(f"the connection refused a request: {status.description or status.status}", status)
    if reply.http_status is None:
        return ProtocolError("an answer without http_status", sent=True)
    return reply


def _hint(reply: Reply) -> BackoffHint | None:
    try:
        return BackoffHint.parse(reply.json())
    except ProtocolError:
        return None
