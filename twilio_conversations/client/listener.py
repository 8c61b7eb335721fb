"""What a client's connection tells, passed on to who cares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import ConnectionErrorInfo, ConversationsError
from twilio_conversations.events.names import ClientEvent

if TYPE_CHECKING:
    from twilio_conversations.client.core import ClientLife

_TYPING: Final = "twilio.ipmsg.typing_indicator"


class ClientListener:
    """Passes on what the connection tells; on the io thread."""

    def __init__(self, client: ClientLife) -> None:
        self._client = client

    def on_state(self, state: ConnectionState) -> None:
        """The connection does something else now."""
        client = self._client
        if client._dead is not None:
            return
        if client.connection_state is ConnectionState.DENIED and state is not ConnectionState.DISCONNECTED:
            client._begin_again()
        client._tell_state(state)

    def on_connected(self, resumed: bool) -> None:
        """The service took the token."""
        del resumed
        client = self._client
        client._begin_again()
        client._services.sync.connected()
        client._services.connected()
        client._startup.begin()

    def on_disconnected(self) -> None:
        """The line is cut."""
        self._client._services.sync.disconnected()

    def on_notification(self, message_type: str, payload: Any) -> None:
        """Something happened to a Sync object, or somebody types."""
        client = self._client
        if message_type != _TYPING:
            client._services.sync.notification(message_type, payload)
        elif isinstance(payload, dict):
            client._directory.typing(payload.get("channel_sid"), payload.get("identity"), payload.get("typing_timeout"))

    def on_batch_end(self) -> None:
        """Nothing is kept for the end of a read."""

    def on_connection_error(self, info: ConnectionErrorInfo) -> None:
        """Connecting or authorising failed; where that is final, whoever waits hears it."""
        self._client._tell(ClientEvent.CONNECTION_ERROR, info)
        if info.terminal:
            self._client._on_given_up(info)

    def on_token(self, token: str) -> None:
        """It says who the client is, before the service does."""
        self._client._on_token(token)

    def on_token_about_to_expire(self) -> None:
        """The service says so."""
        self._client._tell(ClientEvent.TOKEN_ABOUT_TO_EXPIRE)

    def on_token_expired(self) -> None:
        """The service says so."""
        self._client._tell(ClientEvent.TOKEN_EXPIRED)

    def on_forked(self, why: ConversationsError) -> None:
        """This process is not the one that the client was made in."""
        self._client._forget_in_child(why)

    def on_failed(self, cause: BaseException) -> None:
        """The connection is over for good."""
        self._client._on_death(cause)
