"""A client's state without sockets: the real tunnel, Sync client, models and events, on a clock and a wire that the test drives.

`Wire` stands for the connection and `Backend` for the service; nothing else is replaced. The test's thread is the io thread:
what a call waits for is answered while it waits, unless the test holds it.
"""

from __future__ import annotations

import functools
import logging
import re
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from tests.state.backend import BASE, CONFIGURATION, MINE, Backend, Room
from tests.support.patience import PATIENCE
from tests.sync.model_service import Answer, Stored
from twilio_conversations.events.dispatcher import Dispatcher
from twilio_conversations.events.emitter import EventEmitter
from twilio_conversations.events.names import ClientEvent, ConversationEvent, HandlerError
from twilio_conversations.events.signals import Receivers
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.models.message import Message
from twilio_conversations.models.participant import Participant
from twilio_conversations.options import BackoffPolicy, Endpoints, Options
from twilio_conversations.runtime import Runtime
from twilio_conversations.state.conversations import Conversations
from twilio_conversations.state.users import Users
from twilio_conversations.sync.client import SyncClient
from twilio_conversations.transport.lifetime import Lifetime
from twilio_conversations.transport.pending import Pending, Receiver
from twilio_conversations.transport.readiness import Readiness
from twilio_conversations.transport.timers import Timers
from twilio_conversations.util import logs
from twilio_conversations.util.flows import Future, completed
from twilio_conversations.util.futures import Deadline, SharedFuture, wait
from twilio_conversations.values.configuration import Configuration
from twilio_conversations.wire.frame import json_bytes
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import Reply, Status
from twilio_conversations.wire.window import Lane


class Wire:
    """What the state layers use of a connection; the thread that calls is the io thread."""

    name = "driven"
    token = "T"
    trouble: str | None = None
    on_io_thread = True

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.now = 1000.0
        self.timers = Timers(lambda: self.now)
        self.lifetime = Lifetime()
        self.settle: Callable[[], None] = lambda: None

    def run(self, start: Callable[[], Future[Any]]) -> SharedFuture[Any]:
        future: SharedFuture[Any] = SharedFuture()
        pending = Pending()
        key = pending.add(future)
        try:
            started = start()
        except Exception as error:
            pending.fail(key, error)
        else:
            started.add_done_callback(functools.partial(pending.finish, key))
            if not started.done():
                self.settle()
        return future

    def call(self, function: Callable[[], Any]) -> SharedFuture[Any]:
        return self.run(lambda: completed(function()))

    def post(self, function: Callable[[], object]) -> None:
        function()

    def sleep(self, seconds: float) -> Future[None]:
        future: Future[None] = Future()
        if seconds != float("inf"):
            self.timers.call_later(seconds, lambda: future.settle(None))
        return future

    def send(
        self, request: HttpRequest, deadline: Deadline, receiver: Receiver, *, cuts: int = 0, lane: Lane = Lane.COMMAND
    ) -> str:
        del cuts
        id_ = f"TM{len(self.backend.history)}"
        query = "&".join(f"{name}={value}" for name, value in request.params)
        body = request.body if "json" in request.content_type else b""
        url = f"{BASE}{request.path}?{query}"
        facts = {
            "headers": request.headers,
            "body": body,
            "deadline": deadline,
            "idempotent": request.method == "GET",
            "lane": lane,
        }
        future = self.backend.request(request.method, url, **facts)
        if not request.path.startswith(("/v3/", "/v4/")):
            self.backend.rest.append(self.backend.history[-1])

        def answered(done: Future[Answer]) -> None:
            if (error := done.exception()) is not None:
                receiver.fail(error)
            else:
                answer = done.result()
                body = b"" if answer.body is None else json_bytes(answer.body)
                receiver.settle(Reply(id_, http_status=Status(answer.code, "S"), http_headers=answer.http_headers, body=body))

        future.add_done_callback(answered)
        return id_

    def wait(self, future: SharedFuture[Any], deadline: Deadline, what: str) -> Any:
        if not future.done():
            self.settle()
        return wait(future, deadline, what)

    def has_written(self, id_: str) -> bool:
        del id_
        return True


class Program(EventEmitter):
    """The client as its program sees it: somebody who has handlers."""

    _events = ClientEvent


class Failures(logging.Handler):
    """Remembers the errors that are logged: listeners, timers and handlers that raised."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))


class Driven:
    """The state of alice's client, started; every event that her program is told stands in `told`."""

    def __init__(self, *, limit: int = 10_000, **options: Any) -> None:
        options.setdefault("reconnect", BackoffPolicy(jitter=0))
        self.options = Options(endpoints=Endpoints.for_base(BASE), default_timeout=1.0, **options)
        self.backend = Backend()
        self.wire = Wire(self.backend)
        self.wire.settle = self.settle
        self.dispatcher = Dispatcher("driven", limit)
        self.program = Program(Receivers(self.dispatcher))
        readiness = Readiness(Lifetime(), lambda: None)
        connection: Any = self.wire
        self.runtime = Runtime.assembled(self.options, None, connection, readiness, self.dispatcher, self.program)
        self.sync = self.runtime.sync = SyncClient(
            self.runtime.tunnel.request,
            self.wire.timers,
            BASE,
            now=lambda: self.wire.now,
            rng=lambda: 0.5,
            congested=lambda: self.dispatcher.full,
        )
        self.runtime.known_configuration = Configuration.parse(CONFIGURATION)
        self.users = self.runtime.users = Users(self.runtime, "alice")
        self.tracked = Conversations(self.runtime)
        self.mine = self.backend.create("map", "alice.conversations")
        self.backend.create("map", "alice.info")
        self.listing: list[dict[str, Any]] = []
        self._told: list[str] = []
        self._failures = Failures(logging.ERROR)
        self.payloads: list[Any] = []
        self.conversations: dict[str, Conversation] = {}
        for event in ClientEvent:
            if event is not ClientEvent.INITIALIZED:
                self.program.on(event, lambda payload, event=event: self._note("", event, payload))
        self.dispatcher.root = self.program
        readiness.started = True
        readiness.ready()
        self.readiness = readiness

    def __enter__(self) -> Self:
        logging.getLogger("twilio_conversations").addHandler(self._failures)
        self.dispatcher.start()
        self.dispatcher.release()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.dispatcher.close()
        self.dispatcher.join(Deadline(PATIENCE))
        failures = self.failures()
        logging.getLogger("twilio_conversations").removeHandler(self._failures)
        assert kind is not None or not failures

    def start(self) -> Self:
        """Connect, follow the own map and read the listing."""
        self.sync.connected()
        self.backend.answer("GET", MINE, {"conversations": self.listing, "meta": {}})
        for step in (self.users.open, self.tracked.open, self.tracked.load):
            future: Future[Any] = step()
            self.run(1)
            if future.done():
                future.result()
        self.backend.rest.clear()
        return self

    # -- what the service has -----------------------------------------------------------------------------------------

    def room(
        self, sid: str, *, status: str | None = "joined", names: tuple[str, str, str] | None = None, **document: Any
    ) -> Room:
        """Make a conversation; with a status, it is in the listing that the start reads, and later in the own map."""
        document.setdefault("friendlyName", f"name of {sid}")
        names = names or (f"{sid}.channel", f"{sid}.messages", f"{sid}.roster")
        document = {"messages": names[1], "roster": names[2], **document}
        room = Room(self.backend, sid, document, names)
        if status is not None:
            self.own(room, status)
            if not self.tracked.listed.done():
                self.listing.append(self.entry(room, status=status))
        return room

    def own(self, room: Room, status: str, **fields: Any) -> None:
        """Say in the own map how a conversation is had."""
        data = {"channel": room.names[0], "status": status, **fields}
        if room.sid in self.mine.items:
            self.backend.update(self.mine, room.sid, data)
        else:
            self.backend.add(self.mine, data, room.sid)

    def disown(self, room: Room) -> None:
        """Take a conversation out of the own map."""
        self.backend.remove(self.mine, room.sid)

    def entry(self, room: Room, *, status: str = "joined", named: bool = True, **fields: Any) -> dict[str, Any]:
        """The conversation's entry in the listing."""
        kinds = ("conversation", "messages", "participants")
        objects = {"sync_objects": dict(zip(kinds, room.names, strict=True))} if named else {}
        return {"conversation_sid": room.sid, "status": status, **objects, **fields}

    # -- the wire -----------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let everything on the wire arrive that is not held, requests and answers before notifications."""
        backend = self.backend
        for _ in range(100_000):
            pending = next((one for one in backend.requests if not backend.is_held(one)), None)
            if pending is not None:
                backend.execute(pending)
                if pending in backend.requests:
                    backend.requests.remove(pending)
                    if (action := backend.happening(pending)) is not None:
                        action()
                    assert pending.answer is not None
                    pending.future.settle(pending.answer)
            elif not self.hear_one():
                return
        raise AssertionError("the wire never came to rest")

    def hear_one(self) -> bool:
        """Let one notification arrive."""
        if not self.backend.outbox:
            return False
        self.sync.notification(*self.backend.outbox.pop(0))
        return True

    def hear(self) -> None:
        """Let all notifications arrive, and nothing else."""
        while self.hear_one():
            pass

    def run(self, seconds: float) -> None:
        """Let time pass with a working wire."""
        end = self.wire.now + seconds
        self.settle()
        while (deadline := self.wire.timers.next_deadline()) is not None and deadline <= end:
            self.wire.now = max(self.wire.now, deadline)
            self.wire.timers.run_due(self.wire.now)
            self.settle()
        self.wire.now = end

    def forget(self, stored: Stored, head: int = 1000) -> None:
        """Let the service forget the events of an object: the next replay says that there were some, and none comes."""
        stored.journal.clear()
        stored.head += head

    def lose(self, *objects: Stored) -> None:
        """The line breaks and comes back; what was told of these objects meanwhile, and before, is forgotten."""
        self.backend.outbox.clear()
        self.backend.cut()
        self.sync.disconnected()
        for stored in objects:
            self.forget(stored)
        self.sync.connected()

    def cut(self) -> None:
        """The line breaks and comes back."""
        self.backend.cut()
        self.sync.disconnected()
        self.sync.connected()
        self.runtime.connected()

    @property
    def opened(self) -> list[str]:
        """The Sync objects whose events the service sends, by name."""
        return sorted(self.backend.objects[sid].name for sid in self.backend.subscribed if sid in self.backend.objects)

    def read(self, part: str) -> list[str]:
        """The Sync requests so far whose path contains that, as ``path?query``."""
        return [f"{one.path}?{one.query}" for one in self.backend.history if part in one.path and "/v3/" in one.path]

    def pages(self, stored: Stored) -> list[tuple[str | None, ...]]:
        """The pages of a list or map that were asked for since the last time: start, bounds, order, size."""
        found = [one.query for one in self.backend.history if one.path.endswith(f"{stored.sid}/Items") and "Order" in one.query]
        self.backend.history.clear()
        return [tuple(query.get(name) for name in ("From", "Bounds", "Order", "PageSize")) for query in found]

    def asked(self) -> list[str]:
        """The REST requests since the last time, as ``METHOD path``."""
        asked = [f"{pending.method} {pending.path}" for pending in self.backend.rest]
        self.backend.rest.clear()
        return asked

    def asked_for_items(self) -> list[str]:
        """The keys that single items of Sync objects were read by."""
        return [pending.query["Key"] for pending in self.backend.history if "Key" in pending.query]

    # -- what the program sees ----------------------------------------------------------------------------------------

    def failures(self) -> list[str]:
        """The errors that were logged since the last time; those that no test takes fail it."""
        logs.flush(PATIENCE)
        failures, self._failures.records = self._failures.records, []
        return failures

    def conversation(self, sid: str) -> Conversation:
        """The conversation that the program was given first under that sid."""
        self._drain()
        return self.conversations[sid]

    def told(self, only: str = "") -> list[str]:
        """The events since the last time, in order: ``event who reasons``; those of conversations begin with ``own``."""
        self._drain()
        told, self._told = self._told, []
        return [line for line in told if re.search(only, line)]

    def _drain(self) -> None:
        done = threading.Event()
        self.dispatcher.call(done.set)
        assert done.wait(PATIENCE)

    def _note(self, whose: str, event: str, payload: Any) -> None:
        self.payloads.append(payload)
        if event == ClientEvent.CONVERSATION_ADDED and payload.sid not in self.conversations:
            self.conversations[payload.sid] = payload
            for own in ConversationEvent:
                payload.on(own, lambda payload, own=own: self._note("own ", own, payload))
        self._told.append(f"{whose}{event} {_shown(payload)}".rstrip())


def _shown(payload: Any) -> str:
    if isinstance(payload, HandlerError):
        return str(payload.error)
    if isinstance(payload, Conversation | Participant):
        return payload.sid
    if isinstance(payload, Message):
        return f"{payload.conversation.sid}/{payload.index}"
    reasons: Iterable[Any] | None = getattr(payload, "update_reasons", None)
    if reasons is None:
        return str(getattr(payload, "identity", payload))
    subject = next(
        getattr(payload, name) for name in ("conversation", "participant", "message", "user") if hasattr(payload, name)
    )
    return f"{_shown(subject)} {' '.join(reason.value for reason in reasons)}"


def load(alice: Driven, *pages: Any) -> None:
    """Start with these pages of the listing."""
    alice.sync.connected()
    alice.backend.answer("GET", MINE, *pages)
    for step in (alice.users.open, alice.tracked.open, alice.tracked.load):
        step()
        alice.run(1)
