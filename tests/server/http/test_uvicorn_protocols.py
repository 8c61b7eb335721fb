"""uvicorn without the internals that the service's own protocols build on: everything works by plain ASGI."""

from __future__ import annotations

import threading
from importlib import import_module

import pytest
import uvicorn.protocols.http.auto
import uvicorn.protocols.websockets.auto  # noqa: F401 - they keep the protocols that a test takes the name of

from tests.conftest import WholeLog
from tests.server.peer import TIMEOUT, Peer
from twilio_conversations import Client, Message
from twilio_conversations.server import LocalServer
from twilio_conversations.server.http.uvicorn_protocols import HTTP, WEBSOCKET, chosen
from twilio_conversations.wire.packets import Close

COUNT = 60
TAKEN_AWAY = [
    (*HTTP, None),
    (*WEBSOCKET, None),
    (*WEBSOCKET, "keepalive_timeout"),
]


def test_this_uvicorn_has_everything() -> None:
    """The suite runs with the newest release that the extra admits: the service's own protocols fit it."""
    protocols = chosen()
    assert protocols is not None
    assert (protocols.http.__name__, protocols.websocket.__name__) == ("HttpProtocol", "DirectSocketProtocol")


@pytest.mark.parametrize(("module", "name", "attribute"), TAKEN_AWAY, ids=["http", "websocket", "method"])
def test_without_an_internal(
    module: str, name: str, attribute: str | None, monkeypatch: pytest.MonkeyPatch, caplog: WholeLog
) -> None:
    """A client runs against plain ASGI: events in order, large frames, a refused frame; the log names what is missing."""
    if attribute is None:
        monkeypatch.delattr(import_module(module), name)
    else:
        monkeypatch.delattr(getattr(import_module(module), name), attribute)
    with LocalServer() as server:
        _converse(server)
        with Peer.connected(server, "carol") as peer:
            peer.send_bytes(b"nonsense")
            assert peer.expect(lambda packet: isinstance(packet, Close)).status.code == 406
    missing = name if attribute is None else f"{name}.{attribute}"
    assert f"lacks {missing}" in caplog.text.replace(f"{module}.", "")


def _converse(server: LocalServer) -> None:
    texts: list[str | None] = []
    complete = threading.Event()

    def added(message: Message) -> None:
        texts.append(message.body)
        if len(texts) == COUNT:
            complete.set()

    with Client(server.token("alice"), endpoint=server.url) as alice, Client(server.token("bob"), endpoint=server.url) as bob:
        room = alice.create_conversation()
        room.join()
        bob.on("message_added", added)
        room.add("bob")
        sent = [f"{number} {'x' * 20_000}" for number in range(COUNT)]
        for text in sent:
            room.send_message(text)
        assert complete.wait(TIMEOUT)
    assert texts == sent
