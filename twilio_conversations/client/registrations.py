"""Push registrations: which device the service notifies of what, by way of FCM or APNs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from twilio_conversations.enums import NotificationsChannelType, NotificationTypes
from twilio_conversations.errors import RegistrationError, RestNotFoundError
from twilio_conversations.transport.commands import CommandKind
from twilio_conversations.util import urls
from twilio_conversations.wire.packets import PRODUCT

if TYPE_CHECKING:
    from twilio_conversations.runtime import Runtime
    from twilio_conversations.util.futures import Deadline

_VERSIONS = {NotificationsChannelType.FCM: "3", NotificationsChannelType.APN: "4"}
"""Version of the payload's format, by channel."""


@attrs.frozen
class _Registration:
    """Registered values and their token; `sid` is the service's id of the registration."""

    device: str = attrs.field(repr=False)
    token: str | None = attrs.field(repr=False)
    sid: str | None


class Registrations:
    """The registrations that this client made, one per channel."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._made: dict[NotificationsChannelType, _Registration] = {}
        self._busy: set[NotificationsChannelType] = set()
        self._lock = threading.Lock()

    def register(self, channel: NotificationsChannelType, device: str, deadline: Deadline) -> None:
        """Have a device notified (``POST {registrations}``) in place of the one before; what is so already sends nothing."""
        with self._exclusively(channel):
            made, token = self._made.get(channel), self._runtime.connection.token
            if made is not None and (made.device, made.token) == (device, token):
                return
            if made is not None and made.device != device:
                self._delete(made, deadline)
                del self._made[channel]
            body = {
                "endpoint_platform": "python",
                "channel_type": channel.value,
                "version": _VERSIONS[channel],
                "message_types": [kind.value for kind in NotificationTypes],
                "data": {"registration_id": device},
            }
            answer = self._runtime.rest.post(self._url(), body, CommandKind.UPDATE, timeout=deadline.remaining())
            sid = answer.get("id") if isinstance(answer, dict) else None
            self._made[channel] = _Registration(device, token, sid if isinstance(sid, str) else None)

    def remove(self, channel: NotificationsChannelType, device: str, deadline: Deadline) -> None:
        """End all registrations of a device, whoever made them (``DELETE {registrations}``)."""
        with self._exclusively(channel):
            body = {"binding_type": channel.value, "address": device}
            self._runtime.rest.delete(self._url(), CommandKind.DELETE, body=body, timeout=deadline.remaining())
            made = self._made.get(channel)
            if made is not None and made.device == device:
                del self._made[channel]

    def _delete(self, made: _Registration, deadline: Deadline) -> None:
        try:
            if made.sid is not None:
                self._runtime.rest.delete(self._url(made.sid), CommandKind.DELETE, timeout=deadline.remaining())
        except RestNotFoundError:
            pass  # gone already, which is what was wanted

    def _url(self, *segments: str) -> str:
        base = self._runtime.options.endpoints.registrations
        return urls.with_query(urls.join(base, *segments), [("productId", PRODUCT)])

    @contextmanager
    def _exclusively(self, channel: NotificationsChannelType) -> Iterator[None]:
        with self._lock:
            if channel in self._busy:
                raise RegistrationError(f"another registration for {channel.value} is under way")
            self._busy.add(channel)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(channel)
