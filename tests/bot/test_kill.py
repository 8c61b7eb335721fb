"""A bot that is killed again and again: each message is handed over once, but for those that were in hand."""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from tests.bot import crashing_bot
from tests.support.conversations import every_message
from tests.support.patience import LONG_PATIENCE, PATIENCE
from tests.support.waiting import until
from twilio_conversations import Client, Conversation
from twilio_conversations.server import LocalServer

Place = tuple[str, int]


@attrs.frozen
class Note:
    """One line of a bot: its handler began or ended."""

    what: str
    process: int
    place: Place


class Notes:
    """The file on which all processes of a bot note their handlers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def __len__(self) -> int:
        return self.path.read_bytes().count(b"\n")

    def __iter__(self) -> Iterator[Note]:
        for line in self.path.read_text().splitlines():
            what, process, sid, index = line.split()
            yield Note(what, int(process), (sid, int(index)))


def last_begun(notes: list[Note]) -> set[tuple[int, Place]]:
    """Return, for each process and conversation, the message that was handed over last: in hand when the process was killed."""
    last = {(note.process, note.place[0]): note.place for note in notes if note.what == "begins"}
    return {(process, place) for (process, _), place in last.items()}


def check(notes: list[Note], expected: dict[str, list[int]]) -> int:
    """Check that each message was handed over, in order, and twice only where it was in hand at a kill. Return how often."""
    begun: dict[str, list[int]] = defaultdict(list)
    for note in notes:
        if note.what == "begins":
            begun[note.place[0]].append(note.place[1])
    for sid, indexes in expected.items():
        once = [index for index, _ in itertools.groupby(begun[sid])]
        assert once == indexes, sid
    times = Counter(note.place for note in notes if note.what == "begins")
    in_hand = Counter(place for _, place in last_begun(notes))
    assert [place for place, number in times.items() if number - 1 > in_hand[place]] == []
    return sum(times.values()) - len(times)


class Bots:
    """One bot after another, each a process of its own."""

    def __init__(self, url: str, token: str, notes: Notes) -> None:
        self._command = [sys.executable, crashing_bot.__file__, url, token, str(notes.path)]
        self._notes = notes

    def run_until(self, condition: Callable[[], bool], how: signal.Signals) -> int:
        """Run one until a condition is met, then end it by a signal; return its exit code."""
        with subprocess.Popen(self._command, stderr=subprocess.DEVNULL) as process:
            try:
                until(lambda: condition() or process.poll() is not None, "the next signal", LONG_PATIENCE)
                process.send_signal(how)
                return process.wait(PATIENCE)
            finally:
                process.kill()

    def kill_after(self, lines: int) -> None:
        """Run one, and kill it when so many lines are on the file."""
        assert self.run_until(lambda: len(self._notes) >= lines, signal.SIGKILL) == -signal.SIGKILL


def seeded(server: LocalServer, identity: str, messages: int, rooms: int) -> list[str]:
    """Create conversations in which a bot is, with that many messages together; return their sids."""
    each = [{"author": "alice", "body": f"text {number}"} for number in range(messages // rooms)]
    people = [{"identity": "alice"}, {"identity": identity}, {"identity": "reader"}]
    made = server.seed({"conversations": [{"participants": people, "messages": each} for _ in range(rooms)]})
    return [one["sid"] for one in made["conversations"]]


def horizon(room: Conversation, identity: str) -> int:
    """Return the read horizon of a participant, -1 before the first message."""
    mark = room.get_participant_by_identity(identity).last_read_message_index
    return -1 if mark is None else mark


def killed_again_and_again(path: Path, messages: int, rooms: int, kills: int) -> tuple[int, int]:
    """Return how many messages were handed over once more after a kill, and how many were answered twice."""
    seed = random.randrange(2**32)
    print("seed", seed)
    numbers = random.Random(seed)
    each = messages // rooms
    with LocalServer() as server, Client(server.token("reader"), endpoint=server.url) as reader:
        mine = [reader.get_conversation_by_sid(sid) for sid in seeded(server, "bot", messages, rooms)]
        notes = Notes(path)
        bots = Bots(server.url, server.token("bot"), notes)
        for number in range(kills):
            lines = 2 * messages * (number + 1) // (kills + 1) + numbers.randrange(-9, 10)
            bots.kill_after(max(len(notes) + 1, lines))
        assert bots.run_until(lambda: all(horizon(room, "bot") >= each - 1 for room in mine), signal.SIGTERM) == 0
        answers = [[one.body for one in every_message(room) if one.author == "bot"] for room in mine]
    assert [set(bodies) for bodies in answers] == [{f"answer text {number}" for number in range(each)}] * rooms
    repeated = check(list(notes), {room.sid: list(range(each)) for room in mine})
    return repeated, sum(map(len, answers)) - messages


@pytest.mark.slow
def test_a_bot_that_is_killed(tmp_path: Path) -> None:
    """Three kills in 120 messages. Those that were in hand are handed over again, and their answers are not sent again."""
    repeated, answered_twice = killed_again_and_again(tmp_path / "notes", messages=120, rooms=4, kills=3)
    assert repeated <= 3 * 4
    assert answered_twice == 0


@pytest.mark.long
def test_a_bot_that_is_killed_twenty_times(tmp_path: Path) -> None:
    """Twenty kills in 5,000 messages of ten conversations."""
    repeated, answered_twice = killed_again_and_again(tmp_path / "notes", messages=5000, rooms=10, kills=20)
    print(f"5,000 messages, 20 kills: {repeated} handed over once more, {answered_twice} answered twice")
    assert repeated <= 20 * 8
    assert answered_twice == 0
