"""Orders of faults: the table of all kinds, and one order.

Each order may be limited to one `identity`; those that wait for requests also to a `method` and to a regular expression that the
`path` must contain. A `count` of `None` has no end. `KINDS` is the table of all kinds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import attrs

from twilio_conversations.server.calls import JSON, Response
from twilio_conversations.server.errors import CATALOGUE, Refusal
from twilio_conversations.server.settings import SERVICE, TUNNEL

TEXT = "text/plain"
NO_CODE = 0
"""The `code` of an order whose refusal has none."""
_CODES = {400: 20001, 401: 20101, 403: 20403, 404: 20404, 409: 20409, 429: 20429, 500: 20500, 503: 20503}
_LONGEST = 86_400_000


class Kind(StrEnum):
    """A kind of fault."""

    DROP = "drop"
    OFFLOAD = "offload"
    TOKEN_ABOUT_TO_EXPIRE = "token_about_to_expire"
    EXPIRE_TOKENS = "expire_tokens"
    HOLD_EVENTS = "hold_events"
    RELEASE_EVENTS = "release_events"
    REFUSE_CONNECTIONS = "refuse_connections"
    REFUSE = "refuse"
    DELAY = "delay"
    LOSE_ANSWERS = "lose_answers"
    FAIL_ANSWERS = "fail_answers"
    DELAY_ANSWERS = "delay_answers"


class Moment(StrEnum):
    """The moment of a fault: now, with the next connections, or with the next requests."""

    NOW = "now"
    CONNECTION = "connection"
    REQUEST = "request"


@attrs.frozen
class Row:
    """A row of the table of kinds; `over_http`: whether it applies to plain HTTP requests too (without an `identity`)."""

    moment: Moment
    about: str
    status: int = 503
    over_http: bool = False


KINDS: Final[Mapping[Kind, Row]] = {
    Kind.DROP: Row(Moment.NOW, "connections end without a word"),
    Kind.OFFLOAD: Row(
        Moment.NOW,
        "connections are requested to reconnect elsewhere (close 308, with `reconnect_min_ms`); pending answers follow for 5 s",
    ),
    Kind.TOKEN_ABOUT_TO_EXPIRE: Row(Moment.NOW, "connections are notified that their token is about to expire"),
    Kind.EXPIRE_TOKENS: Row(Moment.NOW, "tokens that were used so far are expired; their connections are closed with 410"),
    Kind.HOLD_EVENTS: Row(Moment.NOW, "events (all notifications) wait for `release_events`; answers do not"),
    Kind.RELEASE_EVENTS: Row(Moment.NOW, "what was held goes out, in order"),
    Kind.REFUSE_CONNECTIONS: Row(
        Moment.CONNECTION,
        "the next `count` connections (and token updates) are refused with `status` (429), `code` (0: none) and, for 429,"
        " `reconnect_min_ms`",
        status=429,
    ),
    Kind.REFUSE: Row(
        Moment.REQUEST,
        "the next `count` requests are refused with `status` (503), `code` (0: none), `content_type`, and `retry_after` if given;"
        " with `refused_by` `tunnel` in the reply's own `status`",
        over_http=True,
    ),
    Kind.DELAY: Row(Moment.REQUEST, "the next `count` requests are carried out after `seconds`", over_http=True),
    Kind.LOSE_ANSWERS: Row(
        Moment.REQUEST, "the next `count` requests are carried out, and the connection dropped instead of an answer"
    ),
    Kind.FAIL_ANSWERS: Row(
        Moment.REQUEST,
        "the next `count` requests are carried out, and answered as if they had failed, like `refuse` with `status` (504)",
        status=504,
    ),
    Kind.DELAY_ANSWERS: Row(Moment.REQUEST, "the next `count` requests are carried out now, and answered after `seconds`"),
}
"""All kinds, with the status of their refusals where the order has none."""


@attrs.define
class Fault:
    """One ordered fault; `count` is the number of times that are left."""

    kind: Kind = attrs.field(converter=Kind)
    identity: str | None = None
    count: int | None = 1
    method: str | None = None
    path: str = ""
    status: int | None = None
    code: int | None = None
    content_type: str = JSON
    refused_by: str = SERVICE
    retry_after: float | None = None
    seconds: float = 0.0
    reconnect_min_ms: int = 1000

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Fault:
        """Read an order. Raises `Refusal` 20001."""
        try:
            fault = cls(**body)
            fault._check()
        except (TypeError, ValueError, re.error) as error:
            raise Refusal(20001, f"Not a fault: {error}") from error
        return fault

    def _check(self) -> None:
        if self.identity is not None and not isinstance(self.identity, str):
            raise ValueError("identity is text")
        if self.count is not None and (type(self.count) is not int or self.count < 1):
            raise ValueError("count is a positive number or null")
        if self.status is None:
            self.status = self.row.status
        if type(self.status) is not int or not 400 <= self.status < 600:
            raise ValueError("status is a number from 400 to 599")
        if self.code is not None and type(self.code) is not int:
            raise ValueError("code is a number")
        if self.content_type not in (JSON, TEXT):
            raise ValueError(f"content_type is {JSON} or {TEXT}")
        if self.refused_by not in (SERVICE, TUNNEL):
            raise ValueError(f"refused_by is {SERVICE} or {TUNNEL}")
        for name in ("seconds", "retry_after", "reconnect_min_ms"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not 0 <= value <= _LONGEST):
                raise ValueError(f"{name} must not be negative")
        re.compile(self.path)

    @property
    def row(self) -> Row:
        """The row of its kind."""
        return KINDS[self.kind]

    def meets(self, identity: str | None, method: str, path: str) -> bool:
        """Return whether the fault applies to this request."""
        if self.identity not in (None, identity) or self.method not in (None, method):
            return False
        return re.search(self.path, path) is not None

    def refused_as(self) -> tuple[int, int]:
        """Return status and code of the refusal."""
        status = self.status or self.row.status
        code = self.code if self.code is not None else _CODES.get(status, 20500 if status >= 500 else 20001)
        return status, code

    def refusal(self) -> Response:
        """Return the response to a refused request."""
        status, code = self.refused_as()
        if self.refused_by == TUNNEL:
            return Response(status, tunnel_code=code)
        headers = {} if self.retry_after is None else {"retry-after": f"{self.retry_after:g}"}
        if self.content_type == TEXT:
            return Response(
                status, b"upstream connect error or disconnect/reset before headers", headers=headers, content_type=TEXT
            )
        message = CATALOGUE[code][1] if code in CATALOGUE else "Refused on command"
        body: dict[str, Any] = {"status": status, "message": message}
        if code != NO_CODE:
            body |= {"code": code, "more_info": f"https://www.twilio.com/docs/errors/{code}"}
        return attrs.evolve(Response.json(status, body), headers=headers)
