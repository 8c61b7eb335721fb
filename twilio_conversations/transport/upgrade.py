"""The WebSocket upgrade. websocket-client requests it; an answer other than 101 is read here.

Releases of websocket-client differ in how they treat such an answer: the oldest take a redirect for success, others drop its
status or wait for the whole page. So the head of the answer is kept as it comes, and the status in it decides.
"""

from __future__ import annotations

import email.parser
import re
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import websocket

from twilio_conversations._version import __version__
from twilio_conversations.transport.retries import TEMPORARY, retry_after
from twilio_conversations.util.futures import Deadline

_SWITCHING_PROTOCOLS: Final = 101
_LONGEST_HEAD: Final = 64 * 1024
_LONGEST_QUOTE: Final = 200
_HEAD_ENDS: Final = (b"\n\r\n", b"\n\n")
_BEGINNING: Final = b"HTTP/"
_STATUS_LINE: Final = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?: ([^\r\n]*))?\r?\n")
_TLS_RECORD: Final = re.compile(rb"[\x14-\x17]\x03[\x00-\x04]")
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")


@attrs.frozen
class Answer:
    """The head of an answer to the upgrade that is not 101.

    Attributes:
        status: such as 302.
        reason: its words.
        location: where a redirect leads, without user, password and query.
        retry_after: seconds that a busy peer asks to stay away.
    """

    status: int
    reason: str = ""
    location: str | None = None
    retry_after: float = 0.0

    def __str__(self) -> str:
        words = f"status {self.status} {self.reason}".rstrip()
        return words if self.location is None else f"{words}, a redirect to {self.location}"


class UpgradeError(Exception):
    """The peer did not upgrade the connection. The text continues a sentence that begins with the peer's name.

    Attributes:
        answer: the head of its answer, if that was HTTP.
    """

    def __init__(self, text: str, answer: Answer | None = None) -> None:
        super().__init__(text)
        self.answer = answer


def upgrade(url: str, opened: Any, deadline: Deadline) -> None:
    """Turn a connected socket into a WebSocket. Redirects are not followed, no compression is offered.

    Raises:
        UpgradeError: the peer answered something else, or closed the connection.
        TimeoutError: it did not answer in time.
    """
    handshake = _HandshakeSocket(opened, deadline)
    try:
        websocket.create_connection(
            url,
            socket=handshake,
            redirect_limit=0,
            suppress_origin=True,
            header=[f"User-Agent: twilio-conversations-python/{__version__}"],
        )
    except Exception as error:
        _raise_unless_upgraded(handshake)
        raise UpgradeError(f"did not upgrade to WebSocket ({str(error) or type(error).__name__})") from error
    _raise_unless_upgraded(handshake)


class _HandshakeSocket:
    """The socket during the upgrade: neither slow nor endless answers can hold the thread, and their head is kept."""

    def __init__(self, connected: Any, deadline: Deadline) -> None:
        self._socket = connected
        self._deadline = deadline
        self.head = bytearray()
        self.error: Exception | None = None  # what reading or writing ended with

    @property
    def complete(self) -> bool:
        return self.head.endswith(_HEAD_ENDS)

    def recv(self, size: int) -> bytes:
        if self.complete:
            return b""  # the page of a refusal is not waited for
        try:
            data = self._receive(size)
            self.head += data
            if len(self.head) >= len(_BEGINNING) and not self.head.startswith(_BEGINNING):
                raise UpgradeError(_other_than_http(bytes(self.head)))
        except Exception as error:
            self.error = error
            raise
        return data

    def _receive(self, size: int) -> bytes:
        if len(self.head) >= _LONGEST_HEAD:
            raise UpgradeError("answered the WebSocket upgrade with more than a head of HTTP")
        if self._deadline.passed:
            raise TimeoutError("the WebSocket upgrade took too long")
        self._socket.settimeout(self._deadline.patience)
        return self._socket.recv(size)  # type: ignore[no-any-return]

    def send(self, data: bytes) -> int:
        try:
            self._socket.sendall(data)
        except Exception as error:
            self.error = error
            raise
        return len(data)

    def gettimeout(self) -> float | None:
        return self._deadline.patience

    def fileno(self) -> int:
        return self._socket.fileno()  # type: ignore[no-any-return]

    def close(self) -> None:
        """Do nothing: the connection closes the socket."""


def _raise_unless_upgraded(handshake: _HandshakeSocket) -> None:
    head = bytes(handshake.head)
    answer = _parsed(head)
    if answer is not None and answer.status != _SWITCHING_PROTOCOLS:
        raise UpgradeError(f"answered the WebSocket upgrade with {answer}", answer)
    if handshake.error is not None:
        raise handshake.error
    if answer is None or not handshake.complete:
        raise UpgradeError(_other_than_http(head))


def _parsed(head: bytes) -> Answer | None:
    """Return the answer in a head, as far as it came, if it is HTTP."""
    line = _STATUS_LINE.match(head)
    if line is None:
        return None
    status, reason = int(line[1]), _quoted((line[2] or b"").decode("latin-1"))
    headers = email.parser.HeaderParser().parsestr(head[line.end() :].decode("latin-1"))
    location = headers.get("Location")
    return Answer(
        status,
        reason,
        None if location is None else _place(location),
        retry_after(headers) if status in TEMPORARY else 0.0,  # type: ignore[arg-type] # a message finds names in any case
    )


def _place(location: str) -> str:
    """Return a URL without what may be secret in it."""
    try:
        parts = urlsplit(location.strip())
    except ValueError:
        return _quoted(location.partition("?")[0])
    return _quoted(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl())


def _quoted(text: str) -> str:
    """Return foreign text fit for a line of a log."""
    return _UNPRINTABLE.sub("?", text.strip())[:_LONGEST_QUOTE]


def _other_than_http(head: bytes) -> str:
    if not head:
        return "closed the connection without an answer to the WebSocket upgrade"
    if _TLS_RECORD.match(head):
        return "answered the WebSocket upgrade with TLS: the endpoint is to begin with https"
    if _STATUS_LINE.match(head):
        return "closed the connection in the middle of its answer to the WebSocket upgrade"
    return f"answered the WebSocket upgrade with something other than HTTP, beginning with {head[:20]!r}"
