"""Callbacks of a connection."""

from __future__ import annotations

from typing import Any, Protocol

from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import ConnectionErrorInfo, ConversationsError


class Listener(Protocol):
    """Receives what happens on a connection, on the io thread: must not block; exceptions are logged and harm nothing else.

    `on_state`, `on_failed` and `on_forked` are also called on the thread that closes the client, or on which it fails or forks.
    """

    def on_state(self, state: ConnectionState, before: ConnectionState) -> None:
        """The state changed."""

    def on_connected(self, resumed: bool) -> None:
        """The service accepted an init; `resumed` when an earlier connection of this client had been up."""

    def on_disconnected(self) -> None:
        """A connection that had been up is over."""

    def on_notification(self, message_type: str, payload: Any) -> None:
        """The service says that something happened."""

    def on_connection_error(self, info: ConnectionErrorInfo) -> None:
        """Connecting or authorising failed."""

    def on_token(self, token: str) -> None:
        """A token came that is used from now on, accepted by the service or not yet."""

    def on_token_about_to_expire(self) -> None:
        """The service says that the token will expire soon."""

    def on_token_expired(self) -> None:
        """The service called the token in use expired."""

    def on_forked(self, why: ConversationsError) -> None:
        """This is a forked child now, where nothing of the connection works. On the thread that forked; no lock may be taken."""

    def on_failed(self, cause: ConversationsError) -> None:
        """The connection is over for good, though nobody closed it; what is pending fails with the cause. Called once."""
