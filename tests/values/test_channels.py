"""Receipts, recipients, bindings and metadata of channels beyond chat, read from what the service sends."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations import (
    AggregatedDeliveryReceipt,
    ChannelMetadata,
    ConversationBindings,
    ConversationEmailBinding,
    ConversationSmsBinding,
    DeliveryAmount,
    DeliveryStatus,
    DetailedDeliveryReceipt,
    EmailRecipientDescriptor,
    EmailRecipientLevel,
    ParticipantBindings,
    ParticipantEmailBinding,
    ParticipantEmailLevel,
    ProtocolError,
    UnknownRecipientDescriptor,
)
from twilio_conversations.util.lru import Lru
from twilio_conversations.values.message import MessageData
from twilio_conversations.values.recipients import parse_recipient

DELIVERY = {"total": 2, "sent": "all", "delivered": "some", "read": "none", "failed": "none", "undelivered": "none"}


@pytest.mark.row("AD01", "AD02", "AD03", "AD04", "AD05", "AD06", "AD07", "EN11")
def test_a_delivery_summary_is_read() -> None:
    """Amounts are members, also the one called none; an amount that is not known stays text."""
    found = AggregatedDeliveryReceipt.parse(DELIVERY | {"read": "most"})
    none = DeliveryAmount.NONE
    assert found == AggregatedDeliveryReceipt(2, DeliveryAmount.ALL, DeliveryAmount.SOME, "most", none, none)


@pytest.mark.row("ME17")
@pytest.mark.parametrize("said", [None, {}, DELIVERY | {"total": 0}, DELIVERY | {"sent": ""}, {"total": 1}, "x"])
def test_an_empty_summary_changes_nothing(said: Any) -> None:
    """A message keeps the summary it has; one that has none gets none."""
    known = MessageData.parse({"sid": "IM1", "delivery": DELIVERY})
    assert MessageData.parse({"delivery": said}, known).delivery == AggregatedDeliveryReceipt.parse(DELIVERY)
    assert MessageData.parse({"sid": "IM1", "delivery": said}).delivery is None


@pytest.mark.row("DD01", "DD02", "DD03", "DD04", "DD05", "DD06", "DD07", "DD08", "DD09", "DD10")
def test_a_receipt_is_read() -> None:
    """The code is a number whatever it was sent as; a missing status means queued."""
    sids = {"sid": "DY1", "message_sid": "IM1", "conversation_sid": "CH1", "channel_message_sid": "SM1", "participant_sid": "MB1"}
    times = {"date_created": "2024-01-01T00:00:00Z", "date_updated": "?"}
    found = DetailedDeliveryReceipt.parse(sids | times | {"status": "failed", "error_code": "30003"})
    assert found == DetailedDeliveryReceipt(
        "DY1", "IM1", "CH1", "SM1", "MB1", DeliveryStatus.FAILED, 30003, dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None
    )
    queued = DetailedDeliveryReceipt.parse(sids)
    assert queued is not None
    assert (queued.status, queued.error_code) == (DeliveryStatus.QUEUED, 0)


@pytest.mark.row("MR02", "MR03", "MR04", "MR05", "MR06", "MR07", "EN19")
def test_a_recipient_of_an_e_mail_is_read() -> None:
    """Its level is a member."""
    found = parse_recipient({"type": "email", "message_sid": "IM1", "level": "cc", "name": "A", "address": "a@example.com"})
    assert found == EmailRecipientDescriptor("IM1", EmailRecipientLevel.CC, "A", "a@example.com")
    assert found.type == "email"


@pytest.mark.row("MR08", "MR09", "MR10", "MR11")
def test_a_recipient_of_another_kind_keeps_everything() -> None:
    """As text, and decoded."""
    record = {"type": "pigeon", "message_sid": "IM1", "ring": 7}
    found = parse_recipient(record)
    assert isinstance(found, UnknownRecipientDescriptor)
    assert (found.type, found.message_sid) == ("pigeon", "IM1")
    assert found.raw_data == '{"type":"pigeon","message_sid":"IM1","ring":7}'
    assert found.raw == record


@pytest.mark.row("CM01", "CM02", "CM03")
def test_channel_metadata_is_handed_out_as_a_copy() -> None:
    """What the program does with it stays its own; without a type it is none."""
    metadata = ChannelMetadata.parse({"type": "whatsapp", "data": {"a": [1]}})
    metadata.data["a"].append(2)
    assert (metadata.type, metadata.data) == ("whatsapp", {"a": [1]})
    with pytest.raises(ProtocolError):
        ChannelMetadata.parse({"data": {}})


@pytest.mark.row("CI10", "CI11", "CI12", "CI13", "CI14", "CI15", "CI16", "CI17")
def test_bindings_of_a_conversation_are_read() -> None:
    """Those of channels that are not listed are kept too."""
    source = {"email": {"name": "N", "projected_address": "p@example.com"}, "sms": {"address": "+1"}, "fax": {"x": 1}}
    bindings = ConversationBindings.parse(source)
    assert bindings.email == ConversationEmailBinding("p@example.com", "N")
    assert bindings.sms == ConversationSmsBinding("+1")
    assert bindings["fax"] == {"x": 1}
    assert bindings.raw == source
    assert ConversationBindings.parse({}) == ConversationBindings()


@pytest.mark.row("PA13", "PA17", "PA18", "PA19", "PA20", "PA21", "PA22", "EN07")
def test_bindings_of_a_participant_are_read() -> None:
    """E-mail is typed, others are reached by name."""
    source = {"email": {"name": "Bob", "address": "bob@example.com", "level": "cc"}, "sms": {"address": "+1"}}
    bindings = ParticipantBindings.parse(source)
    assert bindings.email == ParticipantEmailBinding("Bob", "bob@example.com", ParticipantEmailLevel.CC)
    assert bindings["sms"] == {"address": "+1"}
    assert "sms" in bindings
    assert "fax" not in bindings


ANYTHING = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())
OBJECT = ANYTHING | st.dictionaries(st.sampled_from([*DELIVERY, "email", "sms", "name", "level", "type", "error_code"]), ANYTHING)


@given(OBJECT)
def test_nothing_the_service_sends_raises(value: Any) -> None:
    """Whatever stands where these should be is read, or is none."""
    AggregatedDeliveryReceipt.parse(value)
    DetailedDeliveryReceipt.parse(value)
    parse_recipient(value)
    ConversationBindings.parse({"email": value, "sms": value})
    ParticipantBindings.parse({"email": value})
    assert ConversationBindings.parse(value).raw == (value if isinstance(value, dict) else {})


@pytest.mark.row("CO03", "CO04")
def test_what_was_used_longest_ago_makes_room() -> None:
    """Looking at a value counts as using it; a capacity of zero keeps nothing."""
    kept: Lru[str, int] = Lru(2)
    for number, key in enumerate("ab"):
        kept.put(key, number)
    assert kept.get("a", None) == 0
    kept.put("c", 2)
    assert [kept.get(key, None) for key in "abc"] == [0, None, 2]
    empty: Lru[str, int] = Lru(0)
    empty.put("a", 1)
    assert len(empty) == 0
