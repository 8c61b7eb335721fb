"""Token updates that wait for the service's answer, and until when."""

from __future__ import annotations

import attrs


@attrs.frozen
class _Update:
    """Pending update: its caller waits until `token`, or a later one, is accepted."""

    token: str = attrs.field(repr=False)
    deadline: float


class TokenUpdates:
    """The pending updates of one client, by their keys."""

    def __init__(self) -> None:
        self._pending: dict[str, _Update] = {}

    def add(self, key: str, token: str, deadline: float) -> None:
        """Record that `key` waits for `token` until `deadline`."""
        self._pending[key] = _Update(token, deadline)

    def take(self, token: str) -> list[str]:
        """Remove the updates with this token, and return their keys."""
        return self._remove([key for key, update in self._pending.items() if update.token == token])

    def take_all(self) -> list[str]:
        """Remove all updates, and return their keys."""
        return self._remove(list(self._pending))

    def take_expired(self, now: float) -> list[str]:
        """Remove the updates whose time limit has passed, and return their keys; their token is used all the same."""
        return self._remove([key for key, update in self._pending.items() if update.deadline <= now])

    def next_deadline(self) -> float | None:
        """Return the earliest deadline, `None` without updates."""
        return min(update.deadline for update in self._pending.values()) if self._pending else None

    def _remove(self, keys: list[str]) -> list[str]:
        for key in keys:
            del self._pending[key]
        return keys
