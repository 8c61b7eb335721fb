"""A hostile service: what it sends costs the client bounded time and memory, and its links are not trusted."""

from __future__ import annotations

import contextlib
import gzip
import logging
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from benchmarks.script import CONVERSATION, IDENTITY
from benchmarks.scripted import ScriptedService
from tests.media.http_service import Answer, HttpService
from tests.server.peer import TIMEOUT
from tests.support.stopwatch import within
from twilio_conversations import (
    Client,
    ConversationsError,
    Endpoints,
    InvalidArgumentError,
    MediaError,
    NotFoundError,
    Options,
    ProtocolError,
    RequestTimeoutError,
    tokens,
)
from twilio_conversations.sending.attachment import attachment
from twilio_conversations.server import LocalServer
from twilio_conversations.transport.content_stream import ContentStream
from twilio_conversations.transport.media_http import MediaHttp, Transfer
from twilio_conversations.util import urls
from twilio_conversations.util.futures import Deadline

MEGABYTE = 1024 * 1024


@pytest.fixture
def http() -> Iterator[MediaHttp]:
    """Requests to the media service."""
    made = MediaHttp(Options(endpoints=Endpoints.for_region("us1"), default_timeout=TIMEOUT), None, lambda: "the-token")
    yield made
    made.close()


@contextlib.contextmanager
def dripping(first: bytes, drop: bytes) -> Iterator[str]:
    """A service that says `first` and then a drop every 50 ms, without end; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve(line: socket.socket) -> None:
        with line, contextlib.suppress(OSError):
            line.recv(65536)
            line.sendall(first)
            while not over.wait(0.05):
                line.sendall(drop)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    accepter = threading.Thread(target=accept, daemon=True)
    accepter.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    over.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    accepter.join(TIMEOUT)


HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"


@pytest.mark.parametrize("status", [200, 404])
def test_an_answer_that_drips(http: MediaHttp, status: int) -> None:
    """An answer that comes byte by byte and never ends is over with the call's time, be it good or a refusal."""
    with within(5), dripping(HEAD % status, b" ") as url, pytest.raises((RequestTimeoutError, MediaError)):
        http.get_json(url, Transfer(Deadline(1.0)))


def test_content_that_drips(http: MediaHttp) -> None:
    """The same for content: what has come is given out, and the time limit ends it."""
    transfer = Transfer(Deadline(1.0))
    with within(5), dripping(HEAD % 200, b"x") as url:
        stream = ContentStream(http, transfer, lambda start: http.get_content(url, transfer, start=start))
        with pytest.raises(RequestTimeoutError):
            stream.readall()
        stream.close()


def bomb(size: int) -> bytes:
    """So many zeros in a thousandth of the space."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(MEGABYTE)
    return b"".join([packer.compress(block) for _ in range(size // MEGABYTE)] + [packer.flush()])


@pytest.mark.parametrize("status", [200, 404])
def test_an_answer_that_unfolds(http: MediaHttp, status: int) -> None:
    """An answer that grows by decompression is refused at its limit, without ever being held whole."""
    packed = bomb(64 * MEGABYTE)
    with HttpService(Answer(status, packed, {"Content-Encoding": "gzip"})) as service:
        tracemalloc.start()
        try:
            with pytest.raises(ConversationsError):
                http.get_json(service.url, Transfer(Deadline(TIMEOUT)))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 40 * MEGABYTE, peak


def test_content_is_not_unfolded(http: MediaHttp) -> None:
    """Content is given out as it comes: what the other side has packed against our wish stays packed."""
    packed = gzip.compress(b"x" * 100_000)
    transfer = Transfer(Deadline(TIMEOUT))
    with HttpService(Answer(200, packed, {"Content-Encoding": "gzip"})) as service:
        stream = ContentStream(http, transfer, lambda start: http.get_content(service.url, transfer, start=start))
        assert stream.readall() == packed
        stream.close()


# -- the whole client ------------------------------------------------------------------------------------------------------


TOKEN = tokens.mint(IDENTITY, account_sid="AC", api_key_sid="SK", api_key_secret="s" * 32, service_sid="IS")


class Liar(ScriptedService):
    """Answers as it should, but for what `change` makes of a decoded answer (by path)."""

    def __init__(self, change: Callable[[str, Any], Any]) -> None:
        self._change = change
        super().__init__()
        answer = self._script.answer
        self._script.answer = lambda path, params: self._change(path, answer(path, params))  # type: ignore[method-assign]


@contextlib.contextmanager
def lied_to(change: Callable[[str, Any], Any], **options: Any) -> Iterator[Client]:
    """A client of such a service."""
    liar = Liar(change)
    try:
        with Client(TOKEN, endpoint=liar.url, **options) as client:
            yield client
    finally:
        liar.close()


def configured(**changes: Any) -> Callable[[str, Any], Any]:
    """Change the configuration: for a name, what is laid over what is there."""

    def change(path: str, body: Any) -> Any:
        if not path.endswith("/Configuration"):
            return body
        return body | {name: body[name] | value for name, value in changes.items()}

    return change


ABSURD: tuple[Any, ...] = (10**400, -(10**400), 1e308, -1, 0, "NaN", [], {"a": 1}, True, None)


def test_pages_that_lead_in_a_circle() -> None:
    """Whichever lists say that they go on, and begin again: the client has read them when it has read them once."""

    def change(path: str, body: Any) -> Any:
        if path.endswith("/Conversations") and isinstance(body, dict):
            return body | {"meta": {"next_token": "again"}}
        if path.endswith("/Items") and isinstance(body, dict):
            return body | {"meta": {**body.get("meta", {}), "next_token": "again"}}
        return body

    with lied_to(change) as client:
        client.wait_until_ready(TIMEOUT)
        assert [conversation.sid for conversation in client.iter_conversations()] == [CONVERSATION]
        assert len(client.get_conversation_by_sid(CONVERSATION).get_participants()) == 2


OPTIONS = (
    "user_infos_to_subscribe",
    "media_attachments_count_limit",
    "media_attachment_size_limit_in_mb",
    "media_attachments_total_size_limit_in_mb",
    "reachability_enabled",
    "my_conversations_page_size",
    "http_cache_interval",
    "consumption_report_interval",
)


@pytest.mark.parametrize("number", ABSURD, ids=lambda value: repr(value)[:10])
def test_absurd_settings(number: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Numbers that nobody can mean do not keep a client from working, nor make it fail later."""
    with caplog.at_level(logging.WARNING), lied_to(configured(options=dict.fromkeys(OPTIONS, number))) as client:
        client.wait_until_ready(TIMEOUT)
        conversation = client.get_conversation_by_sid(CONVERSATION)
        assert conversation.get_messages().items == []
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("number", ABSURD, ids=lambda value: repr(value)[:10])
def test_absurd_typing_times(number: Any, caplog: pytest.LogCaptureFixture) -> None:
    """How long typing lasts is the service's to say, as long as it makes sense."""

    def change(path: str, body: Any) -> Any:
        return {"typing_timeout": number} if path.endswith("/typing") else body

    with caplog.at_level(logging.WARNING), lied_to(change) as client:
        client.wait_until_ready(TIMEOUT)
        client.get_conversation_by_sid(CONVERSATION).typing()
        client.get_conversation_by_sid(CONVERSATION).typing()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("link", ["my_conversations", "conversations", "users", "media_service", "typing"])
def test_links_that_lead_elsewhere(link: str) -> None:
    """Whatever a link says, commands stay in the one connection: nobody else is called, and no file is opened."""
    with HttpService() as elsewhere:
        for target in (f"{elsewhere.url}/x", "file:///etc/passwd"):
            with lied_to(configured(links={link: target}), default_timeout=0.5) as client:
                acts: tuple[Callable[[], object], ...] = (
                    lambda client=client: client.wait_until_ready(1),
                    client.create_conversation,
                    lambda client=client: client.get_user("somebody"),
                    lambda client=client: client.get_conversation_by_sid(CONVERSATION).typing(),
                )
                for act in acts:
                    with contextlib.suppress(ConversationsError, TimeoutError):
                        act()
        assert elsewhere.seen == []


@pytest.mark.parametrize("target", ["http://127.0.0.1:9/Media", "file:///etc/passwd", "ftp://127.0.0.1/Media"])
def test_the_token_is_not_sent_in_the_clear(service: LocalServer, fresh: Callable[[str], str], target: str) -> None:
    """Where the connection is encrypted, a media service that is not is refused before anything is sent to it."""
    with Client(service.token(fresh("alice")), endpoint=service.url) as client:
        client.wait_until_ready(TIMEOUT)
        room = client.create_conversation().join()
        runtime = client._core.runtime
        secure = attrs.evolve(runtime.options.endpoints, twilsock="wss://example.com/v3/wsconnect")
        runtime.options = attrs.evolve(runtime.options, endpoints=secure)
        links = runtime.configuration.links
        known = {**links.known, "media_service": target, "media_set_service": f"{target}Set"}
        runtime.known_configuration = attrs.evolve(runtime.configuration, links=attrs.evolve(links, known=known))
        with pytest.raises(ProtocolError, match="media"):
            room.prepare_message().add_media(("a.txt", b"x")).build().send(timeout=2)
        with pytest.raises(ProtocolError, match="media"):
            client.get_temporary_content_urls_for_media_sids(["ME" + "0" * 32], timeout=2)


@pytest.mark.parametrize("identity", ["..", ".", "a/../b", "%2e%2e", "?x", "#", "a\r\nb"])
def test_identities_that_are_paths(
    service: LocalServer, fresh: Callable[[str], str], caplog: pytest.LogCaptureFixture, identity: str
) -> None:
    """Others may be called what would be a path: they are seen, and nothing else is asked for in their place."""
    with caplog.at_level(logging.WARNING), Client(service.token(fresh("alice")), endpoint=service.url) as client:
        client.wait_until_ready(TIMEOUT)
        room = client.create_conversation().join()
        room.add(identity)
        assert room.get_participant_by_identity(identity).identity == identity
        assert client.get_user(identity).identity == identity
        with pytest.raises(NotFoundError):
            client.get_conversation_by_sid(identity)
        room.remove_participant(room.get_participant_by_identity(identity))
        assert client.get_conversation_by_sid(room.sid).sid == room.sid
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("value", ["a/b\r\nX-Evil: 1", "text/plain\n", "text/pläin", "a/b\x00", "noslash", ""])
def test_what_would_be_a_header_is_checked(value: str) -> None:
    """A content type with a line end, or letters that a header cannot hold, is refused before anything is sent."""
    with pytest.raises(InvalidArgumentError):
        attachment(("a.txt", b"x", value))


def test_names_of_uploads_stay_in_the_query(http: MediaHttp) -> None:
    """A file name with line ends, separators or dots is one value of the query, and in no header."""
    name = "x\r\nX-Evil: 1&Category=body#../"
    with HttpService(Answer.json({"sid": "ME1"})) as service:
        http.get_json(urls.with_query(f"{service.url}/Media", [("Filename", name)]), Transfer(Deadline(TIMEOUT)))
        (seen,) = service.seen
    assert seen.path == "/Media?Filename=x%0D%0AX-Evil%3A%201%26Category%3Dbody%23..%2F"
    assert "x-evil" not in seen.headers


def test_an_answer_that_is_no_json(http: MediaHttp) -> None:
    """JSON that nests too deeply is an error of the documented kind."""
    with HttpService(Answer(200, b"[" * 200_000)) as service, pytest.raises(ProtocolError):
        http.get_json(service.url, Transfer(Deadline(TIMEOUT)))
