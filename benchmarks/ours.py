"""The worker with our client."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.worker import answer_lines, resident_kib, spread, threads
from twilio_conversations import Client

TIMEOUT = 60.0


def start_up(token: str, url: str, **_: Any) -> Mapping[str, Any]:
    """Constructor to initialized."""
    began, used = time.perf_counter(), time.process_time()
    with Client(token, endpoint=url) as client:
        client.wait_until_ready(TIMEOUT)
        return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}


def list_conversations(token: str, url: str, **_: Any) -> Mapping[str, Any]:
    """All pages walked, every name known, and a message into the last conversation has raised its event."""
    began, used = time.perf_counter(), time.process_time()
    with Client(token, endpoint=url) as client:
        found = list(client.get_subscribed_conversations(page_size=100).iter_all())
        if not all(conversation.friendly_name for conversation in found):
            raise RuntimeError("a friendly name is missing")
        last = found[-1]
        arrived = threading.Event()
        client.on("message_added", lambda message: arrived.set() if message.conversation.sid == last.sid else None)
        last.send_message("the last one")
        if not arrived.wait(TIMEOUT):
            raise TimeoutError("no message_added in the last conversation")
        return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used, "conversations": len(found)}


def send(token: str, url: str, sid: str, count: int, **_: Any) -> Mapping[str, Any]:
    """`count` messages one after the other; the median and the 99th percentile, and cpu, seconds."""
    with Client(token, endpoint=url) as client:
        conversation = client.get_conversation_by_sid(sid)
        times = []
        used = time.process_time()
        for number in range(count):
            began = time.perf_counter()
            conversation.send_message(f"message {number}")
            times.append(time.perf_counter() - began)
        return {**spread(times), "cpu": time.process_time() - used}


def history(token: str, url: str, sid: str, **_: Any) -> Mapping[str, Any]:
    """All messages of a conversation, by pages of 100 from the newest to the oldest."""
    with Client(token, endpoint=url) as client:
        conversation = client.get_conversation_by_sid(sid)
        began = time.perf_counter()
        page = conversation.get_messages(page_size=100)
        count = len(page)
        while page.has_prev_page:
            page = page.prev_page()
            count += len(page)
        return {"seconds": time.perf_counter() - began, "messages": count}


def send_together(token: str, url: str, sid: str, count: int, senders: int, **_: Any) -> Mapping[str, Any]:
    """`count` messages by each of several threads; the time of all, seconds."""
    with Client(token, endpoint=url) as client, ThreadPoolExecutor(senders) as pool:
        conversation = client.get_conversation_by_sid(sid)

        def work(sender: int) -> None:
            for number in range(count):
                conversation.send_message(f"message {number} of {sender}")

        began = time.perf_counter()
        list(pool.map(work, range(senders)))
        return {"seconds": time.perf_counter() - began}


class Feed:
    """A client at the blaster."""

    def __init__(self) -> None:
        self._client: Client | None = None
        self._seen = 0
        self._wanted = 0
        self._last = -1
        self._disordered = 0
        self._done = threading.Event()
        self._cpu = 0.0

    def open(self, token: str, url: str, wanted: int, **_: Any) -> Mapping[str, Any]:
        """Connect and count messages from now on."""
        self._seen, self._wanted, self._last, self._disordered = 0, wanted, -1, 0
        self._done.clear()
        self._client = Client(token, endpoint=url)
        self._client.on("message_added", self._count)
        self._client.wait_until_ready(TIMEOUT)
        self._cpu = time.process_time()
        return {}

    def _count(self, message: Any) -> None:
        self._seen += 1
        if message.index <= self._last:
            self._disordered += 1
        self._last = message.index
        if self._seen >= self._wanted:
            self._done.set()

    def collect(self, count: int, **_: Any) -> Mapping[str, Any]:
        """Wait until all have come."""
        if not self._done.wait(2 * TIMEOUT):
            raise TimeoutError(f"{self._seen} of {count} messages")
        answer = {"finished": time.monotonic(), "cpu": time.process_time() - self._cpu, "disordered": self._disordered}
        assert self._client is not None
        self._client.close()
        return answer


def idle(token: str, url: str, count: int, **_: Any) -> Mapping[str, Any]:
    """Memory and threads of each of `count` further clients beside a first one."""
    clients = [Client(token, endpoint=url)]
    clients[0].wait_until_ready(TIMEOUT)
    gc.collect()
    memory, running = resident_kib(), threads()
    for _number in range(count):
        clients.append(Client(token, endpoint=url))
        clients[-1].wait_until_ready(TIMEOUT)
    time.sleep(0.5)  # the threads that connected have ended
    gc.collect()
    answer = {"kib": (resident_kib() - memory) / count, "threads": (threads() - running) / count}
    for client in clients:
        client.close()
    return answer


if __name__ == "__main__":
    feed = Feed()
    answer_lines(
        {
            "start_up": start_up,
            "list": list_conversations,
            "send": send,
            "send_together": send_together,
            "history": history,
            "open_feed": feed.open,
            "collect": feed.collect,
            "idle": idle,
        }
    )
