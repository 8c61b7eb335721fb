"""Requests and responses, whether they come through the tunnel or over plain HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

import attrs

from twilio_conversations.server.addresses import Addresses
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.text import is_text
from twilio_conversations.util.values import value
from twilio_conversations.wire.frame import json_bytes
from twilio_conversations.wire.http_request import HttpRequest

JSON = "application/json"


class Subscriber(Protocol):
    """A connection that can be sent events."""

    identity: str

    @property
    def number(self) -> int:
        """Number of the connection, unique while the process runs."""

    def send(self, message_type: str, frame: bytes) -> None:
        """Queue a frame, unless the connection did not register for its type."""

    def has_room(self) -> bool:
        """Return whether the connection keeps up."""


@value
class Caller:
    """The caller of a request: identity, the addresses of the service in links, and the connection.

    A caller over plain HTTP has no connection for events.
    """

    identity: str
    addresses: Addresses
    connection: Subscriber | None = None


@value
class Request:
    """A decoded request: `path` has its segments, split before decoding."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @classmethod
    def from_tunnel(cls, request: HttpRequest) -> Request:
        """Return the request with its percent-encoding decoded; ``+`` stands for itself. Raises `Refusal` 20001."""
        query = {unquote(name): unquote(value) for name, value in request.params}
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not all(is_text(value) for value in (request.path, *query.values(), *headers.values())):
            raise Refusal(20001, "The request holds half of a surrogate pair")
        return cls(request.method, split_path(request.path), query, headers, request.body)

    def json(self) -> dict[str, Any]:
        """Return the JSON object in the body; an empty body is an empty object. Raises `Refusal` 20001."""
        if not self.body:
            return {}
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Refusal(20001, "The body is not JSON") from error
        if not isinstance(value, dict):
            raise Refusal(20001, "The body is not a JSON object")
        return value

    def form(self) -> dict[str, str]:
        """Return the form fields in the body. Raises `Refusal` 20001."""
        try:
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True, max_num_fields=100))
        except ValueError as error:
            raise Refusal(20001, "The body is not a form") from error


def split_path(path: str) -> tuple[str, ...]:
    """Return the decoded segments of a path; a slash at either end does not count."""
    return tuple(unquote(segment) if "%" in segment else segment for segment in path.strip("/").split("/"))


@value
class Response:
    """An answer. `resource` is the path of what was created or changed, for the repetition of a command.

    `then` is called when the answer is on its way, for what must not be sent before it. `tunnel_code` is the error code of an
    answer by the tunnel itself, which has no HTTP status.
    """

    status: int
    body: bytes = b""
    resource: str | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    then: Callable[[], None] | None = None
    content_type: str = JSON
    tunnel_code: int | None = None

    @classmethod
    def json(cls, status: int, value: Any, resource: str | None = None) -> Response:
        """Return an answer with a JSON body."""
        return cls(status, json_bytes(value), resource)

    @classmethod
    def error(cls, error: Refusal) -> Response:
        """Return a refusal."""
        return cls.json(error.status, error.to_json())
