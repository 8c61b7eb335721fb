"""Connecting to a name that has several addresses (Happy Eyeballs, RFC 8305).

The addresses of both families take turns. Each gets a head start of 250 ms, or until it is refused; whichever answers first wins.
So an address that swallows packets, as a broken IPv6 route does, costs a quarter of a second and not a time limit. All of this
happens on the thread that connects; `Connecting` breaks it off from another one.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any, Final

from twilio_conversations.transport.process_hooks import no_fork
from twilio_conversations.util.futures import Deadline

HEAD_START: Final = 0.25
"""Seconds after which the next address is tried beside those that have not answered."""

NO_DELAY: Final = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)

_UNDER_WAY: Final = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK})

Address = tuple[int, int, int, str, Any]
"""An entry of `socket.getaddrinfo`."""


class AbandonedError(Exception):
    """The connection is not wanted any more."""


class Connecting:
    """The sockets that a thread waits for. Any other thread may break off the waiting."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._over = False
        self._handles: dict[int, socket.socket] = {}
        """A second descriptor of each socket, by its first one, which a wrapper of the socket may have closed meanwhile."""

    def begin(self, used: socket.socket) -> None:
        """Record that the thread is about to wait for `used`; raise `AbandonedError` if the waiting was broken off."""
        with self._lock:
            self.check()
            self._handles[used.fileno()] = used.dup()

    def check(self) -> None:
        """Raise `AbandonedError` if the waiting was broken off."""
        if self._over:
            raise AbandonedError("nobody waits for this connection any more")

    def end(self, number: int) -> None:
        """Record that the thread waits no more for the socket that began with this descriptor."""
        with self._lock:
            handle = self._handles.pop(number, None)
        if handle is not None:
            handle.close()

    def break_off(self) -> None:
        """End whatever the thread waits for (except DNS), now and later."""
        with self._lock:
            self._over = True
            for handle in self._handles.values():
                _shut(handle)

    def finish(self) -> bool:
        """Record that the thread is done; return whether its waiting was never broken off."""
        with self._lock:
            handles = list(self._handles.values())
            self._handles.clear()
            wanted = not self._over
        for handle in handles:
            handle.close()
        return wanted

    def close_in_child(self) -> None:
        """Close the child's descriptors after a fork, without a byte to the peer. Takes no lock."""
        for number, handle in list(self._handles.items()):
            if _same_socket(handle.fileno(), number):
                os.close(number)
            close_descriptor(handle)


def dial(
    host: str,
    port: int,
    deadline: Deadline,
    connecting: Connecting,
    *,
    options: Iterable[tuple[int, int, int | bytes]] = NO_DELAY,
    source: tuple[str, int] | None = None,
) -> socket.socket:
    """Return a socket connected to the address of `host` that answered first; `connecting` still knows it.

    Args:
        host: a name or an address.
        port: TCP port.
        deadline: for all addresses together; the socket's timeout afterwards.
        connecting: receives every socket.
        options: set on each socket before it connects.
        source: address to connect from.

    Raises:
        OSError: none answered (the last one's error), the name does not resolve, or `TimeoutError`.
        AbandonedError: the waiting was broken off.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label that is empty or too long
        raise socket.gaierror(socket.EAI_NONAME, f"not a host name: {error}") from error
    race = _Race(deadline, connecting, tuple(options), source)
    try:
        winner = race.run(in_turns(found))
    finally:
        race.close()
    winner.settimeout(deadline.patience)
    return winner


def in_turns(found: Sequence[Any]) -> list[Address]:
    """Return the addresses in the system's order, with the families taking turns from the first one's on."""
    first = found[0][0] if found else None
    of_first = [address for address in found if address[0] == first]
    others = [address for address in found if address[0] != first]
    pairs = chain.from_iterable(zip_longest(of_first, others))
    return list(dict.fromkeys(address for address in pairs if address is not None))


class _Race:
    """Connects to several addresses side by side."""

    def __init__(
        self,
        deadline: Deadline,
        connecting: Connecting,
        options: tuple[tuple[int, int, int | bytes], ...],
        source: tuple[str, int] | None,
    ) -> None:
        self._deadline = deadline
        self._connecting = connecting
        self._options = options
        self._source = source
        self._running: list[socket.socket] = []
        self._problem: OSError | None = None

    def run(self, addresses: Iterable[Address]) -> socket.socket:
        waiting = deque(addresses)
        next_start = 0.0
        while waiting or self._running:
            if waiting and (not self._running or time.monotonic() >= next_start):
                self._start(waiting.popleft())
                next_start = time.monotonic() + HEAD_START
            for ready in _writable(self._running, self._patience(next_start if waiting else None)):
                if self._connected(ready):
                    self._running.remove(ready)
                    return ready
                self._drop(ready)
                next_start = 0.0
            self._connecting.check()
            if self._deadline.passed:
                raise TimeoutError("none of its addresses answered in time")
        raise self._problem or OSError("the name has no address")

    def close(self) -> None:
        """Close the sockets that did not win."""
        while self._running:
            self._drop(self._running[-1])

    def _start(self, address: Address) -> None:
        family, kind, protocol, _, place = address
        with no_fork():
            try:
                started = socket.socket(family, kind, protocol)
            except OSError as error:  # this machine has no addresses of that family
                self._problem = error
                return
            self._running.append(started)
            self._connecting.begin(started)
        try:
            started.setblocking(False)
            for option in self._options:
                started.setsockopt(*option)
            if self._source is not None:
                started.bind(self._source)
            code = started.connect_ex(place)
            if code not in _UNDER_WAY:
                raise OSError(code, os.strerror(code))
        except OSError as error:
            self._problem = error
            self._drop(started)

    def _connected(self, ready: socket.socket) -> bool:
        try:
            code = ready.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
            ready.getpeername()  # broken off without an error, it has none
        except OSError as error:
            self._problem = error
            return False
        return True

    def _drop(self, loser: socket.socket) -> None:
        with no_fork():
            self._running.remove(loser)
            self._connecting.end(loser.fileno())
            loser.close()

    def _patience(self, next_start: float | None) -> float:
        """Return the seconds to wait for the next address or the end; few, as not every system wakes for a `shutdown`."""
        moment = self._deadline.at if next_start is None else min(self._deadline.at, next_start)
        return min(HEAD_START, max(0.0, moment - time.monotonic()))


def _writable(running: Sequence[socket.socket], seconds: float) -> list[socket.socket]:
    """Wait until one of the sockets is connected or refused.

    Not by a selector: that of the system would be one more descriptor, which a forked child would inherit.
    """
    if not running:
        return []
    if not hasattr(select, "poll"):
        _, connected, refused = select.select([], running, running, seconds)
        return list({*connected, *refused})
    poll = select.poll()
    by_number = {one.fileno(): one for one in running}
    for number in by_number:
        poll.register(number, select.POLLOUT)
    return [by_number[number] for number, _ in poll.poll(seconds * 1000)]


def close_descriptor(held: Any) -> None:
    """Close a socket's descriptor and nothing else: no shutdown, no TLS farewell."""
    inner = getattr(held, "socket", held)  # urllib3's TLS in TLS keeps the real socket inside
    try:
        os.close(inner.detach())
    except OSError:
        pass


def _same_socket(one: int, other: int) -> bool:
    """Return whether two descriptors are of one socket; a number may belong to another by now."""
    try:
        return one != other and os.path.sameopenfile(one, other)
    except OSError:
        return False


def _shut(handle: socket.socket) -> None:
    try:
        handle.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
