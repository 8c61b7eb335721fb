"""Tests of the bot. No account is needed, and no test waits for a time to pass."""


def texts(room):
    """Return what was said, oldest first."""
    return [message.body for message in room.iter_messages(newest_first=False)]


def test_greets(room, ask, person):
    """A greeting is answered with the name of the guest."""
    assert ask(room, "hello").body == f"Hello {person.identity('guest')}!"


def test_order(room, ask):
    """An order is a dialogue of two questions."""
    assert ask(room, "/order").body == "What would you like: tea or cake?"
    assert ask(room, "Tea").body == "One tea, 2 euros."


def test_unknown_order(room, ask):
    """What is not on the menu is refused."""
    ask(room, "/order")
    assert ask(room, "soup").body == "We have no soup."


def test_leaves_other_messages_alone(room, settled):
    """The bot says nothing that it was not asked for."""
    room.send_message("is it going to rain?")
    settled()
    assert texts(room) == ["is it going to rain?"]


def test_answers_once_after_a_cut(room, settled, conversations_service, bot):
    """A connection that breaks costs no message, and doubles none."""
    conversations_service.faults.drop(bot.identity)
    room.send_message("hello")
    settled()
    assert len(texts(room)) == 2


def test_two_dialogues_at_once(room, ask, person, bot, settled):
    """Dialogues in two conversations do not wait for each other."""
    other = person("other guest").create_conversation().join()
    other.add(bot.identity)
    settled()
    ask(room, "/order")
    ask(other, "/order")
    assert ask(room, "cake").body == "One cake, 4 euros."
    assert ask(other, "tea").body == "One tea, 2 euros."
