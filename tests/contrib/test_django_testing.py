"""The mixin for a site's own tests: shown at work by running test cases that use it."""

from __future__ import annotations

import io
import unittest

from django.test import SimpleTestCase

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
