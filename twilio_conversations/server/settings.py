"""Clock and settings of the service, which tests change while it runs."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.text import is_text

FARTHEST = dt.timedelta(days=3650)
"""Most that the clock may be ahead of the real time."""
AT_ONCE, ON_COMMAND = "at_once", "on_command"


class Clock:
    """The service's time: the real one, advanced by tests. It never goes back, even if the machine's clock does.

    Timestamps, timers of conversations and temporary URLs use it. Tokens do not: clients judge them by their own clock.
    """

    def __init__(self, real: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)) -> None:
        self._real = real
        self._ahead = dt.timedelta()
        self._moved = dt.timedelta()  # on command
        self._latest: dt.datetime | None = None
        self._lock = threading.Lock()

    def now(self) -> dt.datetime:
        """Return the time, aware; never before a time that was returned earlier."""
        with self._lock:
            moment = self._real() + self._ahead
            if self._latest is not None and moment < self._latest:
                self._ahead += self._latest - moment
                moment = self._latest
            self._latest = moment
            return moment

    def go_on_from(self, moment: dt.datetime) -> None:
        """Return no time before `moment`, the newest date of the data directory."""
        with self._lock:
            self._latest = max(moment, self._latest or moment)

    def advance(self, seconds: float) -> None:
        """Advance the time. Raises `Refusal` 20001 for negative numbers, and beyond `FARTHEST`."""
        with self._lock:
            if not 0 <= seconds <= (FARTHEST - self._moved).total_seconds():
                raise Refusal(20001, "The clock moves ahead, by ten years in all")
            self._moved += dt.timedelta(seconds=seconds)
            self._ahead += dt.timedelta(seconds=seconds)

    def reset(self) -> None:
        """Return to the real time."""
        with self._lock:
            self._ahead = self._moved = dt.timedelta()
            self._latest = None


BINARY, TEXT = "binary", "text"
OF_USER, OF_CONNECTION = "user", "connection"
SERVICE, TUNNEL = "service", "tunnel"
REPLAY_FIRST, LIVE_FIRST = "replay_first", "live_first"
LINKS = (
    "my_conversations",
    "conversations",
    "users",
    "current_user",
    "typing",
    "media_service",
    "media_set_service",
    "messages_receipts",
)
"""Links of the clients' configuration."""
_CHECK = "check"
_ABOUT = "about"


def _row(default: Any, about: str, check: Callable[[Any], bool] | None = None) -> Any:
    """Return one setting: its default, its description, and the check of its values; by default a number that is not negative."""
    return attrs.field(default=default, metadata={_ABOUT: about, _CHECK: check or _is_count})


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _is_positive(value: Any) -> bool:
    return _is_count(value) and value > 0


def _is_count_or_none(value: Any) -> bool:
    return value is None or _is_count(value)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(is_text(item) for item in value)


def _is_duration(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 2**31


def _are_links(value: Any) -> bool:
    return _are_texts(value) and set(value) <= set(LINKS)


def _one_of(*choices: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in choices


@attrs.frozen
class Settings:
    """Settings of the service: those of a service at Twilio, and further ones. One row for each, with its default.

    `configure`, the control plane, ``serve --set``, seeds and the guide of the local service read this table.
    """

    # -- sent to clients at their start
    reachability_enabled: bool = _row(False, "whether clients receive who is online and who can be notified", _is_bool)
    user_infos_to_subscribe: int = _row(100, "users that a client follows at a time")
    media_attachments_count_limit: int = _row(10, "attachments of a message")
    media_attachment_size_limit_in_mb: int = _row(150, "size of an attachment")
    media_attachments_total_size_limit_in_mb: int = _row(150, "size of all attachments of a message")
    email_histories_allowed_mime_types: tuple[str, ...] = _row(
        ("text/plain", "text/html"), "content types of e-mail histories", _are_texts
    )
    email_bodies_allowed_mime_types: tuple[str, ...] = _row(
        ("text/plain", "text/html"), "content types of e-mail bodies", _are_texts
    )

    links_left_out: tuple[str, ...] = _row((), "links that the configuration lacks, such as `typing`", _are_links)

    # -- rules
    typing_timeout: int = _row(5, "seconds for which somebody is typing")
    participants_limit: int = _row(1000, "chat participants of a conversation")
    non_chat_participants_limit: int = _row(50, "participants of a conversation by SMS, WhatsApp and e-mail")
    conversations_per_identity_limit: int = _row(1000, "conversations of a user")
    index_gap: int = _row(0, "message indexes left out between two messages")
    delivery: str = _row(
        AT_ONCE,
        "`at_once`: SMS, WhatsApp and e-mail are delivered immediately; `on_command`: they stay queued until `set_delivery`",
        _one_of(AT_ONCE, ON_COMMAND),
    )

    # -- the event log
    events_retained: int = _row(
        1000, "newest events of each Sync object that are all kept; of older ones, those that lead to the present"
    )
    replay_limit: int = _row(10_000, "missed events of a Sync object sent before the client has to ask for the rest; 0: all")
    journal_limit: int | None = _row(
        None,
        "newest events of a Sync object that a replay may deliver; it ends as completed, without the older ones. `null`: all",
        _is_count_or_none,
    )
    replay_order: str = _row(
        REPLAY_FIRST,
        "`live_first`: the newest event of a replay is sent before the others, as a live one, as if it had just happened",
        _one_of(REPLAY_FIRST, LIVE_FIRST),
    )
    included_items: int = _row(10_000, "items that come with a map's root (`Include=items`)")

    # -- what clients may rely on
    honour_mutation_ids: bool = _row(
        True,
        "whether a repeated `X-Twilio-Mutation-Id` returns the first result (202); if not, the command is executed again",
        _is_bool,
    )

    mutation_id_scope: str = _row(
        OF_USER,
        "`user`: a mutation id is honoured on all connections of its user; `connection`: only on the one that it came on",
        _one_of(OF_USER, OF_CONNECTION),
    )
    mutation_id_lifetime: int = _row(86_400, "seconds, by the service's clock, for which a mutation id is honoured")
    conversations_page_size: int = _row(
        100, "conversations on a page of a user's list; a larger `PageSize` is refused with 400, 20001", _is_positive
    )
    own_map_delay: int = _row(
        0, "seconds, by the service's clock, that a new user's map of conversations (`<identity>.channels`) does not exist yet"
    )

    # -- the connection
    ping_interval: float = _row(30, "seconds between the service's pings (frames, not WebSocket pings); 0: none", _is_duration)
    websocket_pings: bool = _row(True, "whether WebSocket pings are sent, and answered by pongs", _is_bool)
    frame_type: str = _row(BINARY, "`binary` or `text`: type of the WebSocket messages of new connections", _one_of(BINARY, TEXT))

    # -- limits on resources; 0 means none
    connections_limit: int = _row(
        10_000, "open WebSockets. Further ones are refused at their `init` with 429, 20429 and a back-off"
    )
    connections_per_second: int = _row(
        1_000, "new WebSockets, with bursts of two seconds' worth; further ones are refused likewise"
    )
    waiting_connections_limit: int = _row(2_000, "WebSockets before `init`; the handshake of further ones is answered 429")
    http_connections_limit: int = _row(
        2_000, "HTTP connections that are not, or not yet, WebSockets; further ones are answered 429"
    )
    frames_per_second: int = _row(
        20_000,
        "frames of one WebSocket, including pings and fragments, with bursts of two seconds' worth. Further ones are read later",
    )
    requests_per_second: int = _row(
        0, "requests of one WebSocket; further ones are answered 429, 20429, with `Retry-After`. Twilio documents 500"
    )
    requests_refused_by: str = _row(
        SERVICE,
        "`service`: they are answered as by the service; `tunnel`: by the reply's own `status`, with 51202 and no `Retry-After`",
        _one_of(SERVICE, TUNNEL),
    )
    object_writes_per_second: int = _row(
        0,
        "writes to one conversation or user, with bursts of ten seconds' worth; further ones are answered 429, 20429, with"
        " `Retry-After`. Twilio documents 20",
    )
    subscriptions_limit: int = _row(
        0, "Sync objects that one WebSocket is subscribed to; further subscriptions fail with 54419. Twilio documents 2,000"
    )
    stalled_reader_timeout: int = _row(
        30, "seconds after which a WebSocket is dropped whose peer reads nothing. Typing notifications are not queued for it"
    )

    def changed(self, fields: Mapping[str, Any]) -> Settings:
        """Return a copy with other values. Raises `Refusal` 20001 naming the field that is unknown or has a wrong value."""
        known = attrs.fields_dict(Settings)
        for name, value in fields.items():
            if name not in known:
                raise Refusal(20001, f"There is no setting {name!r}; there are: {', '.join(sorted(known))}")
            if not known[name].metadata[_CHECK](value):
                raise Refusal(20001, f"{value!r} is no value for the setting {name!r}")
        values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
        return attrs.evolve(self, **values)


@attrs.frozen
class Described:
    """The documentation of a setting: its name, its default as JSON, and its description."""

    name: str
    default: str
    about: str


def described() -> list[Described]:
    """Return all settings, in their order."""
    return [Described(field.name, json.dumps(field.default), field.metadata[_ABOUT]) for field in attrs.fields(Settings)]


@attrs.define
class LiveSettings:
    """The settings in force, for every thread: `current` is replaced as a whole."""

    current: Settings = attrs.field(factory=Settings)
    _at_start: Settings = attrs.field(init=False, default=attrs.Factory(lambda self: self.current, takes_self=True))

    def reset(self) -> None:
        """Restore the settings of the start."""
        self.current = self._at_start
