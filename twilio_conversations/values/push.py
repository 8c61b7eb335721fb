"""Push notifications: what a device was sent, read into a value. Needs no connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from twilio_conversations.enums import PushNotificationType, known
from twilio_conversations.errors import ArgumentTypeError, PushPayloadError
from twilio_conversations.util import json_text
from twilio_conversations.util.checks import shown
from twilio_conversations.util.json import parse_index, text_or_none


@attrs.frozen
class PushNotificationData:
    """Conversation and message of a notification; fields that it does not have are `None`.

    Attributes:
        conversation_sid: ``CH...``.
        conversation_title: title of the conversation.
        message_index: index of the message.
        message_sid: ``IM...``.
        media: attachments of the message, as data.
        media_count: number of attachments.
    """

    conversation_sid: str | None = None
    conversation_title: str | None = None
    message_index: int | None = None
    message_sid: str | None = None
    media: Any = None
    media_count: int | None = None

    @classmethod
    def parse(cls, source: Mapping[str, Any]) -> PushNotificationData:
        """Read the known keys; malformed values are treated as absent."""
        return cls(
            text_or_none(source.get("conversation_sid")),
            text_or_none(source.get("conversation_title")),
            parse_index(source.get("message_index")),
            text_or_none(source.get("message_sid")),
            _decoded(source.get("media")),
            parse_index(source.get("media_count")),
        )


@attrs.frozen(kw_only=True)
class PushNotification:
    """A push notification of Twilio Conversations, from APNs or FCM.

    Attributes:
        type: type of the notification; a plain string for one that this package does not know.
        title: heading.
        body: text.
        sound: name of a sound.
        badge: number beside the icon; always `None` with FCM.
        action: APNs category, or FCM click action.
        data: the conversation and message it is about.
    """

    type: PushNotificationType | str
    title: str | None = None
    body: str | None = None
    sound: str | None = None
    badge: int | None = None
    action: str | None = None
    data: PushNotificationData = attrs.field(factory=PushNotificationData)

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> PushNotification:
        """Parse a payload of APNs (with ``aps``) or of FCM (with ``data``).

        Raises:
            ArgumentTypeError: the payload is not a mapping.
            PushPayloadError: it is neither, or has no type.
        """
        if not isinstance(payload, Mapping):
            raise ArgumentTypeError(f"a push payload must be a mapping, not {shown(payload)}")
        if "aps" in payload:
            return _apns(payload)
        if "data" in payload:
            return _fcm(_mapping(payload["data"]))
        raise PushPayloadError("the payload is no push notification of Conversations: it has neither 'aps' nor 'data'")


def _apns(payload: Mapping[str, Any]) -> PushNotification:
    aps = _mapping(payload["aps"])
    alert = aps.get("alert")
    texts = {"body": alert} if isinstance(alert, str) else _mapping(alert)
    badge = aps.get("badge")
    return PushNotification(
        title=text_or_none(texts.get("title")),
        body=text_or_none(texts.get("body")),
        sound=text_or_none(aps.get("sound")),
        badge=(badge or None) if type(badge) is int else None,
        action=text_or_none(aps.get("category")),
        type=_type(payload),
        data=PushNotificationData.parse(payload),
    )


def _fcm(data: Mapping[str, Any]) -> PushNotification:
    return PushNotification(
        title=text_or_none(data.get("twi_title")),
        body=text_or_none(data.get("twi_body")),
        sound=text_or_none(data.get("twi_sound")),
        action=text_or_none(data.get("twi_action")),
        type=_type(data),
        data=PushNotificationData.parse(data),
    )


def _type(source: Mapping[str, Any]) -> PushNotificationType | str:
    kind = text_or_none(source.get("twi_message_type"))
    if kind is None:
        raise PushPayloadError("the payload does not say its type ('twi_message_type')")
    return known(PushNotificationType, kind, kind)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _decoded(value: Any) -> Any:
    """Return the data in a JSON text."""
    try:
        return json_text.loads(value) if isinstance(value, str) else None
    except ValueError:
        return None
