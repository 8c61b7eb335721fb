"""Delivery of messages to other channels than chat: the summary on each message, and one receipt per recipient."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from twilio_conversations.enums import DeliveryAmount, DeliveryStatus, known
from twilio_conversations.util.json import parse_index, parse_time, text_or_empty

_AMOUNTS = ("sent", "delivered", "read", "undelivered", "failed")


@attrs.frozen
class AggregatedDeliveryReceipt:
    """Numbers of a message's recipients that reached each status; the statuses do not exclude each other.

    Attributes:
        total: largest possible number of delivery events.
        sent: accepted by the next carrier.
        delivered: confirmed by the carrier, where possible by the device.
        read: opened; known only if the channel reports it.
        undelivered: reported as not delivered.
        failed: could not be sent.
    """

    total: int
    sent: DeliveryAmount | str
    delivered: DeliveryAmount | str
    read: DeliveryAmount | str
    undelivered: DeliveryAmount | str
    failed: DeliveryAmount | str

    @classmethod
    def parse(cls, value: Any) -> AggregatedDeliveryReceipt | None:
        """Read a message's ``delivery``; return `None` if a field is empty or missing."""
        if not isinstance(value, dict):
            return None
        total = parse_index(value.get("total"))
        amounts = [value.get(name) for name in _AMOUNTS]
        if not total or not all(isinstance(amount, str) and amount for amount in amounts):
            return None
        return cls(total, *(known(DeliveryAmount, amount, DeliveryAmount.NONE) for amount in amounts))


@attrs.frozen
class DetailedDeliveryReceipt:
    """Delivery status of a message to one participant.

    Attributes:
        sid: ``DY...``.
        message_sid: the message (``IM...``).
        conversation_sid: its conversation (``CH...``).
        channel_message_sid: its sid on the channel (``SM...``, ``WA...``).
        participant_sid: the recipient (``MB...``).
        status: the delivery status.
        error_code: Twilio's code of the failure; 0 for no error.
        date_created: UTC.
        date_updated: UTC.
    """

    sid: str
    message_sid: str
    conversation_sid: str
    channel_message_sid: str
    participant_sid: str
    status: DeliveryStatus | str = DeliveryStatus.QUEUED
    error_code: int = 0
    date_created: dt.datetime | None = None
    date_updated: dt.datetime | None = None

    @classmethod
    def parse(cls, value: Any) -> DetailedDeliveryReceipt | None:
        """Read one entry of ``delivery_receipts``; return `None` for anything but an object."""
        if not isinstance(value, dict):
            return None
        return cls(
            text_or_empty(value.get("sid")),
            text_or_empty(value.get("message_sid")),
            text_or_empty(value.get("conversation_sid")),
            text_or_empty(value.get("channel_message_sid")),
            text_or_empty(value.get("participant_sid")),
            known(DeliveryStatus, value.get("status"), DeliveryStatus.QUEUED),
            parse_index(value.get("error_code")) or 0,
            parse_time(value.get("date_created")),
            parse_time(value.get("date_updated")),
        )
