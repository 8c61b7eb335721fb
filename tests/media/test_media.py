"""A medium: facts, links, and its content in memory, in a file, as a stream."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import requests

from tests.media.conftest import lead_media_to
from tests.media.http_service import LIMIT, Answer, HttpService
from twilio_conversations import (
    Client,
    Conversation,
    DownloadProgress,
    InvalidArgumentError,
    MediaCategory,
    MediaError,
    NotReadyError,
    ProtocolError,
)
from twilio_conversations.models.media import Media
from twilio_conversations.server import LocalServer
from twilio_conversations.values.media import MediaData
from twilio_conversations.values.message import MessageData

CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def media(room: Conversation) -> Media:
    """Something that was sent."""
    return room.send_message(media=("a.png", CONTENT)).attached_media[0]


def foreign(client: Client) -> Media:
    """A handle of a medium that a test's own service has."""
    return Media(MediaData("ME1", size=len(CONTENT)), client._core.runtime)


def described(link: str | None, content: str = "http://127.0.0.1:9/nowhere") -> Answer:
    """The description of a medium that has these links."""
    return Answer.json({"sid": "ME1", "links": {"content": content, "content_direct_temporary": link}})


@pytest.mark.row("MD01", "MD07")
def test_a_temporary_link_works_without_credentials(media: Media) -> None:
    """Whoever has it reads the content; each call asks the service anew."""
    url = media.get_content_temporary_url()
    assert url is not None
    assert requests.get(url, timeout=LIMIT).content == CONTENT


@pytest.mark.row("MD07", "JD04")
def test_one_request_gives_the_link(alice: Client) -> None:
    """No record is fetched first; `None` when the service gives none."""
    with HttpService(described("http://x/1"), described("http://x/2"), described(None)) as service:
        lead_media_to(alice, service)
        media = foreign(alice)
        assert [media.get_content_temporary_url() for _ in range(3)] == ["http://x/1", "http://x/2", None]
    assert [(seen.method, seen.path) for seen in service.seen] == [("GET", "/Media/ME1")] * 3


@pytest.mark.row("BY29")
def test_content_in_memory(media: Media) -> None:
    """All of it, or an error when that would be more than wanted."""
    assert media.read() == CONTENT
    assert media.read(len(CONTENT)) == CONTENT
    with pytest.raises(MediaError) as caught:
        media.read(len(CONTENT) - 1)
    assert caught.value.media_sid == media.sid
    with pytest.raises(InvalidArgumentError):
        media.read(0)


@pytest.mark.row("BY29")
def test_content_in_a_file(media: Media, tmp_path: Path) -> None:
    """It replaces what was there, and nothing else is left behind."""
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    assert media.save(target) == target
    assert target.read_bytes() == CONTENT
    assert media.save(str(tmp_path / "b.png")).read_bytes() == CONTENT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_failed_save_leaves_the_old_file(alice: Client, tmp_path: Path) -> None:
    """What is incomplete is not put in its place."""
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    with HttpService(Answer(404)) as service:
        lead_media_to(alice, service)
        with pytest.raises(MediaError) as caught:
            foreign(alice).save(target)
    assert caught.value.media_sid == "ME1"
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.row("BY29")
def test_content_as_a_stream(media: Media) -> None:
    """A binary file, read in pieces and lines as any other; closing it lets the connection go."""
    with media.open() as file:
        assert file.read(10) == CONTENT[:10]
        assert file.readline() == CONTENT[10:11]
        assert file.read() == CONTENT[11:]
        assert file.read() == b""
    assert file.closed


def test_the_progress_of_a_download(media: Media, tmp_path: Path) -> None:
    """It is reported on the reading thread, grows up to all bytes, and is the same in memory, to a file and as a stream."""

    def streamed(on_progress: Callable[[DownloadProgress], None]) -> bytes:
        with media.open(on_progress=on_progress) as file:
            return file.read()

    for download in (
        lambda note: media.read(on_progress=note),
        lambda note: media.save(tmp_path / "a.png", on_progress=note).read_bytes(),
        streamed,
    ):
        told: list[DownloadProgress] = []
        threads: set[threading.Thread] = set()

        def note(progress: DownloadProgress, told: Any = told, threads: Any = threads) -> None:
            told.append(progress)
            threads.add(threading.current_thread())

        assert download(note) == CONTENT
        assert threads == {threading.current_thread()}
        received = [progress.bytes_received for progress in told]
        assert received == sorted(set(received))
        assert told[-1] == DownloadProgress(len(CONTENT), len(CONTENT))


def test_what_a_progress_function_raises_ends_the_download(media: Media, tmp_path: Path) -> None:
    """It comes out of the call as it is, and nothing is left behind; what is no function is refused before."""

    class Enough(OSError):
        pass

    def stop(progress: DownloadProgress) -> None:
        raise Enough

    for download in (lambda note: media.read(on_progress=note), lambda note: media.save(tmp_path / "a.png", on_progress=note)):
        with pytest.raises(Enough):
            download(stop)
        with pytest.raises(InvalidArgumentError, match="on_progress"):
            download(5)
    with media.open(on_progress=stop) as file, pytest.raises(Enough):
        file.read()
    with pytest.raises(InvalidArgumentError, match="on_progress"):
        media.open(on_progress=5)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_progress_goes_on_where_a_download_broke(alice: Client) -> None:
    """What is read again after the connection broke is not counted twice."""
    rest = Answer(206, CONTENT[1000:], {"Content-Range": f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"})
    told: list[DownloadProgress] = []
    with HttpService() as service:
        service.script += [described(service.url + "/content"), Answer(200, CONTENT, cut=1000), rest]
        lead_media_to(alice, service)
        assert foreign(alice).read(on_progress=told.append) == CONTENT
    received = [progress.bytes_received for progress in told]
    assert received == sorted(set(received))
    assert received[-1] == len(CONTENT)


def test_an_expired_link_is_renewed_once(alice: Client) -> None:
    """A new one is asked for when the first is refused; when that is refused too, so is the call."""
    with HttpService() as service:
        link = described(service.url + "/content")
        lead_media_to(alice, service)
        service.script += [link, Answer(403), link, Answer(200, CONTENT)]
        assert foreign(alice).read() == CONTENT
        service.script += [link, Answer(403), link, Answer(410), Answer(200, CONTENT)]
        with pytest.raises(MediaError) as caught:
            foreign(alice).read()
    assert caught.value.status == 410
    assert [seen.path for seen in service.seen] == ["/Media/ME1", "/content"] * 4


def test_a_link_that_expires_during_a_download_is_renewed(alice: Client) -> None:
    """The connection breaks, the link is over: with a new one it goes on where it was."""
    rest = Answer(206, CONTENT[1000:], {"Content-Range": f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"})
    with HttpService() as service:
        lead_media_to(alice, service)
        first, second = described(service.url + "/one"), described(service.url + "/two")
        service.script += [first, Answer(200, CONTENT, cut=1000), Answer(403), second, rest]
        assert foreign(alice).read() == CONTENT
    assert [seen.path for seen in service.seen] == ["/Media/ME1", "/one", "/one", "/Media/ME1", "/two"]
    assert [seen.headers.get("range") for seen in service.seen][-1] == "bytes=1000-"


def test_content_without_a_temporary_link(alice: Client) -> None:
    """The lasting link serves, with the token - unless it leads away from the media service."""
    with HttpService() as service, HttpService(Answer(200, b"from elsewhere")) as elsewhere:
        lead_media_to(alice, service)
        service.script += [described(None, service.url + "/content"), Answer(200, b"from here")]
        assert foreign(alice).read() == b"from here"
        assert service.seen[-1].token
        service.script += [described(None, elsewhere.url + "/content")]
        assert foreign(alice).read() == b"from elsewhere"
        assert elsewhere.seen[0].token is None
        service.script += [Answer.json({"sid": "ME1"})]
        with pytest.raises(MediaError, match="no link"):
            foreign(alice).read()


# -- links of many ----------------------------------------------------------------------------------------------------


@pytest.mark.row("ME28", "ME29", "ME30", "CL26", "CL27")
def test_links_of_many_in_one_request(alice: Client, room: Conversation) -> None:
    """By sid, from the message and from the client, given as sids or as media; each works."""
    message = room.send_message(media=[b"one", b"two"])
    attached = message.attached_media
    sids = [media.sid for media in attached]
    for links in (
        message.get_temporary_content_urls_for_attached_media(),
        message.get_temporary_content_urls_for_media(attached),
        message.get_temporary_content_urls_for_media_sids(sids),
        alice.get_temporary_content_urls_for_media(attached),
        alice.get_temporary_content_urls_for_media_sids(sids),
    ):
        assert list(links) == sids
        assert [requests.get(str(url), timeout=LIMIT).content for url in links.values()] == [b"one", b"two"]


@pytest.mark.row("ME30", "JD06")
def test_nothing_attached_needs_no_request(alice: Client, room: Conversation) -> None:
    """There are no links, and nothing is asked."""
    message = room.send_message("text")
    with HttpService() as service:
        lead_media_to(alice, service)
        assert message.get_temporary_content_urls_for_attached_media() == {}
        assert service.seen == []


@pytest.mark.row("CL26", "CL27", "ER01", "ER30")
def test_a_set_is_all_or_nothing(alice: Client, media: Media) -> None:
    """One that cannot be had fails the call, named; empty or wrong arguments never reach the service."""
    unknown = "ME" + "0" * 32
    with pytest.raises(MediaError) as caught:
        alice.get_temporary_content_urls_for_media_sids([media.sid, unknown])
    assert caught.value.media_sid == unknown
    wrong: Any
    for wrong in ([], "ME1", [""], [5], None):
        with pytest.raises(InvalidArgumentError):
            alice.get_temporary_content_urls_for_media_sids(wrong)
    for wrong in ([], ["ME1"]):
        with pytest.raises(InvalidArgumentError):
            alice.get_temporary_content_urls_for_media(wrong)


@pytest.mark.row("ER29", "CL26")
def test_links_wait_until_the_client_is_ready(service: LocalServer, fresh: Callable[[str], str], media: Media) -> None:
    """Asked too early the service is asked as soon as it can be; a client that was not told to connect says so."""
    with Client(service.token(fresh("early")), endpoint=service.url, auto_connect=False) as client:
        with pytest.raises(NotReadyError):
            client.get_temporary_content_urls_for_media_sids([media.sid])
        client.connect()
        with pytest.raises(MediaError) as caught:  # of somebody else's conversation
            client.get_temporary_content_urls_for_media([media])
        assert caught.value.media_sid == media.sid
        assert client.is_ready


def test_a_set_as_it_goes_over_the_wire(alice: Client) -> None:
    """Each sid once; the answer's order does not matter; what it leaves out, or makes no sense, is an error."""
    links = {sid: f"http://h/{sid}?Signature=x" for sid in ("ME2", "ME1")}
    entries = [
        {"code": 200, "media_record": {"sid": sid, "links": {"content_direct_temporary": url}}} for sid, url in links.items()
    ]
    with HttpService(Answer.json(entries), Answer.json(entries), Answer.json({})) as service:
        lead_media_to(alice, service)
        assert alice.get_temporary_content_urls_for_media_sids(["ME1", "ME2", "ME1"]) == links
        with pytest.raises(MediaError) as caught:
            alice.get_temporary_content_urls_for_media_sids(["ME3"])
        assert caught.value.media_sid == "ME3"
        with pytest.raises(ProtocolError):
            alice.get_temporary_content_urls_for_media_sids(["ME1"])
    assert (service.seen[0].method, service.seen[0].path) == ("POST", "/MediaSet")
    assert json.loads(service.seen[0].body) == {"command": "get", "list": [{"media_sid": "ME1"}, {"media_sid": "ME2"}]}


# -- values -----------------------------------------------------------------------------------------------------------


def test_a_handle_is_a_value(alice: Client, media: Media) -> None:
    """Two of the same medium are equal; it can be written as JSON, not pickled; nothing secret is in its repr."""
    again = Media(attrs.evolve(media._data), alice._core.runtime)
    assert (media == again, hash(media) == hash(again)) == (True, True)
    assert json.loads(json.dumps(media.to_dict()))["filename"] == "a.png"
    assert repr(media) == f"<Media {media.sid} a.png image/png {len(CONTENT)} bytes>"
    with pytest.raises(TypeError, match="to_dict"):
        pickle.dumps(media)


@pytest.mark.row("MD02", "MD03", "MD04", "MD05", "MD06", "EN06")
def test_what_a_message_says_of_its_media_is_read_leniently() -> None:
    """Either spelling, numbers as text, unknown categories and missing fields; what has no sid is left out."""
    item = {
        "sid": "IM1",
        "medias": [
            {"sid": "ME1", "contentType": "a/b", "size": 5, "category": "body", "filename": "n", "more": 1},
            {"sid": "ME2", "content_type": "a/b", "size": "6", "category": "novel"},
            {"sid": "ME3", "size": "many", "filename": None, "category": None},
            {"size": 5},
            None,
        ],
    }
    assert MessageData.parse(item).medias == (
        MediaData("ME1", MediaCategory.BODY, "n", "a/b", 5),
        MediaData("ME2", "novel", None, "a/b", 6),
        MediaData("ME3"),
    )


@pytest.mark.row("ME15")
def test_a_legacy_single_medium_counts() -> None:
    """It is an attachment, and the newer list wins where there are both; an update that mentions neither keeps them."""
    single = {"sid": "ME1", "contentType": "a/b", "size": 1, "filename": "n"}
    legacy = MessageData.parse({"sid": "IM1", "type": "media", "media": single})
    assert legacy.medias == (MediaData("ME1", MediaCategory.MEDIA, "n", "a/b", 1),)
    assert MessageData.parse({"sid": "IM1", "media": single, "medias": [{"sid": "ME2"}]}).medias == (MediaData("ME2"),)
    assert MessageData.parse({"sid": "IM1", "text": "changed"}, legacy).medias == legacy.medias
