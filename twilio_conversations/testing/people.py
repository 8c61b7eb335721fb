"""People of a test: clients with identities that no other test uses, closed at its end."""

from __future__ import annotations

import uuid
from types import TracebackType
from typing import Any, Final, Self

import attrs

from twilio_conversations.client.client import Client
from twilio_conversations.options import BackoffPolicy
from twilio_conversations.testing.service import Service

PATIENCE: Final = 30.0
"""Seconds for a client to become ready."""


@attrs.define(eq=False, repr=False)
class Person:
    """Connects people: ``bob = person("bob")`` is a ready `Client`.

    The same name in the same test is the same identity, with another connection. Clients reconnect quickly.
    """

    service: Service
    _run: str = attrs.field(factory=lambda: uuid.uuid4().hex[:8], init=False)
    _clients: list[Client] = attrs.field(factory=list, init=False)

    def identity(self, name: str) -> str:
        """Return the identity of `name` in this test: ``bob-5f3a91c2``."""
        return f"{name}-{self._run}"

    def __call__(self, name: str, **options: Any) -> Client:
        """Return a client of `name` that is connected and ready. `options` are those of `Client`.

        Raises:
            InitializationError: the service rejected the client.
            RequestTimeoutError: it is still trying.
        """
        options.setdefault("endpoints", self.service.endpoints)
        options.setdefault("reconnect", BackoffPolicy(minimum=0.02, maximum=0.5))
        client = Client(self.service.token(self.identity(name)), **options)
        self._clients.append(client)
        return client.wait_until_ready(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for client in self._clients:
            client.close()
