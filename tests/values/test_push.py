"""Push payloads of APNs and FCM, as values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations import (
    Client,
    InvalidArgumentError,
    NotificationTypes,
    PushNotification,
    PushNotificationData,
    PushNotificationType,
    PushPayloadError,
)

ABOUT = {
    "conversation_sid": "CH1",
    "conversation_title": "room",
    "message_index": "7",
    "message_sid": "IM1",
    "media_count": 2,
    "media": '[{"sid":"ME1"}]',
}
READ = PushNotificationData("CH1", "room", 7, "IM1", [{"sid": "ME1"}], 2)
KIND = "twilio.conversations.new_message"


@pytest.mark.row("CL10", "CL11", "PN02", "PN03", "PN04", "PN05", "PN06", "PN07", "PN08")
def test_an_apns_payload_is_read() -> None:
    """Texts come from the alert, the rest from beside it, what it is about from the root."""
    aps = {"alert": {"title": "T", "body": "B"}, "sound": "ping", "badge": 3, "category": KIND}
    found = Client.parse_push_notification({"aps": aps, "twi_message_type": KIND, **ABOUT})
    assert found == PushNotification(
        type=PushNotificationType.NEW_MESSAGE, title="T", body="B", sound="ping", badge=3, action=KIND, data=READ
    )


def test_an_alert_may_be_a_text() -> None:
    """Then it is the body, and there is no title; an empty sound and a badge of zero are none."""
    found = PushNotification.parse({"aps": {"alert": "B", "sound": "", "badge": 0}, "twi_message_type": "x"})
    assert found == PushNotification(type="x", body="B")


@pytest.mark.row("CL10")
def test_an_fcm_payload_is_read() -> None:
    """Everything is in its data; there is never a badge."""
    texts = {"twi_title": "T", "twi_body": "B", "twi_sound": "ping", "twi_action": "act", "twi_message_type": KIND}
    found = PushNotification.parse({"data": texts | ABOUT})
    kind = PushNotificationType.NEW_MESSAGE
    assert found == PushNotification(type=kind, title="T", body="B", sound="ping", action="act", data=READ)


@pytest.mark.row("ER34", "ER35")
@pytest.mark.parametrize("payload", [{}, {"aps": {}}, {"data": {"twi_message_type": ""}}, {"data": None}, {"other": 1}])
def test_what_is_no_push_of_conversations_is_refused(payload: dict[str, Any]) -> None:
    """Neither kind of payload, or no type."""
    with pytest.raises(PushPayloadError):
        PushNotification.parse(payload)


@pytest.mark.row("CL10")
def test_only_a_mapping_can_be_a_payload() -> None:
    """Anything else is a mistake of the caller's."""
    with pytest.raises(InvalidArgumentError):
        Client.parse_push_notification("text")  # type: ignore[arg-type]


@pytest.mark.row("PN09", "PN10", "PN11", "PN12", "PN13", "PN14", "PN15")
@pytest.mark.parametrize("value", ["", "seven", None, [], 1.5, True])
def test_malformed_numbers_and_media_count_as_absent(value: Any) -> None:
    """Empty text is no zero."""
    data = PushNotificationData.parse({"message_index": value, "media_count": value, "media": "{"})
    assert data == PushNotificationData()


@pytest.mark.row("PN18", "PN19", "PN20", "PN21", "PN22")
def test_the_types_that_are_pushed_are_among_those_registered_for() -> None:
    """Each type of push notification has the same value in both sets."""
    assert {kind.value for kind in PushNotificationType} < {kind.value for kind in NotificationTypes}


ANYTHING = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()) | st.dictionaries(st.text(), st.text())
KEYS = st.sampled_from(["alert", "sound", "badge", "category", "twi_title", "twi_body", "media", "twi_message_type"])


@given(st.dictionaries(st.sampled_from(["aps", "data", "twi_message_type"]), ANYTHING | st.dictionaries(KEYS, ANYTHING)))
def test_a_payload_is_read_or_refused(payload: dict[str, Any]) -> None:
    """No content of it raises anything else."""
    try:
        assert PushNotification.parse(payload).type
    except PushPayloadError:
        pass
