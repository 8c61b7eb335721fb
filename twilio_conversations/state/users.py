"""Users that are followed: the current one from start to end, others first in, first out. Runs on the io thread."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_conversations.enums import UserUpdateReason
from twilio_conversations.errors import ConversationsError
from twilio_conversations.events.names import ClientEvent, UserEvent
from twilio_conversations.models.layers import ReplicatedState
from twilio_conversations.models.live import Live
from twilio_conversations.models.user import User, UserUpdatedEventArgs
from twilio_conversations.state.opening import may_pass
from twilio_conversations.sync.changes import Change, EntityFailed, EntityRemoved, Item, ItemAdded, ItemUpdated, Resynced
from twilio_conversations.sync.purpose import Purpose
from twilio_conversations.util import logs, urls
from twilio_conversations.util.flows import Flow, Future, completed, flow
from twilio_conversations.values.user import REASONS, UserData

if TYPE_CHECKING:
    from twilio_conversations.runtime import Runtime
    from twilio_conversations.sync.client import Handle

_log = logs.logger(__name__)


class Users:
    """All users of a client: one object per identity, however many ask for it at once.

    Others than the current user are followed in a queue of limited length: who comes when it is full ends the following of the
    one that came first.
    """

    def __init__(self, runtime: Runtime, identity: str = "") -> None:
        """`identity` is that of the current user, as far as it is known."""
        self._runtime = runtime
        self._maps: dict[User, Handle] = {}
        self._followed: dict[str, User] = {}
        self._coming: dict[str, Future[User]] = {}
        self._live: weakref.WeakValueDictionary[str, User] = weakref.WeakValueDictionary()
        self.myself: User = self._make(identity)
        """The current user; the same object for the lifetime of the client."""

    def _make(self, identity: str) -> User:
        return User(Live(self._runtime.dispatcher, self._runtime, ReplicatedState(UserData()), self), identity)

    # -- for the start and for callers --------------------------------------------------------------------------------

    @flow
    def open(self) -> Flow[None]:
        """Follow the current user's map; everything about it is announced as new."""
        configuration = self._runtime.configuration
        self.myself.identity = configuration.identity
        yield from self._open_map(self.myself, configuration.my_user_info_map)
        self._begin(self.myself, None)

    def get(self, identity: str, map_name: str | None = None) -> Future[User]:
        """Return the user with that identity, followed from now on; `map_name`, where it is known, saves a request."""
        if identity == self._runtime.configuration.identity:
            return completed(self.myself)
        if identity in self._followed:
            return completed(self._followed[identity])
        coming = self._coming.get(identity)
        if coming is None:
            coming = self._coming[identity] = self._follow(identity, map_name)
            coming.add_done_callback(lambda _: self._coming.pop(identity, None))
        return coming

    def followed(self) -> list[User]:
        """Return the current user, then the others in the order they came."""
        return [self.myself, *self._followed.values()]

    def subscribed(self) -> list[User]:
        """Return those that are followed now; the current user is not yet while the client starts."""
        return [user for user in self.followed() if user.is_subscribed]

    def unfollow(self, user: User) -> Future[None]:
        """End the following of a user; the current user is followed again."""
        self._let_go(user)
        return self._refollow_myself() if user is self.myself else completed(None)

    @flow
    def fetch(self, user: User) -> Flow[tuple[UserData, int] | None]:
        """Read a user as the service has it now; of one that is not followed, by ``GET .../Users/{identity}``."""
        entity = self._maps.get(user)
        if entity is not None:
            page = yield from entity.page(size=50)
            return _read(page.items), 0
        body = yield from self._runtime.get_json(urls.join(self._runtime.configuration.users_url, user.identity))
        return UserData.from_rest(body), 0

    def confirmed(self, answer: Any) -> Mapping[str, Any]:
        """Return nothing that was not written."""
        del answer
        return {}

    # -- following ----------------------------------------------------------------------------------------------------

    @flow
    def _follow(self, identity: str, map_name: str | None) -> Flow[User]:
        user = self._live.get(identity)
        if user is None:
            user = self._live[identity] = self._make(identity)
        if map_name is None:
            body = yield from self._runtime.get_json(urls.join(self._runtime.configuration.users_url, identity))
            objects = body.get("sync_objects") if isinstance(body, dict) else None
            map_name = objects.get("user_info_map") if isinstance(objects, dict) else None
            if not isinstance(map_name, str) or not map_name:
                self._apply(user, UserData.from_rest(body))
                return user
        former = yield from self._open_map(user, map_name)
        self._make_room()
        self._followed[identity] = user
        self._begin(user, former)
        return user

    def _open_map(self, user: User, name: str) -> Flow[UserData]:
        """Open a user's map (``GET .../Maps/{name}?Include=items``) and apply it; return the state before."""
        former = user._live.state.replica or UserData()
        entity: Handle = yield self._runtime.sync.open_map(
            name, functools.partial(self._changed, user), include_items=True, purpose=Purpose.USER
        )
        items: list[Item] = list(entity.take_items())
        if not items:
            page = yield from entity.page(size=50)
            items = list(page.items)
        self._maps[user] = entity
        self._apply(user, _read(items))
        return former

    def _make_room(self) -> None:
        limit = self._runtime.options.user_infos_to_subscribe or self._runtime.configuration.user_infos_to_subscribe
        while len(self._followed) >= limit:
            self._let_go(next(iter(self._followed.values())))

    def _begin(self, user: User, former: UserData | None) -> None:
        user.is_subscribed = True
        self.announce_update(user, former, user._live.state.replica or UserData())
        self._runtime.emit(user, (user, UserEvent.USER_SUBSCRIBED), (self._runtime.events, ClientEvent.USER_SUBSCRIBED))

    def _let_go(self, user: User) -> None:
        entity = self._maps.pop(user, None)
        if entity is None:
            return
        entity.close()
        user.is_subscribed = False
        self._followed.pop(user.identity, None)
        self._runtime.emit(user, (user, UserEvent.USER_UNSUBSCRIBED), (self._runtime.events, ClientEvent.USER_UNSUBSCRIBED))

    @flow
    def _refollow_myself(self) -> Flow[None]:
        former = yield from self._open_map(self.myself, self._runtime.configuration.my_user_info_map)
        self._begin(self.myself, former)

    # -- from Sync ----------------------------------------------------------------------------------------------------

    def _changed(self, user: User, entity: Handle, change: Change) -> None:
        if self._maps.get(user) is not entity:
            return  # not announced yet: what is in the map then is what counts
        if isinstance(change, ItemAdded | ItemUpdated):
            self._tell(user, (user._live.state.replica or UserData()).with_item(change.key, change.data))
        elif isinstance(change, Resynced):
            self._reread(user, entity)
        elif isinstance(change, EntityRemoved):
            self._let_go(user)
        elif isinstance(change, EntityFailed):
            _log.warning("%r cannot be followed: %s", user, change.error)

    @flow
    def _reread(self, user: User, entity: Handle) -> Flow[None]:
        """Read a user again of whom events were lost, until that succeeds or cannot any more."""

        def is_worth_repeating(error: ConversationsError) -> bool:
            return self._maps.get(user) is entity and may_pass(error)

        try:
            read = functools.partial(flow(entity.page), size=50)
            page = yield self._runtime.insist(read, f"reading user {user.identity} again", is_worth_repeating)
        except ConversationsError as error:
            _log.info("%r: changes were missed and cannot be read any more: %s", user, error)
            return
        if self._maps.get(user) is entity:
            self._tell(user, _read(page.items))

    def _tell(self, user: User, data: UserData) -> None:
        self.announce_update(user, self._apply(user, data), data)

    def announce_update(self, user: User, former: UserData | None, current: UserData) -> None:
        """Raise ``updated`` for what differs between two states; everything is new where there was none."""
        found = tuple(UserUpdateReason) if former is None else REASONS.between(former, current)
        if found:
            updated = UserUpdatedEventArgs(user, found)
            self._runtime.emit(updated, (user, UserEvent.UPDATED), (self._runtime.events, ClientEvent.USER_UPDATED))

    def _apply(self, user: User, data: UserData) -> UserData | None:
        with self._runtime.lock:
            return user._live.state.apply(data, 0)


def _read(items: Any) -> UserData:
    data = UserData()
    for item in items:
        data = data.with_item(item.key, item.data)
    return data
