"""The own user, followed from start to end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from twilio_conversations.enums import UserUpdateReason
from twilio_conversations.event_names import ClientEvent, UserEvent
from twilio_conversations.futures import Flow, flow
from twilio_conversations.layered import Layered
from twilio_conversations.sync.changes import Change, Item, ItemAdded, ItemUpdated
from twilio_conversations.user import REASONS, User, UserData, UserUpdatedEventArgs

if TYPE_CHECKING:
    from twilio_conversations.services import Services
    from twilio_conversations.sync.client import Entity

_log = logging.getLogger(__name__)


class Users:
    """Keeps `myself` current."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.myself = User(services.dispatcher, services, Layered(UserData()), "")
        """The own user; the same object for the whole life of the client."""

    @flow
    def open(self) -> Flow[None]:
        """Follow the own user's map (``GET .../Maps/{my_user_info}?Include=items``)."""
        configuration = self._services.configuration
        entity: Entity = yield self._services.sync.open_map(configuration.my_user_info_map, self._changed, include_items=True)
        items: list[Item] = list(entity.items.values())
        if not items:
            page = yield entity.page(size=50)
            items = list(page.items)
        data = UserData()
        for item in items:
            data = data.with_item(item.key, item.data)
        user = self.myself
        user.identity = configuration.identity
        user.is_subscribed = True
        with self._services.lock:
            user._state.apply(data, 0)
        self._updated(user, tuple(UserUpdateReason))
        self._services.emit(user, (user, UserEvent.USER_SUBSCRIBED), (self._services.events, ClientEvent.USER_SUBSCRIBED))

    def _changed(self, _: Entity, change: Change) -> None:
        if not isinstance(change, ItemAdded | ItemUpdated):
            return
        user = self.myself
        with self._services.lock:
            former = user._state.replica or UserData()
            user._state.apply(former.with_item(change.key, change.data), 0)
        found = REASONS.between(former, user._state.replica)
        if found:
            self._updated(user, found)

    def _updated(self, user: User, found: tuple[UserUpdateReason, ...]) -> None:
        self._services.emit(
            UserUpdatedEventArgs(user, found),
            (user, UserEvent.UPDATED),
            (self._services.events, ClientEvent.USER_UPDATED),
        )
