"""People on other channels, as a client sees them: who they are, what they write, and what becomes of what is written to them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from tests.support.event_log import EventLog
from twilio_conversations import (
    Client,
    Conversation,
    ConversationState,
    ConversationStateValue,
    EmailRecipientDescriptor,
    InvalidArgumentError,
    MessageUpdatedEventArgs,
    PageUnavailableError,
    ParticipantBindingOptions,
    ParticipantEmailBinding,
    UnsupportedOperationError,
)
from twilio_conversations.server import LocalServer
from twilio_conversations.values.conversation import REASONS, ConversationData

PHONE, OWN_PHONE = "+15550100", "+15550199"
MAIL, OWN_MAIL = "zoe@example.com", "help@shop.example"


@attrs.define
class Desk:
    """Alice, her service, and a conversation with nobody else in it yet."""

    server: LocalServer
    alice: Client
    room: Conversation

    def await_message(self, **received: Any) -> Any:
        """What somebody outside writes, as it arrives."""
        event_log = EventLog(self.room, "message_added")
        sent = self.server.receive(**received)
        return event_log.wait("message_added", lambda message: message.sid == sent["sid"])


@pytest.fixture
def desk(own: LocalServer) -> Iterator[Desk]:
    """Everything new."""
    with Client(own.token("alice"), endpoint=own.url) as alice:
        yield Desk(own, alice, alice.create_conversation().join())


@pytest.mark.row("CV17", "ER15", "PA07", "PA12", "PA13", "PA17", "PA18", "PA20", "PA21", "PA22", "PA23", "PA24")
def test_somebody_outside_is_added(desk: Desk) -> None:
    """The participant is there at once, with channel, addresses and what was said of an e-mail's recipient; it is no user."""
    options = ParticipantBindingOptions(email=ParticipantEmailBinding(name="Zoë", level="cc"))
    phone = desk.room.add_non_chat_participant(OWN_PHONE, PHONE, {"vip": True})
    mail = desk.room.add_non_chat_participant(OWN_MAIL, MAIL, binding_options=options)
    messenger = desk.room.add_non_chat_participant(f"whatsapp:{OWN_PHONE}", f"whatsapp:{PHONE}")

    assert (phone.type, phone.identity, phone.attributes) == ("sms", None, {"vip": True})
    assert (phone.bindings["sms"]["address"], phone.bindings.email) == (PHONE, None)
    assert (mail.type, messenger.type) == ("email", "whatsapp")
    assert mail.bindings.email is not None
    assert (mail.bindings.email.name, mail.bindings.email.level) == ("Zoë", "cc")
    assert {one.sid for one in desk.room.get_participants()} >= {phone.sid, mail.sid, messenger.sid}
    for wrong in ("", None):
        with pytest.raises(InvalidArgumentError):
            desk.room.add_non_chat_participant(OWN_PHONE, wrong)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedOperationError, match="sms"):
        phone.get_user()


@pytest.mark.row("ME04", "ME20", "ME21", "ME22", "ME05")
def test_what_they_write_is_a_message(desk: Desk) -> None:
    """Its author is the address; an e-mail brings subject, bodies and history, which are no attachments."""
    phone = desk.room.add_non_chat_participant(OWN_PHONE, PHONE)
    desk.room.add_non_chat_participant(OWN_MAIL, MAIL)
    message = desk.await_message(address=PHONE, proxy_address=OWN_PHONE, body="Hello?")
    assert (message.author, message.body, message.get_participant()) == (PHONE, "Hello?", phone)

    bodies = {"text/plain": "Thanks ☃", "text/html": "<p>Thanks</p>"}
    history = {"text/plain": "> Here it is"}
    mail = desk.await_message(address=MAIL, proxy_address=OWN_MAIL, subject="Re", email_body=bodies, email_history=history)
    assert (mail.subject, mail.attached_media) == ("Re", [])
    assert mail.get_email_body().read().decode() == "Thanks ☃"
    assert mail.get_email_body("text/html").read() == b"<p>Thanks</p>"
    assert mail.get_email_history().read() == b"> Here it is"
    assert mail.get_email_history("text/html") is None


@pytest.mark.row("AD02", "AD03", "AD04", "AD05", "AD06", "AD07", "EV30", "ME17", "ME36")
def test_reports_are_summed_up(desk: Desk) -> None:
    """Each report changes the message, once, for one reason; the summary says none, some or all."""
    desk.server.configure(delivery="on_command")
    desk.room.add_non_chat_participant(OWN_PHONE, PHONE)
    desk.room.add_non_chat_participant(OWN_PHONE, "+15550101")
    message = desk.room.send_message("to both")
    event_log = EventLog(desk.room, "message_updated")

    def report(status: str, address: str | None = None) -> tuple[Any, ...]:
        count = len(event_log.entries)
        desk.server.set_delivery(message.sid, status, address=address)
        change = event_log.wait("message_updated", lambda _: len(event_log.entries) > count)
        assert isinstance(change, MessageUpdatedEventArgs)
        assert len(event_log.entries) == count + 1
        assert "deliveryReceipt" in event_log.entries[-1][1].update_reasons
        found = message.aggregated_delivery_receipt
        assert found is not None
        return (found.total, found.sent, found.delivered, found.read, found.undelivered, found.failed)

    assert report("delivered", PHONE)[:3] in ((2, "some", "some"), (2, "all", "some"))
    assert report("read", PHONE)[3] == "some"
    assert report("failed", "+15550101")[5] == "some"


@pytest.mark.row("DD02", "DD03", "DD04", "DD05", "DD06", "DD07", "DD08", "DD09", "DD10", "ME23")
def test_receipts_tell_the_whole_story(desk: Desk) -> None:
    """One for each participant outside, over all pages."""
    outside = {desk.room.add_non_chat_participant(OWN_PHONE, f"+1555020{number}").sid for number in range(3)}
    message = desk.room.send_message("to all")
    desk.server.set_delivery(message.sid, "failed", address="+15550200", error_code=30003)
    receipts = message.get_detailed_delivery_receipts()

    assert {one.participant_sid for one in receipts} == outside
    assert {(one.message_sid, one.conversation_sid) for one in receipts} == {(message.sid, desk.room.sid)}
    assert sorted((one.status, one.error_code) for one in receipts)[-1] == ("failed", 30003)
    for one in receipts:
        assert one.sid
        assert one.channel_message_sid
        assert one.date_created is not None
        assert one.date_updated is not None


@pytest.mark.row("CM02", "CM03", "ER41", "ME32")
def test_what_the_channel_says(desk: Desk) -> None:
    """Its own data come with a message that has any; for every other there is none, and no error."""
    desk.room.add_non_chat_participant(OWN_PHONE, PHONE)
    said = {"type": "sms", "data": {"carrier": "x"}}
    message = desk.await_message(address=PHONE, proxy_address=OWN_PHONE, body="1", channel_metadata=said)
    found = message.get_channel_metadata()

    assert (found.type, found.data) == ("sms", {"carrier": "x"})
    found.data["carrier"] = "changed"
    assert message.get_channel_metadata().data == {"carrier": "x"}
    plain = desk.room.send_message("2")
    assert plain.get_channel_metadata() is None
    assert plain.get_channel_metadata() is None


@pytest.mark.row("CV41", "ME33", "MR04", "MR05", "MR06", "MR07", "PG08", "RP02", "RP03", "RP04", "RP05", "RP06")
def test_recipients(desk: Desk) -> None:
    """Of one message, and of all: the pages count messages, forwards and back, at the size that was asked for."""
    desk.room.add_non_chat_participant(OWN_MAIL, MAIL)
    sids = [
        desk.await_message(address=MAIL, proxy_address=OWN_MAIL, subject=str(number), email_body={"text/plain": "x"}).sid
        for number in range(3)
    ]
    message = desk.room.get_messages().items[0]
    recipients = [one for one in message.get_message_recipients() if isinstance(one, EmailRecipientDescriptor)]
    assert {(one.message_sid, one.type) for one in message.get_message_recipients()} == {(sids[0], "email")}
    assert {MAIL} <= {one.address for one in recipients}
    assert {one.level for one in recipients} <= {"to", "from", "cc"}

    first = desk.room.get_message_recipients(page_size=1)
    pages = list(first.pages())
    assert [sorted({one.message_sid for one in page.items}) for page in pages] == [[sid] for sid in sids]
    assert (first.has_prev_page, first.has_next_page, pages[-1].has_next_page) == (False, True, False)
    assert {one.message_sid for one in pages[1].prev_page().items} == {sids[0]}
    with pytest.raises(PageUnavailableError):
        pages[-1].next_page()


@pytest.mark.row("CI11", "CI12", "CV13", "EV33")
def test_bindings_of_a_conversation(desk: Desk) -> None:
    """They come with an update that says so."""
    assert desk.room.bindings.email is None
    event_log = EventLog(desk.room, "updated")
    desk.server.update_conversation(desk.room.sid, bindings={"email": {"name": "Help", "projected_address": OWN_MAIL}})
    event_log.wait("updated", lambda change: "bindings" in change.update_reasons)

    assert desk.room.bindings.email is not None
    assert (desk.room.bindings.email.name, desk.room.bindings.email.projected_address) == ("Help", OWN_MAIL)
    assert desk.room.bindings.sms is None


@pytest.mark.row("CI02", "CI03", "CV15")
def test_states_and_their_dates(desk: Desk) -> None:
    """A timer closes it; each change tells state and date."""
    event_log = EventLog(desk.room, "updated")
    desk.server.update_conversation(desk.room.sid, timers={"inactive": "PT1M"})
    desk.server.advance_clock(61)
    event_log.wait("updated", lambda change: "state" in change.update_reasons)
    assert desk.room.state is not None
    assert desk.room.state.current == "inactive"
    inactive = desk.room.state.date_updated
    assert inactive is not None
    desk.server.advance_clock(10)
    desk.server.update_conversation(desk.room.sid, state="closed")
    event_log.wait("updated", lambda _: desk.room.state is not None and desk.room.state.current == "closed")
    assert desk.room.state.date_updated is not None
    assert desk.room.state.date_updated > inactive


@pytest.mark.row("JD08")
def test_a_date_alone_is_a_change_of_state() -> None:
    """The same state at another time is announced."""
    early = dt.datetime(2024, 1, 2, tzinfo=dt.UTC)
    states = [ConversationState(ConversationStateValue.CLOSED, early + dt.timedelta(days=day)) for day in range(2)]
    former, later = (ConversationData(state=state) for state in states)

    assert REASONS.between(former, later) == ("state",)
    assert REASONS.between(former, former) == ()


@pytest.mark.row("ME09")
def test_indexes_with_gaps(desk: Desk) -> None:
    """Messages are found by index, in order, whatever is missing in between; unread counts count messages."""
    desk.server.configure(index_gap=7)
    sent = [desk.room.send_message(str(number)) for number in range(5)]
    assert sent[1].index - sent[0].index == 8

    assert list(desk.room.iter_messages(newest_first=False)) == sent
    assert desk.room.get_messages(2, anchor=sent[2].index).items == sent[1:3]
    assert [page.items for page in desk.room.get_messages(2, anchor=0, direction="forward").pages()] == [
        sent[0:2],
        sent[2:4],
        sent[4:],
    ]
    assert desk.room.advance_last_read_message_index(sent[1].index) == 3
