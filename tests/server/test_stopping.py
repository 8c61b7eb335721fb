"""A service that stops while people keep coming."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

import pytest
import websocket

from tests.server.peer import TIMEOUT
from twilio_conversations.server import LocalServer

STOPS = 5
"""An earlier service let somebody in too late at two stops of five, and then waited three seconds for them to go."""
CROWD = 3


def test_who_comes_while_it_stops_holds_nothing_up(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is let in any more, so nobody has to be cut off: the web server has nothing to complain of."""
    caplog.set_level(logging.ERROR, "uvicorn.error")
    for _ in range(STOPS):
        server = LocalServer().start()
        arrived, over = threading.Semaphore(0), threading.Event()
        crowd = [threading.Thread(target=keep_coming, args=(server.twilsock, arrived, over)) for _ in range(CROWD)]
        for person in crowd:
            person.start()
        for _ in range(10 * CROWD):
            assert arrived.acquire(timeout=TIMEOUT)
        server.stop()
        over.set()
        for person in crowd:
            person.join(TIMEOUT)
    assert not [record for record in caplog.records if record.name == "uvicorn.error"]


def keep_coming(address: str, arrived: threading.Semaphore, over: threading.Event) -> None:
    """Connect, again and again, and stay."""
    connections = []
    while not over.is_set():
        with suppress(OSError, websocket.WebSocketException):
            connections.append(websocket.create_connection(address, timeout=TIMEOUT))
            arrived.release()
    for connection in connections:
        connection.shutdown()  # type: ignore[no-untyped-call]
