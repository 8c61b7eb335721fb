"""Checks: the same mutation id twice, by kind of command and by the time between the two."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs

from twilio_conversations.probe.findings import Check, Only
from twilio_conversations.probe.line import Line, accepted
from twilio_conversations.probe.outcomes import Meaning, Seen, Unsettled
from twilio_conversations.probe.stage import HOST, Stage
from twilio_conversations.util import urls
from twilio_conversations.util.futures import Deadline
from twilio_conversations.wire.packets import Reply

HONOURED: Final = "honoured"
EXECUTED: Final = "executed again"
_CONFLICT: Final = 202
_BUSY: Final = (429, 500, 502, 503, 504)


@attrs.frozen(kw_only=True)
class Trial:
    """A command that is sent twice.

    Attributes:
        method, url, body: the command.
        judge: outcome by the two answers.
        between: another command, sent between the two.
        answered: receives each answer at once.
    """

    method: str
    url: str
    body: dict[str, Any]
    judge: Callable[[Reply, Reply, Deadline], str]
    between: Callable[[Deadline], object] = lambda _: None
    answered: Callable[[Reply], object] = lambda _: None


def _message(stage: Stage, deadline: Deadline) -> Trial:
    return Trial(method="POST", url=stage.room(deadline).messages, body={"body": "twice"}, judge=_by_sid)


def _participant(stage: Stage, deadline: Deadline) -> Trial:
    body = {"identity": stage.identity(stage.newcomer())}
    return Trial(method="POST", url=stage.room(deadline).participants, body=body, judge=_by_answer(409))


def _conversation(stage: Stage, deadline: Deadline) -> Trial:
    url = stage.host(deadline).configuration(deadline)[1].conversations_url

    def remember(answer: Reply) -> None:
        if sid := _sid(answer):
            stage.remember(sid, urls.join(url, sid))

    return Trial(method="POST", url=url, body={"friendly_name": "probe"}, judge=_by_sid, answered=remember)


def _update(stage: Stage, deadline: Deadline) -> Trial:
    room, host = stage.room(deadline), stage.host(deadline)

    def change(deadline: Deadline) -> None:
        host.do("POST", room.url, {"friendly_name": "between"}, deadline=deadline)

    def judge(first: Reply, second: Reply, deadline: Deadline) -> str:
        name = host.do("GET", room.url, deadline=deadline).get("friendly_name")
        if name not in ("between", "twice"):
            raise Unsettled("the name that was set cannot be read")
        return HONOURED if name == "between" else EXECUTED

    return Trial(method="POST", url=room.url, body={"friendly_name": "twice"}, judge=judge, between=change)


def _delete(stage: Stage, deadline: Deadline) -> Trial:
    room, host = stage.room(deadline), stage.host(deadline)
    sid = host.do("POST", room.messages, {"body": "to be deleted"}, deadline=deadline)["sid"]
    return Trial(method="DELETE", url=urls.join(room.messages, sid), body={}, judge=_by_answer(404))


@attrs.frozen(kw_only=True)
class Kind:
    """A kind of command.

    Attributes:
        prepare: returns the command.
        executed: meaning of a second execution.
    """

    prepare: Callable[[Stage, Deadline], Trial]
    executed: Meaning


KINDS: Final = {
    "message": Kind(
        prepare=_message, executed=Meaning("the client looks for the message among the newest ones before it repeats the command")
    ),
    "participant": Kind(
        prepare=_participant, executed=Meaning("the refusal of a repeated command counts as success, as the participant is there")
    ),
    "conversation": Kind(
        prepare=_conversation,
        executed=Meaning("a repeated command without a unique name may leave an empty conversation behind; with one it does not"),
    ),
    "update": Kind(prepare=_update, executed=Meaning("the client repeats it, as the second execution changes nothing")),
    "delete": Kind(prepare=_delete, executed=Meaning("the 404 of a repeated command counts as success")),
}
_ONCE: Final = Meaning("a command that is repeated after a lost answer acts once")


def _sid(answer: Reply) -> str | None:
    body = answer.json() if answer.ok else None
    sid = body.get("sid") if isinstance(body, dict) else None
    return sid if isinstance(sid, str) else None


def _by_sid(first: Reply, second: Reply, _: Deadline) -> str:
    """Return the outcome of a creation: the second one makes another object, or does not."""
    return HONOURED if second.code == _CONFLICT or _sid(first) == _sid(second) else EXECUTED


def _by_answer(refused: int) -> Callable[[Reply, Reply, Deadline], str]:
    """Return the judge of a command that cannot succeed twice: the second one is refused with that status, if executed."""

    def judge(first: Reply, second: Reply, _: Deadline) -> str:
        if not second.ok and second.code != refused:
            raise Unsettled(f"the second was answered {second.code}")
        return HONOURED if second.ok else EXECUTED

    return judge


@contextmanager
def _same(stage: Stage, deadline: Deadline) -> Iterator[Line]:
    yield stage.host(deadline)


@contextmanager
def _other(stage: Stage, deadline: Deadline) -> Iterator[Line]:
    with stage.line(HOST) as line:
        yield line.ready(deadline)


@attrs.frozen(kw_only=True)
class Moment:
    """Circumstances of the second command."""

    words: str
    line: Callable[[Stage, Deadline], Any] = _same
    waits: str | None = None
    only: Only | None = None


MOMENTS: Final = {
    "at-once": Moment(words="at once, on the same connection"),
    "elsewhere": Moment(words="at once, on a new connection", line=_other),
    "later": Moment(words="a minute later", waits="apart"),
    "much-later": Moment(words="half an hour later", waits="far_apart", only="patient"),
}


def _look(kind: str, moment: Moment) -> Callable[[Stage, Deadline], Seen]:
    """Return the function of one check."""

    def look(stage: Stage, deadline: Deadline) -> Seen:
        trial, mutation_id = KINDS[kind].prepare(stage, deadline), str(uuid.uuid4())
        first = _sent(trial, stage.host(deadline), mutation_id, deadline)
        accepted(first, "first command")
        trial.between(deadline)
        if moment.waits is not None:
            stage.pause(getattr(stage.pace, moment.waits))
        with moment.line(stage, deadline) as line:
            second = _sent(trial, line, mutation_id, deadline)
        outcome = trial.judge(first, second, deadline)
        return Seen(outcome, f"answered {first.code}, then {second.code}; {_RESULTS[outcome]}")

    return look


_RESULTS: Final = {HONOURED: "it acted once", EXECUTED: "it was executed twice"}


def _sent(trial: Trial, line: Line, mutation_id: str, deadline: Deadline) -> Reply:
    """Send the command once."""
    answer = line.send(trial.method, trial.url, trial.body, deadline=deadline, mutation_id=mutation_id)
    trial.answered(answer)
    if answer.code in _BUSY:
        raise Unsettled(f"a command was answered {answer.code}")
    return answer


CHECKS: Final = tuple(
    Check(
        name=f"mutation-id-{kind}-{name}",
        question=f"Is a repeated mutation id honoured: {kind}, {moment.words}?",
        look=_look(kind, moment),
        outcomes={HONOURED: _ONCE, EXECUTED: row.executed},
        waits=moment.waits,
        only=moment.only,
    )
    for name, moment in MOMENTS.items()
    for kind, row in KINDS.items()
)
