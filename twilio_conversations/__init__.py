"""Twilio Conversations for Python: a synchronous client that is kept current by the service.

Start with `Client`.
"""

import logging

from twilio_conversations._version import __version__
from twilio_conversations.attachment import SendEmailOptions, SendMediaOptions
from twilio_conversations.client import Client, ClientStats
from twilio_conversations.configuration import ConversationLimits
from twilio_conversations.conversation import (
    Conversation,
    ConversationState,
    ConversationUpdatedEventArgs,
    LastMessage,
)
from twilio_conversations.emitter import Subscription
from twilio_conversations.enums import (
    ConnectionState,
    ConversationStateValue,
    ConversationStatus,
    ConversationUpdateReason,
    Direction,
    MediaCategory,
    MessageType,
    MessageUpdateReason,
    NotificationLevel,
    ParticipantType,
    ParticipantUpdateReason,
    State,
    UserUpdateReason,
)
from twilio_conversations.errors import (
    ClientClosedError,
    ConflictError,
    ConnectionErrorInfo,
    ConversationsError,
    ForbiddenError,
    InitializationError,
    InvalidArgumentError,
    MediaError,
    NotFoundError,
    NotReadyError,
    OperationCancelledError,
    PageUnavailableError,
    ProtocolError,
    ReplyError,
    RequestTimeoutError,
    RestError,
    RestNotFoundError,
    ServiceError,
    SyncError,
    ThrottledError,
    TokenError,
    TransportUnavailableError,
    UnsupportedOperationError,
)
from twilio_conversations.event_names import (
    ClientEvent,
    ConversationEvent,
    Event,
    HandlerError,
    InitFailedEventArgs,
    MessageEvent,
    ParticipantEvent,
    UserEvent,
)
from twilio_conversations.json_values import JSONArray, JSONObject, JSONValue
from twilio_conversations.media import Media
from twilio_conversations.message import Message, MessageUpdatedEventArgs
from twilio_conversations.message_builder import MessageBuilder
from twilio_conversations.options import BackoffPolicy, Endpoints, Options
from twilio_conversations.paginator import Paginator
from twilio_conversations.participant import Participant, ParticipantUpdatedEventArgs
from twilio_conversations.unsent_message import UnsentMessage
from twilio_conversations.uploads import UploadHandle, UploadProgress
from twilio_conversations.user import User, UserUpdatedEventArgs

__all__ = [
    "BackoffPolicy",
    "Client",
    "ClientClosedError",
    "ClientEvent",
    "ClientStats",
    "ConflictError",
    "ConnectionErrorInfo",
    "ConnectionState",
    "Conversation",
    "ConversationEvent",
    "ConversationLimits",
    "ConversationState",
    "ConversationStateValue",
    "ConversationStatus",
    "ConversationUpdateReason",
    "ConversationUpdatedEventArgs",
    "ConversationsError",
    "Direction",
    "Endpoints",
    "Event",
    "ForbiddenError",
    "HandlerError",
    "InitFailedEventArgs",
    "InitializationError",
    "InvalidArgumentError",
    "JSONArray",
    "JSONObject",
    "JSONValue",
    "LastMessage",
    "Media",
    "MediaCategory",
    "MediaError",
    "Message",
    "MessageBuilder",
    "MessageEvent",
    "MessageType",
    "MessageUpdateReason",
    "MessageUpdatedEventArgs",
    "NotFoundError",
    "NotReadyError",
    "NotificationLevel",
    "OperationCancelledError",
    "Options",
    "PageUnavailableError",
    "Paginator",
    "Participant",
    "ParticipantEvent",
    "ParticipantType",
    "ParticipantUpdateReason",
    "ParticipantUpdatedEventArgs",
    "ProtocolError",
    "ReplyError",
    "RequestTimeoutError",
    "RestError",
    "RestNotFoundError",
    "SendEmailOptions",
    "SendMediaOptions",
    "ServiceError",
    "State",
    "Subscription",
    "SyncError",
    "ThrottledError",
    "TokenError",
    "TransportUnavailableError",
    "UnsentMessage",
    "UnsupportedOperationError",
    "UploadHandle",
    "UploadProgress",
    "User",
    "UserEvent",
    "UserUpdateReason",
    "UserUpdatedEventArgs",
    "__version__",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())
