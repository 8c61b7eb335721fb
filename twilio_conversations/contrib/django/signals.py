"""Events of a client as signals of Django: ``from twilio_conversations.contrib.django.signals import message_added``.

Receivers are called as ``receiver(sender, payload, client, signal)`` on the client's events thread, one at a time, with old
database connections closed before and after. `sender` is the class `Client`. What one raises is logged and stops no other.
"""

from __future__ import annotations

from typing import Any, Final

from django.dispatch import Signal

from twilio_conversations import Client, ClientEvent
from twilio_conversations.contrib.django.connections import fresh_connections

SIGNALS: Final[dict[str, Signal]] = {event.python_name: Signal() for event in ClientEvent}
"""Signals of the events of a client by name; each is an attribute of this module too."""


def __getattr__(name: str) -> Signal:
    """Return the signal of the event of that name."""
    try:
        return SIGNALS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted({*globals(), *SIGNALS})


def relay(client: Client) -> Client:
    """Send the events of a client as signals of Django, and return the client.

    Every process that does so calls its receivers, so do it in one: ``manage.py conversations_bot`` does.
    """
    for event in SIGNALS:
        getattr(client.signals, event).connect(_send, weak=False)
    return client


def _send(sender: Client, *, event: ClientEvent, payload: Any) -> None:
    with fresh_connections():
        SIGNALS[event].send_robust(Client, payload=payload, client=sender)
