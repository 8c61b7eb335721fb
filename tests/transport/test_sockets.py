"""Opening the socket: TLS is verified, the caller's session says how, nothing can hold the thread."""

from __future__ import annotations

import gc
import queue
import socket
import ssl
import struct
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import websocket

from tests.support.certificates import Authority
from tests.support.patience import PATIENCE
from tests.support.resources import sockets
from tests.support.scripted_service import Peer, ScriptedService
from tests.support.waiting import until
from tests.transport.conftest import Wire
from twilio_conversations.errors import InvalidArgumentError, TransportUnavailableError
from twilio_conversations.transport.attempts import Attempts
from twilio_conversations.transport.connect import Attempt, open_socket
from twilio_conversations.transport.dialling import Connecting
from twilio_conversations.transport.route import ProxyRoute
from twilio_conversations.util.futures import Deadline, wait
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import Notification, RestCall

SOON = PATIENCE
URL = "wss://127.0.0.1/v3/wsconnect"


@pytest.fixture
def tls(authority: Authority) -> ssl.SSLContext:
    """What a service needs."""
    return authority.server_context()


@pytest.fixture
def secure(tls: ssl.SSLContext) -> Iterator[ScriptedService]:
    """A service behind TLS."""
    with ScriptedService(tls=tls) as service:
        yield service


def session_of(authority: Authority) -> requests.Session:
    """The caller's session, trusting the test's authority."""
    session = requests.Session()
    session.verify = authority.bundle
    return session


def test_tls_end_to_end(wire: Wire, secure: ScriptedService, authority: Authority) -> None:
    """Requests, and messages larger than a TLS record, both ways."""
    wired = wire(service=secure, session=session_of(authority))
    peer = wired.up()
    future = wired.send(HttpRequest("POST", "h", "/p", body=b"x" * 300_000), Deadline(SOON))
    message = peer.expect(RestCall)
    peer.send(Notification("N1", "t", "y" * 300_000))
    peer.answer(message, body=b"z" * 300_000)

    assert len(message.request.body) == 300_000
    assert len(wait(future, Deadline(SOON), "POST").body) == 300_000
    wired.recorder.wait_for("notification")
    assert peer.expect_acknowledgement() == "N1"
    wired.connection.close()


def test_many_small_frames_in_one_tls_record(wire: Wire, secure: ScriptedService, authority: Authority) -> None:
    """What OpenSSL holds back is read though the socket is no longer readable."""
    wired = wire(service=secure, session=session_of(authority))
    peer = wired.up()
    for _ in range(20):
        peer.send_many([Notification(f"N{number}", "t", "x" * 700) for number in range(40)])
    wired.recorder.wait_for("notification", count=800)
    wired.connection.close()


def test_an_unknown_authority_is_refused(wire: Wire, secure: ScriptedService) -> None:
    """Unless the program says otherwise; reported, and tried again."""
    wired = wire(service=secure)
    wired.connection.start()

    assert "CERTIFICATE_VERIFY_FAILED" in wired.recorder.wait_for("connection_error").message
    wired.connection.close()


def test_verification_can_be_turned_off(wire: Wire, secure: ScriptedService) -> None:
    """By the caller's session alone."""
    session = requests.Session()
    session.verify = False
    wired = wire(service=secure, session=session)
    wired.up()
    wired.connection.close()


def test_the_client_certificate_is_shown(wire: Wire, tls: ssl.SSLContext, authority: Authority) -> None:
    """From the caller's session too."""
    authority.demand_certificates(tls)
    session = session_of(authority)
    session.cert = authority.client_certificate()
    with ScriptedService(tls=tls) as service:
        wired = wire(service=service, session=session)
        wired.up()
        wired.connection.close()


@pytest.mark.row("ER48")
@pytest.mark.parametrize("url", ["http://h/", "wss:///p", "h"])
def test_other_addresses_are_refused(url: str) -> None:
    """Before anything is opened."""
    with pytest.raises(InvalidArgumentError):
        open_socket(url, ProxyRoute(), Deadline(1), Connecting())


class AfterReset(ssl.SSLContext):
    """Begins TLS when the peer has reset the connection."""

    listener: socket.socket

    def wrap_socket(self, sock: socket.socket, *facts: Any, **more: Any) -> ssl.SSLSocket:
        peer, _ = self.listener.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        return super().wrap_socket(sock, *facts, **more)


def test_a_reset_before_tls_leaves_no_socket(authority: Authority) -> None:
    """The one that `ssl` has begun to make, and that nobody else has."""
    context, connecting, before = AfterReset(ssl.PROTOCOL_TLS_CLIENT), Connecting(), sockets()
    with socket.create_server(("127.0.0.1", 0)) as context.listener:
        url = f"wss://127.0.0.1:{context.listener.getsockname()[1]}/"
        route = ProxyRoute(tls={"ssl_context": context}, verify=authority.bundle)
        with pytest.raises(TransportUnavailableError, match="broke off the connection") as caught:
            open_socket(url, route, Deadline(SOON), connecting)
    assert connecting.finish()
    assert not sockets() - before, caught.value


@pytest.mark.parametrize("flood", [b"x", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000], ids=["drip", "flood"])
def test_the_answer_to_the_upgrade_is_bounded(flood: bytes) -> None:
    """In time and in size."""
    with ScriptedService(upgrade=False) as service:
        done = threading.Event()
        attempt = Attempt(1, f"ws://127.0.0.1:{service.port}/", None, 0.5, lambda _: done.set())
        thread = attempt.start("connecting")
        peer: Peer = service.peer()
        while not done.is_set():
            try:
                peer.send_raw(flood)
            except OSError:
                break
            time.sleep(0.01)
        assert done.wait(SOON)
        thread.join(SOON)

        with pytest.raises((TransportUnavailableError, OSError, websocket.WebSocketException)):
            attempt.take()


def test_an_abandoned_attempt_closes_its_own_socket() -> None:
    """Whether it was still under way or done."""
    with ScriptedService() as service:
        done = threading.Event()
        attempt = Attempt(1, f"ws://127.0.0.1:{service.port}/", None, SOON, lambda _: done.set())
        attempt.start("connecting")
        assert done.wait(SOON)
        attempt.abandon()
        service.peer().wait_closed()
        with pytest.raises(TransportUnavailableError):
            attempt.take()

    with ScriptedService(upgrade=False) as service:
        called: list[Attempt] = []
        attempt = Attempt(1, f"ws://127.0.0.1:{service.port}/", None, 60, called.append)
        thread = attempt.start("connecting")
        peer = service.peer()
        attempt.abandon()
        thread.join(SOON)
        peer.wait_closed()

        assert not called


def test_an_attempt_that_is_over_is_freed_without_a_further_step() -> None:
    """Nothing need happen on the connection, nor the collector run."""
    with ScriptedService() as service:
        posted: queue.Queue[Callable[[], object]] = queue.Queue()
        done: list[weakref.ref[Attempt]] = []

        def take(attempt: Attempt) -> None:
            done.append(weakref.ref(attempt))
            attempt.take().close()

        attempts = Attempts(f"ws://127.0.0.1:{service.port}/", None, SOON, "freed", posted.put, take)
        gc.disable()
        try:
            attempts.begin(1)
            posted.get(timeout=SOON)()
            attempts.join(SOON)
            until(lambda: all(one.name != "conversations-connect-freed" for one in threading.enumerate()), "the thread's end")
            assert [attempt() for attempt in done] == [None]
        finally:
            gc.enable()
