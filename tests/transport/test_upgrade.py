"""Whoever answers the WebSocket upgrade with something else is named, with status and target; its ``Retry-After`` is kept."""

from __future__ import annotations

import contextlib
import email.utils
import time
from typing import Any

import pytest

from tests.support.scripted_service import ScriptedService
from tests.transport.conftest import Wire
from twilio_conversations.errors import ConnectionErrorInfo
from twilio_conversations.transport.retries import retry_after
from twilio_conversations.wire.failures import Cause, ConnectRefusedError

PAGE = b"Content-Type: text/html\r\nContent-Length: 200\r\n\r\n<html>log in"
"""A page of which most never comes."""


def reported(wire: Wire, answer: bytes, *, closes: bool = False, **options: Any) -> ConnectionErrorInfo:
    """What a client reports when that is the answer to its upgrade, and the connection stays open unless told otherwise."""
    with ScriptedService(upgrade=False) as service:
        wired = wire(service=service, connect_timeout=60, **options)
        wired.connection.start()
        peer = service.peer()
        with contextlib.suppress(OSError):  # the client need not read all of it
            peer.send_raw(answer)
        if closes:
            peer.cut()
        info: ConnectionErrorInfo = wired.recorder.wait_for("connection_error")
        wired.connection.close()
        assert f"127.0.0.1:{service.port}" in info.message
    return info


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (
            b"HTTP/1.1 301 Moved Permanently\r\nLocation: https://chat.example/v3/wsconnect\r\n\r\n",
            301,
            "https://chat.example/v3",
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/login?sid=1\r\n" + PAGE,
            302,
            "redirect to http://portal.example/login",
        ),
        (b"HTTP/1.1 303 See Other\r\nLocation: /login\r\n\r\n", 303, "redirect to /login"),
        (b"HTTP/1.1 307 Temporary Redirect\r\nLocation: //other.example\r\n\r\n", 307, "redirect to //other.example"),
        (b"HTTP/1.1 308 Permanent Redirect\r\n\r\n", 308, "308 Permanent Redirect"),
        (b"HTTP/1.1 200 OK\r\n" + PAGE, 200, "200 OK"),
        (b"HTTP/1.0 200 OK\r\n\r\nhi", 200, "200 OK"),
        (b"HTTP/1.1 400\r\n\r\n", 400, "status 400"),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: nonsense\r\n\r\n", 401, "401 Unauthorized"),
        (b"HTTP/1.1 403 Forbidden\n\n", 403, "403 Forbidden"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 99999999\r\n\r\n", 404, "404 Not Found"),
        (b"HTTP/1.1 502 Bad Gateway\r\nnot a header\r\n\r\n", 502, "502"),
        (b"HTTP/1.1 511 Network Authentication Required\r\n\r\n", 511, "511"),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_every_status_is_named_at_once(wire: Wire, answer: bytes, status: int, words: str) -> None:
    """No page is waited for; the number is there for programs too."""
    info = reported(wire, answer)
    assert words in info.message
    assert (info.http_status_code, info.terminal, info.error_code) == (status, False, None)


def test_what_may_be_secret_in_a_target_is_not_told(wire: Wire) -> None:
    """User, password and query; nor can a target break the line of a log."""
    answer = b"HTTP/1.1 302 Found\r\nLocation: https://user:pass@portal.example/a\x1b[31mb?secret=1#secret\r\n\r\n"
    message = reported(wire, answer).message
    assert message.endswith("a redirect to https://portal.example/a?[31mb")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", "with TLS: the endpoint is to begin with https"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "something other than HTTP, beginning with b'SSH-2'"),
        (b"\x00" * 10, "something other than HTTP"),
        (b"HTTP/x\r\n\r\n", "something other than HTTP"),
    ],
    ids=["tls", "ssh", "zeros", "almost"],
)
def test_other_protocols_are_named_at_once(wire: Wire, answer: bytes, words: str) -> None:
    """Though the connection stays open."""
    info = reported(wire, answer)
    assert words in info.message
    assert info.http_status_code is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "closed the connection without an answer"),
        (b"HTTP/1.1 101 Switching Pro", "something other than HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: web", "closed the connection in the middle of its answer"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "did not upgrade to WebSocket"),
    ],
    ids=["nothing", "half a line", "half a head", "no key"],
)
def test_half_an_answer_is_named(wire: Wire, answer: bytes, words: str) -> None:
    """As far as it came."""
    assert words in reported(wire, answer, closes=True).message


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_kept(wire: Wire, status: int, form: str) -> None:
    """The next attempt comes no earlier; calls that wait are told why there is no connection."""
    now = time.time() - 7200  # by a clock that is two hours behind, which its Date tells
    asked = b"3600" if form == "seconds" else email.utils.formatdate(now + 3600, usegmt=True).encode()
    date = email.utils.formatdate(now, usegmt=True).encode()
    answer = b"HTTP/1.1 %d Busy\r\nDate: %b\r\nRetry-After: %b\r\n\r\n" % (status, date, asked)
    with ScriptedService(upgrade=False) as service:
        wired = wire(service=service)
        wired.connection.start()
        service.peer().send_raw(answer)
        info = wired.recorder.wait_for("connection_error")
        due = wired.connection._io.session.next_deadline()
        assert due is not None
        assert due - time.monotonic() > 3500
        wired.connection.close()
    assert info.http_status_code == status


def test_a_portal_s_retry_after_is_not_kept(wire: Wire) -> None:
    """Only a busy service may send everybody away."""
    with ScriptedService(upgrade=False) as service:
        wired = wire(service=service)
        wired.connection.start()
        for _ in range(2):
            service.peer().send_raw(b"HTTP/1.1 200 OK\r\nRetry-After: 3600\r\n\r\n")
        wired.recorder.wait_for("connection_error", count=2)
        wired.connection.close()


def test_a_refusal_has_status_and_hint_in_the_session_s_terms() -> None:
    """Whatever is asked, in whole milliseconds; other faults of sockets have neither."""
    cause = Cause.of_socket(ConnectRefusedError("busy", 503, 1.5))
    assert cause.hint is not None
    assert (cause.codes, cause.hint.reconnect_min_ms) == ((503, None), 1500)
    assert Cause.of_socket(ConnectionRefusedError("no")) == Cause("Socket error: no")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120), ("1.5", 1.5), ("-3", 0), ("soon", 0), ("", 0), ("inf", 0), ("Sat, 99 Nov 2026 10:00:00 GMT", 0)],
)
def test_retry_after_is_read_leniently(text: str, seconds: float) -> None:
    """What cannot be read asks for nothing."""
    assert retry_after({"retry-after": text}) == seconds
