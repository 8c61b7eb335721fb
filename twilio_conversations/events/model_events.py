"""Which events models have, and what handlers of each are given: names as constants, and types for type checkers.

One group of overloads per type of payload. A name that does not exist, or a handler that takes something else, is a type error.
At run time `on` and `once` are those of `EventEmitter`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Literal, ParamSpec, Protocol, TypeAlias, TypeVar, overload

from twilio_conversations.events.names import ConversationEvent, MessageEvent, ParticipantEvent, UserEvent

if TYPE_CHECKING:
    from asyncio import Handle
    from collections.abc import Callable, Collection
    from concurrent.futures import Future
    from enum import Enum
    from pathlib import PurePath
    from typing import Any

    from twilio_conversations.events.emitter import EventEmitter
    from twilio_conversations.events.signals import Subscription
    from twilio_conversations.models.conversation import Conversation, ConversationUpdatedEventArgs
    from twilio_conversations.models.message import Message, MessageUpdatedEventArgs
    from twilio_conversations.models.participant import Participant, ParticipantUpdatedEventArgs
    from twilio_conversations.models.user import User, UserUpdatedEventArgs
    from twilio_conversations.sending.uploads import UploadHandle

P = ParamSpec("P")
R = TypeVar("R", bound="Ignored")
T = TypeVar("T")
Ignored: TypeAlias = (
    "int | float | Collection[Any] | Enum | PurePath | Future[Any] | Handle | EventEmitter | Subscription | UploadHandle | None"
)
"""What a handler may return, which is ignored: whatever handlers of one line give, but no coroutine, which nobody would run."""
Handler: TypeAlias = "Callable[[T], Ignored]"
"""Who is given a payload."""

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


class Registrar(Protocol[P]):
    """What `on` gives without a handler: a decorator that leaves the function as it is."""

    def __call__(self, handler: Callable[P, R], /) -> Callable[P, R]:
        """Register `handler`."""
        ...


class ConversationOn(Protocol):
    """`on` and `once` of a `Conversation`: each event with what its handlers are given."""

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
    def __call__(self, event: _ConversationParticipant, handler: Handler[Participant], *, replay: bool = ...) -> Subscription: ...
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


class MessageOn(Protocol):
    """`on` and `once` of a `Message`: each event with what its handlers are given."""

    @overload
    def __call__(
        self, event: _MessageMessageUpdated, handler: Handler[MessageUpdatedEventArgs], *, replay: bool = ...
    ) -> Subscription: ...
    @overload
    def __call__(
        self, event: _MessageMessageUpdated, handler: None = ..., *, replay: bool = ...
    ) -> Registrar[[MessageUpdatedEventArgs]]: ...


class MessageEvents:
    """The events of a `Message` as constants, and their types."""

    __slots__ = ()
    UPDATED: Final = MessageEvent.UPDATED

    if TYPE_CHECKING:
        on: ClassVar[MessageOn]
        once: ClassVar[MessageOn]


class ParticipantOn(Protocol):
    """`on` and `once` of a `Participant`: each event with what its handlers are given."""

    @overload
    def __call__(
        self, event: _ParticipantParticipantUpdated, handler: Handler[ParticipantUpdatedEventArgs], *, replay: bool = ...
    ) -> Subscription: ...
    @overload
    def __call__(
        self, event: _ParticipantParticipantUpdated, handler: None = ..., *, replay: bool = ...
    ) -> Registrar[[ParticipantUpdatedEventArgs]]: ...
    @overload
    def __call__(self, event: _ParticipantParticipant, handler: Handler[Participant], *, replay: bool = ...) -> Subscription: ...
    @overload
    def __call__(
        self, event: _ParticipantParticipant, handler: None = ..., *, replay: bool = ...
    ) -> Registrar[[Participant]]: ...


class ParticipantEvents:
    """The events of a `Participant` as constants, and their types."""

    __slots__ = ()
    UPDATED: Final = ParticipantEvent.UPDATED
    TYPING_STARTED: Final = ParticipantEvent.TYPING_STARTED
    TYPING_ENDED: Final = ParticipantEvent.TYPING_ENDED

    if TYPE_CHECKING:
        on: ClassVar[ParticipantOn]
        once: ClassVar[ParticipantOn]


class UserOn(Protocol):
    """`on` and `once` of a `User`: each event with what its handlers are given."""

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


class UserEvents:
    """The events of a `User` as constants, and their types."""

    __slots__ = ()
    UPDATED: Final = UserEvent.UPDATED
    USER_SUBSCRIBED: Final = UserEvent.USER_SUBSCRIBED
    USER_UNSUBSCRIBED: Final = UserEvent.USER_UNSUBSCRIBED

    if TYPE_CHECKING:
        on: ClassVar[UserOn]
        once: ClassVar[UserOn]
