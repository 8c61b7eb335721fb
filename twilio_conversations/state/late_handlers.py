"""Late handlers of ``participant_joined`` that were given some participants and wait for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twilio_conversations.models.participant import Participant

Take = Callable[[list[Participant]], object]
"""Give participants to one late handler."""


class LateHandlers:
    """Handlers that wait, for each participant that was known and whose event was still to come. It belongs to the io thread."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Take]] = {}

    def wait(self, sids: Iterable[str], take: Take) -> None:
        """Have a handler wait for these participants."""
        for sid in sids:
            self._waiting.setdefault(sid, []).append(take)

    def give(self, participant: Participant) -> None:
        """Give a participant that has been there for longer to those that wait for it, as no event announces it."""
        for take in self._waiting.pop(participant.sid, ()):
            take([participant])

    def end(self, sid: str) -> None:
        """Wait for a participant no longer: its joining is announced, or it is gone."""
        self._waiting.pop(sid, None)
