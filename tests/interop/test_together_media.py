"""Media between our client and the official one, both ways: names, types, categories and every byte."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import requests

from tests.interop.official import WAIT, Official, binary
from tests.interop.steps import official_room
from tests.support.patience import PATIENCE
from twilio_conversations import Client, Conversation, MediaCategory, Message, SendMediaOptions

Fresh = Callable[[str], str]
CONTENT = bytes(range(256)) * 300


@attrs.define
class Pair:
    """One person with each client, in one conversation."""

    official: Official
    client: Client
    sid: str
    arrived: Any

    @property
    def room(self) -> Conversation:
        """The conversation as our client has it."""
        return self.client.get_conversation_by_sid(self.sid)

    def received(self) -> Message:
        """The newest message, once our client has heard of it."""
        index = self.arrived.wait_event("messageAdded")["index"]
        return self.room.get_messages(1, index).items[0]


@pytest.fixture
def pair(official: Callable[..., Official], ours: Callable[..., Any], fresh: Fresh) -> Pair:
    """Alice has the official client, bob ours."""
    alice, bob = official(fresh("alice")), ours(fresh("bob"))
    return Pair(alice, bob.client, official_room(alice, bob), bob)


def test_the_official_client_sends(pair: Pair) -> None:
    """What the official client sends in the simple way our client reads: description, content, a part of it, link and file."""
    options = {"contentType": "image/png", "filename": "p ü&1.png", "media": binary(CONTENT)}
    pair.official.conversation(pair.sid).call("sendMessage", options, {"kind": "pic"})
    message = pair.received()
    (medium,) = message.attached_media
    assert (medium.filename, medium.content_type, medium.size) == ("p ü&1.png", "image/png", len(CONTENT))
    assert (message.type, message.body, message.attributes) == ("media", None, {"kind": "pic"})
    assert medium.read() == CONTENT
    with medium.open() as stream:
        assert stream.read(1000) == CONTENT[:1000]
    url = medium.get_content_temporary_url()
    assert url is not None
    assert requests.get(url, timeout=PATIENCE).content == CONTENT


def test_the_official_client_sends_an_email(pair: Pair) -> None:
    """Bodies and histories by type, and attachments beside them, arrive in their categories."""
    pair.official.conversation(pair.sid).chain(
        ("prepareMessage",),
        ("setSubject", "photos"),
        ("addMedia", {"contentType": "text/plain", "filename": "a.txt", "media": "attached"}),
        ("setEmailBody", "text/html", {"contentType": "text/html", "media": "<b>böld</b>"}),
        ("setEmailBody", "text/plain", {"contentType": "text/plain", "media": "bold"}),
        ("setEmailHistory", "text/plain", {"contentType": "text/plain", "media": "> before"}),
        ("build",),
        ("send",),
    )
    message = pair.received()
    assert message.subject == "photos"
    assert [medium.read() for medium in message.attached_media] == [b"attached"]
    html, plain, history = message.get_email_body("text/html"), message.get_email_body(), message.get_email_history()
    assert [medium and medium.read().decode() for medium in (html, plain, history)] == ["<b>böld</b>", "bold", "> before"]
    categories = [medium.category for medium in message.get_media_by_categories(MediaCategory)]
    assert categories == ["media", "body", "body", "history"]


@pytest.mark.every_version
def test_our_client_sends(pair: Pair) -> None:
    """Bytes and a file object in one message with text reach the official client in their order."""
    parts = [
        SendMediaOptions(content_type="image/png", filename='ü "1" %.png', media=CONTENT),
        SendMediaOptions(content_type="text/csv", media=io.BytesIO(b"a;b\n")),
    ]
    sent = pair.room.send_message("two things", media=parts, attributes={"n": 2}, timeout=WAIT)
    seen = pair.official.wait_event("messageAdded")
    assert (seen["sid"], seen["type"], seen["body"], seen["attributes"]) == (sent.sid, "media", "two things", {"n": 2})
    found = pair.official.message(pair.sid, seen["index"]).call("getMediaByCategories", ["media"])
    assert [(medium["filename"], medium["contentType"], medium["size"]) for medium in found] == [
        ('ü "1" %.png', "image/png", len(CONTENT)),
        (None, "text/csv", 4),
    ]
    assert [medium["sid"] for medium in found] == [medium.sid for medium in sent.attached_media]
    for number, expected in enumerate((CONTENT, b"a;b\n")):
        url = pair.official.media(pair.sid, seen["index"], number).call("getContentTemporaryUrl")
        assert requests.get(url, timeout=PATIENCE).content == expected


def test_our_client_sends_an_email(pair: Pair) -> None:
    """What our builder makes of an e-mail the official client reads with its own calls."""
    builder = pair.room.prepare_message().set_subject("photos")
    builder.set_email_body("text/html", SendMediaOptions(content_type="text/html", media="<b>böld</b>"))
    builder.set_email_history("text/plain", SendMediaOptions(content_type="text/plain", media="> before"))
    builder.build().send(timeout=WAIT)
    seen = pair.official.wait_event("messageAdded")
    message = pair.official.message(pair.sid, seen["index"])
    assert (seen["subject"], message.call("getMediaByCategories", ["media"])) == ("photos", [])
    for method, kind, expected in (
        ("getEmailBody", "text/html", "<b>böld</b>"),
        ("getEmailHistory", "text/plain", "> before"),
    ):
        url = message.chain((method, kind), ("getContentTemporaryUrl",))
        assert requests.get(url, timeout=PATIENCE).content.decode() == expected


def test_empty_files_both_ways(pair: Pair) -> None:
    """An empty file that either client sends is one for the other."""
    options = {"contentType": "text/plain", "filename": "e.txt", "media": binary(b"")}
    pair.official.conversation(pair.sid).call("sendMessage", options)
    (medium,) = pair.received().attached_media
    assert (medium.filename, medium.content_type, medium.size, medium.read()) == ("e.txt", "text/plain", 0, b"")
    mark = pair.official.mark()
    pair.room.send_message(media=("o.txt", b"", "text/plain"), timeout=WAIT)
    seen = pair.official.wait_event("messageAdded", since=mark)
    found = pair.official.message(pair.sid, seen["index"]).call("getMediaByCategories", ["media"])
    assert [(one["filename"], one["contentType"], one["size"]) for one in found] == [("o.txt", "text/plain", 0)]
    url = pair.official.media(pair.sid, seen["index"], 0).call("getContentTemporaryUrl")
    assert requests.get(url, timeout=PATIENCE).content == b""
