"""The main loop of a bot: signals end it, once."""

from __future__ import annotations

import signal

import pytest

from twilio_conversations.bot.running import Loop, ended_by_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_loop(number: signal.Signals) -> None:
    """The first one ends it without an error; from then on signals have their usual effect."""
    before, loop = signal.getsignal(number), Loop()
    with ended_by_signals(loop):
        assert signal.getsignal(number) is not before
        signal.raise_signal(number)
        assert signal.getsignal(number) is before
        assert loop.run(lambda: None) is None
    assert signal.getsignal(number) is before
