"""Names with the addresses that a test chooses, and an address that swallows packets."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
from collections.abc import Iterator
from typing import Any

import pytest

Place = tuple[str, int]
SWALLOWING_HOST = "127.0.0.9"


@contextlib.contextmanager
def swallowing() -> Iterator[Place]:
    """An address of this machine that answers no further attempt to connect: its queue is full and nobody accepts."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((SWALLOWING_HOST, 0))
        listener.listen(0)
        place: Place = listener.getsockname()
        while True:
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            assert filling.connect_ex(place) in (0, errno.EINPROGRESS)
            if not select.select([], [filling], [], 0.2)[1]:
                break
        yield place


def resolve(monkeypatch: pytest.MonkeyPatch, **names: list[Place]) -> None:
    """Let names (with ``_`` for a dot) have these addresses, whatever port is asked for; all others as before."""
    before = socket.getaddrinfo
    known = {name.replace("_", "."): places for name, places in names.items()}

    def look_up(host: Any, *facts: Any, **more: Any) -> Any:
        if host not in known:
            return before(host, *facts, **more)
        return [_entry(place) for place in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def _entry(place: Place) -> Any:
    host, port = place
    if ":" in host:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place
