"""Messages with media, from the call to what others read; and what is refused before anything is uploaded."""

from __future__ import annotations

import io
import os
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.media.conftest import lead_media_to
from tests.media.http_service import LIMIT, Answer, HttpService
from tests.support.event_log import EventLog
from twilio_conversations import (
    Client,
    ClientClosedError,
    Conversation,
    InvalidArgumentError,
    MediaCategory,
    MediaError,
    Message,
    MessageType,
    OperationCancelledError,
    RequestTimeoutError,
    RestError,
    SendMediaOptions,
    UploadHandle,
    UploadProgress,
)
from twilio_conversations.server import LocalServer

CONTENT = bytes(range(256)) * 2000


@pytest.mark.row("CV31", "ME15", "MD02", "MD03", "MD04", "MD05", "MD06", "EV09")
def test_what_is_sent_is_what_others_read(room: Conversation, bob: Client, tmp_path: Path) -> None:
    """Several attachments of all kinds, in order, with the event, on the page, and at once for the sender."""
    path = tmp_path / "p ü&1.png"
    path.write_bytes(CONTENT)
    room.add(bob.identity)
    theirs = bob.get_conversation_by_sid(room.sid)
    event_log = EventLog(bob, "message_added")

    sent = room.send_message("look", media=[path, b"bytes", io.BytesIO(b"file"), ("a.csv", "1,2")], attributes={"n": 1})

    seen: Message = event_log.wait("message_added")
    for message in (sent, seen, theirs.get_messages().items[-1]):
        assert (message.body, message.type, message.attributes) == ("look", MessageType.MEDIA, {"n": 1})
        facts = [(media.filename, media.content_type, media.size, media.category) for media in message.attached_media]
        assert facts == [
            ("p ü&1.png", "image/png", len(CONTENT), MediaCategory.MEDIA),
            (None, "application/octet-stream", 5, MediaCategory.MEDIA),
            (None, "application/octet-stream", 4, MediaCategory.MEDIA),
            ("a.csv", "text/csv", 3, MediaCategory.MEDIA),
        ]
        assert [media.sid for media in message.attached_media] == [media.sid for media in sent.attached_media]
    assert [media.read() for media in seen.attached_media] == [CONTENT, b"bytes", b"file", b"1,2"]


@pytest.mark.row("EV10")
def test_the_senders_own_event_tells_no_change(alice: Client, room: Conversation) -> None:
    """What the answer said of the media is what Sync says: there is one addition and no update."""
    event_log = EventLog(alice, "message_added", "message_updated")
    sent = room.send_message(media=b"x")
    later = room.send_message("later")
    assert event_log.wait("message_added", lambda message: message is later) is later
    assert event_log.entries == [("message_added", sent), ("message_added", later)]


def test_media_alone_have_no_body(room: Conversation) -> None:
    """No text is made up, but for a message of attributes or a subject alone."""
    assert room.send_message(media=b"x").body is None
    assert room.send_message(attributes={"a": 1}).body == ""
    assert room.send_message(subject="s").body == ""


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("body", {}),
        ("body", {"body": None, "media": []}),
        ("body", {"body": 5}),
        ("body", {"body": b"text"}),
        ("media", {"media": 5}),
        ("media", {"media": None}),
        ("media", {"media": [b"x", 5]}),
        ("media", {"media": ("a.txt", 5)}),
        ("subject", {"body": "x", "subject": 5}),
        ("content_sid", {"content_sid": 5}),
        ("content_variables", {"content_sid": "HX", "content_variables": 5}),
        ("content_variables", {"content_sid": "HX", "content_variables": [5]}),
        ("attributes", {"body": "x", "attributes": object()}),
        ("idempotency_key", {"body": "x", "idempotency_key": 5}),
        ("on_progress", {"body": "x", "on_progress": 5}),
        ("timeout", {"body": "x", "timeout": "5"}),
    ],
)
def test_a_wrong_argument_is_named(room: Conversation, name: str, arguments: dict[str, Any]) -> None:
    """By the name of the parameter that it was given for; nothing is sent."""
    with pytest.raises(InvalidArgumentError, match=rf"^{name} "):
        room.send_message(**arguments)
    assert room.get_messages().items == []


@pytest.mark.parametrize("kind", ["bytes", "path", "file", "pipe", "text"])
def test_an_empty_file_is_sent(room: Conversation, tmp_path: Path, kind: str) -> None:
    """From whatever it comes: it arrives as an empty file, is read and saved as one, and there is no progress to divide by 0."""
    (tmp_path / "e.txt").touch()
    reading, writing = os.pipe()
    os.close(writing)
    told: list[Any] = []
    with open(reading, "rb") as pipe:
        kinds: dict[str, Any] = {"bytes": b"", "path": tmp_path / "e.txt", "file": io.BytesIO(), "pipe": pipe, "text": ""}
        room.send_message(media=("e.txt", kinds[kind], "text/plain"), on_progress=told.append)
    (media,) = room.get_messages().items[0].attached_media
    assert (media.filename, media.content_type, media.size, media.read()) == ("e.txt", "text/plain", 0, b"")
    assert media.save(tmp_path / "saved", on_progress=told.append).read_bytes() == b""
    with media.open(on_progress=told.append) as stream:
        assert stream.read() == b""
    assert told == []


def test_an_empty_file_beside_others(room: Conversation) -> None:
    """It has its place among them, and progress goes on behind it."""
    told: list[UploadProgress] = []
    files = [("a", b"1"), ("e", b""), ("b", b"22")]
    sent = room.send_message(media=files, on_progress=told.append)
    assert [(one.filename, one.size) for one in sent.attached_media] == [("a", 1), ("e", 0), ("b", 2)]
    assert told == [UploadProgress(1, 3, 0, 3), UploadProgress(1, 3, 1, 3), UploadProgress(3, 3, 2, 3)]


@pytest.mark.row("CP08", "BY28")
def test_progress_is_told_on_the_calling_thread(room: Conversation) -> None:
    """It grows over all media up to all bytes; what the function raises ends the sending."""
    told: list[UploadProgress] = []
    threads = set()

    def note(progress: UploadProgress) -> None:
        told.append(progress)
        threads.add(threading.current_thread())

    room.send_message(media=[CONTENT, b"12"], on_progress=note)
    assert threads == {threading.current_thread()}
    assert told[-1] == UploadProgress(len(CONTENT) + 2, len(CONTENT) + 2, 1, 2)
    assert [one.bytes_sent for one in told] == sorted(one.bytes_sent for one in told)

    class Enough(OSError):
        pass

    def stop(progress: UploadProgress) -> None:
        raise Enough

    with pytest.raises(Enough):
        room.send_message(media=CONTENT, on_progress=stop)
    assert len(room.get_messages().items) == 1


@pytest.mark.row("CP04", "CP05", "CP06", "CP07", "CP08", "MB10", "UM08")
def test_sending_in_the_background(alice: Client, room: Conversation) -> None:
    """The handle gives the message; progress comes on the uploading thread, the callback on the events thread."""
    threads: dict[str, threading.Thread] = {}
    over = threading.Event()

    def finished(handle: UploadHandle) -> None:
        threads["done"] = threading.current_thread()
        over.set()

    def note(progress: UploadProgress) -> None:
        threads["progress"] = threading.current_thread()

    handle = room.prepare_message().add_media(CONTENT).build_and_send_in_background(on_progress=note)
    handle.add_done_callback(finished)
    message = handle.result(LIMIT)
    assert message.attached_media[0].read() == CONTENT
    assert over.wait(LIMIT)
    assert threads["done"].name.startswith("conversations-events")
    assert threads["progress"].name.startswith("conversations-upload")
    assert (handle.done(), handle.cancelled(), handle.cancel(), handle.exception()) == (True, False, False, None)
    assert handle.progress == UploadProgress(len(CONTENT), len(CONTENT), 0, 1)


@pytest.mark.row("CP03", "CP05", "CP07", "ER33", "BY28")
def test_cancelling_in_the_middle_of_an_upload(alice: Client, room: Conversation) -> None:
    """The handle is over at once, the upload stops, the thread ends, and no message appears."""
    gate = threading.Event()
    large = bytes(20_000_000)  # more than the buffers of both sides hold
    with HttpService(Answer(gate=gate)) as service:
        lead_media_to(alice, service)
        handle = room.prepare_message().add_media(large).build().send_in_background()
        assert service.arrived.wait(LIMIT)
        with pytest.raises(RequestTimeoutError):
            handle.result(0.01)
        assert handle.cancel()
        assert (handle.done(), handle.cancelled(), handle.cancel()) == (True, True, False)
        with pytest.raises(OperationCancelledError):
            handle.result()
        assert isinstance(handle.exception(), OperationCancelledError)
        gate.set()
        for thread in threading.enumerate():
            if thread.name.startswith("conversations-upload"):
                thread.join(LIMIT)
                assert not thread.is_alive()
        assert handle.progress.bytes_sent < len(large)
    assert room.get_messages().items == []


def test_closing_ends_what_is_being_sent(service: LocalServer, alice: Client, room: Conversation) -> None:
    """The handle fails at once, though the other side is silent; nothing more can be sent."""
    gate = threading.Event()
    with HttpService(Answer(gate=gate)) as silent:
        lead_media_to(alice, silent)
        unsent = room.prepare_message().add_media(b"x").build()
        handle = unsent.send_in_background()
        assert silent.arrived.wait(LIMIT)
        alice.close()
        with pytest.raises(ClientClosedError):
            handle.result(1)
        with pytest.raises(ClientClosedError):
            unsent.send()
        with pytest.raises(ClientClosedError):
            unsent.send_in_background()
        gate.set()


def test_a_refused_upload_posts_nothing(alice: Client, room: Conversation) -> None:
    """The error of the first medium that fails is the call's; those behind it are not tried."""
    refusal = Answer.json({"code": 50512, "message": "too large", "status": 400}, 400)
    with HttpService(Answer.json({"sid": "ME1"}, 201), refusal) as service:
        lead_media_to(alice, service)
        with pytest.raises(MediaError) as caught:
            room.send_message("text", media=[b"1", b"2", b"3"])
        assert (caught.value.code, len(service.seen)) == (50512, 2)
        handle = room.prepare_message().add_media(b"1").build_and_send_in_background()
        assert isinstance(handle.exception(LIMIT), MediaError)
    assert room.get_messages().items == []


def test_what_was_uploaded_is_not_uploaded_again(alice: Client, room: Conversation) -> None:
    """Sending once more after a failure goes on with the medium that failed; a change starts over from there."""
    good = [Answer.json({"sid": f"ME{number}"}, 201) for number in range(9)]
    with HttpService(good[0], Answer(400), good[1], good[2], good[3]) as service:
        lead_media_to(alice, service)
        unsent = room.prepare_message().add_media(b"one").add_media(b"two").build()
        with pytest.raises(MediaError):
            unsent.send()
        with pytest.raises(RestError, match="media"):
            unsent.send()  # the real service does not know these media
        assert [seen.body for seen in service.seen] == [b"one", b"two", b"two"]
        unsent.media_content[1] = (MediaCategory.MEDIA, SendMediaOptions(media=b"other"))
        with pytest.raises(RestError, match="media"):
            unsent.send()
        assert [seen.body for seen in service.seen][3:] == [b"other"]


def test_uploads_name_category_and_file(alice: Client, room: Conversation) -> None:
    """They travel in the query, percent-encoded; the token goes with them."""
    with HttpService(*[Answer.json({"sid": "ME1"}, 201)] * 2) as service:
        lead_media_to(alice, service)
        builder = room.prepare_message().add_media(("p ü&1.png", b"1")).set_email_body("text/plain", SendMediaOptions(media="b"))
        with pytest.raises(RestError, match="media"):
            builder.build_and_send()
    assert [seen.path for seen in service.seen] == [
        "/Media?Category=media&Filename=p%20%C3%BC%261.png",
        "/Media?Category=body",
    ]
    assert [seen.headers["content-type"] for seen in service.seen] == ["image/png", "text/plain"]
    assert all(seen.token for seen in service.seen)


@pytest.mark.row("CL14")
def test_uploads_carry_the_latest_token(service: LocalServer, alice: Client, room: Conversation) -> None:
    """After `update_token` the media service is told the new one, and no token is in any repr on the way."""
    with HttpService(*[Answer.json({"sid": "ME1"}, 201)] * 2) as media:
        lead_media_to(alice, media)
        with pytest.raises(RestError):
            room.send_message(media=b"1")
        token = service.token(alice.identity, ttl=1800)
        alice.update_token(token)
        with pytest.raises(RestError):
            room.send_message(media=b"1")
    former, latest = (seen.token for seen in media.seen)
    assert (former != latest, latest) == (True, token)
    assert token not in repr(alice._core.runtime.media) + repr(room.prepare_message().add_media(b"1").build())


def test_an_idempotency_key_covers_media(room: Conversation) -> None:
    """A worker that repeats the call elsewhere gets the first message, though the media were uploaded again."""
    key = str(uuid.uuid4())
    first = room.send_message("once", media=b"x", idempotency_key=key)
    again = room.send_message("once", media=b"x", idempotency_key=key)
    assert first is again
    assert len(room.get_messages().items) == 1
