"""Each event with a handler of its payload's type, in each way to name it. `mypy --strict` has nothing to say about this file.

What is wrong on purpose carries a `type: ignore`; were it no error, mypy would say that the comment is not needed.
"""

# ruff: noqa: D103 - the functions are named after what they take

from __future__ import annotations

import asyncio
import threading
from typing import Any, assert_type

from twilio_conversations import (
    Client,
    ClientEvent,
    ConnectionErrorInfo,
    ConnectionState,
    Conversation,
    ConversationEvent,
    ConversationUpdatedEventArgs,
    HandlerError,
    InitFailedEventArgs,
    Message,
    MessageEvent,
    MessageUpdatedEventArgs,
    Participant,
    ParticipantEvent,
    ParticipantUpdatedEventArgs,
    PushNotification,
    State,
    Subscription,
    UploadHandle,
    UploadProgress,
    User,
    UserEvent,
    UserUpdatedEventArgs,
)


def take_conversation(payload: Conversation) -> None: ...


def take_conversation_updated(payload: ConversationUpdatedEventArgs) -> None: ...


def take_participant(payload: Participant) -> None: ...


def take_participant_updated(payload: ParticipantUpdatedEventArgs) -> None: ...


def take_message(payload: Message) -> None: ...


def take_message_updated(payload: MessageUpdatedEventArgs) -> None: ...


def take_user(payload: User) -> None: ...


def take_user_updated(payload: UserUpdatedEventArgs) -> None: ...


def take_push_notification(payload: PushNotification) -> None: ...


def take_state(payload: State) -> None: ...


def take_init_failed(payload: InitFailedEventArgs) -> None: ...


def take_connection_state(payload: ConnectionState) -> None: ...


def take_connection_error_info(payload: ConnectionErrorInfo) -> None: ...


def take_handler_error(payload: HandlerError) -> None: ...


def take_nothing() -> None: ...


async def take_later(payload: Message) -> None: ...


async def start_later() -> None: ...


async def is_later(payload: Message) -> bool:
    return bool(payload)


async def token_later() -> str:
    return "token"


async def progress_later(progress: UploadProgress) -> None: ...


async def done_later(handle: UploadHandle) -> None: ...


def what_a_handler_returns_is_ignored(client: Client, loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[Message]) -> None:
    client.on("message_added", lambda message: message.conversation.send_message("seen"))
    client.on("message_added", lambda message: message.conversation.prepare_message().build().send_in_background())
    client.on("message_added", lambda message: loop.call_soon_threadsafe(queue.put_nowait, message))
    client.on("message_added", lambda message: asyncio.run_coroutine_threadsafe(take_later(message), loop))
    client.on("message_added", lambda message: message.index)
    client.on("initialized", threading.Event().set)
    client.on("message_added", lambda message: message.conversation.set_all_messages_read())
    client.on("message_added", lambda message: print(message.body))
    client.on("message_added", lambda message: message.to_dict())


def events_of_a_client(client: Client) -> None:
    client.on("conversation_added", take_conversation)
    client.on("conversationAdded", take_conversation)
    client.once(ClientEvent.CONVERSATION_ADDED, take_conversation, replay=True)
    client.on(Client.CONVERSATION_ADDED, take_conversation)
    assert_type(client.wait_for("conversation_added", lambda payload: bool(payload), timeout=1), Conversation)
    client.on("conversation_joined", take_conversation)
    client.on("conversationJoined", take_conversation)
    client.once(ClientEvent.CONVERSATION_JOINED, take_conversation, replay=True)
    client.on(Client.CONVERSATION_JOINED, take_conversation)
    assert_type(client.wait_for("conversation_joined", lambda payload: bool(payload), timeout=1), Conversation)
    client.on("conversation_left", take_conversation)
    client.on("conversationLeft", take_conversation)
    client.once(ClientEvent.CONVERSATION_LEFT, take_conversation, replay=True)
    client.on(Client.CONVERSATION_LEFT, take_conversation)
    assert_type(client.wait_for("conversation_left", lambda payload: bool(payload), timeout=1), Conversation)
    client.on("conversation_removed", take_conversation)
    client.on("conversationRemoved", take_conversation)
    client.once(ClientEvent.CONVERSATION_REMOVED, take_conversation, replay=True)
    client.on(Client.CONVERSATION_REMOVED, take_conversation)
    assert_type(client.wait_for("conversation_removed", lambda payload: bool(payload), timeout=1), Conversation)
    client.on("conversation_resynced", take_conversation)
    client.on("conversationResynced", take_conversation)
    client.once(ClientEvent.CONVERSATION_RESYNCED, take_conversation, replay=True)
    client.on(Client.CONVERSATION_RESYNCED, take_conversation)
    assert_type(client.wait_for("conversation_resynced", lambda payload: bool(payload), timeout=1), Conversation)
    client.on("conversation_updated", take_conversation_updated)
    client.on("conversationUpdated", take_conversation_updated)
    client.once(ClientEvent.CONVERSATION_UPDATED, take_conversation_updated, replay=True)
    client.on(Client.CONVERSATION_UPDATED, take_conversation_updated)
    assert_type(client.wait_for("conversation_updated", lambda payload: bool(payload), timeout=1), ConversationUpdatedEventArgs)
    client.on("participant_joined", take_participant)
    client.on("participantJoined", take_participant)
    client.once(ClientEvent.PARTICIPANT_JOINED, take_participant, replay=True)
    client.on(Client.PARTICIPANT_JOINED, take_participant)
    assert_type(client.wait_for("participant_joined", lambda payload: bool(payload), timeout=1), Participant)
    client.on("participant_left", take_participant)
    client.on("participantLeft", take_participant)
    client.once(ClientEvent.PARTICIPANT_LEFT, take_participant, replay=True)
    client.on(Client.PARTICIPANT_LEFT, take_participant)
    assert_type(client.wait_for("participant_left", lambda payload: bool(payload), timeout=1), Participant)
    client.on("typing_started", take_participant)
    client.on("typingStarted", take_participant)
    client.once(ClientEvent.TYPING_STARTED, take_participant, replay=True)
    client.on(Client.TYPING_STARTED, take_participant)
    assert_type(client.wait_for("typing_started", lambda payload: bool(payload), timeout=1), Participant)
    client.on("typing_ended", take_participant)
    client.on("typingEnded", take_participant)
    client.once(ClientEvent.TYPING_ENDED, take_participant, replay=True)
    client.on(Client.TYPING_ENDED, take_participant)
    assert_type(client.wait_for("typing_ended", lambda payload: bool(payload), timeout=1), Participant)
    client.on("participant_updated", take_participant_updated)
    client.on("participantUpdated", take_participant_updated)
    client.once(ClientEvent.PARTICIPANT_UPDATED, take_participant_updated, replay=True)
    client.on(Client.PARTICIPANT_UPDATED, take_participant_updated)
    assert_type(client.wait_for("participant_updated", lambda payload: bool(payload), timeout=1), ParticipantUpdatedEventArgs)
    client.on("message_added", take_message)
    client.on("messageAdded", take_message)
    client.once(ClientEvent.MESSAGE_ADDED, take_message, replay=True)
    client.on(Client.MESSAGE_ADDED, take_message)
    assert_type(client.wait_for("message_added", lambda payload: bool(payload), timeout=1), Message)
    client.on("message_removed", take_message)
    client.on("messageRemoved", take_message)
    client.once(ClientEvent.MESSAGE_REMOVED, take_message, replay=True)
    client.on(Client.MESSAGE_REMOVED, take_message)
    assert_type(client.wait_for("message_removed", lambda payload: bool(payload), timeout=1), Message)
    client.on("message_updated", take_message_updated)
    client.on("messageUpdated", take_message_updated)
    client.once(ClientEvent.MESSAGE_UPDATED, take_message_updated, replay=True)
    client.on(Client.MESSAGE_UPDATED, take_message_updated)
    assert_type(client.wait_for("message_updated", lambda payload: bool(payload), timeout=1), MessageUpdatedEventArgs)
    client.on("user_subscribed", take_user)
    client.on("userSubscribed", take_user)
    client.once(ClientEvent.USER_SUBSCRIBED, take_user, replay=True)
    client.on(Client.USER_SUBSCRIBED, take_user)
    assert_type(client.wait_for("user_subscribed", lambda payload: bool(payload), timeout=1), User)
    client.on("user_unsubscribed", take_user)
    client.on("userUnsubscribed", take_user)
    client.once(ClientEvent.USER_UNSUBSCRIBED, take_user, replay=True)
    client.on(Client.USER_UNSUBSCRIBED, take_user)
    assert_type(client.wait_for("user_unsubscribed", lambda payload: bool(payload), timeout=1), User)
    client.on("user_updated", take_user_updated)
    client.on("userUpdated", take_user_updated)
    client.once(ClientEvent.USER_UPDATED, take_user_updated, replay=True)
    client.on(Client.USER_UPDATED, take_user_updated)
    assert_type(client.wait_for("user_updated", lambda payload: bool(payload), timeout=1), UserUpdatedEventArgs)
    client.on("push_notification", take_push_notification)
    client.on("pushNotification", take_push_notification)
    client.once(ClientEvent.PUSH_NOTIFICATION, take_push_notification, replay=True)
    client.on(Client.PUSH_NOTIFICATION, take_push_notification)
    assert_type(client.wait_for("push_notification", lambda payload: bool(payload), timeout=1), PushNotification)
    client.on("state_changed", take_state)
    client.on("stateChanged", take_state)
    client.once(ClientEvent.STATE_CHANGED, take_state, replay=True)
    client.on(Client.STATE_CHANGED, take_state)
    assert_type(client.wait_for("state_changed", lambda payload: bool(payload), timeout=1), State)
    client.on("init_failed", take_init_failed)
    client.on("initFailed", take_init_failed)
    client.once(ClientEvent.INIT_FAILED, take_init_failed, replay=True)
    client.on(Client.INIT_FAILED, take_init_failed)
    assert_type(client.wait_for("init_failed", lambda payload: bool(payload), timeout=1), InitFailedEventArgs)
    client.on("connection_state_changed", take_connection_state)
    client.on("connectionStateChanged", take_connection_state)
    client.once(ClientEvent.CONNECTION_STATE_CHANGED, take_connection_state, replay=True)
    client.on(Client.CONNECTION_STATE_CHANGED, take_connection_state)
    assert_type(client.wait_for("connection_state_changed", lambda payload: bool(payload), timeout=1), ConnectionState)
    client.on("connection_error", take_connection_error_info)
    client.on("connectionError", take_connection_error_info)
    client.once(ClientEvent.CONNECTION_ERROR, take_connection_error_info, replay=True)
    client.on(Client.CONNECTION_ERROR, take_connection_error_info)
    assert_type(client.wait_for("connection_error", lambda payload: bool(payload), timeout=1), ConnectionErrorInfo)
    client.on("error", take_handler_error)
    client.once(ClientEvent.ERROR, take_handler_error, replay=True)
    client.on(Client.ERROR, take_handler_error)
    assert_type(client.wait_for("error", lambda payload: bool(payload), timeout=1), HandlerError)
    client.on("initialized", take_nothing)
    client.on(Client.INITIALIZED, take_nothing)
    client.wait_for("initialized")
    client.on("token_about_to_expire", take_nothing)
    client.on(Client.TOKEN_ABOUT_TO_EXPIRE, take_nothing)
    client.wait_for("token_about_to_expire")
    client.on("token_expired", take_nothing)
    client.on(Client.TOKEN_EXPIRED, take_nothing)
    client.wait_for("token_expired")


def events_of_a_conversation(conversation: Conversation) -> None:
    conversation.on("updated", take_conversation_updated)
    conversation.once(ConversationEvent.UPDATED, take_conversation_updated)
    conversation.on(Conversation.UPDATED, take_conversation_updated)
    conversation.on("removed", take_conversation)
    conversation.once(ConversationEvent.REMOVED, take_conversation)
    conversation.on(Conversation.REMOVED, take_conversation)
    conversation.on("resynced", take_conversation)
    conversation.once(ConversationEvent.RESYNCED, take_conversation)
    conversation.on(Conversation.RESYNCED, take_conversation)
    conversation.on("participant_joined", take_participant)
    conversation.once(ConversationEvent.PARTICIPANT_JOINED, take_participant)
    conversation.on(Conversation.PARTICIPANT_JOINED, take_participant)
    conversation.on("participant_left", take_participant)
    conversation.once(ConversationEvent.PARTICIPANT_LEFT, take_participant)
    conversation.on(Conversation.PARTICIPANT_LEFT, take_participant)
    conversation.on("typing_started", take_participant)
    conversation.once(ConversationEvent.TYPING_STARTED, take_participant)
    conversation.on(Conversation.TYPING_STARTED, take_participant)
    conversation.on("typing_ended", take_participant)
    conversation.once(ConversationEvent.TYPING_ENDED, take_participant)
    conversation.on(Conversation.TYPING_ENDED, take_participant)
    conversation.on("participant_updated", take_participant_updated)
    conversation.once(ConversationEvent.PARTICIPANT_UPDATED, take_participant_updated)
    conversation.on(Conversation.PARTICIPANT_UPDATED, take_participant_updated)
    conversation.on("message_added", take_message)
    conversation.once(ConversationEvent.MESSAGE_ADDED, take_message)
    conversation.on(Conversation.MESSAGE_ADDED, take_message)
    conversation.on("message_removed", take_message)
    conversation.once(ConversationEvent.MESSAGE_REMOVED, take_message)
    conversation.on(Conversation.MESSAGE_REMOVED, take_message)
    conversation.on("message_updated", take_message_updated)
    conversation.once(ConversationEvent.MESSAGE_UPDATED, take_message_updated)
    conversation.on(Conversation.MESSAGE_UPDATED, take_message_updated)


def events_of_a_message(message: Message) -> None:
    message.on("updated", take_message_updated)
    message.once(MessageEvent.UPDATED, take_message_updated)
    message.on(Message.UPDATED, take_message_updated)


def events_of_a_participant(participant: Participant) -> None:
    participant.on("updated", take_participant_updated)
    participant.once(ParticipantEvent.UPDATED, take_participant_updated)
    participant.on(Participant.UPDATED, take_participant_updated)
    participant.on("typing_started", take_participant)
    participant.once(ParticipantEvent.TYPING_STARTED, take_participant)
    participant.on(Participant.TYPING_STARTED, take_participant)
    participant.on("typing_ended", take_participant)
    participant.once(ParticipantEvent.TYPING_ENDED, take_participant)
    participant.on(Participant.TYPING_ENDED, take_participant)


def events_of_a_user(user: User) -> None:
    user.on("updated", take_user_updated)
    user.once(UserEvent.UPDATED, take_user_updated)
    user.on(User.UPDATED, take_user_updated)
    user.on("user_subscribed", take_user)
    user.once(UserEvent.USER_SUBSCRIBED, take_user)
    user.on(User.USER_SUBSCRIBED, take_user)
    user.on("user_unsubscribed", take_user)
    user.once(UserEvent.USER_UNSUBSCRIBED, take_user)
    user.on(User.USER_UNSUBSCRIBED, take_user)


def decorators(client: Client, conversation: Conversation) -> None:
    @client.on("message_added")
    def added(message: Message) -> str | None:
        return message.body

    @conversation.once(Conversation.PARTICIPANT_UPDATED)
    def updated(args: ParticipantUpdatedEventArgs) -> None:
        assert_type(args.participant, Participant)

    @client.on("initialized")
    def initialized() -> None: ...

    assert_type(client.on("message_added", added), Subscription)
    with client.on("error", lambda failure: print(failure.error)):
        pass


def loops(client: Client) -> None:
    for added in client.events("message_added", "messageRemoved", timeout=5):
        assert_type(added.payload, Message)
    for state in client.events(Client.STATE_CHANGED):
        assert_type(state.payload, State)
    with client.events("initialized") as stream:
        assert_type(next(stream).payload, None)
    assert_type(next(client.events("user_updated")).payload.user, User)
    assert_type(next(client.events("message_added", "typing_started")).payload, Any)
    assert_type(next(client.events()).payload, Any)
    assert_type(client.wait_for("message_updated").message, Message)


def options(token: str) -> None:
    Client(token, default_timeout=5, max_pending_events=10, typing_timeout=None)
    Client(token, default_timeout="5")  # type: ignore[arg-type]
    Client(token, defaultTimeout=5)  # type: ignore[call-arg]
    Client(token, reconnect=1.0)  # type: ignore[arg-type]


def mistakes(client: Client, conversation: Conversation, message: Message, user: User) -> None:
    client.on("message_addded", take_message)  # type: ignore[call-overload]
    client.once("updated", take_user_updated)  # type: ignore[call-overload]
    client.on("message_added", take_participant)  # type: ignore[call-overload]
    client.on("initialized", take_message)  # type: ignore[call-overload]
    client.wait_for("message_addded")  # type: ignore[call-overload]
    client.events("message_addded")  # type: ignore[call-overload]
    conversation.on("message_addded", take_message)  # type: ignore[call-overload]
    conversation.on(ClientEvent.USER_UPDATED, take_user_updated)  # type: ignore[call-overload]
    message.on("removed", take_message)  # type: ignore[call-overload]
    user.on("typing_started", take_participant)  # type: ignore[call-overload]
    print(client.MESSAGE_ADDDED)  # type: ignore[attr-defined]

    @client.on("message_added")  # type: ignore[arg-type]
    def wrong(participant: Participant) -> None: ...

    client.on("message_added", take_later)  # type: ignore[call-overload]
    client.once("initialized", start_later)  # type: ignore[call-overload]
    conversation.on("message_added", take_later)  # type: ignore[call-overload]
    client.on("message_added", lambda message: take_later(message))  # type: ignore[call-overload]
    client.wait_for("message_added", is_later)  # type: ignore[call-overload]
    Client(token_later)  # type: ignore[arg-type]
    unsent = conversation.prepare_message().build()
    unsent.send(on_progress=progress_later)  # type: ignore[arg-type]
    unsent.send_in_background().add_done_callback(done_later)  # type: ignore[arg-type]

    @client.on("message_added")  # type: ignore[type-var]
    async def later(message: Message) -> None: ...
