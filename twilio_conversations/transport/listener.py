"""Callbacks of a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import ConnectionErrorInfo, ConversationsError
from twilio_conversations.util import logs

_log = logs.logger(__name__)


class Listener(Protocol):
    """Receives what happens on a connection, on the io thread: must not block; exceptions are logged and harm nothing else.

    `on_state`, `on_failed` and `on_forked` are also called on the thread that closes the client, or on which it fails or forks.
    """

    def on_state(self, state: ConnectionState, before: ConnectionState) -> None:
        """Receive the new state."""

    def on_connected(self, resumed: bool) -> None:
        """Receive the acceptance of an init; `resumed` when an earlier connection of this client had been up."""

    def on_disconnected(self) -> None:
        """Receive the end of a connection that had been up."""

    def on_notification(self, message_type: str, payload: Any) -> None:
        """Receive a notification of the service."""

    def on_connection_error(self, info: ConnectionErrorInfo) -> None:
        """Receive a failure to connect or to authorise."""

    def on_token(self, token: str) -> None:
        """Receive a token that is used from now on, accepted by the service or not yet."""

    def on_token_about_to_expire(self) -> None:
        """Receive the service's notice that the token will expire soon."""

    def on_token_expired(self) -> None:
        """Receive the expiry of the token in use, as the service has found it."""

    def on_forked(self, why: ConversationsError) -> None:
        """Stop in a forked child, where nothing of the connection works. On the thread that forked; no lock may be taken."""

    def on_failed(self, cause: ConversationsError) -> None:
        """Receive the end of the connection, though nobody closed it; what is pending fails with the cause. Called once."""


def notify(callback: Callable[..., None], *facts: Any) -> None:
    """Call one of a listener's callbacks; an exception is logged."""
    try:
        callback(*facts)
    except Exception:
        _log.exception("a listener failed")
