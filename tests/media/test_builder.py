"""Messages made by a builder: e-mails, content templates, checks of arguments and limits."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tests.media.conftest import lead_media_to, limited
from tests.media.http_service import HttpService
from twilio_conversations import (
    Client,
    Conversation,
    InvalidArgumentError,
    MediaCategory,
    SendMediaOptions,
)


def content(media: Any) -> bytes:
    """The content of a medium that has to be there."""
    assert media is not None
    return bytes(media.read())


@pytest.mark.row("ME19", "ME20", "ME21", "MB01", "MB02", "MB03", "MB04", "MB05", "MB06", "MB08", "MB10", "CI26", "CI27")
def test_a_builder_makes_an_email(room: Conversation, bob: Client) -> None:
    """Text, subject, attachments, and body and history in two types, each found again by its category and type."""
    room.add(bob.identity)
    builder = room.prepare_message()
    sent = (
        builder.set_body("text")
        .set_subject("subject")
        .set_attributes([None])
        .add_media(("a.txt", b"attached"))
        .set_email_body("text/plain", SendMediaOptions(media="first"))
        .set_email_body("text/html", ("b.html", "<b>"))
        .set_email_body("text/plain", SendMediaOptions(media="latest wins"))
        .set_email_history("text/plain", SendMediaOptions(media="history"))
        .build_and_send()
    )
    read = bob.get_conversation_by_sid(room.sid).get_messages().items[-1]
    for message in (sent, read):
        assert (message.body, message.subject, message.attributes) == ("text", "subject", [None])
        assert [media.filename for media in message.attached_media] == ["a.txt"]
        assert [content(message.get_email_body(kind)) for kind in ("text/plain", "text/html")] == [b"latest wins", b"<b>"]
        assert content(message.get_email_history()) == b"history"
        assert message.get_email_history("text/html") is None
        both = message.get_media_by_categories(["history", MediaCategory.MEDIA])
        assert [media.category for media in both] == [MediaCategory.MEDIA, MediaCategory.HISTORY]
        with pytest.raises(InvalidArgumentError):
            message.get_email_body("")


@pytest.mark.row("CV32", "MB09", "UM01", "UM02", "UM03", "UM04", "UM05", "UM08", "JD05")
def test_what_was_built_may_be_changed_and_sent_again(room: Conversation) -> None:
    """Each build is independent, fields may be changed, and each sending makes another message with media of its own."""
    builder = room.prepare_message().set_body("one").add_media(("a", b"1"))
    first, second = builder.build(), builder.build()
    second.text, second.attributes, second.email_options.subject = "two", {"changed": True}, "S"
    second.media_content.append((MediaCategory.MEDIA, SendMediaOptions(media=b"2")))
    messages = [first.send(), second.send(), second.send()]
    assert [message.body for message in messages] == ["one", "two", "two"]
    assert [len(message.attached_media) for message in messages] == [1, 2, 2]
    assert (messages[1].attributes, messages[1].subject) == ({"changed": True}, "S")
    assert len({media.sid for message in messages for media in message.attached_media}) == 5


@pytest.mark.row("MB09", "ER21", "ER22", "ER25", "CI05", "CI06", "CI07", "CI08", "CI09", "BY27")
def test_limits_are_checked_before_anything_is_uploaded(alice: Client, room: Conversation) -> None:
    """Types of e-mails, number and sizes; by the builder, by `send_message`, and again if a built message was changed."""
    limited(alice, media_attachments_count_limit=2, media_attachment_size_limit_in_mb=1)
    limited(alice, media_attachments_total_size_limit_in_mb=1, email_histories_allowed_content_types=("text/plain",))
    megabyte = bytes(1024 * 1024)
    wrong = {
        "body content type 'text/csv'": room.prepare_message().set_email_body("text/csv", ("a", b"1")),
        "history content type 'text/html'": room.prepare_message().set_email_history("text/html", ("a", b"1")),
        "too many media": room.prepare_message().add_media(b"1").add_media(b"2").add_media(b"3"),
        "larger than 1 MB": room.prepare_message().add_media(megabyte + b"1"),
        "more than 1 MB": room.prepare_message().add_media(megabyte).add_media(b"1"),
    }
    with HttpService() as service:
        lead_media_to(alice, service)
        for text, builder in wrong.items():
            with pytest.raises(InvalidArgumentError, match=text):
                builder.build()
        with pytest.raises(InvalidArgumentError, match="too many"):
            room.send_message(media=[b"1", b"2", b"3"])
        unsent = room.prepare_message().add_media(b"1").build()
        unsent.media_content *= 3
        with pytest.raises(InvalidArgumentError, match="too many"):
            unsent.send()
        pipe = OneWay(megabyte + b"1")
        with pytest.raises(InvalidArgumentError, match="larger than"):
            room.send_message(media=[b"first", pipe])  # type: ignore[list-item]
        assert service.seen == []
    assert room.get_messages().items == []


class OneWay(io.RawIOBase):
    """A file that cannot be rewound, so that its size shows only when it was read."""

    def __init__(self, content: bytes) -> None:
        self._inner = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._inner.readinto(buffer)


@pytest.mark.row("MB02", "MB03", "MB04", "MB05", "MB07", "MB08", "ER01")
def test_setters_check_their_arguments(room: Conversation) -> None:
    """Each is refused at once, and nothing of it stays."""
    builder = room.prepare_message()
    wrong: list[Any] = [
        lambda: builder.set_body(None),  # type: ignore[arg-type]
        lambda: builder.set_subject(5),  # type: ignore[arg-type]
        lambda: builder.set_attributes({1: 2}),
        lambda: builder.set_email_body("", ("a", b"1")),
        lambda: builder.set_email_body("text/plain", ("a", 5)),  # type: ignore[arg-type]
        lambda: builder.add_media(("a", b"1", "")),
        lambda: builder.set_content_template(""),
        lambda: builder.set_content_template("HX1", {"name": 5}),  # type: ignore[arg-type]
        lambda: builder.set_content_template("HX1", ["name"]),  # type: ignore[list-item]
    ]
    for call in wrong:
        with pytest.raises(InvalidArgumentError):
            call()
    message = builder.build()
    assert (message.text, message.media_content, message.content_sid) == (None, [], None)


def test_attributes_are_copied(room: Conversation) -> None:
    """What the program does to its own data after the call changes nothing."""
    data = {"list": [1]}
    builder = room.prepare_message().set_attributes(data)
    data["list"].append(2)
    built = builder.build()
    assert built.attributes == {"list": [1]}
    built.attributes["list"].append(3)
    assert builder.build().attributes == {"list": [1]}


@pytest.mark.row("MB07", "UM06", "UM07")
def test_content_templates(room: Conversation) -> None:
    """The template's sid and its variables, however given, are in the message that is built."""
    from twilio_conversations.values.content_templates import ContentTemplateVariable

    sid = "HX" + "0" * 32
    variables = [ContentTemplateVariable("1", "a"), ContentTemplateVariable("1", "b")]
    built = room.prepare_message().set_content_template(sid, variables).build()
    assert (built.content_sid, built.content_variables) == (sid, {"1": "b"})
    assert room.prepare_message().set_content_template(sid).build().content_variables == {}
    built.content_variables = variables
    assert built._draft().request["content_variables"] == '{"1":"b"}'
    with pytest.raises(InvalidArgumentError):
        room.send_message("x", content_variables={"1": "a"})
