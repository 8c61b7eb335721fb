"""The events of a client: as constants, with the types of their payloads, awaited one by one or in a loop."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, TypeAlias, overload

from twilio_conversations.enums import ConnectionState, State
from twilio_conversations.errors import ConnectionErrorInfo
from twilio_conversations.events.emitter import EventEmitter
from twilio_conversations.events.model_events import Handler, Ignored, Registrar
from twilio_conversations.events.names import ClientEvent, EventName, HandlerError, InitFailedEventArgs
from twilio_conversations.events.signals import Receivers, Subscription
from twilio_conversations.events.stream import EventStream
from twilio_conversations.util import checks
from twilio_conversations.values.push import PushNotification

if TYPE_CHECKING:
    from twilio_conversations.events.dispatcher import Dispatcher
    from twilio_conversations.models.conversation import Conversation, ConversationUpdatedEventArgs
    from twilio_conversations.models.message import Message, MessageUpdatedEventArgs
    from twilio_conversations.models.participant import Participant, ParticipantUpdatedEventArgs
    from twilio_conversations.models.user import User, UserUpdatedEventArgs
    from twilio_conversations.util.readiness import Readiness

_ClientConversation = Literal[
    "conversation_added",
    "conversationAdded",
    ClientEvent.CONVERSATION_ADDED,
    "conversation_joined",
    "conversationJoined",
    ClientEvent.CONVERSATION_JOINED,
    "conversation_left",
    "conversationLeft",
    ClientEvent.CONVERSATION_LEFT,
    "conversation_removed",
    "conversationRemoved",
    ClientEvent.CONVERSATION_REMOVED,
    "conversation_resynced",
    "conversationResynced",
    ClientEvent.CONVERSATION_RESYNCED,
]
_ClientConversationUpdated = Literal["conversation_updated", "conversationUpdated", ClientEvent.CONVERSATION_UPDATED]
_ClientParticipant = Literal[
    "participant_joined",
    "participantJoined",
    ClientEvent.PARTICIPANT_JOINED,
    "participant_left",
    "participantLeft",
    ClientEvent.PARTICIPANT_LEFT,
    "typing_started",
    "typingStarted",
    ClientEvent.TYPING_STARTED,
    "typing_ended",
    "typingEnded",
    ClientEvent.TYPING_ENDED,
]
_ClientParticipantUpdated = Literal["participant_updated", "participantUpdated", ClientEvent.PARTICIPANT_UPDATED]
_ClientMessage = Literal[
    "message_added",
    "messageAdded",
    ClientEvent.MESSAGE_ADDED,
    "message_removed",
    "messageRemoved",
    ClientEvent.MESSAGE_REMOVED,
]
_ClientMessageUpdated = Literal["message_updated", "messageUpdated", ClientEvent.MESSAGE_UPDATED]
_ClientUser = Literal[
    "user_subscribed",
    "userSubscribed",
    ClientEvent.USER_SUBSCRIBED,
    "user_unsubscribed",
    "userUnsubscribed",
    ClientEvent.USER_UNSUBSCRIBED,
]
_ClientUserUpdated = Literal["user_updated", "userUpdated", ClientEvent.USER_UPDATED]
_ClientPushNotification = Literal["push_notification", "pushNotification", ClientEvent.PUSH_NOTIFICATION]
_ClientNothing = Literal[
    "token_about_to_expire",
    "tokenAboutToExpire",
    ClientEvent.TOKEN_ABOUT_TO_EXPIRE,
    "token_expired",
    "tokenExpired",
    ClientEvent.TOKEN_EXPIRED,
    "initialized",
    ClientEvent.INITIALIZED,
]
_ClientState = Literal["state_changed", "stateChanged", ClientEvent.STATE_CHANGED]
_ClientInitFailed = Literal["init_failed", "initFailed", ClientEvent.INIT_FAILED]
_ClientConnectionState = Literal["connection_state_changed", "connectionStateChanged", ClientEvent.CONNECTION_STATE_CHANGED]
_ClientConnectionErrorInfo = Literal["connection_error", "connectionError", ClientEvent.CONNECTION_ERROR]
_ClientHandlerError = Literal["error", ClientEvent.ERROR]
_ClientAny: TypeAlias = (
    _ClientConversation
    | _ClientConversationUpdated
    | _ClientParticipant
    | _ClientParticipantUpdated
    | _ClientMessage
    | _ClientMessageUpdated
    | _ClientUser
    | _ClientUserUpdated
    | _ClientPushNotification
    | _ClientNothing
    | _ClientState
    | _ClientInitFailed
    | _ClientConnectionState
    | _ClientConnectionErrorInfo
    | _ClientHandlerError
)


class ClientOn(Protocol):
    """`on` and `once` of a `Client`: each event with what its handlers are given."""

    @overload
    def __call__(self, event: _ClientConversation, handler: Handler[Conversation], *, replay: bool = ...) -> Subscription: ...
    @overload
    def __call__(self, event: _ClientConversation, handler: None = ..., *, replay: bool = ...) -> Registrar[[Conversation]]: ...
    @overload
    def __call__(
        self, event: _ClientConversationUpdated, handler: Handler[ConversationUpdatedEventArgs], *, replay: bool = ...
    ) -> Subscription: ...
    @overload
    def __call__(
        self, event: _ClientConversationUpdated, handler: None = ..., *, replay: bool = ...
    ) -> Registrar[[ConversationUpdatedEventArgs]]: ...
    @overload
    def __call__(self, event: _ClientParticipant, handler: Handler[Participant], *, replay: bool = ...) -> Subscription: ...
    @overload
    def __call__(self, event: _ClientParticipant, handler: None = ..., *, replay: bool = ...) -> Registrar[[Participant]]: ...
    @overload
    def __call__(
        self, event: _ClientParticipantUpdated, handler: Handler[ParticipantUpdatedEventArgs], *, replay: bool = ...
    ) -> Subscription: ...
    @overload
    def __call__(
        self, event: _ClientParticipantUpdated, handler: None = ..., *, replay: bool = ...
    ) -> Registrar[[ParticipantUpdatedEventArgs]]: ...
    @overload
    def __call__(self, event: _ClientMessage, handler: Handler[Message], *, replay: bool = ...) -> Subscription: ...
    @overload
    def __call__(self, event: _ClientMessage, handler: None = ..., *, replay: bool = ...) -> Registrar[[Message]]: ...
    @overload
    def __call__(
        self, event: _ClientMessageUpdated, handler: Handler[MessageUpdatedEventArgs], *, replay: bool = ...
    ) -> Subscription: ...
    @overload
    def __call__(
        self, event: _ClientMessageUpdated, handler: None = ..., *, replay: bool = ...
    ) -> Registrar[[MessageUpdatedEventArgs]]: ...
    @overload
    def __call__(self, event: _ClientUser, handler: Handler[User], *, replay: bool = ...) -> Subscription: ...
    @overload
    def __call__(self, event: _ClientUser, handler: None = ..., *, replay: bool = ...) -> Registrar[[User]]: ...
    @overload
    def __call__(
        self, event: _ClientUserUpdated, handler: Handler[UserUpdatedEventArgs], *, replay: bool = ...
    ) -> Subscription: ...
    @overload
    def __call__(
        self, event: _ClientUserUpdated, handler: None = ..., *, replay: bool = ...
    ) -> Registrar[[UserUpdatedEventArgs]]: ...
    @overload
    def __call__(
        self, event: _ClientPushNotification, handler: Handler[PushNotification], *, replay: bool = ...
    ) -> Subscription: ...
    @overload
    def __call__(
        self, event: _ClientPushNotification, handler: None = ..., *, replay: bool = ...
    ) -> Registrar[[PushNotification]]: ...
    @overload
    def __call__(self, event: _ClientNothing, handler: Callable[[], Ignored], *, replay: bool = ...) -> Subscription: ...
    @overload
    def __call__(self, event: _ClientNothing, handler: None = ..., *, replay: bool = ...) -> Registrar[[]]: ...
    @overload
    def __call__(self, event: _ClientState, handler: Handler[State], *, replay: bool = ...) -> Subscription: ...
    @overload
    def __call__(self, event: _ClientState, handler: None = ..., *, replay: bool = ...) -> Registrar[[State]]: ...
    @overload
    def __call__(
        self, event: _ClientInitFailed, handler: Handler[InitFailedEventArgs], *, replay: bool = ...
    ) -> Subscription: ...
    @overload
    def __call__(
        self, event: _ClientInitFailed, handler: None = ..., *, replay: bool = ...
    ) -> Registrar[[InitFailedEventArgs]]: ...
    @overload
    def __call__(
        self, event: _ClientConnectionState, handler: Handler[ConnectionState], *, replay: bool = ...
    ) -> Subscription: ...
    @overload
    def __call__(
        self, event: _ClientConnectionState, handler: None = ..., *, replay: bool = ...
    ) -> Registrar[[ConnectionState]]: ...
    @overload
    def __call__(
        self, event: _ClientConnectionErrorInfo, handler: Handler[ConnectionErrorInfo], *, replay: bool = ...
    ) -> Subscription: ...
    @overload
    def __call__(
        self, event: _ClientConnectionErrorInfo, handler: None = ..., *, replay: bool = ...
    ) -> Registrar[[ConnectionErrorInfo]]: ...
    @overload
    def __call__(self, event: _ClientHandlerError, handler: Handler[HandlerError], *, replay: bool = ...) -> Subscription: ...
    @overload
    def __call__(self, event: _ClientHandlerError, handler: None = ..., *, replay: bool = ...) -> Registrar[[HandlerError]]: ...


class ClientEvents(EventEmitter):
    """The events of a `Client` as constants, and their types."""

    _events: ClassVar[type[EventName]] = ClientEvent
    CONVERSATION_ADDED: Final = ClientEvent.CONVERSATION_ADDED
    CONVERSATION_JOINED: Final = ClientEvent.CONVERSATION_JOINED
    CONVERSATION_LEFT: Final = ClientEvent.CONVERSATION_LEFT
    CONVERSATION_REMOVED: Final = ClientEvent.CONVERSATION_REMOVED
    CONVERSATION_RESYNCED: Final = ClientEvent.CONVERSATION_RESYNCED
    CONVERSATION_UPDATED: Final = ClientEvent.CONVERSATION_UPDATED
    PARTICIPANT_JOINED: Final = ClientEvent.PARTICIPANT_JOINED
    PARTICIPANT_LEFT: Final = ClientEvent.PARTICIPANT_LEFT
    TYPING_STARTED: Final = ClientEvent.TYPING_STARTED
    TYPING_ENDED: Final = ClientEvent.TYPING_ENDED
    PARTICIPANT_UPDATED: Final = ClientEvent.PARTICIPANT_UPDATED
    MESSAGE_ADDED: Final = ClientEvent.MESSAGE_ADDED
    MESSAGE_REMOVED: Final = ClientEvent.MESSAGE_REMOVED
    MESSAGE_UPDATED: Final = ClientEvent.MESSAGE_UPDATED
    USER_SUBSCRIBED: Final = ClientEvent.USER_SUBSCRIBED
    USER_UNSUBSCRIBED: Final = ClientEvent.USER_UNSUBSCRIBED
    USER_UPDATED: Final = ClientEvent.USER_UPDATED
    PUSH_NOTIFICATION: Final = ClientEvent.PUSH_NOTIFICATION
    TOKEN_ABOUT_TO_EXPIRE: Final = ClientEvent.TOKEN_ABOUT_TO_EXPIRE
    TOKEN_EXPIRED: Final = ClientEvent.TOKEN_EXPIRED
    INITIALIZED: Final = ClientEvent.INITIALIZED
    STATE_CHANGED: Final = ClientEvent.STATE_CHANGED
    INIT_FAILED: Final = ClientEvent.INIT_FAILED
    CONNECTION_STATE_CHANGED: Final = ClientEvent.CONNECTION_STATE_CHANGED
    CONNECTION_ERROR: Final = ClientEvent.CONNECTION_ERROR
    ERROR: Final = ClientEvent.ERROR

    if TYPE_CHECKING:
        on: ClassVar[ClientOn]  # type: ignore[assignment] # narrower: names that exist, handlers that fit
        once: ClassVar[ClientOn]  # type: ignore[assignment]

    def __init__(self, dispatcher: Dispatcher, limit: int, readiness: Readiness) -> None:
        """`limit` is how many events may wait in one stream; `readiness` says when no more come."""
        super().__init__(Receivers(dispatcher))
        self._limit = limit
        self._readiness = readiness
        self._streams: weakref.WeakSet[EventStream[Any]] = weakref.WeakSet()

    def _check_open(self) -> None:
        """Raise an error when nothing will ever happen again."""
        raise NotImplementedError

    @overload
    def wait_for(
        self, event: _ClientConversation, predicate: Callable[[Conversation], bool] | None = None, timeout: float | None = None
    ) -> Conversation: ...
    @overload
    def wait_for(
        self,
        event: _ClientConversationUpdated,
        predicate: Callable[[ConversationUpdatedEventArgs], bool] | None = None,
        timeout: float | None = None,
    ) -> ConversationUpdatedEventArgs: ...
    @overload
    def wait_for(
        self, event: _ClientParticipant, predicate: Callable[[Participant], bool] | None = None, timeout: float | None = None
    ) -> Participant: ...
    @overload
    def wait_for(
        self,
        event: _ClientParticipantUpdated,
        predicate: Callable[[ParticipantUpdatedEventArgs], bool] | None = None,
        timeout: float | None = None,
    ) -> ParticipantUpdatedEventArgs: ...
    @overload
    def wait_for(
        self, event: _ClientMessage, predicate: Callable[[Message], bool] | None = None, timeout: float | None = None
    ) -> Message: ...
    @overload
    def wait_for(
        self,
        event: _ClientMessageUpdated,
        predicate: Callable[[MessageUpdatedEventArgs], bool] | None = None,
        timeout: float | None = None,
    ) -> MessageUpdatedEventArgs: ...
    @overload
    def wait_for(
        self, event: _ClientUser, predicate: Callable[[User], bool] | None = None, timeout: float | None = None
    ) -> User: ...
    @overload
    def wait_for(
        self,
        event: _ClientUserUpdated,
        predicate: Callable[[UserUpdatedEventArgs], bool] | None = None,
        timeout: float | None = None,
    ) -> UserUpdatedEventArgs: ...
    @overload
    def wait_for(
        self,
        event: _ClientPushNotification,
        predicate: Callable[[PushNotification], bool] | None = None,
        timeout: float | None = None,
    ) -> PushNotification: ...
    @overload
    def wait_for(
        self, event: _ClientNothing, predicate: Callable[[None], bool] | None = None, timeout: float | None = None
    ) -> None: ...
    @overload
    def wait_for(
        self, event: _ClientState, predicate: Callable[[State], bool] | None = None, timeout: float | None = None
    ) -> State: ...
    @overload
    def wait_for(
        self,
        event: _ClientInitFailed,
        predicate: Callable[[InitFailedEventArgs], bool] | None = None,
        timeout: float | None = None,
    ) -> InitFailedEventArgs: ...
    @overload
    def wait_for(
        self,
        event: _ClientConnectionState,
        predicate: Callable[[ConnectionState], bool] | None = None,
        timeout: float | None = None,
    ) -> ConnectionState: ...
    @overload
    def wait_for(
        self,
        event: _ClientConnectionErrorInfo,
        predicate: Callable[[ConnectionErrorInfo], bool] | None = None,
        timeout: float | None = None,
    ) -> ConnectionErrorInfo: ...
    @overload
    def wait_for(
        self, event: _ClientHandlerError, predicate: Callable[[HandlerError], bool] | None = None, timeout: float | None = None
    ) -> HandlerError: ...
    def wait_for(self, event: str, predicate: Callable[[Any], bool] | None = None, timeout: float | None = None) -> Any:
        """Wait for the next `event` whose payload satisfies `predicate`, and return that payload.

        Without `timeout` (seconds) there is no limit. It raises `WrongThreadError` inside a handler.

        Raises:
            RequestTimeoutError: there was no such event in time.
            ClientClosedError: the client was closed first.
            InitializationError: the client was rejected, or its token has expired: no such event can arrive.
        """
        if predicate is not None:
            checks.function(predicate, "predicate")
        with self._stream((event,), timeout) as stream:
            while True:
                payload = stream.next_event().payload
                if predicate is None or predicate(payload):
                    return payload

    @overload
    def events(self, *, timeout: float | None = None) -> EventStream[Any]: ...
    @overload
    def events(
        self, name: _ClientConversation, /, *names: _ClientConversation, timeout: float | None = None
    ) -> EventStream[Conversation]: ...
    @overload
    def events(
        self, name: _ClientConversationUpdated, /, *names: _ClientConversationUpdated, timeout: float | None = None
    ) -> EventStream[ConversationUpdatedEventArgs]: ...
    @overload
    def events(
        self, name: _ClientParticipant, /, *names: _ClientParticipant, timeout: float | None = None
    ) -> EventStream[Participant]: ...
    @overload
    def events(
        self, name: _ClientParticipantUpdated, /, *names: _ClientParticipantUpdated, timeout: float | None = None
    ) -> EventStream[ParticipantUpdatedEventArgs]: ...
    @overload
    def events(self, name: _ClientMessage, /, *names: _ClientMessage, timeout: float | None = None) -> EventStream[Message]: ...
    @overload
    def events(
        self, name: _ClientMessageUpdated, /, *names: _ClientMessageUpdated, timeout: float | None = None
    ) -> EventStream[MessageUpdatedEventArgs]: ...
    @overload
    def events(self, name: _ClientUser, /, *names: _ClientUser, timeout: float | None = None) -> EventStream[User]: ...
    @overload
    def events(
        self, name: _ClientUserUpdated, /, *names: _ClientUserUpdated, timeout: float | None = None
    ) -> EventStream[UserUpdatedEventArgs]: ...
    @overload
    def events(
        self, name: _ClientPushNotification, /, *names: _ClientPushNotification, timeout: float | None = None
    ) -> EventStream[PushNotification]: ...
    @overload
    def events(self, name: _ClientNothing, /, *names: _ClientNothing, timeout: float | None = None) -> EventStream[None]: ...
    @overload
    def events(self, name: _ClientState, /, *names: _ClientState, timeout: float | None = None) -> EventStream[State]: ...
    @overload
    def events(
        self, name: _ClientInitFailed, /, *names: _ClientInitFailed, timeout: float | None = None
    ) -> EventStream[InitFailedEventArgs]: ...
    @overload
    def events(
        self, name: _ClientConnectionState, /, *names: _ClientConnectionState, timeout: float | None = None
    ) -> EventStream[ConnectionState]: ...
    @overload
    def events(
        self, name: _ClientConnectionErrorInfo, /, *names: _ClientConnectionErrorInfo, timeout: float | None = None
    ) -> EventStream[ConnectionErrorInfo]: ...
    @overload
    def events(
        self, name: _ClientHandlerError, /, *names: _ClientHandlerError, timeout: float | None = None
    ) -> EventStream[HandlerError]: ...
    @overload
    def events(self, name: _ClientAny, /, *names: _ClientAny, timeout: float | None = None) -> EventStream[Any]: ...
    def events(self, *names: str, timeout: float | None = None) -> EventStream[Any]:
        """Return an iterator of `Event` objects, with the given names or of all events. It ends when the client is closed.

        Type checkers know the payload if all names have the same payload.

        Without `timeout` (seconds, for the whole iteration) there is no limit; use ``with`` to end the registration early. It
        raises `WrongThreadError` inside a handler.

        Raises:
            RequestTimeoutError: the time limit has passed; while iterating.
            InitializationError: the client was rejected or its token has expired; while iterating, after earlier events.
            TransportUnavailableError: the client has failed; while iterating.
        """
        return self._stream(names, timeout)

    def _stream(self, names: tuple[str, ...], timeout: float | None) -> EventStream[Any]:
        chosen = [ClientEvent.parse(name) for name in names] or list(ClientEvent)
        self._check_open()
        self._readiness.check()
        stream: EventStream[Any] = EventStream(self, chosen, timeout, self._limit)
        self._streams.add(stream)
        if (cause := self._readiness.cause) is not None:
            stream.end(cause)
        return stream
