"""Events and the payloads of their handlers: names as constants, and types for type checkers.

Generated from `events/names.py` by `.ci/generate_typed_events.py`: do not edit. At run time there are only the constants; `on`,
`once`, `wait_for` and `events` are those of `EventEmitter` and `EventSource`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from twilio_conversations.events.names import ClientEvent, ConversationEvent, EventName, MessageEvent, ParticipantEvent, UserEvent
from twilio_conversations.events.stream import EventSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, Protocol, TypeAlias, overload

    from twilio_conversations.enums import ConnectionState, State
    from twilio_conversations.errors import ConnectionErrorInfo
    from twilio_conversations.events.handlers import Handler, Ignored, Registrar
    from twilio_conversations.events.names import HandlerError, InitFailedEventArgs
    from twilio_conversations.events.signals import Subscription
    from twilio_conversations.events.stream import EventStream
    from twilio_conversations.models.conversation import Conversation, ConversationUpdatedEventArgs
    from twilio_conversations.models.message import Message, MessageUpdatedEventArgs
    from twilio_conversations.models.participant import Participant, ParticipantUpdatedEventArgs
    from twilio_conversations.models.user import User, UserUpdatedEventArgs
    from twilio_conversations.values.push import PushNotification

    _ConversationConversationUpdated = Literal["updated", ConversationEvent.UPDATED]
    _ConversationConversation = Literal["removed", ConversationEvent.REMOVED, "resynced", ConversationEvent.RESYNCED]
    _ConversationParticipant = Literal[
        "participant_joined",
        "participantJoined",
        ConversationEvent.PARTICIPANT_JOINED,
        "participant_left",
        "participantLeft",
        ConversationEvent.PARTICIPANT_LEFT,
        "typing_started",
        "typingStarted",
        ConversationEvent.TYPING_STARTED,
        "typing_ended",
        "typingEnded",
        ConversationEvent.TYPING_ENDED,
    ]
    _ConversationParticipantUpdated = Literal["participant_updated", "participantUpdated", ConversationEvent.PARTICIPANT_UPDATED]
    _ConversationMessage = Literal[
        "message_added",
        "messageAdded",
        ConversationEvent.MESSAGE_ADDED,
        "message_removed",
        "messageRemoved",
        ConversationEvent.MESSAGE_REMOVED,
    ]
    _ConversationMessageUpdated = Literal["message_updated", "messageUpdated", ConversationEvent.MESSAGE_UPDATED]
    _MessageMessageUpdated = Literal["updated", MessageEvent.UPDATED]
    _ParticipantParticipantUpdated = Literal["updated", ParticipantEvent.UPDATED]
    _ParticipantParticipant = Literal[
        "typing_started",
        "typingStarted",
        ParticipantEvent.TYPING_STARTED,
        "typing_ended",
        "typingEnded",
        ParticipantEvent.TYPING_ENDED,
    ]
    _UserUserUpdated = Literal["updated", UserEvent.UPDATED]
    _UserUser = Literal[
        "user_subscribed",
        "userSubscribed",
        UserEvent.USER_SUBSCRIBED,
        "user_unsubscribed",
        "userUnsubscribed",
        UserEvent.USER_UNSUBSCRIBED,
    ]
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
    _ClientUserUpdated = Literal["user_updated", "userUpdated", ClientEvent.USER_UPDATED]
    _ClientPushNotification = Literal["push_notification", "pushNotification", ClientEvent.PUSH_NOTIFICATION]
    _ClientUser = Literal[
        "user_subscribed",
        "userSubscribed",
        ClientEvent.USER_SUBSCRIBED,
        "user_unsubscribed",
        "userUnsubscribed",
        ClientEvent.USER_UNSUBSCRIBED,
    ]
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
        | _ClientUserUpdated
        | _ClientPushNotification
        | _ClientUser
        | _ClientNothing
        | _ClientState
        | _ClientInitFailed
        | _ClientConnectionState
        | _ClientConnectionErrorInfo
        | _ClientHandlerError
    )

    class ConversationOn(Protocol):
        """`on` and `once` of a `Conversation`: each event with what its handlers receive."""

        @overload
        def __call__(
            self, event: _ConversationConversationUpdated, handler: Handler[ConversationUpdatedEventArgs], *, replay: bool = ...
        ) -> Subscription: ...
        @overload
        def __call__(
            self, event: _ConversationConversationUpdated, handler: None = ..., *, replay: bool = ...
        ) -> Registrar[[ConversationUpdatedEventArgs]]: ...
        @overload
        def __call__(
            self, event: _ConversationConversation, handler: Handler[Conversation], *, replay: bool = ...
        ) -> Subscription: ...
        @overload
        def __call__(
            self, event: _ConversationConversation, handler: None = ..., *, replay: bool = ...
        ) -> Registrar[[Conversation]]: ...
        @overload
        def __call__(
            self, event: _ConversationParticipant, handler: Handler[Participant], *, replay: bool = ...
        ) -> Subscription: ...
        @overload
        def __call__(
            self, event: _ConversationParticipant, handler: None = ..., *, replay: bool = ...
        ) -> Registrar[[Participant]]: ...
        @overload
        def __call__(
            self, event: _ConversationParticipantUpdated, handler: Handler[ParticipantUpdatedEventArgs], *, replay: bool = ...
        ) -> Subscription: ...
        @overload
        def __call__(
            self, event: _ConversationParticipantUpdated, handler: None = ..., *, replay: bool = ...
        ) -> Registrar[[ParticipantUpdatedEventArgs]]: ...
        @overload
        def __call__(self, event: _ConversationMessage, handler: Handler[Message], *, replay: bool = ...) -> Subscription: ...
        @overload
        def __call__(self, event: _ConversationMessage, handler: None = ..., *, replay: bool = ...) -> Registrar[[Message]]: ...
        @overload
        def __call__(
            self, event: _ConversationMessageUpdated, handler: Handler[MessageUpdatedEventArgs], *, replay: bool = ...
        ) -> Subscription: ...
        @overload
        def __call__(
            self, event: _ConversationMessageUpdated, handler: None = ..., *, replay: bool = ...
        ) -> Registrar[[MessageUpdatedEventArgs]]: ...

    class MessageOn(Protocol):
        """`on` and `once` of a `Message`: each event with what its handlers receive."""

        @overload
        def __call__(
            self, event: _MessageMessageUpdated, handler: Handler[MessageUpdatedEventArgs], *, replay: bool = ...
        ) -> Subscription: ...
        @overload
        def __call__(
            self, event: _MessageMessageUpdated, handler: None = ..., *, replay: bool = ...
        ) -> Registrar[[MessageUpdatedEventArgs]]: ...

    class ParticipantOn(Protocol):
        """`on` and `once` of a `Participant`: each event with what its handlers receive."""

        @overload
        def __call__(
            self, event: _ParticipantParticipantUpdated, handler: Handler[ParticipantUpdatedEventArgs], *, replay: bool = ...
        ) -> Subscription: ...
        @overload
        def __call__(
            self, event: _ParticipantParticipantUpdated, handler: None = ..., *, replay: bool = ...
        ) -> Registrar[[ParticipantUpdatedEventArgs]]: ...
        @overload
        def __call__(
            self, event: _ParticipantParticipant, handler: Handler[Participant], *, replay: bool = ...
        ) -> Subscription: ...
        @overload
        def __call__(
            self, event: _ParticipantParticipant, handler: None = ..., *, replay: bool = ...
        ) -> Registrar[[Participant]]: ...

    class UserOn(Protocol):
        """`on` and `once` of a `User`: each event with what its handlers receive."""

        @overload
        def __call__(
            self, event: _UserUserUpdated, handler: Handler[UserUpdatedEventArgs], *, replay: bool = ...
        ) -> Subscription: ...
        @overload
        def __call__(
            self, event: _UserUserUpdated, handler: None = ..., *, replay: bool = ...
        ) -> Registrar[[UserUpdatedEventArgs]]: ...
        @overload
        def __call__(self, event: _UserUser, handler: Handler[User], *, replay: bool = ...) -> Subscription: ...
        @overload
        def __call__(self, event: _UserUser, handler: None = ..., *, replay: bool = ...) -> Registrar[[User]]: ...

    class ClientOn(Protocol):
        """`on` and `once` of a `Client`: each event with what its handlers receive."""

        @overload
        def __call__(self, event: _ClientConversation, handler: Handler[Conversation], *, replay: bool = ...) -> Subscription: ...
        @overload
        def __call__(
            self, event: _ClientConversation, handler: None = ..., *, replay: bool = ...
        ) -> Registrar[[Conversation]]: ...
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
        def __call__(self, event: _ClientUser, handler: Handler[User], *, replay: bool = ...) -> Subscription: ...
        @overload
        def __call__(self, event: _ClientUser, handler: None = ..., *, replay: bool = ...) -> Registrar[[User]]: ...
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
        def __call__(
            self, event: _ClientHandlerError, handler: None = ..., *, replay: bool = ...
        ) -> Registrar[[HandlerError]]: ...


class ConversationEvents:
    """The events of a `Conversation` as constants, and their types."""

    __slots__ = ()
    UPDATED: Final = ConversationEvent.UPDATED
    REMOVED: Final = ConversationEvent.REMOVED
    RESYNCED: Final = ConversationEvent.RESYNCED
    PARTICIPANT_JOINED: Final = ConversationEvent.PARTICIPANT_JOINED
    PARTICIPANT_LEFT: Final = ConversationEvent.PARTICIPANT_LEFT
    TYPING_STARTED: Final = ConversationEvent.TYPING_STARTED
    TYPING_ENDED: Final = ConversationEvent.TYPING_ENDED
    PARTICIPANT_UPDATED: Final = ConversationEvent.PARTICIPANT_UPDATED
    MESSAGE_ADDED: Final = ConversationEvent.MESSAGE_ADDED
    MESSAGE_REMOVED: Final = ConversationEvent.MESSAGE_REMOVED
    MESSAGE_UPDATED: Final = ConversationEvent.MESSAGE_UPDATED

    if TYPE_CHECKING:
        on: ClassVar[ConversationOn]
        once: ClassVar[ConversationOn]


class MessageEvents:
    """The events of a `Message` as constants, and their types."""

    __slots__ = ()
    UPDATED: Final = MessageEvent.UPDATED

    if TYPE_CHECKING:
        on: ClassVar[MessageOn]
        once: ClassVar[MessageOn]


class ParticipantEvents:
    """The events of a `Participant` as constants, and their types."""

    __slots__ = ()
    UPDATED: Final = ParticipantEvent.UPDATED
    TYPING_STARTED: Final = ParticipantEvent.TYPING_STARTED
    TYPING_ENDED: Final = ParticipantEvent.TYPING_ENDED

    if TYPE_CHECKING:
        on: ClassVar[ParticipantOn]
        once: ClassVar[ParticipantOn]


class UserEvents:
    """The events of a `User` as constants, and their types."""

    __slots__ = ()
    UPDATED: Final = UserEvent.UPDATED
    USER_SUBSCRIBED: Final = UserEvent.USER_SUBSCRIBED
    USER_UNSUBSCRIBED: Final = UserEvent.USER_UNSUBSCRIBED

    if TYPE_CHECKING:
        on: ClassVar[UserOn]
        once: ClassVar[UserOn]


class ClientEvents(EventSource):
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
    USER_UPDATED: Final = ClientEvent.USER_UPDATED
    PUSH_NOTIFICATION: Final = ClientEvent.PUSH_NOTIFICATION
    USER_SUBSCRIBED: Final = ClientEvent.USER_SUBSCRIBED
    USER_UNSUBSCRIBED: Final = ClientEvent.USER_UNSUBSCRIBED
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

        @overload  # type: ignore[override] # narrower: names that exist
        def wait_for(
            self,
            event: _ClientConversation,
            predicate: Callable[[Conversation], bool] | None = None,
            timeout: float | None = None,
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
            self, event: _ClientUser, predicate: Callable[[User], bool] | None = None, timeout: float | None = None
        ) -> User: ...
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
            self,
            event: _ClientHandlerError,
            predicate: Callable[[HandlerError], bool] | None = None,
            timeout: float | None = None,
        ) -> HandlerError: ...
        def wait_for(self, event: str, predicate: Any = None, timeout: float | None = None) -> Any: ...  # noqa: D102

        @overload  # type: ignore[override] # narrower: names that exist
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
        def events(
            self, name: _ClientMessage, /, *names: _ClientMessage, timeout: float | None = None
        ) -> EventStream[Message]: ...
        @overload
        def events(
            self, name: _ClientMessageUpdated, /, *names: _ClientMessageUpdated, timeout: float | None = None
        ) -> EventStream[MessageUpdatedEventArgs]: ...
        @overload
        def events(
            self, name: _ClientUserUpdated, /, *names: _ClientUserUpdated, timeout: float | None = None
        ) -> EventStream[UserUpdatedEventArgs]: ...
        @overload
        def events(
            self, name: _ClientPushNotification, /, *names: _ClientPushNotification, timeout: float | None = None
        ) -> EventStream[PushNotification]: ...
        @overload
        def events(self, name: _ClientUser, /, *names: _ClientUser, timeout: float | None = None) -> EventStream[User]: ...
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
        def events(self, *names: str, timeout: float | None = None) -> EventStream[Any]: ...  # noqa: D102
