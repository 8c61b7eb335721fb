"""`on`, `once`, `off`: the base of everything that has events."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar, overload

import attrs

from twilio_conversations.events.names import STICKY, EventName
from twilio_conversations.events.signals import Receivers, Signals, Subscription

Handler = TypeVar("Handler", bound=Callable[..., Any])
_NEVER = object()


@attrs.define(eq=False, repr=False)
class EventEmitter:
    """Base of all objects that have events.

    Handlers run one at a time on the client's events thread, in the order of the events; they may call any blocking
    method. An exception in a handler is logged and reported on the client's ``error`` event; the other handlers still run.
    """

    _events: ClassVar[type[EventName]]
    _surveyed: ClassVar[frozenset[EventName]] = frozenset()
    _live: Receivers

    @property
    def signals(self) -> Signals:
        """The blinker signals behind the events, such as ``obj.signals.message_added``.

        Receivers connected there are called as ``receiver(sender, event=..., payload=...)``.
        """
        made = self._live.signals
        return made if made is not None else self._live.made_signals(self._events, self)

    @overload
    def on(self, event: str, handler: None = None, *, replay: bool = False) -> Callable[[Handler], Handler]: ...

    @overload
    def on(self, event: str, handler: Callable[..., Any], *, replay: bool = False) -> Subscription: ...

    def on(self, event: str, handler: Callable[..., Any] | None = None, *, replay: bool = False) -> Any:
        """Call `handler` whenever `event` is raised; without a handler, return a decorator.

        A handler that is registered twice runs twice.

        With `replay`, a handler that is registered late first receives what it has missed. For events about existing objects
        (``conversation_added``, ``conversation_joined`` and ``user_subscribed`` of a client, ``participant_joined`` of a
        conversation) these are all objects that exist now, each once, before later events. For other events it is the latest
        payload, if the event has happened (``initialized`` and ``init_failed`` are always replayed).

        Raises:
            UnknownEventError: this object has no such event.
            InvalidArgumentError: the handler is not callable, or is ``async def`` or a generator, which would never run.
        """
        return self._register(event, handler, replay=replay, once=False)

    @overload
    def once(self, event: str, handler: None = None, *, replay: bool = False) -> Callable[[Handler], Handler]: ...

    @overload
    def once(self, event: str, handler: Callable[..., Any], *, replay: bool = False) -> Subscription: ...

    def once(self, event: str, handler: Callable[..., Any] | None = None, *, replay: bool = False) -> Any:
        """Call `handler` for the next `event` only: the registration ends before the handler runs. Otherwise like `on`."""
        return self._register(event, handler, replay=replay, once=True)

    def off(self, event: str, handler: Callable[..., Any]) -> None:
        """Remove the latest registration of `handler`; a handler that is not registered is ignored."""
        for subscription in reversed(self._subscriptions(event)):
            if subscription.handler == handler:
                subscription.cancel()
                return

    def listeners(self, event: str) -> list[Callable[..., Any]]:
        """Return the handlers registered for `event`, in order."""
        return [subscription.handler for subscription in self._subscriptions(event)]

    def remove_all_listeners(self, event: str | None = None) -> None:
        """Remove all registrations made with `on` and `once`, of one event or of all."""
        for name in [event] if event is not None else list(self._events):
            for subscription in self._subscriptions(name):
                subscription.cancel()

    def _register(self, event: str, handler: Callable[..., Any] | None, *, replay: bool, once: bool) -> Any:
        name = self._events.parse(event)
        if handler is None:
            return lambda function: (self._register(name, function, replay=replay, once=once), function)[1]
        surveyed = replay and name in self._surveyed
        signal = self.signals.signal(name)
        subscription = Subscription(signal, name, handler, once=once, waits=surveyed)
        live = self._live
        with live.dispatcher.registering:
            signal.connect(subscription, weak=False)
            latest = (live.last or {}).get(name, _NEVER) if replay or name in STICKY else _NEVER
        if surveyed:
            self._survey(name, functools.partial(live.dispatcher.replay, self, subscription, name))
        elif latest is not _NEVER:
            live.dispatcher.replay(self, subscription, name, (latest,))
        return subscription

    def _survey(self, event: EventName, take: Callable[[Iterable[Any]], None]) -> None:
        """Have `take` called, on the io thread, with all existing objects of `event`.

        Only the io thread raises such events: those before are in it, and those after come after it. What has such events
        (`_surveyed`) overrides this.
        """
        take(())

    def _subscriptions(self, event: str) -> list[Subscription]:
        made, name = self._live.signals, self._events.parse(event)
        signal = made.known(name) if made is not None else None
        receivers = signal.receivers_for(self) if signal is not None else ()
        return [receiver for receiver in receivers if isinstance(receiver, Subscription)]

    def __dir__(self) -> list[str]:
        """Return the names that tab completion offers; not the constants of events, which are many, sort first, and are on the
        class.
        """
        return [name for name in super().__dir__() if not name.startswith("_") and not name.isupper()]
