"""Media when things go wrong on a real service: busy, answers lost, events late, links over, no room, no permission."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import requests

from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from twilio_conversations import Client, Conversation, ForbiddenError, MediaCategory, MediaError, Message, SendMediaOptions
from twilio_conversations.server import LocalServer

CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """A service of the test's own, since its clock is turned."""
    with LocalServer() as own:
        yield own


@pytest.fixture
def zoe(server: LocalServer) -> Iterator[Client]:
    """A client of that service."""
    with Client(server.token("zoe"), endpoint=server.url) as client:
        yield client.wait_until_ready(PATIENCE)


@pytest.fixture
def place(zoe: Client) -> Conversation:
    """A conversation that zoe is in."""
    return zoe.create_conversation().join()


def test_a_busy_media_service(server: LocalServer, place: Conversation) -> None:
    """The upload goes again until it is taken; one message comes of it."""
    server.faults.refuse(2, status=503, method="POST", path="Media")
    message = place.send_message("text", media=CONTENT)
    assert message.attached_media[0].read() == CONTENT
    server.faults.refuse(1, status=429, retry_after=0.1, method="GET", path="Media")
    server.faults.refuse(1, status=502, method="GET", path="/media/")
    assert message.attached_media[0].read() == CONTENT
    assert server.faults.pending() == []
    assert len(place.get_messages().items) == 1


def test_a_lost_answer_to_a_message_with_media(server: LocalServer, place: Conversation) -> None:
    """The message has arrived though the line broke: it is neither lost nor sent twice, and its media are not refused as used."""
    server.faults.lose_answers(1, method="POST", path="Messages")
    message = place.send_message("once", media=b"x")
    assert [one.sid for one in place.get_messages().items] == [message.sid]
    assert message.attached_media[0].read() == b"x"


def test_a_message_that_was_refused_is_sent_again_with_what_was_uploaded(server: LocalServer, place: Conversation) -> None:
    """The second call posts the same media under the same name."""
    unsent = place.prepare_message().add_media(CONTENT).build()
    server.faults.refuse(1, status=403, method="POST", path="Messages")
    with pytest.raises(ForbiddenError):
        unsent.send()
    server.forget_traffic()
    server.faults.refuse(None, status=500, method="POST", path=r"/Media\b")  # an upload would fail
    message = unsent.send()
    assert message.attached_media[0].read() == CONTENT
    server.faults.clear()
    assert unsent.send().attached_media[0].sid != message.attached_media[0].sid


@pytest.mark.row("CV31", "MB10")
def test_what_was_sent_can_be_read_before_its_event(server: LocalServer, zoe: Client, place: Conversation) -> None:
    """Media, categories and all are there on the next line; when the event comes, it is of that object and changes nothing."""
    event_log = EventLog(zoe, "message_added", "message_updated")
    with server.faults.held_events("zoe"):
        builder = place.prepare_message().set_body("text").add_media(("a.png", CONTENT))
        message = builder.set_email_body("text/plain", SendMediaOptions(media="body")).build_and_send()
        assert [media.filename for media in message.attached_media] == ["a.png"]
        body = message.get_email_body()
        assert body is not None
        assert (body.category, body.read()) == (MediaCategory.BODY, b"body")
        assert event_log.entries == []
        before = message.get_media_by_categories(MediaCategory)
    seen: Message = event_log.wait("message_added")
    assert seen is message
    assert message.get_media_by_categories(MediaCategory) == before
    place.send_message("later")
    event_log.wait("message_added", lambda one: one is not message)
    assert event_log.of("message_updated") == []


def test_a_link_that_is_over_by_the_services_clock(server: LocalServer, place: Conversation) -> None:
    """The link that was given out is refused; the medium itself is read as ever."""
    media = place.send_message(media=CONTENT).attached_media[0]
    url = media.get_content_temporary_url()
    assert url is not None
    assert requests.get(url, timeout=PATIENCE).content == CONTENT
    server.advance_clock(3600)
    assert requests.get(url, timeout=PATIENCE).status_code == 403
    assert media.read() == CONTENT
    assert media.get_content_temporary_url() != url


def test_media_that_nobody_may_see(server: LocalServer, place: Conversation, fresh: Callable[[str], str]) -> None:
    """Who is not in the conversation gets an error that names the medium."""
    media = place.send_message(media=b"x").attached_media[0]
    with Client(server.token(fresh("stranger")), endpoint=server.url) as stranger:
        with pytest.raises(MediaError) as caught:
            stranger.get_temporary_content_urls_for_media_sids([media.sid])
        assert caught.value.media_sid == media.sid


def test_media_in_a_handler(server: LocalServer, zoe: Client, place: Conversation) -> None:
    """A handler may read what came, and answer with media of its own."""
    event_log = EventLog(zoe, "message_added")

    def answer(message: Message) -> None:
        if message.body == "question":
            place.send_message("answer", media=message.attached_media[0].read().upper())

    zoe.on("message_added", answer)
    place.send_message("question", media=b"abc")
    assert event_log.wait("message_added", lambda one: one.body == "answer").attached_media[0].read() == b"ABC"


FORK = """
import os, sys
from twilio_conversations import Client, ClientClosedError

token, endpoint = sys.argv[1:]
with Client(token, endpoint=endpoint) as client:
    media = client.create_conversation().join().send_message(media=b"x").attached_media[0]
    child = os.fork()
    if child == 0:
        try:
            media.read()
        except ClientClosedError as error:
            print("child:", "fork" in str(error), flush=True)
        client.close()
        os._exit(0)
    os.waitpid(child, 0)
    print("parent:", media.read())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_media_after_a_fork(server: LocalServer) -> None:
    """The child is told what happened; the parent goes on as before."""
    command = [sys.executable, "-c", FORK, server.token("yan"), server.url]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["child: True", "parent: b'x'"]
