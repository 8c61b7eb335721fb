"""What one crowd, or one rude peer, may take of the service: connections, frames, heads, bodies and time."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import requests
from websocket import ABNF, WebSocketBadStatusException

from tests.server.peer import TIMEOUT, Peer, new_id
from twilio_conversations.server import LocalServer
from twilio_conversations.server.http import session
from twilio_conversations.server.http import uvicorn_http as http_protocol
from twilio_conversations.server.http import uvicorn_websocket as protocol
from twilio_conversations.server.http.admission import BURST, Meter
from twilio_conversations.server.uvicorn_server import MAX_HEAD
from twilio_conversations.wire.packets import Reply

HANDSHAKE = (
    b"GET /v3/wsconnect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
REQUEST = b"GET /_local/health HTTP/1.1\r\nHost: x\r\n"


@contextmanager
def plain(server: LocalServer, data: bytes = b"") -> Iterator[socket.socket]:
    """A bare connection on which `data` was sent."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as connection:
        connection.sendall(data)
        yield connection


def everything(connection: socket.socket) -> bytes:
    """What comes until the service ends the connection."""
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def is_well(server: LocalServer) -> bool:
    """Whether others are served."""
    with Peer.connected(server, "somebody else") as peer:
        return peer.get("/Client/v2/Configuration").status == 200


def refusal(server: LocalServer, identity: str = "late") -> Reply:
    """The answer to the `init` of who comes too much."""
    with Peer(server) as peer:
        return peer.init(server.token(identity))


# -- websockets ----------------------------------------------------------------------------------------------------------------


def test_too_many_connections(server: LocalServer) -> None:
    """Beyond the limit the `init` is refused with 429, 20429 and a hint; as soon as somebody leaves there is room."""
    server.configure(connections_limit=2)
    with Peer.connected(server, "alice"):
        with Peer.connected(server, "bob"):
            reply = refusal(server)
            assert (reply.status.code, reply.status.error_code) == (429, 20429)
            assert 1000 <= reply.json()["backoff_policy"]["reconnect_min_ms"] < 2000
        wait_until(lambda: refusal(server).status.ok, "there is room")


def test_too_many_new_connections(server: LocalServer) -> None:
    """Twice what is allowed per second may come at once, the next is refused with a hint; the rate goes on counting."""
    server.configure(connections_per_second=2)
    began = time.monotonic()
    replies = [refusal(server) for _ in range(20)]
    refused = [reply for reply in replies if (reply.status.code, reply.status.error_code) == (429, 20429)]
    assert len(replies) - len(refused) <= 2 * (2 + time.monotonic() - began)
    assert refused
    assert all(reply.json()["backoff_policy"]["reconnect_min_ms"] >= 1000 for reply in refused)
    wait_until(lambda: refusal(server).status.ok, "a moment later there is room")


def test_an_update_of_the_token_is_no_new_connection(server: LocalServer) -> None:
    """Who is inside may change the token however many are refused."""
    server.configure(connections_limit=1)
    with Peer.connected(server, "alice") as alice:
        assert refusal(server).status.code == 429
        assert alice.update(server.token("alice")).status.ok


def test_too_many_who_do_not_say_who_they_are(server: LocalServer) -> None:
    """Beyond the limit the handshake is answered 429; those inside do not count, and who goes makes room."""
    server.configure(waiting_connections_limit=3)
    with ExitStack() as stack:
        stack.enter_context(Peer.connected(server, "inside"))
        silent = [stack.enter_context(Peer(server)) for _ in range(3)]
        with pytest.raises(WebSocketBadStatusException) as refused:
            Peer(server)
        assert refused.value.status_code == 429
        assert refused.value.resp_headers is not None
        assert refused.value.resp_headers["retry-after"] == "1"
        silent.pop().close()

        def is_let_in() -> bool:
            try:
                return refusal(server).status.ok
            except WebSocketBadStatusException:
                return False

        wait_until(is_let_in, "there is room")


def test_who_does_not_say_who_it_is_has_little_time(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an `init` the WebSocket is closed as the cloud does it, by force if the peer does not go."""
    monkeypatch.setattr(session, "INIT_TIMEOUT", 0.1)
    with Peer(server) as silent:
        opcode, data = silent.socket.recv_data(control_frame=True)
        assert opcode == ABNF.OPCODE_CLOSE
        assert data == (1000).to_bytes(2, "big") + b"no-init-from-client"
    with Peer(server) as stubborn:
        while stubborn.raw.recv(100):
            pass  # the close, which is not answered; then the end


def test_frames_that_come_too_fast_are_read_later(server: LocalServer) -> None:
    """A peer above the rate is slowed down, not cut: each frame counts in the end, and meanwhile others are served."""
    server.configure(frames_per_second=100)
    with Peer.connected(server, "hasty") as hasty, Peer.connected(server, "calm") as calm:
        began = time.monotonic()
        asked = [hasty.start("GET", "/Client/v2/ContentTemplates") for _ in range(300)]
        assert calm.get("/Client/v2/ContentTemplates").status == 200
        assert [hasty.reply_to(id_).id for id_ in asked] == asked
        for _ in range(150):
            hasty.socket.ping()
        for _ in range(2):  # the first one may have come with the pings
            assert hasty.get("/Client/v2/ContentTemplates").status == 200
    assert time.monotonic() - began > (300 + 150) / 100 - BURST - 0.1


def test_acknowledgements_have_room(server: LocalServer) -> None:
    """Ten thousand acknowledgements at once delay nothing with the settings as they are."""
    with Peer.connected(server, "alice") as alice:
        acknowledgement = Reply(new_id()).encode()
        meter = Meter(lambda: server.configure()["frames_per_second"])
        assert meter.take(10_000) == 0.0
        for _ in range(10_000):
            alice.send_bytes(acknowledgement)
        assert alice.get("/Client/v2/Configuration").status == 200


def test_the_meter_keeps_its_rate() -> None:
    """Two seconds' worth may come at once; after that the pause grows with what is too much, and passes."""
    now = 100.0
    meter = Meter(lambda: 10, lambda: now)
    assert [meter.take(10), meter.take(10), meter.take(5)] == [0.0, 0.0, 0.5]
    assert not meter.admits()
    now += 0.7
    assert meter.admits()
    assert meter.admits()
    assert not meter.admits()
    assert Meter(lambda: 0).take(10**9) == 0.0


def test_a_message_of_endless_parts(server: LocalServer) -> None:
    """Empty continuation frames cost no bytes of the message's limit; too many of them end the connection."""
    with Peer(server) as peer:
        connection = peer.raw
        connection.sendall(b"\x02\x80\x00\x00\x00\x00" + b"\x00\x80\x00\x00\x00\x00" * (protocol.MAX_FRAGMENTS + 10))
        assert connection.recv(4)[2:] == (1009).to_bytes(2, "big")
    assert is_well(server)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x82\xff" + (2**63 - 1).to_bytes(8, "big") + bytes(4), 1009),
        (b"\x82\xff" + (1024 * 1024 + 1).to_bytes(8, "big") + bytes(4), 1009),
        (b"\x82\x01x", 1002),  # not masked
        (b"\xf2\x80" + bytes(4), 1002),  # reserved bits
        (b"\x8b\x80" + bytes(4), 1002),  # an opcode that does not exist
        (b"\x89\xfe\x01\x00" + bytes(4 + 256), 1002),  # a ping that is too long
        (b"\x80\x80" + bytes(4), 1002),  # a continuation of nothing
    ],
)
def test_frames_against_the_rules(server: LocalServer, data: bytes, code: int) -> None:
    """They end their own connection, with the code that says why, before the payload is there."""
    with Peer(server) as peer:
        peer.raw.sendall(data)
        assert peer.raw.recv(4)[2:] == code.to_bytes(2, "big")
    assert is_well(server)


# -- plain HTTP ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        REQUEST + b"X-Long: " + b"x" * MAX_HEAD,
        REQUEST + b"X-Many: x\r\n" * (MAX_HEAD // 11),
        b"GET /" + b"x" * MAX_HEAD,
        HANDSHAKE + b"X-Long: " + b"x" * MAX_HEAD,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # somebody speaks TLS
        REQUEST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        REQUEST + b"Content-Length: -1\r\n\r\n",
        REQUEST + b"Bad Header: x\r\n\r\n",
        REQUEST + b"X: a\rb\r\n\r\n",
    ],
)
def test_heads_that_are_too_large_or_malformed(server: LocalServer, data: bytes) -> None:
    """The head of a request is bounded and strict: 400, and the connection is over."""
    with plain(server, data) as connection:
        assert everything(connection).startswith(b"HTTP/1.1 400 ")
    assert is_well(server)


@pytest.mark.parametrize(
    "more",
    [
        b"X-Line: " + b"x" * 9000 + b"\r\n\r\n",
        b"X-Many: x\r\n" * 200 + b"\r\n",
        b"Sec-WebSocket-Key: AAAA\r\n\r\n",
        b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99\r\n\r\n",
        b"Sec-WebSocket-Protocol: ,,,\r\n\r\n",
        b"X-Bytes: \xff\xfe\r\n\r\n",
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_silly_handshakes(server: LocalServer, more: bytes) -> None:
    """They are answered, one way or the other, and nobody else notices."""
    with plain(server, HANDSHAKE + more) as connection:
        assert connection.recv(9) == b"HTTP/1.1 "
    assert is_well(server)


def test_a_head_that_never_ends(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte after byte does not keep a connection waiting for its head: 408 when the time is up, from the first or a later one."""
    monkeypatch.setattr(http_protocol, "HEAD_TIME", 0.3)
    for before in (b"", REQUEST + b"\r\n"):
        with plain(server, before) as connection:
            if before:
                while not connection.recv(65536).endswith(b"}"):
                    pass  # the answer to the first request
            assert drip(connection, REQUEST + b"X-Slow: ").startswith(b"HTTP/1.1 408 ")


def test_silence(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who connects and says nothing is let go."""
    monkeypatch.setattr(http_protocol, "HEAD_TIME", 0.1)
    with plain(server) as connection:
        assert json.loads(everything(connection).partition(b"\r\n\r\n")[2])["code"] == 20408


def post_head(server: LocalServer, link: str, length: int) -> bytes:
    """The head of alice's request to what a link of the configuration names."""
    with Peer.connected(server, "alice") as alice:
        path = alice.link(link).removeprefix(server.url)
    headers = {"Host": "x", "X-Twilio-Token": server.token("alice"), "Content-Type": "text/plain", "Content-Length": length}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


@pytest.mark.parametrize("link", ["conversations", "media_service"])
def test_a_body_that_never_ends(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, link: str
) -> None:
    """A body must get on; one that comes byte by byte is given up, without a word of alarm."""
    monkeypatch.setattr(http_protocol, "STALL_TIME", 0.3)
    with plain(server, post_head(server, link, 100_000)) as connection:
        assert drip(connection, b"body").startswith(b"HTTP/1.1 408 ")
    assert is_well(server)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_body_that_is_slow_but_gets_on(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it gets on a body may take longer than any of its steps."""
    monkeypatch.setattr(http_protocol, "STALL_TIME", 0.5)
    body = b'{"attributes": "{}", "friendly_name": "' + b"x" * 200 + b'"' + b" " * 6 * http_protocol.STEP + b"}"
    with plain(server, post_head(server, "conversations", len(body))) as connection:
        for start in range(0, len(body), http_protocol.STEP):
            connection.sendall(body[start : start + http_protocol.STEP])
            time.sleep(0.1)
        assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")


def test_bodies_are_bounded(server: LocalServer) -> None:
    """More than a megabyte is refused as it comes, whatever was announced."""
    headers = {"X-Twilio-Token": server.token("alice")}
    with Peer.connected(server, "alice") as alice:
        url = alice.link("conversations")

    def endless() -> Iterator[bytes]:
        yield from (b" " * 65536 for _ in range(32))

    for body in (b" " * (2 * 1024 * 1024), endless()):
        answer = requests.post(url, data=body, headers=headers, timeout=TIMEOUT)
        assert (answer.status_code, answer.json()["code"]) == (413, 20413)


def test_an_answer_that_nobody_takes(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for much and reads nothing does not keep the service waiting for ever."""
    monkeypatch.setattr(http_protocol, "STALL_TIME", 0.3)
    with Peer.connected(server, "alice") as alice:
        room = alice.room()
        for _ in range(30):
            alice.say(room, "x" * 30_000)
    token = server.token("alice").encode()
    path = room.removeprefix(server.url).encode()
    ask = b"GET %s/Messages?PageSize=30 HTTP/1.1\r\nHost: x\r\nX-Twilio-Token: %s\r\n\r\n" % (path, token)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(TIMEOUT)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(ask * 20)
        wait_until(lambda: peers(server) == 0, "the connection is given up")


def test_too_many_plain_connections(server: LocalServer) -> None:
    """Beyond the limit 429 with `Retry-After`, whatever they may want; websockets do not count, and who goes makes room."""
    server.configure(http_connections_limit=2)
    with Peer.connected(server, "alice") as alice, plain(server), plain(server) as second:
        with plain(server) as third:
            head, _, body = everything(third).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 429 ")
        assert b"retry-after: 1" in head
        assert json.loads(body)["code"] == 20429
        assert alice.get("/Client/v2/Configuration").status == 200
        second.close()
        wait_until(lambda: health(server) == 200, "there is room")


def health(server: LocalServer) -> int | None:
    """The status of the health page; `None` when the connection is refused in the middle."""
    try:
        return requests.get(f"{server.url}/_local/health", timeout=TIMEOUT).status_code
    except requests.ConnectionError:
        return None


def peers(server: LocalServer) -> int:
    """How many plain connections there are."""
    assert server._app is not None
    return len(server._app.service.admission._plain)


def drip(connection: socket.socket, data: bytes) -> bytes:
    """Send some bytes, then one after the other until the service has had enough; what it says."""
    deadline = time.monotonic() + TIMEOUT
    connection.sendall(data)
    connection.settimeout(0.02)
    while time.monotonic() < deadline:
        try:
            connection.sendall(b"x")
            return connection.recv(65536)
        except TimeoutError:
            continue
    raise AssertionError("the service waits for ever")


def wait_until(condition: Any, what: str) -> None:
    """Wait for what no event announces."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"not within {TIMEOUT} s: {what}"
        time.sleep(0.05)
