"""The mixin for a site's own tests: shown at work by running test cases that use it."""

from __future__ import annotations

import io
import threading
import unittest

import pytest
from django.test import SimpleTestCase

from tests.support.patience import PATIENCE
from twilio_conversations import Message
from twilio_conversations.contrib.django import get_client
from twilio_conversations.contrib.django.settings import raw_settings
from twilio_conversations.contrib.django.testing import ConversationsTestMixin


def run(case: type[unittest.TestCase]) -> unittest.TestResult:
    """Run a test case."""
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    return unittest.TextTestRunner(stream=io.StringIO()).run(suite)


def test_a_service_that_is_empty_at_each_test() -> None:
    """The site's clients and other people reach it; nothing of a test is left to the next one or to later classes."""
    clients = []

    class Shop(ConversationsTestMixin, SimpleTestCase):
        def check(self) -> None:
            shop, bob = get_client("shop"), self.person("bob")
            clients.extend([shop, bob])
            room = shop.create_conversation(unique_name="orders").join()
            room.add("bob")
            room.send_message("hello")
            message = bob.get_conversation_by_sid(room.sid).get_messages().items[0]
            assert (message.author, message.body) == ("shop", "hello")

        test_one = test_two = check

    before = raw_settings()
    result = run(Shop)
    assert result.testsRun == 2
    assert result.errors == result.failures == []
    assert raw_settings() == before
    assert all(client.ended_by is not None for client in clients)
    assert not Shop.conversations_service.is_running


def test_settled() -> None:
    """It returns when handlers of the site and of others have run, and what they sent has arrived; before, it raises."""
    seen: list[str | None] = []
    begun, may_go_on = threading.Event(), threading.Event()

    def answer(message: Message) -> None:
        begun.set()
        may_go_on.wait(PATIENCE)
        if message.body == "hello":
            message.conversation.send_message("hello yourself")

    class Shop(ConversationsTestMixin, SimpleTestCase):
        def test_answer(self) -> None:
            room = get_client("shop").create_conversation().join()
            room.add("bob")
            room.on("message_added", lambda message: seen.append(message.body))
            self.person("bob").on("message_added", answer)
            self.settled()
            room.send_message("hello")
            assert begun.wait(PATIENCE)
            with pytest.raises(AssertionError, match=r"not settled after 0\.1 s: .*answer"):
                self.settled(0.1)
            may_go_on.set()
            self.settled(PATIENCE)
            assert seen == ["hello", "hello yourself"]

    result = run(Shop)
    assert result.testsRun == 1
    assert result.errors == result.failures == []
