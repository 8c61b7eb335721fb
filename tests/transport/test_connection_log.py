"""What the log says of a connection: one line each, at a level that fits, without tokens."""

from __future__ import annotations

import logging

import pytest

from tests.support.sealed_tokens import sealed
from tests.transport.conftest import Wire, wait_until
from tests.transport.test_token_source import Provider, token
from twilio_conversations.errors import ConnectionErrorInfo
from twilio_conversations.transport.connection_log import LONGEST_CAUSE, ConnectionLog
from twilio_conversations.util import logs
from twilio_conversations.wire.packets import Close, Status

PEER = "wss://service.example/v3/wsconnect"
Lines = list[tuple[str, str]]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> ConnectionLog:
    """The log of a client whose identity is not known yet."""
    caplog.set_level(logging.DEBUG, "twilio_conversations.connection")
    return ConnectionLog("7", PEER)


def lines(caplog: pytest.LogCaptureFixture, level: str = "DEBUG") -> Lines:
    """(level, text) of what was logged about connections, from a level on."""
    assert logs.flush(10)
    found = [record for record in caplog.records if record.name == "twilio_conversations.connection"]
    return [(record.levelname, record.getMessage()) for record in found if record.levelno >= getattr(logging, level)]


def info(text: str, *, terminal: bool = False, status: int | None = None) -> ConnectionErrorInfo:
    """A report."""
    return ConnectionErrorInfo(terminal, text, status)


def test_the_first_report_of_a_trouble_is_a_warning(log: ConnectionLog, caplog: pytest.LogCaptureFixture) -> None:
    """Its repetitions are not; another cause is; after a connection so is the same one again."""
    for text in ("refused", "refused", "no answer", "refused"):
        log.trouble(info(text))
    log.connected(resumed=True)
    log.trouble(info("refused"))

    assert [level for level, _ in lines(caplog)] == ["WARNING", "DEBUG", "WARNING", "DEBUG", "INFO", "WARNING"]


def test_a_trouble_with_tokens_lasts_until_another_is_accepted(log: ConnectionLog, caplog: pytest.LogCaptureFixture) -> None:
    """A connection with the one of before ends it not."""
    log.token_accepted("T0")
    for _ in range(3):
        log.trouble(info("wrong signature", status=401))
        log.token_accepted("T0")
        log.connected(resumed=True)
        log.trouble(info("the provider failed"), about_token=True)
    assert len(lines(caplog, "WARNING")) == 2
    log.token_accepted("T1")
    log.trouble(info("wrong signature", status=401))

    assert len(lines(caplog, "WARNING")) == 3


def test_the_end_is_an_error(log: ConnectionLog, caplog: pytest.LogCaptureFixture) -> None:
    """Also when the same was a trouble before; with the codes."""
    log.trouble(ConnectionErrorInfo(False, "revoked", 401, 20403))
    log.trouble(ConnectionErrorInfo(True, "revoked", 401, 20403))

    assert lines(caplog) == [
        ("WARNING", "client 7: revoked (status 401, code 20403)"),
        ("ERROR", "client 7: given up: revoked (status 401, code 20403)"),
    ]


def test_lines_name_the_identity_as_soon_as_it_is_known(log: ConnectionLog, caplog: pytest.LogCaptureFixture) -> None:
    """Quoted, so that nobody's name breaks the line; what is no token changes nothing."""
    log.token_given("rubbish")
    log.connected(resumed=False)
    log.token_given(token(identity="eve\nERROR: forged"))
    log.connected(resumed=True)
    log.retrying(1.25, "reset by peer")

    assert [text for _, text in lines(caplog)] == [
        f"client 7: connected to {PEER}",
        f"client 7 ('eve\\nERROR: forged'): connected again to {PEER}",
        "client 7 ('eve\\nERROR: forged'): connecting again in 1.2 s, since: reset by peer",
    ]


def test_whatever_others_say_is_one_line_without_tokens(log: ConnectionLog, caplog: pytest.LogCaptureFixture) -> None:
    """Line breaks, control characters and length are taken out, and tokens that somebody repeats."""
    log.trouble(info(f"bad\r\nERROR: forged\x1b[2J\u2028 token={token()} other={sealed()} end"))
    log.retrying(1, "x" * 10_000)
    (_, first), (_, second) = lines(caplog)

    assert first == "client 7: bad ERROR: forged [2J token=(a token) other=(a token) end"
    assert len(second) < LONGEST_CAUSE + 100


def test_what_is_remembered_is_bounded(log: ConnectionLog) -> None:
    """A service that says something else each time costs no memory."""
    for number in range(10_000):
        log.trouble(info(str(number)))

    assert len(log._known) < 100


def test_a_connection_s_life_in_the_log(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """Connected, lost, connected again: INFO; revoked: one WARNING, and the provider's next token connects."""
    caplog.set_level(logging.INFO, "twilio_conversations")
    wired = wire(Provider())
    wired.up().cut()
    peer = wired.service.peer()
    peer.accept_init()
    wired.recorder.wait_for("connected", count=2)
    peer.send(Close("C1", Status(401, "UNAUTHORIZED", "revoked", 20403)))
    wired.service.peer().accept_init()
    wired.recorder.wait_for("connected", count=3)
    levels = [level for level, _ in lines(caplog)]

    assert levels == ["INFO", "INFO", "INFO", "WARNING", "INFO"]


def test_a_fixed_token_s_end_is_announced(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """Ahead of it, in words that say what to do."""
    wire(token(5)).up()
    wait_until(lambda: bool(lines(caplog, "WARNING")), "it is announced")

    ((_, text),) = lines(caplog, "WARNING")
    assert "seconds; give Client a function that returns tokens" in text
