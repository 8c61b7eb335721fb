"""A local service whose answers and notifications hold one odd value each, as long as a test says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from twilio_conversations.server.api import media as media_api
from twilio_conversations.server.calls import Response
from twilio_conversations.server.http import session
from twilio_conversations.server.sync import notifications
from twilio_conversations.wire import packets

RAW = {
    "null": "null",
    "true": "true",
    "number": "-7",
    "fraction": "0.5",
    "64 bits and more": str(2**64),
    "400 digits": "1" * 400,
    "5000 digits": "-" + "9" * 5000,
    "infinite": "1e999",
    "minus infinite": "-1e999",
    "nan": "NaN",
    "empty": '""',
    "surrogate": '"\\ud800x"',
    "surrogates": '{"\\udfff":["\\ud800"]}',
    "nul": '"\\u0000"',
    "long": f'"{"x" * 50_000}"',
    "url": '"http://[::1/x"',
    "port": '"http://127.0.0.1:99999999/x"',
    "list": "[null]",
    "object": '{"a":{"b":[1]}}',
    "300 levels": '{"a":' * 300 + "1" + "}" * 300,
    "800 levels": "[" * 800 + "]" * 800,
    "10,000 levels": '[{"a":' * 5_000 + "1" + "}]" * 5_000,
    "levels in text": json.dumps("[" * 5_000 + "]" * 5_000),
    "number in text": json.dumps("9" * 5_000),
    "infinite in text": '"{\\"a\\":1e999}"',
}
"""JSON that is odd, as text, since not all of it can be a value of Python's."""

_HERE = "\x00here\x00"


class Spoiler:
    """Replaces one value somewhere in what the service says, while it is armed."""

    def __init__(self) -> None:
        self._raw: str | None = None
        self._place = 0
        self._where = ""
        self._only = ""
        self.spoiled: list[tuple[Any, ...]] = []

    @contextmanager
    def armed(self, where: str, place: int, raw: str, only: str = "") -> Iterator[None]:
        """Spoil every ``"answer"``, ``"notification"`` or ``"record"`` (of a medium) within the block.

        The value at `place` (modulo their number, in order of appearance) becomes `raw`; with `only`, those below that key.
        """
        self._where, self._place, self._raw, self._only = where, place, raw, only
        self.spoiled = []
        try:
            yield
        finally:
            self._raw = None

    def text(self, where: str, body: bytes) -> bytes:
        """The text that is sent instead of `body`."""
        raw = self._raw
        if raw is None or where != self._where or not body:
            return body
        value = json.loads(body)
        places = [place for place in _places(value) if not self._only or self._only in place[:-1]]
        if not places:
            return body
        path = places[self._place % len(places)]
        self.spoiled.append(path)
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = _HERE
        return json.dumps(value).replace(json.dumps(_HERE), raw).encode()


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = []
    for key, member in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found.append((*path, key))
        found += _places(member, (*path, key))
    return found


def spoiled_service(patch: pytest.MonkeyPatch) -> Spoiler:
    """Put a spoiler between the services of this process and their clients."""
    spoiler = Spoiler()
    reply, notify = packets.Reply, packets.encode_notification

    def spoiled_reply(id_: str, *facts: Any, **more: Any) -> Any:
        if len(facts) > 3 and isinstance(facts[3], bytes):
            facts = (*facts[:3], spoiler.text("answer", facts[3]), *facts[4:])
        return reply(id_, *facts, **more)

    class SpoiledResponse(Response):
        @classmethod
        def json(cls, status: int, value: Any, resource: str | None = None) -> Response:
            return Response(status, spoiler.text("record", Response.json(status, value).body), resource)

    patch.setattr(session, "Reply", spoiled_reply)
    patch.setattr(
        notifications, "encode_notification", lambda id_, kind, body: notify(id_, kind, spoiler.text("notification", body))
    )
    patch.setattr(media_api, "Response", SpoiledResponse)
    return spoiler
