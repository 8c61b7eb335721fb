"""Clients of this process: one for each identity, made when it is first asked for."""

from __future__ import annotations

import os
import threading
from typing import Any, Final

from twilio_conversations import Client
from twilio_conversations.contrib.django import settings


class Clients:
    """Clients of one process by identity."""

    def __init__(self) -> None:
        self._by_identity: dict[str, Client] = {}
        self._lock: Final = threading.Lock()  # held for a few assignments

    def get(self, identity: str) -> Client:
        """Return the one client of an identity, connecting; another one after the last was closed or has failed."""
        while True:
            clients = self._by_identity
            client = clients.get(identity)
            if client is not None and client.ended_by is None:
                return client.connect()
            made = create_client(identity, auto_connect=False)  # imports what the setting names: code of the site
            with self._lock:
                is_first = self._by_identity is clients and clients.get(identity) is client
                if is_first:
                    clients[identity] = made
            over = client if is_first else made
            if over is not None:
                over.close()

    def close(self) -> None:
        """Close all of them; the next `get` makes others."""
        with self._lock:
            clients, self._by_identity = self._by_identity, {}
        for client in clients.values():
            client.close()


_of_process: Final[dict[int, Clients]] = {}
"""Clients by process: after a fork the child finds none of its own, and leaves those of its parent alone."""


def get_client(identity: str) -> Client:
    """Return this process's client of an identity, connecting in the background; all threads share it.

    It is made at the first call, never at import, and once more in each forked child. It is closed at the end of the process.

    Raises:
        ImproperlyConfigured: the setting has a fault.
    """
    return _clients().get(identity)


def close_clients() -> None:
    """Close this process's clients: where a process ends without Python's exit functions, as Celery's workers do."""
    _clients().close()


def create_client(identity: str, **arguments: Any) -> Client:
    """Return a new client with the site's settings that nobody else has; `arguments` are those of `Client`.

    With ``auto_connect=False`` it is not connected yet: handlers are registered before.

    Raises:
        ImproperlyConfigured: the setting has a fault.
    """
    chosen = settings.current()
    return Client(lambda: chosen.token_for(identity), **{"default_timeout": chosen.timeout, **chosen.client, **arguments})


def _clients() -> Clients:
    """Return the clients of this process; made here, so that their lock is of the kind that the process runs with."""
    return _of_process.setdefault(os.getpid(), Clients())
