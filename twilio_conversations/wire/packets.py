"""Each TWILSOCK message as a value that can be encoded; client and service share them. Bytes are read in `wire.decoding`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from twilio_conversations.errors import ProtocolError
from twilio_conversations.util.json import whole_number
from twilio_conversations.util.values import value
from twilio_conversations.wire import frame
from twilio_conversations.wire.frame import parse_json
from twilio_conversations.wire.http_request import JSON_TYPE, HttpRequest

PRODUCT = "ip_messaging"
"""The product id of Conversations: the grant under which requests are tunnelled."""


@value
class Status:
    """Outcome of a frame (`code` 200 to 299 is success) or of the request inside it."""

    code: int
    status: str = ""
    description: str | None = None
    error_code: int | None = None

    @property
    def ok(self) -> bool:
        """Whether the code means success."""
        return 200 <= self.code < 300

    def to_json(self) -> dict[str, Any]:
        """Return the wire's spelling."""
        fields: dict[str, Any] = {"code": self.code, "status": self.status}
        if self.description is not None:
            fields["description"] = self.description
        if self.error_code is not None:
            fields["errorCode"] = self.error_code
        return fields

    @classmethod
    def parse(cls, value: Any) -> Status:
        """Read ``{code, status, description?, errorCode?}``; raises `ProtocolError`."""
        code = whole_number(value.get("code")) if isinstance(value, dict) else None
        if code is None:
            raise ProtocolError("a status without a code")
        return cls(
            code,
            text(value.get("status")) or "",
            text(value.get("description")),
            whole_number(value.get("errorCode")),
        )


OK = Status(200, "OK")


@attrs.frozen
class BackoffHint:
    """Back-off that the service requests of clients, in milliseconds."""

    reconnect_min_ms: int
    reconnect_max_ms: int | None = None

    @classmethod
    def parse(cls, payload: Any) -> BackoffHint | None:
        """Return the hint in a payload ``{"backoff_policy": {...}}``, if there is a usable one."""
        policy = payload.get("backoff_policy") if isinstance(payload, dict) else None
        low = policy.get("reconnect_min_ms") if isinstance(policy, dict) else None
        high = policy.get("reconnect_max_ms") if isinstance(policy, dict) else None
        if type(low) is not int or low < 0:
            return None
        return cls(low, high if type(high) is int and high >= low else None)


@attrs.frozen
class Init:
    """First frame of a connection: who it is, and which notifications it wants."""

    id: str
    token: str = attrs.field(repr=False)
    continuation_token: str | None = attrs.field(default=None, repr=False)
    metadata: Mapping[str, Any] = attrs.field(factory=dict)
    registrations: tuple[Mapping[str, Any], ...] = ()
    tweaks: Mapping[str, Any] | None = None
    capabilities: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the frame."""
        fields = {
            "id": self.id,
            "method": "init",
            "token": self.token,
            "continuation_token": self.continuation_token,
            "metadata": self.metadata,
            "registrations": list(self.registrations),
            "tweaks": self.tweaks,
            "capabilities": list(self.capabilities),
        }
        return frame.encode(fields)


@attrs.frozen
class Update:
    """A new token for a live connection."""

    id: str
    token: str = attrs.field(repr=False)

    def encode(self) -> bytes:
        """Return the frame."""
        return frame.encode({"id": self.id, "method": "update", "token": self.token})


@value
class RestCall:
    """A REST call in a frame."""

    id: str
    request: HttpRequest
    active_grant: str = PRODUCT

    def encode(self) -> bytes:
        """Return the frame."""
        fields = {
            "id": self.id,
            "method": "message",
            "active_grant": self.active_grant,
            "payload_type": self.request.content_type,
            "http_request": self.request.to_json(),
        }
        return frame.encode(fields, self.request.body)


@value
class Reply:
    """Answer to a frame; with `http_status`, headers (by lower-case names) and body when the frame was a REST call."""

    id: str
    status: Status = OK
    http_status: Status | None = None
    http_headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    content_type: str | None = None
    fields: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """Further header fields, such as `continuation_token` and `capabilities` in the answer to an init."""
    attempts: int = 1
    """How often the request was sent, as far as its sender counts."""
    in_doubt: bool = False
    """Whether an earlier attempt may have been carried out, as far as its sender knows."""

    @property
    def code(self) -> int:
        """Status of the REST call, such as 200; that of the frame where it was none."""
        return (self.http_status or self.status).code

    @property
    def ok(self) -> bool:
        """Whether that status is 2xx."""
        return (self.http_status or self.status).ok

    @property
    def request_id(self) -> str | None:
        """The service's name for the request (``RQ...``)."""
        return self.http_headers.get("twilio-request-id")

    def json(self) -> Any:
        """Return the decoded body, `None` when empty; raises `ProtocolError`."""
        return parse_json(self.body) if self.body else None

    def encode(self) -> bytes:
        """Return the frame."""
        fields: dict[str, Any] = {"method": "reply", "id": self.id, "status": self.status.to_json()}
        if self.http_status is not None:
            fields["http_status"] = self.http_status.to_json()
            fields["http_headers"] = dict(self.http_headers)
        fields.update(self.fields)
        if self.body or self.content_type:
            fields["payload_type"] = self.content_type or JSON_TYPE
        return frame.encode(fields, self.body)


@value
class Notification:
    """Notification of an event: `payload` is the decoded JSON (or text), `None` when there is none."""

    id: str | None
    message_type: str
    payload: Any = None

    def encode(self) -> bytes:
        """Return the frame."""
        return encode_notification(self.id or "", self.message_type, frame.json_bytes(self.payload))


@attrs.frozen
class ClientUpdate:
    """Notice from the service about the client itself, such as ``token_about_to_expire``."""

    id: str | None
    client_update_type: str

    def encode(self) -> bytes:
        """Return the frame."""
        return frame.encode({"method": "client_update", "id": self.id, "client_update_type": self.client_update_type})


@attrs.frozen
class Close:
    """The end of a connection: a courtesy from the client, an order with a status from the service."""

    id: str | None
    status: Status | None = None
    backoff: BackoffHint | None = None

    def encode(self) -> bytes:
        """Return the frame."""
        fields: dict[str, Any] = {"method": "close", "id": self.id}
        if self.status is not None:
            fields["status"] = self.status.to_json()
        if self.backoff is None:
            return frame.encode(fields)
        policy = {name: value for name, value in attrs.asdict(self.backoff).items() if value is not None}
        fields["payload_type"] = JSON_TYPE
        return frame.encode(fields, frame.json_bytes({"backoff_policy": policy}))


@attrs.frozen
class Unknown:
    """A method without a class of its own (`ping`, `telemetry.v1`, notification contexts, whatever comes next)."""

    id: str | None
    method: str
    header: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    payload: bytes = b""

    def encode(self) -> bytes:
        """Return the frame."""
        return frame.encode({**self.header, "method": self.method, "id": self.id}, self.payload)


Packet = Init | Update | RestCall | Reply | Notification | ClientUpdate | Close | Unknown


def acknowledgement(id_: str, status: Status = OK) -> bytes:
    """Return the reply that acknowledges a frame."""
    if status is OK and _is_plain(id_):
        return _plain_acknowledgement(id_)
    return Reply(id_, status, content_type=JSON_TYPE).encode()


_is_plain = re.compile(r"[A-Za-z0-9_-]+").fullmatch

_ACKNOWLEDGEMENT_HEAD = (
    '{"method":"reply","id":"%s","status":{"code":200,"status":"OK"},"payload_type":"' + JSON_TYPE + '","payload_size":0}'
)


def _plain_acknowledgement(id_: str) -> bytes:
    """Same bytes as the general way; one is sent for every notification, so it is put together by hand."""
    head = _ACKNOWLEDGEMENT_HEAD % id_
    return f"TWILSOCK V3.0 {len(head)}\r\n{head}\r\n".encode()


def encode_notification(id_: str, message_type: str, payload: bytes) -> bytes:
    """Return a notification whose JSON payload is encoded already, as one encoding serves every subscriber."""
    fields = {
        "method": "notification",
        "id": id_,
        "message_type": message_type,
        "notification_ctx_id": "",
        "payload_type": JSON_TYPE,
    }
    return frame.encode(fields, payload)


def text(value: Any) -> str | None:
    """Return text, or `None` for anything else."""
    return value if isinstance(value, str) else None
