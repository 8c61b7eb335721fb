"""A user of the service."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, Self

import attrs

from twilio_conversations.enums import UserUpdateReason
from twilio_conversations.errors import UnsupportedOperationError
from twilio_conversations.events.names import EventName, UserEvent
from twilio_conversations.events.typed import UserEvents
from twilio_conversations.models.base import Model
from twilio_conversations.models.live import Keeper, Live
from twilio_conversations.util import checks, urls
from twilio_conversations.util.flows import Future
from twilio_conversations.util.futures import Deadline
from twilio_conversations.values.user import UserData


class Users(Keeper, Protocol):
    """All users of the client."""

    def unfollow(self, user: User) -> Future[None]:
        """Unsubscribe from a user; the current user is subscribed again. On the io thread."""


@attrs.define(eq=False, repr=False)
class User(UserEvents, Model[UserData]):  # type: ignore[misc] # `on` is narrower
    """A user. Created by the client only.

    Attributes:
        identity: identity of the user; empty for the current user until there is a token.
        is_subscribed: whether the client receives changes of the user.
    """

    _events: ClassVar[type[EventName]] = UserEvent
    _live: Live[UserData, Users]
    identity: str
    is_subscribed: bool = attrs.field(default=False, init=False)

    @property
    def key(self) -> str:
        """Identifier of the object: its identity."""
        return self.identity

    @property
    def friendly_name(self) -> str | None:
        """Display name."""
        return self._live.state.visible.friendly_name

    @property
    def is_online(self) -> bool | None:
        """Whether it is connected; `None` unless reachability is enabled for the service."""
        return self._live.state.visible.is_online

    @property
    def is_notifiable(self) -> bool | None:
        """Whether it has a device for push notifications; `None` unless reachability is enabled for the service."""
        return self._live.state.visible.is_notifiable

    def update_friendly_name(self, friendly_name: str, *, timeout: float | None = None) -> User:
        """Change the display name (``POST .../Users/{identity}``). Returns this user, changed.

        Raises:
            ForbiddenError: the role does not allow editing this user.
            UnsupportedOperationError: it was unsubscribed.
        """
        body = {"friendly_name": checks.text(friendly_name, "friendly_name")}
        deadline = self._await_ready(timeout, "update_friendly_name()")
        self._check_subscribed()
        self._live.post(self, self._url, body, body, deadline.remaining())
        return self

    def update_attributes(self, attributes: Any, *, timeout: float | None = None) -> Self:
        """Replace the custom data (``POST .../Users/{identity}``). Returns this user, changed.

        Raises:
            ForbiddenError: the role does not allow editing this user.
            UnsupportedOperationError: it was unsubscribed.
        """
        deadline = self._await_ready(timeout, "update_attributes()")
        self._check_subscribed()
        return super().update_attributes(attributes, timeout=deadline.remaining())

    def refresh(self, *, timeout: float | None = None) -> Self:
        """Read the current state from the service, and return this user with it.

        Raises:
            NotFoundError: it was removed.
        """
        return super().refresh(timeout=self._await_ready(timeout, "refresh()").remaining())

    def unsubscribe(self, *, timeout: float | None = None) -> None:
        """Unsubscribe from the user; does nothing if it is not subscribed. The current user is subscribed again at once."""
        deadline = self._await_ready(timeout, "unsubscribe()")
        if self.is_subscribed:
            self._live.runtime.run(lambda: self._live.keeper.unfollow(self), deadline, "unsubscribe()")

    def _await_ready(self, timeout: float | None, what: str) -> Deadline:
        """Wait until the client is ready: the current user exists before that."""
        return self._live.runtime.await_ready(timeout, what)

    def _check_subscribed(self) -> None:
        if not self.is_subscribed:
            raise UnsupportedOperationError(f"{self!r} was unsubscribed; get it again to change it")

    def _names(self) -> dict[str, Any]:
        return {"identity": self.identity}

    @property
    def _url(self) -> str:
        return urls.join(self._live.runtime.configuration.users_url, self.identity)

    def __repr__(self) -> str:
        return f"<User {checks.shown(self.identity)}>"


@attrs.frozen
class UserUpdatedEventArgs:
    """Payload of ``user_updated`` and of a user's ``updated``."""

    user: User
    update_reasons: tuple[UserUpdateReason, ...]
