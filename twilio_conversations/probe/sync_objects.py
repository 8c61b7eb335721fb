"""Checks: Sync objects, their items and their events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import attrs

from twilio_conversations.client.client import Client
from twilio_conversations.probe.findings import Check
from twilio_conversations.probe.line import Line, SyncEvent, accepted
from twilio_conversations.probe.outcomes import Meaning, Seen, Unsettled
from twilio_conversations.probe.stage import HOST, Room, Stage
from twilio_conversations.sync.resources import RootState
from twilio_conversations.util.futures import Deadline, SharedFuture
from twilio_conversations.wire.packets import Reply

WINDOW: Final = 8
"""Requests under way at a time."""
PAGE: Final = 100
_MOST_REPLAYS: Final = 20


def do_all(line: Line, method: str, requests: list[tuple[str, Any]], deadline: Deadline) -> None:
    """Send requests (address and body), a few at a time, until each is answered; raise `Unsettled` if one is refused."""
    under_way: deque[SharedFuture[Reply]] = deque()
    for url, body in requests:
        if len(under_way) >= WINDOW:
            accepted(line.wait(under_way.popleft(), deadline), method)
        under_way.append(line.begin(method, url, body, deadline=deadline, insist=True))
    while under_way:
        accepted(line.wait(under_way.popleft(), deadline), method)


# -- rosters ----------------------------------------------------------------------------------------------------------


def _roster(stage: Stage, deadline: Deadline) -> Seen:
    room, host, count = stage.room(deadline), stage.host(deadline), stage.pace.roster
    others = [stage.identity(f"member-{number}") for number in range(1, count)]
    do_all(host, "POST", [(room.participants, {"identity": identity}) for identity in others], deadline)
    items_url = host.root("map", room.roster, deadline).items_url

    def on_a_page() -> int:
        return len(host.page(items_url, PAGE, deadline).items)

    paged = stage.caught_up(on_a_page, min(count, PAGE), deadline)
    given = len(host.root("map", room.roster, deadline, items=True).items or ())
    found = _participants_by_client(stage, room, deadline)
    words = f"{given} of {count} participants come with the map, {paged} on a page of {PAGE}; the client has {found}"
    outcome = "none" if not given else "whole" if given == count else "limited"
    return Seen(outcome, words, right=found == count)


def _participants_by_client(stage: Stage, room: Room, deadline: Deadline) -> int:
    """Return the number of participants that a client has."""
    token = stage.target.token(stage.identity(HOST))
    with Client(token, endpoints=stage.target.options.endpoints) as client:
        conversation = client.get_conversation_by_sid(room.sid, timeout=deadline.remaining())
        return len(conversation.get_participants(timeout=deadline.remaining()))


# -- events -----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Changes:
    """Quick changes of one map: its state before them, and the room that it belongs to."""

    room: Room
    before: RootState


def _change(stage: Stage, deadline: Deadline, changed: Callable[[RootState], object] = lambda _: None) -> Changes:
    """Change the host's participant many times; `changed` is called before, with the map."""
    room, host = stage.room(deadline), stage.host(deadline)
    before = host.root("map", room.roster, deadline)
    changed(before)
    bodies = [{"attributes": f'{{"number": {number}}}'} for number in range(stage.pace.changes)]
    do_all(host, "POST", [(room.participant_url, body) for body in bodies], deadline)
    return Changes(room, before)


def _ids(events: list[SyncEvent]) -> list[int]:
    return [event.id for event in events if event.id is not None]


def _event_ids(stage: Stage, deadline: Deadline) -> Seen:
    with stage.line(HOST) as line:
        line.ready(deadline)

        def subscribe(root: RootState) -> None:
            line.subscribe(root.sid, "map", root.last_event_id, deadline)

        changes = _change(stage, deadline, subscribe)
        count, first = stage.pace.changes, changes.before.last_event_id + 1
        patience = Deadline(min(10.0, deadline.remaining() or 0.0))
        line.until(lambda: len(line.events(changes.before.sid)) >= count, patience)
        ids = _ids(line.events(changes.before.sid))
    words = f"{len(ids)} events of {count} changes"
    if len(ids) < count:
        return Seen("fewer", words)
    if sorted(ids) == list(range(first, first + len(ids))):
        return Seen("contiguous", f"{words}, ids without a hole{'' if ids == sorted(ids) else ', not in order'}")
    return Seen("holes", f"{words}, ids with holes")


# -- replays ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Replay:
    """Replay of the changes of an absence: the ids that changed, and the events as they came."""

    ids: range
    events: list[SyncEvent]
    rounds: int


def _replay(stage: Stage, deadline: Deadline) -> Replay:
    """Change a map while nobody follows it, and subscribe to it from before."""
    changes = _change(stage, deadline)
    host, before = stage.host(deadline), changes.before.last_event_id

    def newest() -> int:
        return host.root("map", changes.room.roster, deadline).last_event_id

    last = stage.caught_up(newest, before + stage.pace.changes, deadline)
    sid, cursor, rounds = changes.before.sid, before, 0
    with stage.line(HOST) as line:
        line.ready(deadline)
        while cursor < last and rounds < _MOST_REPLAYS:
            rounds += 1
            end = line.subscribe(sid, "map", cursor, deadline)
            reached = end.body.get("last_event_id")
            if end.body.get("replay_status") != "interrupted" or not isinstance(reached, int) or reached <= cursor:
                break
            cursor = reached
        patience = Deadline(min(1.0, deadline.remaining() or 0.0))
        line.until(lambda: len(line.events(sid)) >= last - before, patience)
        return Replay(range(before + 1, last + 1), line.events(sid), rounds)


def _reach(stage: Stage, deadline: Deadline) -> Seen:
    replay = _replay(stage, deadline)
    seen, wanted = set(_ids(replay.events)), set(replay.ids)
    count = len(wanted & seen)
    words = f"{count} of {len(wanted)} events of the absence were replayed" + (
        f", in {replay.rounds} parts" * (replay.rounds > 1)
    )
    if count == len(wanted):
        return Seen("whole", words)
    if not count:
        return Seen("nothing", words)
    newest = wanted & seen == set(replay.ids[-count:])
    return Seen("short", f"{words}{', the newest' if newest else ''}")


def _order(stage: Stage, deadline: Deadline) -> Seen:
    replay = _replay(stage, deadline)
    ids = _ids(replay.events)
    if not ids:
        raise Unsettled("nothing was replayed")
    live = sum(not event.replayed for event in replay.events)
    if ids == sorted(ids):
        return Seen("in order", "the events came in the order of their ids")
    if ids[0] == max(ids) and ids[1:] == sorted(ids[1:]):
        return Seen("live first", f"the newest event came before the others{', as a live one' if live else ''}")
    return Seen("mixed", "the events came in no order")


CHECKS: Final = (
    Check(
        name="roster",
        question="Does a map that is read with Include=items have all participants of a large conversation?",
        look=_roster,
        outcomes={
            "whole": Meaning("the client's first state is the whole roster; it confirms that by a page"),
            "limited": Meaning("the client completes the roster by pages"),
            "none": Meaning("the client reads the roster by pages"),
        },
        limit=120.0,
    ),
    Check(
        name="event-ids",
        question="Are the event ids of one object contiguous under quick changes?",
        look=_event_ids,
        outcomes={
            "contiguous": Meaning("a hole means a lost event, which the client asks for"),
            "holes": Meaning("the client asks for events that do not exist; that costs requests, and nothing is lost"),
            "fewer": Meaning("the client reads the object again where events are missing"),
        },
        limit=120.0,
    ),
    Check(
        name="replay",
        question="Does a replay after an absence reach back to the cursor?",
        look=_reach,
        outcomes={
            "whole": Meaning("nothing is missed by replays alone"),
            "short": Meaning("the client reads what is newer than it knows, and announces it"),
            "nothing": Meaning("the client reads what is newer than it knows, and announces it"),
        },
        limit=120.0,
    ),
    Check(
        name="replay-order",
        question="In which order do the events of a replay come?",
        look=_order,
        outcomes={
            "in order": Meaning("as the client expects"),
            "live first": Meaning("the client accepts any order"),
            "mixed": Meaning("the client accepts any order"),
        },
        limit=120.0,
    ),
)
