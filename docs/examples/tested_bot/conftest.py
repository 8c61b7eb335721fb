"""The bot, running, and a room with a guest in it."""

import pytest
from shop_bot import make_bot


@pytest.fixture
def bot(conversations_service, person, run_bot):
    """Client of the bot, which runs until the end of the test."""
    return run_bot(make_bot(lambda: conversations_service.token(person.identity("shop"))))


@pytest.fixture
def room(person, bot, settled):
    """A conversation of a guest with the bot, as the guest sees it."""
    room = person("guest").create_conversation().join()
    room.add(bot.identity)
    settled()
    return room
