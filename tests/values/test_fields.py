"""A new field of what the service sends is one row: read from Sync and REST, compared, and reported."""

from __future__ import annotations

import attrs
import pytest

from twilio_conversations.enums import (
    ConversationUpdateReason,
    MessageType,
    MessageUpdateReason,
    ParticipantUpdateReason,
    UserUpdateReason,
)
from twilio_conversations.errors import ProtocolError
from twilio_conversations.util.json import parse_index, parse_text, text_or_empty
from twilio_conversations.values import conversation, message, participant, user
from twilio_conversations.values.fields import Fields, Reasons, field, flag, word


@attrs.frozen
class Note:
    """Data of some object, with a row for each attribute but the last."""

    text: str | None = field(parse_text, "noteText", rest="note_text", reason=MessageUpdateReason.BODY)
    kind: MessageType | str = field(word(MessageType, MessageType.TEXT), "type")
    title: str = field(text_or_empty, "title", rest="note_title", reason=MessageUpdateReason.SUBJECT, keeps=True)
    rating: int | None = field(parse_index, "rating", reason=MessageUpdateReason.AUTHOR, keeps=True)
    seen: bool | None = field(flag, "seen", part="own")
    here: bool = True


FIELDS, OWN = Fields(Note), Fields(Note, "own")
REASONS = Reasons.of(Note, MessageUpdateReason)


@attrs.frozen
class Longer(Note):
    """The same with one row more, and nothing else."""

    pinned: bool | None = field(flag, "isPinned", rest="is_pinned", reason=MessageUpdateReason.ATTRIBUTES)


def test_a_new_field_is_one_row() -> None:
    """Its row alone makes it read from Sync and from REST, kept where it is not mentioned, and reported when it changes."""
    fields, reasons = Fields(Longer), Reasons.of(Longer, MessageUpdateReason)

    first = fields.read({"noteText": "a", "isPinned": True})
    assert first.pinned is True
    assert fields.read(fields.from_rest({"is_pinned": False, "note_text": "a"}, "no note")).pinned is False
    assert fields.read({"noteText": "b"}, first).pinned is True

    changed = fields.read({"isPinned": False, "noteText": "b"}, first)
    assert reasons.between(first, changed) == (MessageUpdateReason.BODY, MessageUpdateReason.ATTRIBUTES)
    assert "pinned" not in fields.names
    assert fields.names["isPinned"] == "pinned"


def test_what_is_not_sent_has_the_value_of_none_read() -> None:
    """A value without anything sent is the same whether it was read or made."""
    assert FIELDS.read({}) == Note() == Note(None, MessageType.TEXT, "", None, None, True)


def test_what_an_item_does_not_mention_stays() -> None:
    """Only the rows that an item mentions are read; an explicit null is read, unless the row keeps what was known."""
    base = Note("a", "sticker", "t", 3, True, False)
    assert FIELDS.read({"seen": False, "here": False, "": 1}, base) == base
    assert FIELDS.read({"noteText": None, "type": None, "rating": None}, base) == attrs.evolve(
        base, text=None, kind=MessageType.TEXT
    )
    assert FIELDS.read({"rating": "4"}, base).rating == 4


def test_each_part_reads_its_own_rows() -> None:
    """Where two Sync objects make up one value, neither touches the other's fields."""
    base = Note("a")
    item = {"noteText": "b", "seen": True}
    assert FIELDS.read(item, base) == Note("b")
    assert OWN.read(item, base) == Note("a", seen=True)
    assert OWN.names == {"seen": "seen"}


def test_rest_names_are_translated() -> None:
    """A REST body becomes an item; what has no REST name is left out, and anything but an object is refused."""
    assert FIELDS.from_rest({"note_text": 1, "rating": 5, "noteText": "b", "note_title": None}, "") == {
        "noteText": 1,
        "title": None,
    }
    with pytest.raises(ProtocolError, match="no note") as caught:
        FIELDS.from_rest(["note_text"], "no note")
    assert caught.value.body == ["note_text"]


def test_reasons_come_in_the_order_of_their_enum() -> None:
    """Not in that of the rows; fields without a reason are not compared."""
    after = Note("b", "sticker", "t", 4, True, False)
    assert REASONS.between(Note(), after) == (MessageUpdateReason.BODY, MessageUpdateReason.SUBJECT, MessageUpdateReason.AUTHOR)
    assert REASONS.between(Note(), Note(None, "sticker", "", None, True, False)) == ()
    assert REASONS.between(None, after) == ()


def test_unknown_words_are_text() -> None:
    """A word is its member, also by the member's name; one that this package does not know stays as it was sent."""
    read = word(MessageType, MessageType.TEXT)
    assert read("media") is read("MEDIA") is MessageType.MEDIA
    assert read("poll") == "poll"
    assert read(None) is read("") is read(5) is read([]) is MessageType.TEXT


def test_each_reason_but_status_has_a_field() -> None:
    """No reason of the four enums is without a row; whether the own identity participates is no field of the wire."""
    assert {*ConversationUpdateReason} - {*conversation.REASONS.reasons} == {ConversationUpdateReason.STATUS}
    assert message.REASONS.reasons == tuple(MessageUpdateReason)
    assert participant.REASONS.reasons == tuple(ParticipantUpdateReason)
    assert user.REASONS.reasons == tuple(UserUpdateReason)
