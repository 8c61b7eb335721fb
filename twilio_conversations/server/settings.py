"""What can be turned from outside while the service runs: its clock, and the settings of the one service it serves."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.text import is_text

FARTHEST = dt.timedelta(days=3650)
"""How far ahead of the real time the clock may be moved."""
AT_ONCE, ON_COMMAND = "at_once", "on_command"
_CHOICES = {"delivery": (AT_ONCE, ON_COMMAND)}


class Clock:
    """The service's time: the real one, moved ahead on command. It never goes back, whatever the machine's clock does.

    Timestamps, timers of conversations and temporary URLs go by it. Tokens do not: their bearers judge them by their own clock.
    """

    def __init__(self, real: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)) -> None:
        self._real = real
        self._ahead = dt.timedelta()
        self._moved = dt.timedelta()  # on command
        self._latest: dt.datetime | None = None
        self._lock = threading.Lock()

    def now(self) -> dt.datetime:
        """Return the time, aware; not before any that was told earlier."""
        with self._lock:
            moment = self._real() + self._ahead
            if self._latest is not None and moment < self._latest:
                self._ahead += self._latest - moment
                moment = self._latest
            self._latest = moment
            return moment

    def go_on_from(self, moment: dt.datetime) -> None:
        """Tell no time before `moment`, the newest that was kept."""
        with self._lock:
            self._latest = max(moment, self._latest or moment)

    def advance(self, seconds: float) -> None:
        """Move on. Raises `Refusal` 20001: it never goes back, and not beyond what calendars know."""
        with self._lock:
            if not 0 <= seconds <= (FARTHEST - self._moved).total_seconds():
                raise Refusal(20001, "The clock moves ahead, by ten years in all")
            self._moved += dt.timedelta(seconds=seconds)
            self._ahead += dt.timedelta(seconds=seconds)

    def reset(self) -> None:
        """Back to the real time."""
        with self._lock:
            self._ahead = self._moved = dt.timedelta()
            self._latest = None


@attrs.frozen
class Settings:
    """What differs between services at Twilio, with Twilio's defaults. The first ones are told to clients at their start."""

    reachability_enabled: bool = False
    user_infos_to_subscribe: int = 100
    media_attachments_count_limit: int = 10
    media_attachment_size_limit_in_mb: int = 150
    media_attachments_total_size_limit_in_mb: int = 150
    email_histories_allowed_mime_types: tuple[str, ...] = ("text/plain", "text/html")
    email_bodies_allowed_mime_types: tuple[str, ...] = ("text/plain", "text/html")

    typing_timeout: int = 5
    """Seconds."""
    participants_limit: int = 1000
    non_chat_participants_limit: int = 50
    conversations_per_identity_limit: int = 1000
    index_gap: int = 0
    """How many message indexes are left out between two messages."""
    events_retained: int = 1000
    """How many of the newest events of each Sync object are all kept; of older ones, those that lead to the present."""
    replay_limit: int = 10_000
    """How many missed events of one Sync object are sent before the client has to ask for the rest; 0: all of them."""
    connections_limit: int = 10_000
    """Websockets at a time. Of this and the limits below, 0 means none."""
    connections_per_second: int = 1_000
    """New websockets, of two seconds at once; others are told to come back later (429)."""
    waiting_connections_limit: int = 2_000
    """Websockets at a time of which it is not known whose they are."""
    http_connections_limit: int = 2_000
    """Connections at a time that are no websockets, or not yet."""
    frames_per_second: int = 20_000
    """Frames of one websocket; more are read later."""
    stalled_reader_timeout: int = 30
    """Seconds after which a websocket is dropped whose peer takes nothing of what it is sent; 0: never."""
    delivery: str = AT_ONCE
    """``at_once``: what is sent outside is sent and delivered in the moment; ``on_command``: it stays queued until told."""

    def changed(self, fields: Mapping[str, Any]) -> Settings:
        """Return a copy with other values. Raises `Refusal` 20001 naming the field that is unknown or has a wrong value."""
        defaults = attrs.asdict(self)
        values: dict[str, Any] = {}
        for name, value in fields.items():
            if name not in defaults:
                raise Refusal(20001, f"There is no setting {name!r}; there are: {', '.join(sorted(defaults))}")
            values[name] = _checked(name, value, defaults[name])
        return attrs.evolve(self, **values)


def _checked(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, bool):
        valid = isinstance(value, bool)
    elif isinstance(default, int):
        valid = type(value) is int and 0 <= value < 2**31
    elif isinstance(default, str):
        valid = value in _CHOICES[name]
    else:
        valid = isinstance(value, list | tuple) and all(is_text(item) for item in value)
        value = tuple(value) if valid else value
    if not valid:
        raise Refusal(20001, f"{value!r} is no value for the setting {name!r}")
    return value


@attrs.define
class World:
    """The clock and the settings that hold now; replaced as a whole, so that every thread may read them."""

    clock: Clock = attrs.field(factory=Clock)
    settings: Settings = attrs.field(factory=Settings)

    def reset(self) -> None:
        """As at the beginning."""
        self.clock.reset()
        self.settings = Settings()
