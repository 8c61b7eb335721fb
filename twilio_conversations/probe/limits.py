"""Checks: how limits are answered. They are a burden for the service, so they run on request only."""

from __future__ import annotations

from typing import Final

from twilio_conversations.errors import ReplyError
from twilio_conversations.probe.findings import Check
from twilio_conversations.probe.line import FAILED, Line
from twilio_conversations.probe.outcomes import Meaning, Seen
from twilio_conversations.probe.stage import HOST, Stage
from twilio_conversations.sync.changes import Kind
from twilio_conversations.util.futures import Deadline, SharedFuture
from twilio_conversations.wire.packets import Reply

BUSY: Final = 429
BURST: Final = 600
"""Requests in one burst; Twilio documents 500 a second."""
OBJECT_WRITES: Final = 260
"""Writes to one conversation; Twilio documents 20 a second, and bursts are possible."""


def _answers(line: Line, under_way: list[SharedFuture[Reply]], deadline: Deadline) -> tuple[str, str]:
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
        objects: list[tuple[str, Kind, int]] = []
        for room in rooms:
            for kind, name in room.sync_objects:
                root = line.root(kind, name, deadline)
                objects.append((root.sid, kind, root.last_event_id))
        number = line.poke(objects, deadline)
        outcomes = line.outcomes(number, len(objects), deadline)
    failed = [event.body.get("error") for event in outcomes if event.type == FAILED]
    if not failed:
        return Seen("accepted", f"all of {len(objects)} subscriptions were established")
    code = failed[0].get("code") if isinstance(failed[0], dict) else None
    words = f"{len(objects) - len(failed)} of {len(objects)} subscriptions were established, the others failed with {code}"
    return Seen("refused", words)


_ACCEPTED: Final = Meaning("the limit, if there is one, is higher")

CHECKS: Final = (
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
