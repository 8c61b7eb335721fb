"""Own adds and removals of participants whose events have not come yet."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import attrs


class Command(enum.Enum):
    """Command that was answered with success."""

    ADD = "add"
    REMOVE = "remove"


@attrs.frozen(eq=False)
class OwnCommand:
    """One command and its place among all that changed the participants."""

    command: Command
    number: int


class OwnCommands:
    """Own commands on the participants of one conversation, until the event of each comes; the client's lock guards it.

    What a command, a reading and an event know of each other is their order: `number` is that of the latest.
    """

    def __init__(self) -> None:
        self.number: int = 0
        self._pending: dict[str, OwnCommand] = {}
        self._adding: set[int] = set()
        self._left: dict[str, int] = {}  # who left while an add was under way: its answer may come after that event

    def begin_add(self) -> int:
        """Note that an add is on its way; return its number for `added` and `end_add`."""
        self._adding.add(number := self._next())
        return number

    def added(self, sid: str, since: int) -> OwnCommand | None:
        """Note the participant that the add of number `since` made; return `None` where it has left again."""
        if self._left.get(sid, 0) > since:
            return None
        return self._note(sid, Command.ADD)

    def end_add(self, number: int) -> None:
        """Note that the add has ended, however it went."""
        self._adding.discard(number)
        if not self._adding:
            self._left.clear()

    def removed(self, sids: Iterable[str]) -> dict[str, OwnCommand]:
        """Note that a removal of these participants was answered."""
        return {sid: self._note(sid, Command.REMOVE) for sid in sids}

    def told(self, sid: str) -> None:
        """Note an event of the participant: an add needs no waiting any more, a removal is still to come."""
        if (own := self._pending.get(sid)) is not None and own.command is Command.ADD:
            del self._pending[sid]

    def left(self, sids: Iterable[str]) -> None:
        """Note that participants are gone, by an event or a reading."""
        for sid in sids:
            self._pending.pop(sid, None)
            if self._adding:
                self._left[sid] = self._next()

    def end(self, sid: str) -> None:
        """Wait for nothing any more."""
        self._pending.pop(sid, None)

    def has(self, sid: str, own: OwnCommand) -> bool:
        """Return whether that very command still waits."""
        return self._pending.get(sid) is own

    def hides(self, sid: str) -> bool:
        """Return whether the participant was removed."""
        return (own := self._pending.get(sid)) is not None and own.command is Command.REMOVE

    def has_added_since(self, sid: str, number: int) -> bool:
        """Return whether the participant was added after `number`: a reading that began then need not have it."""
        return (own := self._pending.get(sid)) is not None and own.command is Command.ADD and own.number > number

    def _note(self, sid: str, command: Command) -> OwnCommand:
        own = self._pending[sid] = OwnCommand(command, self._next())
        return own

    def _next(self) -> int:
        self.number += 1
        return self.number
