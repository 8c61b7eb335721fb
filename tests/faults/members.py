"""The clients of a run, ours and the official ones behind one interface, and the threads that send."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from tests.faults.counting import Send
from tests.interop.official import Driver, OfficialError
from tests.support.patience import PATIENCE
from twilio_conversations import Client
from twilio_conversations.options import BackoffPolicy

QUICK = BackoffPolicy(minimum=0.02, maximum=0.5, stable_after=0.2)
OPTIONS: dict[str, Any] = {
    "reconnect": QUICK,
    "keepalive_interval": 0.7,
    "keepalive_timeout": 1.0,
    "connect_timeout": 3.0,
    "init_timeout": 3.0,
}
OFFICIAL_OPTIONS = {"retryPolicy": {"min": 20, "max": 500, "randomness": 0.2}}
OFFICIAL_PACKAGE = "conversations-3.0.1"
SEND_LIMIT = 60.0
ENTERING = 10.0  # seconds for one answer of the official SDK


class ConnectionTimes:
    """Number of connects and length of outages of a client, from its own connection states."""

    def __init__(self) -> None:
        self.connects = 0
        self._lock = threading.Lock()
        self._lost_at: float | None = None
        self._longest = 0.0

    def changed(self, state: str) -> None:
        """The client's connection is now in that state."""
        now = time.monotonic()
        with self._lock:
            if state == "connected":
                self.connects += 1
                self._longest = max(self._longest, now - (self._lost_at or now))
                self._lost_at = None
            elif self.connects and self._lost_at is None:
                self._lost_at = now

    @property
    def reconnects(self) -> int:
        return max(0, self.connects - 1)

    @property
    def longest_outage(self) -> float:
        """Seconds, one that lasts included."""
        with self._lock:
            return max(self._longest, time.monotonic() - self._lost_at if self._lost_at is not None else 0.0)


class Member(Protocol):
    """One client."""

    identity: str
    connection: ConnectionTimes
    seen: dict[str, list[tuple[int, str]]]

    def enter(self, sid: str) -> None:
        """Wait until it follows a conversation."""

    def send(self, sid: str, body: str) -> None:
        """Send, and wait until the message is acknowledged."""

    def close(self) -> None:
        """Close the client."""


class OurMember:
    """A client of ours."""

    def __init__(self, identity: str, provider: Callable[[], str], url: str) -> None:
        self.identity = identity
        self.connection = ConnectionTimes()
        self.seen: dict[str, list[tuple[int, str]]] = {}
        self._client = Client(provider, endpoint=url, auto_connect=False, **OPTIONS)
        self._client.on("message_added", self._saw)
        self._client.on("connection_state_changed", lambda state: self.connection.changed(state.value))
        self._client.connect()

    def _saw(self, message: Any) -> None:
        self.seen.setdefault(message.conversation.sid, []).append((message.index, message.body))

    def enter(self, sid: str) -> None:
        self._client.get_conversation_by_sid(sid, timeout=PATIENCE)

    def send(self, sid: str, body: str) -> None:
        self._client.get_conversation_by_sid(sid, timeout=SEND_LIMIT).send_message(body, timeout=SEND_LIMIT)

    def close(self) -> None:
        self._client.close()


class OfficialMember:
    """A client of the official SDK. Its token is valid for the whole run: no fault expires it."""

    def __init__(self, driver: Driver, identity: str, provider: Callable[[], str], url: str) -> None:
        self.identity = identity
        self.connection = ConnectionTimes()
        self.seen: dict[str, list[tuple[int, str]]] = {}
        self._official = driver.start(identity, provider(), url, OFFICIAL_OPTIONS)
        self._official.listen(self._received)
        self._official.wait_event("initialized", timeout=PATIENCE)
        if not self.connection.connects:
            self.connection.changed(self._official.state()["connectionState"])

    def _received(self, event: str, data: Any) -> None:
        if event == "messageAdded":
            self.seen.setdefault(data["conversationSid"], []).append((data["index"], data["body"]))
        elif event == "connectionStateChanged":
            self.connection.changed(data)

    def enter(self, sid: str) -> None:
        """Wait until it follows a conversation. It rejects when the connection breaks meanwhile, and behind a black hole it never
        answers: what it misses for that reason is counted like everything else that it misses."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(OfficialError, AssertionError):
                self._official.conversation(sid).call("getParticipants", timeout=ENTERING)
                return

    def send(self, sid: str, body: str) -> None:
        self._official.conversation(sid).call("sendMessage", body, timeout=SEND_LIMIT)

    def close(self) -> None:
        with contextlib.suppress(AssertionError, OfficialError):
            self._official.ask("shutdown", timeout=2.0)


class Sender:
    """A thread that sends one message after the other, to the conversations in turn, and records the outcome of each."""

    def __init__(
        self, send: Callable[[str, str], object], conversations: list[str], name: str, *, rate: float | None = None
    ) -> None:
        """At most `rate` messages a second."""
        self.name = name
        self.under_way: str | None = None
        self.sends: list[Send] = []
        self.acknowledged = 0
        self._send = send
        self._conversations = conversations
        self._pause = 0.0 if rate is None else 1 / rate
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sender-{name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stopping.is_set():
            start = time.monotonic()
            self._send_one(self._conversations[number % len(self._conversations)], number)
            number += 1
            self._stopping.wait(max(0.0, self._pause - (time.monotonic() - start)))

    def _send_one(self, sid: str, number: int) -> None:
        self.under_way = body = f"{self.name} {number} {'.' * (number * 37 % 600)}"
        try:
            self._send(sid, body)
        except BaseException as error:
            self.sends.append(Send(sid, body, f"{type(error).__name__}: {error}"[:200]))
        else:
            self.sends.append(Send(sid, body))
            self.acknowledged += 1
        self.under_way = None

    def ask_to_stop(self) -> None:
        """Stop after the message under way."""
        self._stopping.set()

    def ended(self) -> bool:
        """Wait until it has ended; return whether it did."""
        self._thread.join(SEND_LIMIT + 10)
        return not self._thread.is_alive()


@contextlib.contextmanager
def sending(members: list[Member], sids: list[str], *, each: int = 1, rate: float | None = None) -> Iterator[list[Sender]]:
    """Start so many senders for each member; stop them afterwards."""
    senders = [Sender(one.send, sids, f"{one.identity}-{n}", rate=rate) for one in members for n in range(each)]
    try:
        yield senders
    finally:
        for sender in senders:
            sender.ask_to_stop()


def stop(senders: list[Sender]) -> int:
    """Stop all; return the number of those that hang."""
    for sender in senders:
        sender.ask_to_stop()
    return sum(not sender.ended() for sender in senders)
