"""One selector loop that carries bytes between the clients of a TCP service and the service.

`Relay` forwards everything at once. What else can happen to bytes is said by subclasses, which override `opened`, `received`,
`ended` and `idle`: these run on the relay's own thread, so a policy needs no lock. Other threads hand work to that thread
with `call`.
"""

from __future__ import annotations

import contextlib
import enum
import heapq
import itertools
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

import attrs

CHUNK = 64 * 1024
HIGH_WATER = 1024 * 1024  # a flow with this much queued reads no more, as a real path would not
LONGEST_SLEEP = 0.5
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on with no time: close() sends RST and drops what is unsent

T = TypeVar("T")


class Direction(enum.Enum):
    """Which way bytes go: `UP` from client to service, `DOWN` from service to client."""

    UP = "up"
    DOWN = "down"


@attrs.define(eq=False)
class Flow:
    """One direction of a connection: what was read from `source` and is not yet written to `sink`."""

    direction: Direction
    source: socket.socket
    sink: socket.socket
    queue: deque[bytes] = attrs.field(factory=deque)
    queued: int = 0
    under_way: int = 0  # bytes that the policy has taken, and will push later
    carried: int = 0
    last_byte: float = 0.0
    stalled: bool = False
    end_seen: bool = False
    end_sent: bool = False

    def push(self, data: bytes) -> None:
        """Let `data` go on its way."""
        if data:
            self.queue.append(data)
            self.queued += len(data)

    @property
    def wants_to_read(self) -> bool:
        """Whether more may be read from the source."""
        return not (self.stalled or self.end_seen) and self.queued + self.under_way < HIGH_WATER

    @property
    def wants_to_write(self) -> bool:
        """Whether bytes wait for the sink."""
        return bool(self.queue) and not self.stalled

    def write(self) -> None:
        """Write as much as the sink takes now."""
        while self.queue:
            head = self.queue[0]
            sent = self.sink.send(head)
            self.queued -= sent
            self.carried += sent
            if sent < len(head):
                self.queue[0] = head[sent:]
                return
            self.queue.popleft()


@attrs.define(eq=False)
class Link:
    """One client's connection through the relay."""

    number: int
    client: socket.socket
    service: socket.socket
    up: Flow
    down: Flow
    alive: bool = True

    @property
    def flows(self) -> tuple[Flow, Flow]:
        """Both directions."""
        return (self.up, self.down)

    def close(self) -> None:
        """Close both sockets."""
        self.client.close()
        self.service.close()


class Relay:
    """A TCP relay on 127.0.0.1 with a free port in front of `target`; use it as a context manager."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.accepted = 0
        self.links: list[Link] = []
        self._forgotten: list[Link] = []
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._waker, self._wakee = socket.socketpair()
        self._waker.setblocking(False)
        self._wakee.setblocking(False)
        self._selector.register(self._wakee, selectors.EVENT_READ, None)
        self._calls: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"relay-{self.port}", daemon=True)

    @property
    def url(self) -> str:
        """The base address to give to a client."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def twilsock(self) -> str:
        """The websocket's address through this relay."""
        return f"ws://127.0.0.1:{self.port}/v3/wsconnect"

    def start(self) -> Self:
        """Accept connections from here on."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection and the port; the thread is gone afterwards."""
        self._stopping = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join(5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def call(self, action: Callable[[], T], timeout: float = 5.0) -> T:
        """Run `action` on the relay's thread and return what it returned."""
        if threading.current_thread() is self._thread:
            return action()
        result: Future[T] = Future()

        def run() -> None:
            try:
                result.set_result(action())
            except Exception as error:
                result.set_exception(error)

        self._calls.append(run)
        self._wake()
        return result.result(timeout)

    # what a policy overrides (all on the relay's thread)

    def opened(self, link: Link) -> None:
        """A client connected and the service answered the connect."""

    def received(self, link: Link, flow: Flow, data: bytes) -> None:
        """Bytes arrived; `flow.push` lets them go on."""
        flow.push(data)

    def closed(self, link: Link) -> None:
        """The connection is over, whoever ended it."""

    def idle(self, now: float) -> float | None:
        """Called before each wait, for policies that watch for silence; returns when to call again at the latest."""
        return None

    # tools for policies (on the relay's thread)

    def later(self, when: float, action: Callable[[], None]) -> None:
        """Run `action` at the monotonic time `when`."""
        heapq.heappush(self._timers, (when, next(self._order), action))

    def reset(self, link: Link, *ends: socket.socket) -> None:
        """End a connection with RST, on both sides unless told which; the other one's socket is closed in order."""
        for end in ends or (link.client, link.service):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._drop(link)

    def forget(self, link: Link) -> None:
        """Leave a connection open on both sides and never look at it again."""
        self._forgotten.append(link)
        self._part_with(link)

    # the loop

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        finally:
            for link in list(self.links):
                self._drop(link)
            for link in self._forgotten:
                link.close()
            self._selector.close()
            for end in (self._listener, self._waker, self._wakee):
                end.close()

    def _turn(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()
        wake_at = [now + LONGEST_SLEEP, *(timer[0] for timer in self._timers[:1])]
        if (look_again := self.idle(now)) is not None:
            wake_at.append(look_again)
        for link in list(self.links):
            self._watch(link)
        for key, mask in self._selector.select(max(0.0, min(wake_at) - now)):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._wakee:
                self._run_calls()
            elif key.data.alive:
                self._serve(key.data, key.fileobj, mask)

    def _run_calls(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wakee.recv(CHUNK)
        while self._calls:
            self._calls.popleft()()

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        self.accepted += 1
        try:
            service = socket.create_connection(self.target, timeout=5)
        except OSError:  # the service is down: the client is told as a closed port would tell it
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()
            return
        for end in (client, service):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        now = time.monotonic()
        up = Flow(Direction.UP, client, service, last_byte=now)
        down = Flow(Direction.DOWN, service, client, last_byte=now)
        link = Link(self.accepted, client, service, up, down)
        self.links.append(link)
        self.opened(link)

    def _watch(self, link: Link) -> None:
        """Ask the selector for exactly what the two flows want."""
        wanted = {link.client: 0, link.service: 0}
        for flow in link.flows:
            if flow.wants_to_read:
                wanted[flow.source] |= selectors.EVENT_READ
            if flow.wants_to_write:
                wanted[flow.sink] |= selectors.EVENT_WRITE
        for end, mask in wanted.items():
            if not link.alive:
                return
            key = self._selector.get_map().get(end)
            if key is None and mask:
                self._selector.register(end, mask, link)
            elif key is not None and not mask:
                self._selector.unregister(end)
            elif key is not None and key.events != mask:
                self._selector.modify(end, mask, link)

    def _serve(self, link: Link, end: object, mask: int) -> None:
        try:
            for flow in link.flows:
                if link.alive and flow.sink is end and mask & selectors.EVENT_WRITE:
                    flow.write()
                if link.alive and flow.source is end and mask & selectors.EVENT_READ:
                    self._read(link, flow)
            self._pass_on_ends(link)
        except BlockingIOError:
            return
        except OSError:
            self.reset(link)

    def _read(self, link: Link, flow: Flow) -> None:
        data = flow.source.recv(CHUNK)
        flow.last_byte = time.monotonic()
        if data:
            self.received(link, flow, data)
        else:
            flow.end_seen = True

    def _pass_on_ends(self, link: Link) -> None:
        """A half that ended is ended at the other side too, once everything before it is written."""
        if not link.alive:
            return
        for flow in link.flows:
            if flow.end_seen and not flow.end_sent and not flow.queue and not self.holds(flow):
                flow.end_sent = True
                with contextlib.suppress(OSError):
                    flow.sink.shutdown(socket.SHUT_WR)
        if all(flow.end_sent for flow in link.flows):
            self._drop(link)

    def holds(self, flow: Flow) -> bool:
        """Whether the policy still keeps bytes of this flow back."""
        return False

    def _drop(self, link: Link) -> None:
        if not link.alive:
            return
        self._part_with(link)
        link.close()

    def _part_with(self, link: Link) -> None:
        link.alive = False
        self.links.remove(link)
        for end in (link.client, link.service):
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(end)
        self.closed(link)
