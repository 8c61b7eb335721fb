"""Thousands of stories of a session: what `test_session` checks of random events, and that it never connects on and on."""

from __future__ import annotations

import random

from tests.support.stories import Moves, run_stories
from tests.wire.driven import EXPIRED, Driven, http_reply
from tests.wire.test_random_sessions import RandomEvents
from twilio_conversations.wire.packets import Init, RestCall, Update
from twilio_conversations.wire.transitions import Phase

CONTROL = (Init, Update)
OUTAGE = 100.0  # seconds: with delays from 1 s that double, no more than a handful of attempts
ATTEMPTS = 10

MOVES: Moves = {
    "connect": lambda rng: {},
    "socket": lambda rng: {"good": rng.random() < 0.7},
    "stale_socket": lambda rng: {"generation": rng.randrange(6), "good": rng.random() < 0.5},
    "control_answer": lambda rng: {
        "code": rng.choice([200, 200, 200, 401, 403, 429, 500, 400]),
        "error_code": rng.choice([None, EXPIRED, 1]),
    },
    "close_frame": lambda rng: {
        "code": rng.choice([None, 308, 401, 410, 503, 406]),
        "error_code": rng.choice([None, 51232]),
    },
    "notification": lambda rng: {"id_": rng.choice([None, "N1"])},
    "bad_frame": lambda rng: {"method": rng.choice([None, "reply", "notification"])},
    "submit": lambda rng: {"seconds": rng.choice([0.0, 0.5, 30.0])},
    "answer_one": lambda rng: {"which": rng.randrange(20), "code": rng.choice([200, 404, 503])},
    "update": lambda rng: {
        "number": rng.randrange(5),
        "keyed": rng.random() < 0.5,
        "seconds": rng.choice([1.0, float("inf")]),
    },
    "expire": lambda rng: {},
    "outage": lambda rng: {},
    "no_token": lambda rng: {},
    "time_passes": lambda rng: {"seconds": rng.choice([0.1, 1.0, 15.0, 130.0])},
    "wake": lambda rng: {},
    "well_done": lambda rng: {},
}


class Told(RandomEvents):
    """A session's life, told by a seed."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.driven = Driven(refreshable=rng.random() < 0.5)
        self.cooperates = rng.random() < 0.5
        if rng.random() < 0.5:
            self.driven.up()

    def allows(self, move: str) -> bool:
        if move == "socket":
            return self.driven.open_generation is not None
        return move != "control_answer" or any(isinstance(packet, CONTROL) for packet in self.driven.sent)

    def abandon(self) -> None:
        """Do nothing: everything is in memory."""

    def look(self) -> None:
        """Never stuck, the public state is the phase's, and who is connected uses the latest token that is not refused."""
        self.never_stuck()
        self.one_public_state()
        if self.driven.session.phase is Phase.CONNECTED and self.latest not in self.refused:
            last = next(packet for packet in reversed(self.driven.sent) if isinstance(packet, CONTROL))
            assert last.token == self.latest, "connected with an older token"

    def answer_one(self, which: int, code: int) -> None:
        written = [packet.id for packet in self.driven.sent if isinstance(packet, RestCall)]
        if written:
            self.driven.receive(http_reply(written[which % len(written)], code))

    def outage(self) -> None:
        """Whatever is connected breaks at once, for a while: attempts become rare."""
        driven = self.driven
        end, attempts = driven.now + OUTAGE, 0
        while driven.now < end:
            if driven.open_generation is not None:
                driven.lose()
                attempts += 1
                assert attempts <= ATTEMPTS, "it connects on and on"
            due = driven.session.next_deadline()
            driven.advance(max(0.0, min(end if due is None else due, end) - driven.now))

    def expire(self) -> None:
        """The token's own time is over."""
        self.driven.session.token_expired(self.latest)

    def no_token(self) -> None:
        """The provider gives up."""
        self.driven.do(self.driven.session.token_refused(ValueError("no more"), self.driven.now))

    def well_done(self) -> None:
        """The next thing that the service owes is done as it should be."""
        phase = self.driven.session.phase
        if phase is Phase.CONNECTING and not self.driven.session._socket_open:
            self.driven.open()
        elif phase in (Phase.INITIALISING, Phase.UPDATING):
            self.driven.answer(Init if phase is Phase.INITIALISING else Update)


def test_stories_of_a_session() -> None:
    """Each request and update is settled once, one socket at a time, the latest token wins, and nothing turns in circles."""
    run_stories(Told, MOVES, count=2000, steps=40)
