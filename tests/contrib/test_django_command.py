"""What `conversations_bot` cannot run ends it at once, with the reason."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from twilio_conversations import TokenError
from twilio_conversations.bot import Bot
from twilio_conversations.contrib.django.bots import create_bot
from twilio_conversations.server import LocalServer

NO_HANDLERS = True
BOTS: dict[str, Bot] = {}


def __getattr__(name: str) -> Any:
    """Return a bot of a test by its name in this module."""
    try:
        return BOTS[name]
    except KeyError:
        raise AttributeError(name) from None


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("shop.robot", "shop.robot cannot be imported: No module named 'shop'"),
        (f"{__name__}.robot", 'does not define a "robot"'),
        (f"{__name__}.NO_HANDLERS", "is no bot, no function and no module: True"),
    ],
)
@pytest.mark.usefixtures("site")
def test_what_cannot_be_run(path: str, words: str) -> None:
    """A path that leads to nothing, or to something else."""
    with pytest.raises(CommandError, match=words):
        call_command("conversations_bot", path)


def never(identity: str) -> str:
    """A site's function that has no token, for good."""
    raise TokenError("no token for anybody", code=20101)


@pytest.mark.parametrize("what", ["handlers", "bot"])
def test_a_rejected_client(service: LocalServer, what: str) -> None:
    """Whether it has a bot or handlers."""
    token = {"TOKEN": never, "ENDPOINT": service.url}
    with override_settings(TWILIO_CONVERSATIONS=token):
        BOTS["rejected"] = create_bot("shop")
        path = __name__ if what == "handlers" else f"{__name__}.rejected"
        with pytest.raises(CommandError, match="the client was rejected: no token for anybody"):
            call_command("conversations_bot", path, use_reloader=False)
    BOTS.pop("rejected").client.close()
