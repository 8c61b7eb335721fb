"""Twilio Conversations for Python: a synchronous client whose objects are kept up to date by events from the service.

Start with `Client`.
"""

import importlib
import logging
from typing import TYPE_CHECKING, Any, Final

from twilio_conversations._version import __version__
from twilio_conversations.client.client import Client, ClientStats
from twilio_conversations.enums import (
    ConnectionState,
    ConversationStateValue,
    ConversationStatus,
    ConversationUpdateReason,
    DeliveryAmount,
    DeliveryStatus,
    Direction,
    EmailRecipientLevel,
    MediaCategory,
    MessageType,
    MessageUpdateReason,
    NotificationLevel,
    NotificationsChannelType,
    NotificationTypes,
    ParticipantEmailLevel,
    ParticipantType,
    ParticipantUpdateReason,
    PushNotificationType,
    State,
    UserUpdateReason,
)
from twilio_conversations.errors import (
    ArgumentTypeError,
    ClientClosedError,
    ConflictError,
    ConnectionErrorInfo,
    ConversationsError,
    FileAccessError,
    FileError,
    ForbiddenError,
    InitializationError,
    InvalidArgumentError,
    MediaError,
    MissingFileError,
    NoDescriptorError,
    NotFoundError,
    NoThreadError,
    NotPicklableError,
    NotReadyError,
    OperationCancelledError,
    PageUnavailableError,
    ProtocolError,
    PushPayloadError,
    RegistrationError,
    ReplyError,
    RequestTimeoutError,
    RequestTooLargeError,
    RestError,
    RestNotFoundError,
    ServiceError,
    SyncError,
    ThrottledError,
    TokenError,
    TransportUnavailableError,
    UnknownEventError,
    UnsupportedOperationError,
    WrongThreadError,
)
from twilio_conversations.events.names import (
    ClientEvent,
    ConversationEvent,
    Event,
    HandlerError,
    InitFailedEventArgs,
    MessageEvent,
    ParticipantEvent,
    UserEvent,
)
from twilio_conversations.events.signals import Subscription
from twilio_conversations.models.conversation import Conversation, ConversationUpdatedEventArgs
from twilio_conversations.models.message import Message, MessageUpdatedEventArgs
from twilio_conversations.models.pages import Paginator, RestPaginator
from twilio_conversations.models.participant import Participant, ParticipantUpdatedEventArgs
from twilio_conversations.models.user import User, UserUpdatedEventArgs
from twilio_conversations.options import BackoffPolicy, Endpoints, Options
from twilio_conversations.sending.attachment import SendEmailOptions, SendMediaOptions
from twilio_conversations.sending.builder import MessageBuilder, UnsentMessage
from twilio_conversations.util.json import JSONArray, JSONObject, JSONValue
from twilio_conversations.values.bindings import (
    ConversationBindings,
    ConversationEmailBinding,
    ConversationSmsBinding,
    ParticipantBindingOptions,
    ParticipantBindings,
    ParticipantEmailBinding,
)
from twilio_conversations.values.configuration import ConversationLimits
from twilio_conversations.values.conversation import ConversationState, LastMessage
from twilio_conversations.values.receipts import AggregatedDeliveryReceipt, DetailedDeliveryReceipt

if TYPE_CHECKING:
    from twilio_conversations.models.media import Media
    from twilio_conversations.sending.uploads import UploadHandle
    from twilio_conversations.values.channel_metadata import ChannelMetadata
    from twilio_conversations.values.content_templates import (
        ContentData,
        ContentDataAction,
        ContentDataActionOther,
        ContentDataActionPhone,
        ContentDataActionReply,
        ContentDataActionUrl,
        ContentDataCallToAction,
        ContentDataCard,
        ContentDataListItem,
        ContentDataListPicker,
        ContentDataLocation,
        ContentDataMedia,
        ContentDataOther,
        ContentDataQuickReply,
        ContentDataReply,
        ContentDataText,
        ContentTemplate,
        ContentTemplateVariable,
    )
    from twilio_conversations.values.progress import DownloadProgress, UploadProgress
    from twilio_conversations.values.push import PushNotification, PushNotificationData
    from twilio_conversations.values.recipients import EmailRecipientDescriptor, RecipientDescriptor, UnknownRecipientDescriptor

__all__ = [
    "AggregatedDeliveryReceipt",
    "ArgumentTypeError",
    "BackoffPolicy",
    "ChannelMetadata",
    "Client",
    "ClientClosedError",
    "ClientEvent",
    "ClientStats",
    "ConflictError",
    "ConnectionErrorInfo",
    "ConnectionState",
    "ContentData",
    "ContentDataAction",
    "ContentDataActionOther",
    "ContentDataActionPhone",
    "ContentDataActionReply",
    "ContentDataActionUrl",
    "ContentDataCallToAction",
    "ContentDataCard",
    "ContentDataListItem",
    "ContentDataListPicker",
    "ContentDataLocation",
    "ContentDataMedia",
    "ContentDataOther",
    "ContentDataQuickReply",
    "ContentDataReply",
    "ContentDataText",
    "ContentTemplate",
    "ContentTemplateVariable",
    "Conversation",
    "ConversationBindings",
    "ConversationEmailBinding",
    "ConversationEvent",
    "ConversationLimits",
    "ConversationSmsBinding",
    "ConversationState",
    "ConversationStateValue",
    "ConversationStatus",
    "ConversationUpdateReason",
    "ConversationUpdatedEventArgs",
    "ConversationsError",
    "DeliveryAmount",
    "DeliveryStatus",
    "DetailedDeliveryReceipt",
    "Direction",
    "DownloadProgress",
    "EmailRecipientDescriptor",
    "EmailRecipientLevel",
    "Endpoints",
    "Event",
    "FileAccessError",
    "FileError",
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
    "MissingFileError",
    "NoDescriptorError",
    "NoThreadError",
    "NotFoundError",
    "NotPicklableError",
    "NotReadyError",
    "NotificationLevel",
    "NotificationTypes",
    "NotificationsChannelType",
    "OperationCancelledError",
    "Options",
    "PageUnavailableError",
    "Paginator",
    "Participant",
    "ParticipantBindingOptions",
    "ParticipantBindings",
    "ParticipantEmailBinding",
    "ParticipantEmailLevel",
    "ParticipantEvent",
    "ParticipantType",
    "ParticipantUpdateReason",
    "ParticipantUpdatedEventArgs",
    "ProtocolError",
    "PushNotification",
    "PushNotificationData",
    "PushNotificationType",
    "PushPayloadError",
    "RecipientDescriptor",
    "RegistrationError",
    "ReplyError",
    "RequestTimeoutError",
    "RequestTooLargeError",
    "RestError",
    "RestNotFoundError",
    "RestPaginator",
    "SendEmailOptions",
    "SendMediaOptions",
    "ServiceError",
    "State",
    "Subscription",
    "SyncError",
    "ThrottledError",
    "TokenError",
    "TransportUnavailableError",
    "UnknownEventError",
    "UnknownRecipientDescriptor",
    "UnsentMessage",
    "UnsupportedOperationError",
    "UploadHandle",
    "UploadProgress",
    "User",
    "UserEvent",
    "UserUpdateReason",
    "UserUpdatedEventArgs",
    "WrongThreadError",
    "__version__",
]

_ON_DEMAND: Final = {
    "twilio_conversations.models.media": ("Media",),
    "twilio_conversations.sending.uploads": ("UploadHandle",),
    "twilio_conversations.values.channel_metadata": ("ChannelMetadata",),
    "twilio_conversations.values.content_templates": (
        "ContentData",
        "ContentDataAction",
        "ContentDataActionOther",
        "ContentDataActionPhone",
        "ContentDataActionReply",
        "ContentDataActionUrl",
        "ContentDataCallToAction",
        "ContentDataCard",
        "ContentDataListItem",
        "ContentDataListPicker",
        "ContentDataLocation",
        "ContentDataMedia",
        "ContentDataOther",
        "ContentDataQuickReply",
        "ContentDataReply",
        "ContentDataText",
        "ContentTemplate",
        "ContentTemplateVariable",
    ),
    "twilio_conversations.values.progress": (
        "DownloadProgress",
        "UploadProgress",
    ),
    "twilio_conversations.values.push": (
        "PushNotification",
        "PushNotificationData",
    ),
    "twilio_conversations.values.recipients": (
        "EmailRecipientDescriptor",
        "RecipientDescriptor",
        "UnknownRecipientDescriptor",
    ),
}
"""Names that most programs never use, by the module that is imported when one is asked for."""


if not TYPE_CHECKING:  # a type checker would take every name for one of these

    def __getattr__(name: str) -> Any:
        """Import a name at its first use."""
        for module, names in _ON_DEMAND.items():
            if name in names:
                found = globals()[name] = getattr(importlib.import_module(module), name)
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


logging.getLogger(__name__).addHandler(logging.NullHandler())
