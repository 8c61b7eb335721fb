"""A session with a clock that the test turns, and a record of everything it wanted done."""

from __future__ import annotations

import itertools
from typing import Any

from twilio_conversations.enums import ConnectionState
from twilio_conversations.options import BackoffPolicy, Endpoints, Options
from twilio_conversations.wire.decoding import decode
from twilio_conversations.wire.effects import CloseSocket, Effect, OpenSocket, Send, Settle, StateChanged
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.inflight import Submission
from twilio_conversations.wire.packets import Init, Packet, Reply, RestCall, Status, Update
from twilio_conversations.wire.session import Session
from twilio_conversations.wire.transitions import Phase
from twilio_conversations.wire.window import Lane

EXPIRED = 20104

ENDPOINTS = Endpoints.for_base("http://127.0.0.1:1")


def submission(id_: str, deadline: float = 1e9, *, body: bytes = b"", cuts: int = 0, lane: Lane = Lane.COMMAND) -> Submission:
    """A request as the session gets it."""
    request = HttpRequest.from_url("GET", "http://h/p", {}, body)
    return Submission(id_, RestCall(id_, request).encode(), deadline, cuts, lane)


class Driven:
    """Feeds inputs to a session and keeps the books; asserts what must hold always."""

    def __init__(self, *, token: str | None = "T0", refreshable: bool = False, **options: Any) -> None:
        options.setdefault("reconnect", BackoffPolicy(jitter=0))
        self.options = Options(endpoints=ENDPOINTS, **options)
        numbers = itertools.count(1)
        self.session = Session(
            self.options, token=token, refreshable=refreshable, rng=lambda: 0.5, new_id=lambda: f"TM{next(numbers)}"
        )
        self.now = 1000.0
        self.effects: list[Effect] = []  # of the latest input
        self.sent: list[Packet] = []
        self.settled: dict[str, Any] = {}
        self.open_generation: int | None = None
        self.over = False

    @property
    def phase(self) -> Phase:
        """The session's phase; a type checker takes `session.phase` to stay as it was compared last."""
        return self.session.phase

    def do(self, effects: list[Effect]) -> list[Effect]:
        """Note what an input caused."""
        assert not (self.over and any(not isinstance(effect, Settle) for effect in effects)), "something happened after close"
        for effect in effects:
            if isinstance(effect, OpenSocket):
                assert self.open_generation is None, "two sockets"
                self.open_generation = effect.generation
            elif isinstance(effect, CloseSocket):
                assert effect.generation == self.open_generation, "closed a socket that is not there"
                self.open_generation = None
            elif isinstance(effect, Send):
                assert self.open_generation is not None, "sent without a socket"
                self.sent.append(decode(effect.data))
            elif isinstance(effect, Settle):
                assert effect.key not in self.settled, "settled twice"
                self.settled[effect.key] = effect.outcome
        self.effects = effects
        return effects

    def of(self, kind: type[Any]) -> list[Any]:
        """The latest effects of one kind."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def last(self, kind: type[Any]) -> Any:
        """The latest packet of one kind that was sent."""
        return next(packet for packet in reversed(self.sent) if isinstance(packet, kind))

    @property
    def generation(self) -> int:
        """The socket that is wanted."""
        assert self.open_generation is not None
        return self.open_generation

    # inputs

    def connect(self) -> None:
        """Start."""
        self.do(self.session.connect(self.now))

    def open(self) -> None:
        """The wanted socket opens."""
        self.do(self.session.socket_opened(self.generation, self.now))

    def lose(self, error: str = "reset", close_code: int | None = None) -> None:
        """The wanted socket fails, or is closed by the peer."""
        self.do(self.session.socket_lost(self.generation, error, self.now, close_code))

    def receive(self, packet: Packet) -> None:
        """A packet comes."""
        self.do(self.session.receive(packet, self.now))

    def answer(
        self, kind: type[Init | Update], code: int = 200, error_code: int | None = None, body: bytes = b"", **fields: Any
    ) -> None:
        """The latest init or update is answered."""
        self.receive(Reply(self.last(kind).id, Status(code, "X", "text", error_code), body=body, fields=fields))

    def up(self) -> None:
        """From idle to connected."""
        self.connect()
        self.establish()

    def establish(self) -> None:
        """The wanted socket opens and its init is accepted."""
        self.open()
        self.answer(Init)

    def submit(self, id_: str, seconds: float = 1e9, **facts: Any) -> None:
        """A request comes."""
        self.do(self.session.submit(submission(id_, self.now + seconds, **facts), self.now))

    def update(self, token: str, key: str | None = None, seconds: float = float("inf")) -> None:
        """A token comes."""
        self.do(self.session.update_token(token, self.now, key=key, deadline=self.now + seconds))

    def close(self) -> None:
        """The program closes the client."""
        self.do(self.session.close(self.now))
        self.over = True

    def advance(self, seconds: float) -> None:
        """Time passes; what becomes due is run."""
        end = self.now + seconds
        collected: list[Effect] = []
        while (due := self.session.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            collected += self.do(self.session.on_time(self.now))
        self.now = end
        self.effects = collected


def states(driven: Driven) -> list[ConnectionState]:
    """The states that the latest input announced."""
    return [effect.state for effect in driven.of(StateChanged)]


def http_reply(id_: str, code: int = 200, status: Status | None = None) -> Reply:
    """The answer to a tunnelled request."""
    return Reply(id_, status or Status(200, "OK"), Status(code, "X"), body=b"{}")
