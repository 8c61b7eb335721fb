"""From bytes to packets: `decode` reads one.

Unknown fields are ignored and unknown methods become `Unknown`; a field that is there but has the wrong type is a
`PacketError`, whose `reply_to` names the request that a malformed reply answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twilio_conversations.errors import ProtocolError
from twilio_conversations.wire import frame
from twilio_conversations.wire.frame import MAX_FRAME, parse_json
from twilio_conversations.wire.http_request import JSON_TYPE, HttpRequest
from twilio_conversations.wire.packets import (
    BackoffHint,
    ClientUpdate,
    Close,
    Init,
    Notification,
    Packet,
    Reply,
    RestCall,
    Status,
    Unknown,
    Update,
    text,
)

_Header = dict[str, Any]


class PacketError(ProtocolError):
    """A frame whose header could be read but whose meaning could not."""

    def __init__(self, message: str, *, id_: str | None, method: str | None) -> None:
        super().__init__(message)
        self.id = id_
        self.method = method

    @property
    def reply_to(self) -> str | None:
        """The id of the request that a malformed reply answers."""
        return self.id if self.method == "reply" else None


def decode(data: bytes, *, max_bytes: int = MAX_FRAME) -> Packet:
    """Read one packet.

    Raises:
        ProtocolError: the bytes are not a frame; a `PacketError` when the header was readable.
    """
    header, payload = frame.decode(data, max_bytes=max_bytes)
    method, id_ = header.get("method"), header.get("id")
    if type(method) is not str or not (id_ is None or type(id_) is str):
        raise PacketError("a header without method or with a strange id", id_=None, method=None)
    try:
        return _READERS.get(method, _read_unknown)(id_, header, payload)
    except ProtocolError as error:
        raise PacketError(f"{method}: {error}", id_=id_, method=method) from error


def _required_id(id_: str | None) -> str:
    if not id_:
        raise ProtocolError("no id")
    return id_


def _token(header: _Header) -> str:
    token = header.get("token")
    if not isinstance(token, str):
        raise ProtocolError("no token")
    return token


def _content(header: _Header, payload: bytes) -> Any:
    """Return the payload by its type: JSON (the default), text, or nothing that we know how to read."""
    if not payload:
        return None
    kind = header.get("payload_type", JSON_TYPE)
    if not isinstance(kind, str):
        raise ProtocolError("payload_type is not text")
    if kind.startswith(JSON_TYPE):
        return parse_json(payload)
    if kind.startswith("text/plain"):
        try:
            return payload.decode()
        except UnicodeDecodeError as error:
            raise ProtocolError("the text is not UTF-8") from error
    return None


def _read_init(id_: str | None, header: _Header, payload: bytes) -> Packet:
    registrations, capabilities, metadata = (header.get(name) for name in ("registrations", "capabilities", "metadata"))
    return Init(
        _required_id(id_),
        _token(header),
        text(header.get("continuation_token")),
        metadata if isinstance(metadata, dict) else {},
        tuple(item for item in registrations if isinstance(item, dict)) if isinstance(registrations, list) else (),
        header["tweaks"] if isinstance(header.get("tweaks"), dict) else None,
        tuple(item for item in capabilities if isinstance(item, str)) if isinstance(capabilities, list) else (),
    )


def _read_update(id_: str | None, header: _Header, payload: bytes) -> Packet:
    return Update(_required_id(id_), _token(header))


def _read_message(id_: str | None, header: _Header, payload: bytes) -> Packet:
    request = HttpRequest.parse(header.get("http_request"), payload)
    return RestCall(_required_id(id_), request, text(header.get("active_grant")) or "")


def _read_reply(id_: str | None, header: _Header, payload: bytes) -> Packet:
    http_status, headers, kind = header.get("http_status"), header.get("http_headers"), header.get("payload_type")
    return Reply(
        _required_id(id_),
        Status.parse(header.get("status")),
        None if http_status is None else Status.parse(http_status),
        {name.lower(): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {},
        payload,
        text(kind),
        header,
    )


def _read_notification(id_: str | None, header: _Header, payload: bytes) -> Packet:
    message_type = header.get("message_type")
    if not isinstance(message_type, str):
        raise ProtocolError("a notification without message_type")
    return Notification(id_, message_type, _content(header, payload))


def _read_client_update(id_: str | None, header: _Header, payload: bytes) -> Packet:
    return ClientUpdate(id_, text(header.get("client_update_type")) or "")


def _read_close(id_: str | None, header: _Header, payload: bytes) -> Packet:
    status = header.get("status")
    hint = BackoffHint.parse(_content(header, payload))
    return Close(id_, None if status is None else Status.parse(status), hint)


def _read_unknown(id_: str | None, header: _Header, payload: bytes) -> Packet:
    return Unknown(id_, header["method"], header, payload)


_READERS: dict[str, Callable[[str | None, _Header, bytes], Packet]] = {
    "init": _read_init,
    "update": _read_update,
    "message": _read_message,
    "reply": _read_reply,
    "notification": _read_notification,
    "client_update": _read_client_update,
    "close": _read_close,
}
