"""A thousand clients, one after another: nothing of them is left."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from benchmarks.worker import resident_kib
from tests.support.patience import PATIENCE
from tests.support.resources import descriptors, own_threads
from tests.support.waiting import until
from twilio_conversations import BackoffPolicy, Client, ClientClosedError
from twilio_conversations.server import LocalServer
from twilio_conversations.transport.connection import Connection

QUICK = BackoffPolicy(minimum=0.02, maximum=0.1)
CYCLES = 1000


class Cycles:
    """Ways in which a client comes and goes."""

    def __init__(self, service: LocalServer, identity: str, mute: str) -> None:
        self.token = service.token(identity)
        self.url = service.url
        self.mute = mute

    def never_started(self) -> None:
        """Made, and closed."""
        Client(self.token, endpoint=self.url, auto_connect=False).close()

    def dropped_unstarted(self) -> None:
        """Made, and forgotten."""
        Client(self.token, endpoint=self.url, auto_connect=False).on("initialized", print)

    def at_once(self) -> None:
        """Closed before anything happened."""
        Client(self.token, endpoint=self.url).close()

    def connecting(self) -> None:
        """The service accepts, and says nothing."""
        with Client(self.token, endpoint=self.mute) as client:
            until(lambda: any("connect" in name for name in own_threads()), "it connects")
            client.on("message_added", print)

    def refused(self) -> None:
        """Nobody listens there; it is in its back-off."""
        with Client(self.token, endpoint="http://127.0.0.1:9", reconnect=QUICK) as client:
            client.wait_for("connection_error", timeout=PATIENCE)

    def asking_for_a_token(self) -> None:
        """The provider takes its time."""
        entered = threading.Event()

        def provide() -> str:
            entered.set()
            return self.token

        with Client(provide, endpoint=self.url):
            assert entered.wait(PATIENCE)

    def ready(self) -> None:
        """In use, by a provider's token."""
        with Client(lambda: self.token, endpoint=self.url) as client:
            client.wait_until_ready(PATIENCE)
            client.on("message_added", print)

    def under_way(self) -> None:
        """With a request in flight and somebody who waits for events."""
        with Client(self.token, endpoint=self.url) as client:
            client.wait_until_ready(PATIENCE)
            stream = client.events()
            caller = threading.Thread(target=lambda: self.try_it(client.create_conversation))
            caller.start()
        caller.join(PATIENCE)
        list(stream)

    @staticmethod
    def try_it(call: Callable[[], Any]) -> None:
        """It may or may not come through."""
        with contextlib.suppress(ClientClosedError):
            call()

    def of_number(self, number: int) -> Callable[[], None]:
        """Cheap ones mostly; each kind often."""
        dear = (self.ready, self.under_way, self.connecting, self.refused)
        cheap = (self.never_started, self.at_once, self.asking_for_a_token, self.dropped_unstarted)
        return dear[number // 10 % len(dear)] if number % 10 == 0 else cheap[number % len(cheap)]


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of a service that lets everybody in and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:

        def accept() -> None:
            try:
                while True:
                    end, _ = listener.accept()
                    while end.recv(65536):
                        pass
                    end.close()
            except OSError:
                pass

        accepter = threading.Thread(target=accept)
        accepter.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        accepter.join(PATIENCE)


def alive() -> dict[str, int]:
    """What could be left, counted."""
    gc.collect()
    found = gc.get_objects()
    return {
        "clients": sum(issubclass(type(one), Client) for one in found),  # `isinstance` would ask lazy objects of other tests
        "connections": sum(issubclass(type(one), Connection) for one in found),
        "descriptors": descriptors(),
        "threads": len(own_threads()),
    }


def test_a_thousand_clients_leave_nothing(service: LocalServer, fresh: Any, mute: str) -> None:
    """No thread, no descriptor, no object; and memory does not grow with their number."""
    cycles = Cycles(service, fresh("alice"), mute)
    for number in range(100):  # whatever is made once in a process, or grows to its size, is there afterwards
        cycles.of_number(number)()
    until(lambda: not own_threads(), "threads gone")
    before, memory = alive(), resident_kib()
    for number in range(CYCLES):
        cycles.of_number(number)()
    until(lambda: not own_threads(), "threads gone")

    def as_before() -> bool:
        now = alive()
        return all(now[what] <= before[what] for what in ("clients", "connections", "threads", "descriptors"))

    until(as_before, f"as before: {before}, now: {alive()}", 10)
    assert resident_kib() - memory < 12 * 1024
