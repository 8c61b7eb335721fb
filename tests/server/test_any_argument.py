"""No argument of a method of the embedded service gives anything else than a result or a `ConversationsError`."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from tests.client.test_any_argument import VALUES, methods
from twilio_conversations import ArgumentTypeError, ConversationsError
from twilio_conversations.server import LocalServer

ENDS = {"start", "stop", "perform", "wait", "held_events"}
RIGHT: dict[str, Any] = {"identity": "alice", "conversation": "CH" + "0" * 32, "message": "IM" + "0" * 32, "method": "GET"}
RIGHT |= {"address": "+15550101", "proxy_address": "+15550100", "body": "x", "source": {}, "by": 1}
RIGHT |= {"seconds": 0.01, "status": "sent"}


def test_any_argument() -> None:
    """One odd argument at a time, in every place of every method; the service serves on."""
    with LocalServer() as server:
        for thing in (server, server.faults):
            for name, odd in methods(thing):
                if name not in ENDS:
                    for value in VALUES:
                        try_odd(thing, name, odd, value)
            server.faults.clear()
        assert server.token("alice")
        assert server.now().tzinfo is UTC


def try_odd(thing: Any, name: str, odd: str, value: Any) -> None:
    """Call a method with what its parameters need, and one odd value."""
    wanted = [parameter for method, parameter in methods(thing) if method == name and parameter in RIGHT]
    try:
        getattr(thing, name)(**{**{parameter: RIGHT[parameter] for parameter in wanted}, odd: value})
    except ConversationsError:
        pass
    except TypeError as error:
        if "unexpected keyword" not in str(error) and "missing" not in str(error):
            raise AssertionError(f"{name}({odd}={type(value).__name__}) raised {error!r:.200}") from error
    except Exception as error:
        raise AssertionError(f"{name}({odd}={type(value).__name__}) raised {error!r:.200}") from error


@pytest.mark.parametrize("wrong", [{"host": 5}, {"data_dir": 5}, {"port": "x"}])
def test_a_service_of_wrong_arguments_is_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    """When it is made, in words."""
    with pytest.raises(ConversationsError) as caught:
        LocalServer(**wrong).start()
    assert isinstance(caught.value, ArgumentTypeError) or "port" in wrong
