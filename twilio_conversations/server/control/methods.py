"""Methods of tests on a running `LocalServer`: faults, time, other channels. Each returns when it has taken effect."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.server.control.seed import SeedError
from twilio_conversations.server.control.seed_file import SeedFile
from twilio_conversations.util import checks

Perform = Callable[[str, str, dict[str, Any]], Any]


@attrs.frozen
class InboundMedia:
    """Attachment of an incoming message of a non-chat participant."""

    content: bytes = attrs.field(repr=False)
    content_type: str
    filename: str | None = None


@attrs.frozen
class FaultOrders:
    """Fault injection. `identity` limits a fault to one user; a `count` of `None` has no limit.

    A `path` is a regular expression that the request's path must contain, such as ``"/Messages$"``.
    """

    _perform: Perform = attrs.field(repr=False)

    def _order(self, kind: str, **fields: Any) -> None:
        self._perform("POST", "faults", {"kind": kind, **fields})

    def drop(self, identity: str | None = None) -> None:
        """Close connections abruptly, now."""
        self._order("drop", identity=identity)

    def offload(self, identity: str | None = None, *, reconnect_min_ms: int = 1000) -> None:
        """Request connections to reconnect elsewhere (308) after a minimum delay in seconds, now."""
        self._order("offload", identity=identity, reconnect_min_ms=reconnect_min_ms)

    def token_about_to_expire(self, identity: str | None = None) -> None:
        """Notify connections that their token is about to expire, now."""
        self._order("token_about_to_expire", identity=identity)

    def expire_tokens(self, identity: str | None = None) -> None:
        """Expire the tokens of all current and former connections, and close the connections with 410, now."""
        self._order("expire_tokens", identity=identity)

    def refuse_connections(
        self,
        count: int | None = 1,
        *,
        status: int = 429,
        code: int | None = None,
        identity: str | None = None,
        reconnect_min_ms: int = 1000,
    ) -> None:
        """Reject the next connections, and the next updates of tokens, with `status` and Twilio's error `code` (0: none)."""
        how = {"status": status, "code": code, "reconnect_min_ms": reconnect_min_ms}
        self._order("refuse_connections", count=count, identity=identity, **how)

    def refuse(
        self,
        count: int | None = 1,
        *,
        status: int = 503,
        code: int | None = None,
        content_type: str = "application/json",
        refused_by: str = "service",
        retry_after: float | None = None,
        identity: str | None = None,
        method: str | None = None,
        path: str = "",
    ) -> None:
        """Reject the next requests with `status`, Twilio's error `code` (0: none) and a ``Retry-After`` in seconds.

        With the `content_type` ``text/plain`` they are rejected as by a proxy, with a text that is no JSON. With `refused_by`
        ``tunnel`` the reply's own status is the refusal, without an HTTP status, headers or body.
        """
        where = {"identity": identity, "method": method, "path": path}
        told = {
            "status": status,
            "code": code,
            "content_type": content_type,
            "retry_after": retry_after,
            "refused_by": refused_by,
        }
        self._order("refuse", count=count, **told, **where)

    def delay(
        self,
        seconds: float,
        count: int | None = 1,
        *,
        identity: str | None = None,
        method: str | None = None,
        path: str = "",
    ) -> None:
        """Delay the execution of the next requests."""
        self._order("delay", seconds=seconds, count=count, identity=identity, method=method, path=path)

    def lose_answers(
        self, count: int | None = 1, *, identity: str | None = None, method: str | None = None, path: str = ""
    ) -> None:
        """Execute the next requests, but drop the connection instead of responding."""
        self._order("lose_answers", count=count, identity=identity, method=method, path=path)

    def fail_answers(
        self,
        count: int | None = 1,
        *,
        status: int = 504,
        code: int | None = None,
        content_type: str = "application/json",
        identity: str | None = None,
        method: str | None = None,
        path: str = "",
    ) -> None:
        """Execute the next requests, but respond as if they had failed, with `status`, as by `refuse`."""
        where = {"identity": identity, "method": method, "path": path}
        self._order("fail_answers", count=count, status=status, code=code, content_type=content_type, **where)

    def delay_answers(
        self,
        seconds: float,
        count: int | None = 1,
        *,
        identity: str | None = None,
        method: str | None = None,
        path: str = "",
    ) -> None:
        """Execute the next requests now, but delay the response."""
        self._order("delay_answers", seconds=seconds, count=count, identity=identity, method=method, path=path)

    def hold_events(self, identity: str | None = None) -> None:
        """Hold events back until `release_events`; responses are not affected."""
        self._order("hold_events", identity=identity)

    def release_events(self, identity: str | None = None) -> None:
        """Send the events that were held back, in order."""
        self._order("release_events", identity=identity)

    @contextmanager
    def held_events(self, identity: str | None = None) -> Iterator[None]:
        """Hold events back for the duration of a ``with`` block."""
        self.hold_events(identity)
        try:
            yield
        finally:
            self.release_events(identity)

    def pending(self) -> list[dict[str, Any]]:
        """Return the pending faults, and the identities whose events are held back."""
        return list(self._perform("GET", "faults", {})["faults"])

    def clear(self) -> None:
        """Remove all pending faults."""
        self._perform("DELETE", "faults", {})


class Controls:
    """Methods of `LocalServer` that act on the running service. Invalid operations raise a `ValueError` with the reason."""

    def perform(self, method: str, operation: str, body: dict[str, Any]) -> Any:
        """Execute an operation of the control plane and return its JSON (`twilio_conversations.server.control.operations`)."""
        raise NotImplementedError

    def reset(self) -> None:
        """Delete all data, faults, settings and recorded frames, close all connections, and reset the clock to real time."""
        self.perform("POST", "reset", {})

    def seed(self, source: str | Path | Mapping[str, Any], *, if_empty: bool = False) -> dict[str, Any]:
        """Fill the service from data or from a JSON or YAML file: settings, roles, users, templates, conversations.

        Args:
            source: the data (`twilio_conversations.server.control.seed` lists all fields), or the path of a file with it.
            if_empty: apply only the settings if there are users already.

        Returns:
            The created objects in the given order: ``{"users", "templates", "conversations"}`` with their sids.

        Raises:
            InvalidArgumentError: an entry is invalid; nothing was created. The text names its position.
            FileError: the file cannot be read.
        """
        if isinstance(source, Mapping):
            return self._seed(source, if_empty)
        file = SeedFile.read(checks.path(source, "source"))
        try:
            return self._seed(file.data, if_empty)
        except InvalidArgumentError as error:
            steps = error.__cause__.steps if isinstance(error.__cause__, SeedError) else ()
            raise InvalidArgumentError(f"{file.path}:{file.line_of(steps)}: {error}") from error

    def _seed(self, data: Mapping[str, Any], if_empty: bool) -> dict[str, Any]:
        return dict(self.perform("POST", "seed", {**data, "if_empty": if_empty}))

    def now(self) -> dt.datetime:
        """Return the service's time, in UTC."""
        return dt.datetime.fromisoformat(self.perform("GET", "clock", {})["now"])

    def advance_clock(self, by: float | dt.timedelta) -> dt.datetime:
        """Advance the service's clock by seconds, execute the timers that are due, and return the new time.

        Timestamps, timers of conversations and temporary links use this clock, tokens do not.
        """
        seconds = by.total_seconds() if isinstance(by, dt.timedelta) else by
        return dt.datetime.fromisoformat(self.perform("POST", "clock", {"advance": seconds})["now"])

    @property
    def faults(self) -> FaultOrders:
        """Fault injection of the service."""
        return FaultOrders(self.perform)

    def traffic(self, identity: str | None = None) -> list[dict[str, Any]]:
        """Return the newest frames of all connections or of those of one user, oldest first, without tokens.

        Each is ``{"time", "connection", "identity", "direction", "header", "payload"}``; the direction is ``in`` or ``out``,
        as seen by the service.
        """
        return list(self.perform("GET", "traffic", {"identity": identity})["frames"])

    def forget_traffic(self) -> None:
        """Delete the recorded frames."""
        self.perform("DELETE", "traffic", {})

    def activity(self) -> dict[str, Any]:
        """Return what is under way: ``{"under_way", "count", "connections"}``.

        ``under_way`` has a text for each kind of command, request and frame that somebody has yet to receive; ``count`` grows
        with everything that begins; ``connections`` has the id of the ``init`` frame of each.
        """
        return dict(self.perform("GET", "activity", {}))

    def configure(self, **settings: Any) -> dict[str, Any]:
        """Change settings of the service (`twilio_conversations.server.settings.Settings`) and return all of them.

        Clients read their configuration when they start.
        """
        return dict(self.perform("POST", "config", settings))

    def update_conversation(
        self,
        conversation: str,
        *,
        state: str | None = None,
        timers: Mapping[str, str | None] | None = None,
        bindings: Mapping[str, Any] | None = None,
    ) -> None:
        """Change the state, timers or bindings of a conversation, which clients cannot.

        Args:
            conversation: sid or unique name.
            state: ``active``, ``inactive`` or ``closed``.
            timers: ISO-8601 durations, such as ``{"inactive": "PT1M", "closed": "PT10M"}``; `None` ends a timer.
            bindings: such as ``{"email": {"name": "Help", "projected_address": "help@example.com"}}``.
        """
        changes = {"state": state, "timers": timers, "bindings": bindings}
        given = {name: value for name, value in changes.items() if value is not None}
        self.perform("POST", "conversation", {"conversation": conversation, **given})

    def receive(
        self,
        address: str,
        proxy_address: str,
        body: str | None = None,
        *,
        media: Iterable[InboundMedia] = (),
        subject: str | None = None,
        email_body: Mapping[str, str] | None = None,
        email_history: Mapping[str, str] | None = None,
        attributes: str = "{}",
        channel_metadata: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Create an incoming message from `address` to `proxy_address` by SMS, WhatsApp or e-mail.

        Args:
            address: address of the sender; with `proxy_address` it identifies the participant.
            proxy_address: the service's number or address.
            body: text.
            media: attachments.
            subject: of an e-mail.
            email_body: bodies by content type, such as ``{"text/plain": "Hi", "text/html": "<p>Hi</p>"}``.
            email_history: quoted histories by content type.
            attributes: JSON text.
            channel_metadata: ``{"type": ..., "data": ...}``.

        Returns:
            The message in the format of the REST API.
        """
        items = [checks.instance(InboundMedia, item, "each of media") for item in checks.several(media, "media")]
        parts = [_medium(item.content, item.content_type, item.filename, "media") for item in items]
        for category, texts in (("body", email_body), ("history", email_history)):
            by_kind = checks.instance(Mapping, {} if texts is None else texts, f"email_{category}")  # type: ignore[type-abstract]
            encoded = {kind: checks.text(text, f"email_{category}").encode() for kind, text in by_kind.items()}
            parts += [_medium(content, kind, None, category) for kind, content in encoded.items()]
        said = {"body": body, "subject": subject, "attributes": attributes, "channel_metadata": channel_metadata}
        where = {"address": address, "proxy_address": proxy_address}
        return dict(self.perform("POST", "receive", {**where, **said, "media": parts}))

    def sent(self, address: str | None = None) -> list[dict[str, Any]]:
        """Return the outgoing messages by SMS, WhatsApp and e-mail, oldest first: recipient, content and delivery status."""
        return list(self.perform("GET", "sent", {"address": address})["sent"])

    def set_delivery(self, message_sid: str, status: str, *, address: str | None = None, error_code: int = 0) -> dict[str, Any]:
        """Set the delivery status of a message: ``queued``, ``sent``, ``delivered``, ``read``, ``failed`` or ``undelivered``.

        Args:
            message_sid: ``IM...``.
            status: the new status.
            address: address of the recipient; `None` for all recipients.
            error_code: Twilio's code of the failure.

        Returns:
            The message in the format of the REST API.
        """
        fields = {"message_sid": message_sid, "status": status, "address": address, "error_code": error_code}
        return dict(self.perform("POST", "delivery", fields))

    def registrations(self, identity: str | None = None) -> list[dict[str, Any]]:
        """Return the devices registered for push notifications, of one user or of all, oldest first.

        Each is ``{"id", "identity", "channel_type", "message_types", "data": {"registration_id"}, ...}``.
        """
        return list(self.perform("GET", "registrations", {"identity": identity})["registrations"])


def _medium(content: bytes, content_type: str, filename: str | None, category: str) -> dict[str, Any]:
    encoded = base64.b64encode(checks.instance(bytes, content, "the content of a medium")).decode()
    return {"content": encoded, "content_type": content_type, "filename": filename, "category": category}
