"""Checks: Sync objects, their items and their events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import attrs

from twilio_conversations.client.client import Client
from twilio_conversations.errors import ReplyError
from twilio_conversations.probe.findings import Check
from twilio_conversations.probe.line import Line, SyncEvent, accepted
from twilio_conversations.probe.outcomes import Meaning, Seen, Unsettled
from twilio_conversations.probe.stage import HOST, Room, Stage
from twilio_conversations.sync.resources import RootState
from twilio_conversations.util.futures import Deadline, Future
from twilio_conversations.wire.packets import Reply

WINDOW: Final = 8
"""Requests under way at a time."""
PAGE: Final = 100
_MOST_REPLAYS: Final = 20


def do_all(line: Line, method: str, requests: list[tuple[str, Any]], deadline: Deadline) -> None:
    """Send requests (address and body), a few at a time, until each is answered; raise `Unsettled` if one is refused."""
    under_way: deque[Future[Reply]] = deque()
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
    root = host.root("map", room.roster, deadline, items=True)
    given = len(root.items or ())
    page = host.wait(host.sync.page("map", root.items_url, None, PAGE, "asc", "inclusive"), deadline)
    found = _participants_by_client(stage, room, deadline)
    words = f"{given} of {count} participants come with the map, {len(page.items)} on a page of {PAGE}; the client has {found}"
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
    if sorted(ids) == list(range(first, first + count)):
        return Seen("contiguous", f"{words}, ids without a hole{'' if ids == sorted(ids) else ', not in order'}")
    if len(ids) == count:
        return Seen("holes", f"{words}, ids with holes")
    return Seen("fewer", words)


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
    root = stage.host(deadline).root("map", changes.room.roster, deadline)
    sid, cursor, rounds = root.sid, changes.before.last_event_id, 0
    with stage.line(HOST) as line:
        line.ready(deadline)
        while cursor < root.last_event_id and rounds < _MOST_REPLAYS:
            rounds += 1
            end = line.subscribe(sid, "map", cursor, deadline)
            reached = end.body.get("last_event_id")
            if end.body.get("replay_status") != "interrupted" or not isinstance(reached, int) or reached <= cursor:
                break
            cursor = reached
        patience = Deadline(min(1.0, deadline.remaining() or 0.0))
        line.until(lambda: len(line.events(sid)) >= root.last_event_id - changes.before.last_event_id, patience)
        return Replay(range(changes.before.last_event_id + 1, root.last_event_id + 1), line.events(sid), rounds)


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


# -- limits, only on request ----------------------------------------------------------------------------------------------

BUSY: Final = 429
BURST: Final = 600
"""Requests in one burst; Twilio documents 500 a second."""
OBJECT_WRITES: Final = 260
"""Writes to one conversation; Twilio documents 20 a second, and bursts are possible."""


def _answers(line: Line, under_way: list[Future[Reply]], deadline: Deadline) -> tuple[str, str]:
    """Wait for answers; return the outcome, and how the refusals among them look."""
    refusals: list[str] = []
    for future in under_way:
        try:
            answer = line.wait(future, deadline)
        except ReplyError as error:  # the tunnel's own status
            if error.status != BUSY:
                raise
            refusals.append(f"the tunnel (code {error.code})")
        else:
            if answer.code == BUSY:
                after = "with" if "retry-after" in answer.http_headers else "without"
                refusals.append(f"the service, {after} Retry-After")
    if not refusals:
        return "accepted", f"none of {len(under_way)} was refused"
    return "refused", f"some of {len(under_way)} were refused with {BUSY} by {refusals[0]}"


def _burst(stage: Stage, deadline: Deadline) -> Seen:
    with stage.line(HOST) as line:
        url = line.ready(deadline).configuration(deadline)[1].my_conversations_url
        stage.pause(2.0)
        answers = [line.begin("GET", url, deadline=deadline) for _ in range(BURST)]
        return Seen(*_answers(line, answers, deadline))


def _object_writes(stage: Stage, deadline: Deadline) -> Seen:
    with stage.line(HOST) as line:
        room = stage.room(deadline)
        line.ready(deadline)
        writes = [
            line.begin("POST", room.url, {"friendly_name": f"probe {number}"}, deadline=deadline)
            for number in range(OBJECT_WRITES)
        ]
        return Seen(*_answers(line, writes, deadline))


def _subscriptions(stage: Stage, deadline: Deadline) -> Seen:
    """Subscribe to the objects of a few conversations."""
    rooms = [stage.room(deadline) for _ in range(4)]
    with stage.line(HOST) as line:
        line.ready(deadline)
        objects = []
        for room in rooms:
            for kind, name in (("list", f"{room.sid}.messages"), ("map", room.roster), ("document", f"{room.sid}.channel")):
                root = line.root(kind, name, deadline)  # type: ignore[arg-type]
                objects.append((root.sid, kind, root.last_event_id))
        number = line.poke(objects, deadline)  # type: ignore[arg-type]
        outcomes = line.outcomes(number, len(objects), deadline)
    failed = [event.body.get("error") for event in outcomes if event.type != "subscription_established"]
    if not failed:
        return Seen("accepted", f"all of {len(objects)} subscriptions were established")
    code = failed[0].get("code") if isinstance(failed[0], dict) else None
    words = f"{len(objects) - len(failed)} of {len(objects)} subscriptions were established, the others failed with {code}"
    return Seen("refused", words)


_ACCEPTED: Final = Meaning("the limit, if there is one, is higher")

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
    Check(
        name="burst-limit",
        question=f"How are {BURST} requests at once answered?",
        look=_burst,
        outcomes={"refused": Meaning("the client repeats them later"), "accepted": _ACCEPTED},
        only="limits",
    ),
    Check(
        name="object-write-limit",
        question=f"How are {OBJECT_WRITES} quick writes to one conversation answered?",
        look=_object_writes,
        outcomes={"refused": Meaning("the client repeats them later"), "accepted": _ACCEPTED},
        only="limits",
    ),
    Check(
        name="subscription-limit",
        question="Are the subscriptions of a few conversations accepted?",
        look=_subscriptions,
        outcomes={
            "refused": Meaning("some conversations receive no events", right=False),
            "accepted": _ACCEPTED,
        },
        only="limits",
    ),
)
