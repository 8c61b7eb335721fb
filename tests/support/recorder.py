"""A listener that remembers what it was told, so that a test can wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from tests.support.patience import PATIENCE
from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import ConnectionErrorInfo, ConversationsError

LIMIT = PATIENCE


class Recorder:
    """Everything a `Connection` tells, in order, as (what, fact)."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self._changed = threading.Condition()

    def _note(self, what: str, fact: Any = None) -> None:
        with self._changed:
            self.told.append((what, fact))
            self._changed.notify_all()

    def wait_for(
        self, what: str, matches: Callable[[Any], bool] = lambda fact: True, *, count: int = 1, limit: float = LIMIT
    ) -> Any:
        """Wait until `what` was told `count` times with a matching fact; returns the last of these facts."""
        end = time.monotonic() + limit
        with self._changed:
            while True:
                found = [fact for name, fact in self.told if name == what and matches(fact)]
                if len(found) >= count:
                    return found[count - 1]
                assert self._changed.wait(max(0.0, end - time.monotonic())), f"no {what} in {self.told}"

    def wait_state(self, state: ConnectionState, *, count: int = 1) -> None:
        """Wait until that state was told `count` times."""
        self.wait_for("state", lambda fact: fact is state, count=count)

    def facts(self, what: str) -> list[Any]:
        """All facts told under that name so far."""
        with self._changed:
            return [fact for name, fact in self.told if name == what]

    def on_state(self, state: ConnectionState, before: ConnectionState) -> None:
        self._note("state", state)

    def on_connected(self, resumed: bool) -> None:
        self._note("connected", resumed)

    def on_disconnected(self) -> None:
        self._note("disconnected")

    def on_notification(self, message_type: str, payload: Any) -> None:
        self._note("notification", (message_type, payload))

    def on_connection_error(self, info: ConnectionErrorInfo) -> None:
        self._note("connection_error", info)

    def on_token(self, token: str) -> None:
        self._note("token", token)

    def on_token_about_to_expire(self) -> None:
        self._note("token_about_to_expire")

    def on_token_expired(self) -> None:
        self._note("token_expired")

    def on_forked(self, why: ConversationsError) -> None:
        """Nothing to note: another thread may have held the lock."""

    def on_failed(self, cause: BaseException) -> None:
        self._note("failed", cause)
