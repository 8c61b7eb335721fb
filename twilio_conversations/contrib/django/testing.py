"""Tests of a site that uses conversations, against a local service in the process of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.test import SimpleTestCase, override_settings

from twilio_conversations import Client
from twilio_conversations.contrib.django.clients import close_clients, create_client
from twilio_conversations.contrib.django.settings import NAME, raw_settings
from twilio_conversations.server import LocalServer

if TYPE_CHECKING:
    Case = SimpleTestCase
else:
    Case = object
PATIENCE = 30.0
"""Seconds of a call in tests: machines that run tests may be busy."""


class ConversationsTestMixin(Case):
    """Mixin for Django's test cases, before them: a local service for each class, empty at the start of each test.

    The setting names the service; the site's clients are closed after each test. Needs the extra ``server``.

    Attributes:
        conversations_service: the service, with its faults, its clock and its traffic.
    """

    conversations_service: ClassVar[LocalServer]

    @classmethod
    def setUpClass(cls) -> None:
        """Start the service."""
        cls.conversations_service = LocalServer().start()
        cls.addClassCleanup(cls.conversations_service.stop)
        changed = override_settings(**{NAME: cls._setting()})
        changed.enable()
        cls.addClassCleanup(changed.disable)
        super().setUpClass()

    def setUp(self) -> None:
        """Empty the service."""
        super().setUp()
        self.conversations_service.reset()
        self.addCleanup(close_clients)

    def person(self, identity: str) -> Client:
        """Return a connected client of somebody who is not the site, for the duration of the test."""
        client = create_client(identity)
        self.addCleanup(client.close)
        return client.wait_until_ready(PATIENCE)

    def settled(self, timeout: float = 10.0) -> None:
        """Return when nothing is under way, as the fixture of the pytest plugin does. Needs the extra ``testing``.

        Raises:
            AssertionError: something still was after `timeout` seconds; the text names it.
        """
        from twilio_conversations.testing import Service, Settled

        Settled(Service.of(self.conversations_service))(timeout)

    @classmethod
    def _setting(cls) -> dict[str, Any]:
        """Return the site's setting with the address and the credentials of the service."""
        credentials = cls.conversations_service.credentials
        kept = {key: value for key, value in (raw_settings() or {}).items() if key in ("IDENTITY", "OPTIONS", "TOKEN_TTL")}
        return {
            **kept,
            "ENDPOINT": cls.conversations_service.url,
            "ACCOUNT_SID": credentials.account_sid,
            "API_KEY_SID": credentials.api_key_sid,
            "API_KEY_SECRET": credentials.api_key_secret,
            "SERVICE_SID": credentials.service_sid,
            "TIMEOUT": PATIENCE,
        }
