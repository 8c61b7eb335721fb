"""A conversation that cannot be opened: not visible, refused for now, strange, denied or closed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.state.backend import OWN, of, trouble
from tests.state.driven import Driven
from twilio_conversations.errors import NotFoundError
from twilio_conversations.options import BackoffPolicy
from twilio_conversations.util import logs


@pytest.mark.parametrize("status", [403, 404])
def test_what_is_not_visible_never_appears(alice: Driven, status: int) -> None:
    """No event, no error, no second try; whoever waits for it is told."""
    room = alice.room("CH1", status=None)
    alice.start()
    alice.told()
    alice.backend.answer("GET", "/v3/Documents/CH1.channel", trouble(status))
    alice.backend.held = {"CH1.channel?"}
    appearing = alice.tracked.learn(alice.entry(room)).ready
    alice.backend.held = set()
    alice.run(100)
    assert alice.told() == []
    assert len(alice.read("CH1.channel")) == 1
    assert alice.tracked.known("CH1") is None
    error = appearing.exception()
    assert getattr(error, "status", None) == status
    assert alice.opened == OWN


def test_a_name_that_cannot_be_asked_for_is_let_go(alice: Driven, caplog: pytest.LogCaptureFixture) -> None:
    """It would lead elsewhere."""
    alice.start()
    alice.told()
    with caplog.at_level("INFO"):
        alice.backend.add(alice.mine, {"channel": "..", "status": "joined"}, "CH1")
        alice.run(100)
        logs.flush(10)
    assert alice.told() == []
    assert alice.tracked.known("CH1") is None
    assert "conversation CH1 cannot be opened: " in caplog.text


def test_what_cannot_be_opened_now_is_reported_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """After growing pauses, until it succeeds."""
    with Driven(reconnect=BackoffPolicy(minimum=2, maximum=100, jitter=0)) as alice:
        alice.start()
        alice.told()
        alice.backend.answer("GET", "/v3/Maps/CH1.roster", trouble(501))
        room = alice.room("CH1")
        alice.run(1)
        assert len(alice.told("^error")) == 1
        alice.run(2)
        assert len(alice.told("^error")) == 1
        alice.run(2)
        assert alice.told() == []
        alice.run(3)
        assert len(alice.told("^error")) == 1
        assert len(alice.read("CH1.channel")) == 1
        del alice.backend.answers["GET", "/v3/Maps/CH1.roster"]
        alice.run(100)
        assert alice.told() == ["conversation_added CH1", "conversation_joined CH1"]
        assert alice.opened == [*of(room), *OWN]
        logs.flush(10)
        assert "conversation CH1 cannot be opened now: " in caplog.text


@pytest.mark.parametrize("strange", ["text", ["list"], 7])
def test_a_conversation_whose_document_is_strange_is_announced(
    alice: Driven, strange: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What is wrong with it is reported; it is followed by the usual names, and its first good document counts."""
    alice.start()
    alice.told()
    room = alice.room("CH1", status=None)
    room.document.data = strange
    alice.tracked.learn(alice.entry(room))
    alice.run(100)
    assert alice.told() == [
        "error a conversation document that is not an object",
        "conversation_added CH1",
        "conversation_joined CH1",
    ]
    assert alice.opened == [*of(room), *OWN]
    logs.flush(10)
    assert "a conversation document that is not an object" in caplog.text
    alice.backend.set(room.document, {"friendlyName": "good"})
    alice.run(1)
    assert alice.told("^conv") == ["conversation_updated CH1 friendlyName"]


def test_a_denied_client_reports_no_consequence(alice: Driven) -> None:
    """That it is denied was told; it goes on when a token has connected."""
    alice.start()
    alice.told()
    alice.backend.answer("GET", "/v3/Maps/CH1.roster", trouble(501))
    alice.readiness.refuse(NotFoundError("denied"))
    alice.room("CH1")
    alice.run(1000)
    assert alice.told() == []
    assert len(alice.read("CH1.roster")) == 1
    del alice.backend.answers["GET", "/v3/Maps/CH1.roster"]
    alice.readiness.begin_again()
    alice.runtime.connected()
    alice.run(1)
    assert alice.told() == ["conversation_added CH1", "conversation_joined CH1"]


def test_a_closed_client_opens_no_more(alice: Driven, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is told and nothing tried again."""
    alice.start()
    alice.told()
    alice.backend.held = {"CH1.channel?"}
    alice.room("CH1")
    alice.run(1)
    alice.sync.close()
    alice.run(1000)
    logs.flush(10)
    assert alice.told() == []
    assert "cannot be opened" not in caplog.text
    member = alice.tracked.known("CH1")
    assert member is not None
    assert not member.ready.done()


def test_what_was_forbidden_later_is_reported(alice: Driven, caplog: pytest.LogCaptureFixture) -> None:
    """The service ends a subscription for good; the conversation stays."""
    room = alice.room("CH1")
    alice.start()
    alice.told()
    alice.backend.forbidden[room.messages.sid] = {"status": 403, "code": 54007, "message": "not yours"}
    alice.cut()
    alice.run(1)
    (line,) = alice.told()
    assert line.startswith("error ")
    assert "not yours" in line
    logs.flush(10)
    assert "cannot be followed: " in caplog.text
