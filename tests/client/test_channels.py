"""Participants of other channels than chat, and what the service knows of messages from and to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from twilio_conversations import (
    AggregatedDeliveryReceipt,
    Client,
    ConflictError,
    Conversation,
    DeliveryAmount,
    DeliveryStatus,
    EmailRecipientDescriptor,
    EmailRecipientLevel,
    InvalidArgumentError,
    Message,
    MessageUpdateReason,
    ParticipantBindingOptions,
    ParticipantEmailBinding,
    ParticipantEmailLevel,
    ParticipantType,
    RestPaginator,
)
from twilio_conversations.errors import UnsupportedOperationError
from twilio_conversations.server import LocalServer

Fresh = Callable[[str], str]
PROXY = "+15550199"


@pytest.fixture
def alice(connect: Connect, fresh: Fresh) -> Client:
    """One ready client."""
    return connect(fresh("alice"))


@pytest.fixture
def room(alice: Client) -> Conversation:
    """A conversation that she is in."""
    return alice.create_conversation().join()


@pytest.fixture
def number(fresh: Fresh) -> str:
    """A telephone number that no other test uses."""
    return "+1555" + str(int(fresh("").lstrip("-"), 16))[:7].rjust(7, "0")


def received(service: LocalServer, alice: Client, address: str, proxy: str = PROXY, **content: Any) -> Message:
    """The message that somebody outside writes."""
    event_log = EventLog(alice, "message_added")
    sid = service.receive(address, proxy, **content)["sid"]
    message: Message = event_log.wait("message_added", lambda message: message.sid == sid)
    return message


@pytest.mark.row("CV17", "PA12", "PA13")
def test_somebody_with_a_telephone_is_added(alice: Client, room: Conversation, number: str) -> None:
    """The participant is there on the next line, has its channel and no identity, and attributes as given."""
    event_log = EventLog(room, "participant_joined")
    phone = room.add_non_chat_participant(PROXY, number, {"vip": True})
    assert (phone.type, phone.identity, phone.attributes) == (ParticipantType.SMS, None, {"vip": True})
    assert phone.bindings["sms"]["address"] == number
    assert phone in room.get_participants()
    assert event_log.wait("participant_joined") is phone
    assert phone.bindings["sms"]["proxy_address"] == PROXY
    with pytest.raises(ConflictError):
        room.add_non_chat_participant(PROXY, number)


@pytest.mark.row("CV17", "PA17", "PA18", "PA23", "PA24")
def test_somebody_with_e_mail_has_a_name_and_a_level(room: Conversation, fresh: Fresh) -> None:
    """They are sent along, and come back in the bindings."""
    address = fresh("bob") + "@example.com"
    options = ParticipantBindingOptions(ParticipantEmailBinding("Bob", level=ParticipantEmailLevel.CC))
    event_log = EventLog(room, "participant_joined")
    bob = room.add_non_chat_participant(fresh("help") + "@example.org", address, binding_options=options)
    event_log.wait("participant_joined")
    assert bob.type is ParticipantType.EMAIL
    assert bob.bindings.email == ParticipantEmailBinding("Bob", address, ParticipantEmailLevel.CC)


@pytest.mark.row("CV17")
def test_addresses_and_levels_are_checked_first(room: Conversation) -> None:
    """Nothing is sent for what cannot be."""
    for proxy, address in [("", "+1"), ("+1", ""), (None, "+1")]:
        with pytest.raises(InvalidArgumentError):
            room.add_non_chat_participant(proxy, address)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError):
        room.add_non_chat_participant("a@b", "c@d", None, ParticipantBindingOptions(ParticipantEmailBinding(level="bcc")))


@pytest.mark.row("PA14", "ER15")
def test_only_chat_participants_have_users(room: Conversation, number: str) -> None:
    """The call is refused without a request."""
    phone = room.add_non_chat_participant(PROXY, number)
    with pytest.raises(UnsupportedOperationError):
        phone.get_user()


@pytest.mark.row("ME22")
def test_a_message_from_outside_leads_to_its_participant(
    service: LocalServer, alice: Client, room: Conversation, number: str
) -> None:
    """Its author is an address, its participant the one with that address."""
    phone = room.add_non_chat_participant(PROXY, number)
    message = received(service, alice, number, body="hello")
    assert (message.author, message.body) == (number, "hello")
    assert message.get_participant() is phone


@pytest.mark.row("ME17", "ME23", "EN12")
def test_receipts_tell_how_a_message_fares(service: LocalServer, alice: Client, room: Conversation, number: str) -> None:
    """The summary changes with the reason for it; each recipient has a receipt, with the code of an error."""
    room.add_non_chat_participant(PROXY, number)
    other = number[:-1] + str((int(number[-1]) + 1) % 10)
    room.add_non_chat_participant(PROXY, other)
    event_log = EventLog(alice, "message_updated")
    message = room.send_message("out")
    service.set_delivery(message.sid, "failed", address=number, error_code=30003)

    def failed(args: Any) -> bool:
        receipt = args.message.aggregated_delivery_receipt
        return receipt is not None and receipt.failed is DeliveryAmount.SOME

    args = event_log.wait("message_updated", failed)
    assert args.message is message
    assert MessageUpdateReason.DELIVERY_RECEIPT in args.update_reasons
    assert isinstance(message.aggregated_delivery_receipt, AggregatedDeliveryReceipt)
    assert message.aggregated_delivery_receipt.total == 2
    receipts = message.get_detailed_delivery_receipts()
    assert len(receipts) == 2
    assert all(receipt.message_sid == message.sid for receipt in receipts)
    assert [receipt.error_code for receipt in receipts if receipt.status is DeliveryStatus.FAILED] == [30003]


@pytest.mark.row("ME23")
def test_a_message_among_chat_participants_has_no_receipts(room: Conversation) -> None:
    """Neither a summary nor single ones."""
    message = room.send_message("x")
    assert message.aggregated_delivery_receipt is None
    assert message.get_detailed_delivery_receipts() == []


@pytest.mark.row("ME32", "ER41")
def test_channel_metadata_is_asked_for_once_and_only_where_there_is_some(
    service: LocalServer, alice: Client, room: Conversation, number: str
) -> None:
    """A message without any costs no request, one with some costs one."""
    room.add_non_chat_participant(PROXY, number)
    plain = room.send_message("x")
    rich = received(service, alice, number, body="x", channel_metadata={"type": "whatsapp", "data": {"n": 1}})
    service.forget_traffic()
    assert plain.get_channel_metadata() is None
    metadata = rich.get_channel_metadata()
    assert metadata is not None
    assert (metadata.type, metadata.data) == ("whatsapp", {"n": 1})
    assert rich.get_channel_metadata() is metadata
    assert len(requests_for(service, alice, "ChannelMetadata")) == 1


def requests_for(service: LocalServer, client: Client, part: str) -> list[Any]:
    """The requests of a client whose path contains `part`."""
    return [
        frame
        for frame in service.traffic(client.identity)
        if frame["direction"] == "in" and part in str(frame["header"].get("http_request", ""))
    ]


@pytest.fixture
def letters(service: LocalServer, alice: Client, room: Conversation, fresh: Fresh) -> list[Message]:
    """Three e-mails from one participant."""
    address, proxy = fresh("bob") + "@example.com", fresh("help") + "@example.org"
    options = ParticipantBindingOptions(ParticipantEmailBinding("Bob"))
    room.add_non_chat_participant(proxy, address, binding_options=options)
    return [received(service, alice, address, proxy, subject=f"s{n}", email_body={"text/plain": "hi"}) for n in range(3)]


@pytest.mark.row("ME33", "CO04")
def test_recipients_of_a_message_are_remembered(service: LocalServer, alice: Client, letters: list[Message]) -> None:
    """They are asked for once; the sender has the level `from`."""
    service.forget_traffic()
    recipients = letters[0].get_message_recipients()
    assert recipients
    assert all(isinstance(one, EmailRecipientDescriptor) and one.message_sid == letters[0].sid for one in recipients)
    assert EmailRecipientLevel.FROM in [one.level for one in recipients if isinstance(one, EmailRecipientDescriptor)]
    assert letters[0].get_message_recipients() == recipients
    assert len(requests_for(service, alice, "MessageRecipients")) == 1


@pytest.mark.row("CV41", "PG08", "RP01", "RP02", "RP03", "RP04", "RP05", "RP06", "MR01")
def test_recipients_of_a_conversation_come_in_pages(
    service: LocalServer, alice: Client, room: Conversation, letters: list[Message]
) -> None:
    """Every page asks for the same size, one can go back, and what the pages told is remembered by message."""
    service.forget_traffic()
    first = room.get_message_recipients(page_size=2)
    assert isinstance(first, RestPaginator)
    assert (len(first), first.has_next_page, first.has_prev_page) == (2, True, False)
    second = first.next_page()
    assert second.prev_page().items == first.items
    everything = list(first.iter_all())
    assert {one.message_sid for one in everything} == {letter.sid for letter in letters}
    asked = [frame["header"]["http_request"]["params"] for frame in requests_for(service, alice, "MessageRecipients")]
    assert all(params["PageSize"] == "2" for params in asked)
    whole = list(room.get_message_recipients())
    service.forget_traffic()
    for letter in letters:
        assert letter.get_message_recipients() == [one for one in whole if one.message_sid == letter.sid]
    assert requests_for(service, alice, "MessageRecipients") == []
    with pytest.raises(InvalidArgumentError):
        room.get_message_recipients(page_size=0)


@pytest.mark.row("CV13")
def test_bindings_of_a_conversation_follow_the_service(service: LocalServer, alice: Client, room: Conversation) -> None:
    """They are empty at first; a change is told with its reason."""
    assert room.bindings.email is None
    event_log = EventLog(alice, "conversation_updated")
    service.update_conversation(room.sid, bindings={"email": {"name": "Help", "projected_address": "help@example.org"}})
    event_log.wait("conversation_updated", lambda args: "bindings" in args.update_reasons)
    assert room.bindings.email is not None
    assert (room.bindings.email.name, room.bindings.email.projected_address) == ("Help", "help@example.org")


@pytest.mark.row("CV15", "JD08")
def test_the_state_of_a_conversation_follows_the_service(service: LocalServer, alice: Client, room: Conversation) -> None:
    """A change of its date alone is a change."""
    event_log = EventLog(alice, "conversation_updated")
    service.update_conversation(room.sid, state="inactive")
    event_log.wait("conversation_updated", lambda args: "state" in args.update_reasons)
    assert room.state is not None
    assert room.state.current == "inactive"
    assert room.state.date_updated is not None


@pytest.mark.row("BY12")
def test_participants_are_walked_through(room: Conversation, number: str) -> None:
    """One after another, of every channel."""
    room.add_non_chat_participant(PROXY, number)
    assert [participant.type for participant in room.iter_participants()] == [ParticipantType.CHAT, ParticipantType.SMS]


@pytest.mark.row("BY38")
def test_models_have_keys(alice: Client, room: Conversation) -> None:
    """What names them wherever they live; and they can be keys themselves."""
    message = room.send_message("x")
    participant = room.get_participants()[0]
    assert (room.key, message.key, participant.key) == (room.sid, (room.sid, message.index), participant.sid)
    assert alice.user.key == alice.identity
    assert {room: 1, message: 2}[message] == 2


@pytest.mark.row("BY30")
def test_the_typing_indicator_repeats_itself_and_does_not_disturb(service: LocalServer, connect: Connect, fresh: Fresh) -> None:
    """It tells others again and again while the block lasts, and a refusal is not the block's business."""
    alice, bob = connect(fresh("alice"), typing_timeout=0.05), connect(fresh("bob"))
    room = alice.create_conversation().join()
    joined = EventLog(bob, "conversation_joined")
    room.add(bob.identity)
    theirs = EventLog(joined.wait("conversation_joined"), "typing_started")
    limit = time.monotonic() + 10
    with room.typing_indicator():
        theirs.wait("typing_started", lambda participant: participant.identity == alice.identity)
        while len(requests_for(service, alice, "yping")) < 3:
            assert time.monotonic() < limit
    service.faults.refuse(None, status=403, identity=alice.identity)
    with room.typing_indicator():
        pass
    service.faults.clear()
