"""The floors of the rows: stripped programs that do only what is unavoidable, with websocket-client, json and one thread.

No state but what the row needs, no events, no errors, no reconnect, no types. A worker; see `benchmarks.bare` for its connection.
"""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import websocket

from benchmarks.bare import SUBSCRIPTIONS, Bare, poke, subscribe
from benchmarks.worker import answer_lines, resident_kib, spread, threads

IN_FLIGHT = 400
BATCH = 100
OBJECTS = {"document": "/v3/Documents/%s.channel", "list": "/v3/Lists/%s.messages", "map": "/v3/Maps/%s.roster?Include=items"}


class Feed:
    """The loop at the blaster: counts messages as they come."""

    def __init__(self) -> None:
        self.connection: Bare | None = None
        self.cpu = 0.0

    def open(self, twilsock: str, token: str, sid: str, **_: Any) -> Mapping[str, Any]:
        """Subscribe to the conversation's list and document."""
        self.connection = bare = Bare(twilsock, token)
        subscribe(bare, sid)
        self.cpu = time.process_time()
        return {}

    def collect(self, count: int, acknowledge: bool) -> Mapping[str, Any]:
        """Wait for `count` messages."""
        bare = self.connection
        assert bare is not None
        seen = 0
        while seen < count:
            _, payload = bare.receive(acknowledge=acknowledge)
            if payload is not None and payload.get("event_type") == "list_item_added":
                seen += len(payload["events"])
        finished, cpu = time.monotonic(), time.process_time() - self.cpu
        bare.close()
        return {"finished": finished, "cpu": cpu}


class Listing(Bare):
    """A connection that counts what is subscribed to, and the messages that come."""

    def __init__(self, twilsock: str, token: str) -> None:
        self.established = self.messages = 0
        super().__init__(twilsock, token)

    def notified(self, payload: Any) -> None:
        """Count."""
        kind = payload.get("event_type") if isinstance(payload, dict) else None
        if kind == "subscription_established":
            self.established += len(payload["events"])
        elif kind == "list_item_added":
            self.messages += len(payload["events"])

    def wait_for(self, what: str, count: int) -> None:
        """Receive until so many have come."""
        while getattr(self, what) < count:
            self.notified(self.receive()[1])


def start_up(twilsock: str, token: str, **_: Any) -> Mapping[str, Any]:
    """Connect, and open the objects of the own user and of one conversation, as a client must before it is initialized."""
    began, used = time.perf_counter(), time.process_time()
    bare = Listing(twilsock, token)
    _open_all(bare, bare.get("/Client/v2/Configuration"))
    bare.close()
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}


def list_conversations(twilsock: str, token: str, **_: Any) -> Mapping[str, Any]:
    """List all, open and subscribe to three objects of each, and receive a message in the last one."""
    began, used = time.perf_counter(), time.process_time()
    bare = Listing(twilsock, token)
    configuration = bare.get("/Client/v2/Configuration")
    sids = _open_all(bare, configuration)
    path = urlsplit(configuration["links"]["conversations"]).path
    bare.request("POST", f"{path}/{sids[-1]}/Messages", {"body": "the last one", "attributes": "{}"})
    bare.wait_for("messages", 1)
    bare.close()
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used, "conversations": len(sids)}


def _open_all(bare: Listing, configuration: Mapping[str, Any]) -> list[str]:
    """Return the sids of all conversations, whose objects are subscribed to, like the map of the own user."""
    listed = urlsplit(configuration["links"]["my_conversations"]).path
    sids: list[str] = []
    token: str | None = ""
    while token is not None:
        page = bare.get(f"{listed}?PageSize=100" + (f"&PageToken={token}" if token else ""))
        sids += [one["conversation_sid"] for one in page["conversations"]]
        token = page["meta"]["next_token"]
    user = configuration["sync_objects"]["my_user_info"]
    paths = [("map", f"/v3/Maps/{user}?Include=items"), *((kind, path % sid) for sid in sids for kind, path in OBJECTS.items())]
    answers = bare.pipeline((("GET", path, None) for _, path in paths), IN_FLIGHT)
    objects = [(kind, root) for (kind, _), (_, root) in zip(paths, answers, strict=True)]
    batches = [objects[start : start + BATCH] for start in range(0, len(objects), BATCH)]
    bare.pipeline(("POST", SUBSCRIPTIONS, poke(number, batch)) for number, batch in enumerate(batches, 1))
    bare.wait_for("established", len(objects))
    return sids


def send(twilsock: str, token: str, sid: str, count: int, follow: bool, **_: Any) -> Mapping[str, Any]:
    """`count` messages, each after the answer to the one before; the median and the 99th percentile, and cpu, seconds.

    With `follow` the events of each message come too, and before its answer, as for any client of the conversation.
    """
    bare = Bare(twilsock, token)
    if follow:
        subscribe(bare, sid)
    links = bare.get("/Client/v2/Configuration")["links"]
    path = urlsplit(links["conversations"]).path + f"/{sid}/Messages"
    times = []
    used = time.process_time()
    for number in range(count):
        started = time.perf_counter()
        status, _ = bare.request("POST", path, {"body": f"message {number}", "attributes": "{}"})
        times.append(time.perf_counter() - started)
        if status >= 300:
            raise ConnectionError(f"status {status}")
    used = time.process_time() - used
    bare.close()
    return {**spread(times), "cpu": used}


def send_together(twilsock: str, token: str, sid: str, count: int, senders: int, **_: Any) -> Mapping[str, Any]:
    """`count` messages for each of several senders, as many of them under way; the time of all, seconds."""
    bare = Bare(twilsock, token)
    subscribe(bare, sid)
    path = urlsplit(bare.get("/Client/v2/Configuration")["links"]["conversations"]).path + f"/{sid}/Messages"
    began = time.perf_counter()
    bodies = ({"body": f"message {number}", "attributes": "{}"} for number in range(count * senders))
    answers = bare.pipeline((("POST", path, body) for body in bodies), senders)
    seconds = time.perf_counter() - began
    bare.close()
    if any(status >= 300 for status, _ in answers):
        raise ConnectionError("a message was refused")
    return {"seconds": seconds}


def history(twilsock: str, token: str, sid: str, **_: Any) -> Mapping[str, Any]:
    """All messages of a conversation, by pages of 100 from the newest to the oldest."""
    bare = Bare(twilsock, token)
    began = time.perf_counter()
    path: str | None = f"/v3/Lists/{sid}.messages/Items?PageSize=100&Order=desc"
    root, count, token_of_page = path, 0, None
    while path is not None:
        page = bare.get(path)
        count += len(page["items"])
        token_of_page = page["meta"]["next_token"]
        path = None if token_of_page is None else f"{root}&PageToken={token_of_page}"
    bare.close()
    return {"seconds": time.perf_counter() - began, "messages": count}


def idle(twilsock: str, token: str, count: int, **_: Any) -> Mapping[str, Any]:
    """Memory and threads of each of `count` further connections with a reading and a waiting thread, as a client has."""
    ending = threading.Event()
    connections = [_Idle(twilsock, token, ending)]
    gc.collect()
    memory, running = resident_kib(), threads()
    connections += [_Idle(twilsock, token, ending) for _ in range(count)]
    gc.collect()
    answer = {"kib": (resident_kib() - memory) / count, "threads": (threads() - running) / count}
    ending.set()
    for connection in connections:
        connection.close()
    return answer


class _Idle:
    """A connection whose objects are subscribed to, read by a thread; a second thread waits for events."""

    def __init__(self, twilsock: str, token: str, ending: threading.Event) -> None:
        self._bare = Listing(twilsock, token)
        self._ending = ending
        _open_all(self._bare, self._bare.get("/Client/v2/Configuration"))
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=ending.wait)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        self._bare.ws.settimeout(None)
        while not self._ending.is_set():
            try:
                self._bare.receive()
            except (OSError, websocket.WebSocketException):
                return

    def close(self) -> None:
        """End the connection and its threads."""
        self._bare.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._bare.close()


if __name__ == "__main__":
    feed = Feed()
    answer_lines(
        {
            "start_up": start_up,
            "list": list_conversations,
            "send": send,
            "send_together": send_together,
            "history": history,
            "idle": idle,
            "open_feed": feed.open,
            "collect": feed.collect,
        }
    )
