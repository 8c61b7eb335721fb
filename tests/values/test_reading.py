"""What the service says of messages, participants, users and conversations is read whatever it contains."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.test_frame import json_values
from twilio_conversations.errors import ProtocolError
from twilio_conversations.values.content_templates import ContentTemplate
from twilio_conversations.values.conversation import ConversationData, ConversationState, LastMessage
from twilio_conversations.values.media import MediaData
from twilio_conversations.values.message import MessageData
from twilio_conversations.values.participant import ParticipantData
from twilio_conversations.values.receipts import DetailedDeliveryReceipt
from twilio_conversations.values.recipients import parse_recipient
from twilio_conversations.values.user import UserData

MESSAGE_KEYS = [
    "sid",
    "author",
    "text",
    "subject",
    "contentSid",
    "memberSid",
    "lastUpdatedBy",
    "timestamp",
    "dateUpdated",
    "attributes",
    "type",
    "medias",
    "media",
    "delivery",
    "unknown",
]
DOCUMENT_KEYS = [
    "friendlyName",
    "uniqueName",
    "attributes",
    "createdBy",
    "dateCreated",
    "dateUpdated",
    "lastMessage",
    "state",
    "bindings",
    "unknown",
]
ROSTER_KEYS = [
    "identity",
    "type",
    "roleSid",
    "attributes",
    "dateCreated",
    "dateUpdated",
    "lastConsumedMessageIndex",
    "lastConsumptionTimestamp",
    "bindings",
    "userInfo",
    "unknown",
]


def objects(keys: list[str]) -> st.SearchStrategy[Any]:
    """Objects with some of these keys and any values."""
    return st.dictionaries(st.sampled_from(keys), json_values) | json_values


@given(objects(MESSAGE_KEYS), objects(MESSAGE_KEYS))
def test_any_message_item_is_read_or_refused(first: Any, second: Any) -> None:
    """Nothing but `ProtocolError`, also for an update of it; its attributes can always be read."""
    try:
        data = MessageData.parse(second, MessageData.parse(first))
        data.attributes.value()
    except ProtocolError:
        pass


@given(objects(DOCUMENT_KEYS), objects(DOCUMENT_KEYS), json_values)
def test_any_document_is_read_or_refused(first: Any, second: Any, membership: Any) -> None:
    """The same for a conversation's document and the own membership."""
    try:
        data = ConversationData().with_document(first).with_document(second, first).with_membership(membership)
        data.attributes.value()
    except ProtocolError:
        pass


@given(objects(ROSTER_KEYS), objects(ROSTER_KEYS))
def test_any_roster_item_is_read_or_refused(first: Any, second: Any) -> None:
    """The same for participants."""
    try:
        ParticipantData.parse(second, ParticipantData.parse(first)).attributes.value()
    except ProtocolError:
        pass


@given(st.sampled_from(["friendlyName", "attributes", "reachability", "other"]) | json_values, json_values)
def test_any_user_item_is_read(key: Any, data: Any) -> None:
    """A user's map may hold anything."""
    UserData().with_item(str(key), data).attributes.value()


def test_an_update_keeps_what_it_does_not_mention() -> None:
    """Only keys that are there change anything."""
    whole = MessageData.parse({"sid": "IM1", "text": "a", "attributes": '{"k":1}', "author": "x", "medias": [{"sid": "ME1"}]})
    changed = MessageData.parse({"text": "b"}, whole)

    assert (changed.body, changed.author, changed.attributes.value(), changed.medias) == ("b", "x", {"k": 1}, whole.medias)


def test_a_single_legacy_attachment_is_a_list_of_one() -> None:
    """`media` counts when `medias` is absent."""
    assert MessageData.parse({"sid": "IM1", "media": {"sid": "ME1"}}).medias == (MediaData("ME1"),)


@pytest.mark.parametrize("raw", [{"index": 7, "timestamp": None}, {"index": "7"}, {"index": 7}])
def test_the_last_message_may_lack_its_time(raw: dict[str, Any]) -> None:
    """An index alone will do."""
    assert LastMessage.parse(raw) == LastMessage(7, None)


def test_what_clears_and_what_does_not() -> None:
    """A null last message clears it, an absent one leaves it; an unknown state is kept as text."""
    data = ConversationData().with_document({"lastMessage": {"index": 1}, "state": {"current": "paused"}})

    assert data.with_document({}).last_message == LastMessage(1)
    assert data.with_document({"lastMessage": None}).last_message is None
    assert data.state == ConversationState("paused")


def test_a_change_of_the_states_date_alone_is_a_change() -> None:
    """The official client loses it."""
    one = ConversationData().with_document({"state": {"current": "active", "dateUpdated": "2024-01-01T00:00:00Z"}})
    assert one.state != one.with_document({"state": {"current": "active", "dateUpdated": "2024-01-02T00:00:00Z"}}).state


def test_the_answer_to_a_send_is_a_message() -> None:
    """REST has other names than Sync; media make it one with media, whatever it says."""
    body = {"sid": "IM1", "body": "x", "author": "alice", "type": "text", "attributes": "{}"}
    assert MessageData.from_rest(body).type == "text"
    medium = {"sid": "ME1", "content_type": "image/png", "filename": "a.png", "size": 5}
    message = MessageData.from_rest(body | {"media": [medium]})
    assert (message.sid, message.body, message.type, [one.sid for one in message.medias]) == ("IM1", "x", "media", ["ME1"])
    odd_answers: tuple[Any, ...] = (None, [], {"body": "no sid"})
    for odd in odd_answers:
        with pytest.raises(ProtocolError):
            MessageData.from_rest(odd)


def test_the_answer_to_an_add_is_a_participant() -> None:
    """Of chat, unless it has a binding, whose type is then the participant's."""
    assert ParticipantData.from_rest({"identity": "bob", "role_sid": "RL1", "messaging_binding": None}).type == "chat"
    binding = {"type": "sms", "address": "+15550100", "proxy_address": "+15550199"}
    outside = ParticipantData.from_rest({"identity": None, "messaging_binding": binding})
    assert (outside.identity, outside.type) == (None, "sms")
    assert outside.bindings["sms"] == binding
    with pytest.raises(ProtocolError):
        ParticipantData.from_rest("bob")


def test_the_answer_to_a_look_up_is_a_user() -> None:
    """What is not in it is not known."""
    user = UserData.from_rest({"friendly_name": "Bob", "attributes": '{"a":1}', "is_online": True})
    assert (user.friendly_name, user.attributes.value(), user.is_online, user.is_notifiable) == ("Bob", {"a": 1}, True, None)
    with pytest.raises(ProtocolError):
        UserData.from_rest(None)


@pytest.mark.parametrize("value", [None, 7, "text", [], True])
def test_what_is_no_object(value: Any) -> None:
    """Of a whole value an error or nothing; of an addition to a value, that value."""
    for parse in (ConversationData().with_document, MessageData.parse, ParticipantData.parse):
        with pytest.raises(ProtocolError):
            parse(value)
    for entry in (ContentTemplate.parse, DetailedDeliveryReceipt.parse, parse_recipient):
        assert entry(value) is None
    conversation, user = ConversationData(), UserData()
    assert conversation.with_membership(value) is conversation
    assert user.with_item("friendlyName", value) is user
    assert user.with_item("unknown", {"value": 1}) is user


def test_a_user_s_item_is_read() -> None:
    """The rest stays."""
    user = UserData(is_online=True).with_item("friendlyName", {"value": "Bob"})
    assert (user.friendly_name, user.is_online) == ("Bob", True)
