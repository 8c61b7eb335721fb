"""The session under random events and malformed input."""

from __future__ import annotations

import logging
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.faults.malformed import FROM_SERVICE, Malformer
from tests.wire.driven import EXPIRED, Driven, http_reply
from twilio_conversations.errors import (
    ProtocolError,
)
from twilio_conversations.wire.credentials import RefusedToken
from twilio_conversations.wire.decoding import PacketError, decode
from twilio_conversations.wire.packets import (
    BackoffHint,
    Close,
    Init,
    Notification,
    Reply,
    RestCall,
    Status,
    Update,
)
from twilio_conversations.wire.transitions import PUBLIC_STATES, Phase


class RandomEvents(RuleBasedStateMachine):
    """Any order of events. `Driven` asserts: one socket, nothing sent without it, nothing settled twice or after the end."""

    def __init__(self) -> None:
        super().__init__()
        self.driven = Driven()
        self.cooperates = True
        self.names = iter(range(10**6))
        self.asked: set[str] = set()
        self.latest = "T0"
        self.refused: set[str] = set()
        self.noted: RefusedToken | None = None

    @initialize(up=st.booleans(), refreshable=st.booleans(), cooperates=st.booleans())
    def start(self, up: bool, refreshable: bool, cooperates: bool) -> None:
        """Idle or connected; in the end the service either does what it should, or nothing more."""
        self.driven = Driven(refreshable=refreshable)
        self.cooperates = cooperates
        if up:
            self.driven.up()

    @rule()
    def connect(self) -> None:
        if self.driven.session.phase is Phase.IDLE:
            self.driven.connect()

    def _note_refusal(self) -> None:
        """A refusal was meant for the token sent last."""
        refusal = self.driven.session.credentials.refused
        if refusal is not None and refusal is not self.noted:
            assert refusal.token == next(p.token for p in reversed(self.driven.sent) if isinstance(p, Init | Update))
            self.noted = refusal
            self.refused.add(refusal.token)

    @precondition(lambda self: self.driven.open_generation is not None)
    @rule(good=st.booleans())
    def socket(self, good: bool) -> None:
        if good:
            self.driven.open()
        else:
            self.driven.lose()

    @rule(generation=st.integers(0, 5), good=st.booleans())
    def stale_socket(self, generation: int, good: bool) -> None:
        session, now = self.driven.session, self.driven.now
        if generation != self.driven.open_generation:
            self.driven.do(session.socket_opened(generation, now) if good else session.socket_lost(generation, "x", now))

    @precondition(lambda self: any(isinstance(packet, Init | Update) for packet in self.driven.sent))
    @rule(code=st.sampled_from([200, 200, 200, 401, 403, 429, 500, 400]), error_code=st.sampled_from([None, EXPIRED, 1]))
    def control_answer(self, code: int, error_code: int | None) -> None:
        asked = next(packet for packet in reversed(self.driven.sent) if isinstance(packet, Init | Update))
        before = self.driven.session.phase
        self.driven.receive(Reply(asked.id, Status(code, "X", None, error_code)))
        if before in (Phase.INITIALISING, Phase.UPDATING):
            self._note_refusal()

    @rule(code=st.sampled_from([None, 308, 401, 410, 503, 406]), error_code=st.sampled_from([None, 51232]))
    def close_frame(self, code: int | None, error_code: int | None) -> None:
        before = self.driven.session.phase
        self.driven.receive(Close("C", None if code is None else Status(code, "X", None, error_code), BackoffHint(100)))
        if before in (Phase.INITIALISING, Phase.CONNECTED, Phase.UPDATING):
            self._note_refusal()

    @rule(id_=st.sampled_from([None, "N1"]))
    def notification(self, id_: str | None) -> None:
        self.driven.receive(Notification(id_, "t", {}))

    @rule(method=st.sampled_from([None, "reply", "notification"]))
    def bad_frame(self, method: str | None) -> None:
        error = ProtocolError("bad") if method is None else PacketError("bad", id_="N1", method=method)
        self.driven.do(self.driven.session.receive_bad(error, self.driven.now))

    @rule(seconds=st.sampled_from([0.0, 0.5, 30.0]))
    def submit(self, seconds: float) -> None:
        id_ = f"r{next(self.names)}"
        self.asked.add(id_)
        self.driven.submit(id_, seconds)

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), code=st.sampled_from([200, 404, 503]))
    def answer(self, data: st.DataObject, code: int) -> None:
        written = [packet.id for packet in self.driven.sent if isinstance(packet, RestCall)]
        if written:
            self.driven.receive(http_reply(data.draw(st.sampled_from(written)), code))

    @rule(number=st.integers(0, 4), keyed=st.booleans(), seconds=st.sampled_from([1.0, float("inf")]))
    def update(self, number: int, keyed: bool, seconds: float) -> None:
        key = f"u{next(self.names)}" if keyed else None
        if key:
            self.asked.add(key)
        self.latest = f"T{number}"
        self.refused.discard(self.latest)
        self.driven.update(self.latest, key, seconds)

    @rule(seconds=st.sampled_from([0.1, 1.0, 15.0, 130.0]))
    def time_passes(self, seconds: float) -> None:
        self.driven.advance(seconds)

    @rule()
    def wake(self) -> None:
        self.driven.do(self.driven.session.wake(self.driven.now))

    @invariant()
    def never_stuck(self) -> None:
        """Where the service must act next, a timer guards it."""
        if self.driven.session.phase in (Phase.CONNECTING, Phase.INITIALISING, Phase.UPDATING, Phase.LEAVING, Phase.WAITING):
            assert self.driven.session.next_deadline() is not None

    @invariant()
    def one_public_state(self) -> None:
        assert self.driven.session.state is PUBLIC_STATES[self.driven.session.phase]

    def teardown(self) -> None:
        driven = self.driven
        if self.cooperates:
            self._finish_well()
        driven.close()
        assert self.asked <= set(driven.settled), "a future was left behind"
        driven.do(driven.session.connect(driven.now))
        driven.do(driven.session.wake(driven.now))
        driven.do(driven.session.receive(Notification("N", "t"), driven.now))
        driven.advance(1000)

    def _finish_well(self) -> None:
        driven = self.driven
        if driven.session.phase is Phase.IDLE:
            driven.connect()
        for _ in range(10):
            if driven.session.phase in (Phase.LEAVING, Phase.WAITING):
                driven.advance(200)
            elif driven.session.phase is Phase.CONNECTING:
                driven.open()
            elif driven.session.phase is Phase.INITIALISING:
                driven.answer(Init)
            elif driven.session.phase is Phase.UPDATING:
                driven.answer(Update)
        assert driven.session.phase in (Phase.CONNECTED, Phase.DENIED, Phase.FAILED, Phase.AUTHORISING)
        if driven.session.phase is Phase.CONNECTED and self.latest not in self.refused:
            final = next(packet for packet in reversed(driven.sent) if isinstance(packet, Init | Update))
            assert final.token == self.latest, "the latest token was not the one finally sent"


RandomEvents.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


TestRandomEvents = RandomEvents.TestCase


@pytest.mark.slow
def test_a_hundred_thousand_malformed_inputs(caplog: pytest.LogCaptureFixture) -> None:
    """Codec and state machine raise nothing but `ProtocolError`, and the session still works afterwards."""
    caplog.set_level(logging.CRITICAL, "twilio_conversations")  # each is warned of; to keep that takes longer than the test
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    malformed = Malformer(seed, FROM_SERVICE, masked=False)
    driven = Driven()
    driven.up()
    for number in range(100_000):
        data = malformed.packet()
        try:
            packet = decode(data)
        except ProtocolError as error:
            driven.do(driven.session.receive_bad(error, driven.now))
        else:
            driven.receive(packet)
        if number % 50 == 0:
            driven.submit(f"r{number}", 60)
        driven.sent = [packet for packet in driven.sent[-3:] if isinstance(packet, Init | Update)]
        if driven.session.phase is Phase.DENIED:
            driven.update(f"T{number}")
        if driven.session.phase is Phase.FAILED:
            driven = Driven()
            driven.up()
        while driven.phase is not Phase.CONNECTED:
            driven.advance(200) if driven.phase in (Phase.LEAVING, Phase.WAITING) else driven.establish()
    driven.submit("good", 60)
    driven.receive(http_reply("good"))

    assert isinstance(driven.settled["good"], Reply)
