"""Work under way in the clients of this process, for tests that wait until nothing is."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import attrs

from twilio_conversations.client.core import Core, living
from twilio_conversations.util.futures import Deadline

_SLICE = 0.05
"""Seconds after which it is looked whether a client has ended that was asked."""


@attrs.frozen
class Look:
    """A client at one moment. Equal looks with nothing under way: nothing has happened in the client between them.

    Attributes:
        identity: its user, as far as is known.
        twilsock: address of its service.
        init_id: id of its latest `init` frame; empty if it has ended, or was refused.
        mark: different after anything was received or delivered.
        under_way: what is under way, in words.
    """

    identity: str
    twilsock: str
    init_id: str
    mark: tuple[object, ...]
    under_way: tuple[str, ...]


def look(deadline: Deadline) -> list[Look]:
    """Return a look at every client that was started.

    What the calling thread does itself, and events that it is to read from a loop, are not under way.
    """
    caller = threading.current_thread()
    asked = [(core, _ask(core, caller)) for core in living() if core.readiness.started]
    return [_answer(core, answer, caller, deadline) for core, answer in asked]


def _ask(core: Core, caller: threading.Thread) -> queue.SimpleQueue[Look]:
    answer: queue.SimpleQueue[Look] = queue.SimpleQueue()
    core.connection.post(lambda: answer.put(_seen(core, caller)))
    return answer


def _answer(core: Core, answer: queue.SimpleQueue[Look], caller: threading.Thread, deadline: Deadline) -> Look:
    """Return the answer of the io thread; what there is to be seen without it, if it has ended or does not answer."""
    while core.lifetime.cause is None:
        try:
            return answer.get(timeout=min(_SLICE, deadline.slice()))
        except queue.Empty:
            if deadline.passed:
                return _look(core, "", ["an io thread that is busy"])
    return _look(core, "", _delivering(core, caller))


def _seen(core: Core, caller: threading.Thread) -> Look:
    """Look at a client on its io thread."""
    if core.readiness.cause is not None:
        return _look(core, "", _delivering(core, caller))
    return _look(core, core.connection.mark[0], [*_connected(core), *_delivering(core, caller)])


def _connected(core: Core) -> Iterator[str]:
    if not core.readiness.is_ready:
        yield "the start of the client"
    yield from core.connection.under_way()
    yield from core.runtime.sync.under_way()
    yield from core.conversations.under_way()


def _delivering(core: Core, caller: threading.Thread) -> Iterator[str]:
    if core.runtime.transfers:
        yield f"{core.runtime.transfers} transfers of media"
    yield from core.dispatcher.under_way()
    try:
        if any(stream.waits_for(caller) for stream in core.streams):
            yield "events that a loop over events() has yet to read"
    except RuntimeError:  # the set changed while it was read
        yield "a loop over events() that begins"


def _look(core: Core, init_id: str, under_way: Iterator[str] | list[str]) -> Look:
    texts = tuple(under_way)
    mark = (core.number, core.connection.mark, core.dispatcher.taken)
    twilsock = core.runtime.options.endpoints.twilsock
    return Look(core.users.myself.identity, twilsock, init_id, mark, texts)
