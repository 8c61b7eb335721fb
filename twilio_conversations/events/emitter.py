"""`on`, `once`, `off`: handlers are receivers of blinker signals, kept in order and strongly, each run guarded.

There is one mechanism: `on` connects a wrapper to ``obj.signals.<event>``; whoever connects to that signal in blinker's own
way is called just the same, as ``receiver(sender, event=..., payload=...)``. Only the events thread runs receivers.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterable, Iterator, MutableSet
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast, overload

import attrs
import blinker

from twilio_conversations.events.names import STICKY, WITHOUT_PAYLOAD, EventName
from twilio_conversations.util import checks, naming
from twilio_conversations.util.display import public_names

if TYPE_CHECKING:
    from twilio_conversations.events.dispatcher import Dispatcher

Handler = TypeVar("Handler", bound=Callable[..., Any])
_NEVER = object()


class OrderedSet(MutableSet[Any]):
    """A set that iterates in the order things were added; blinker keeps receivers in it."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._items = dict.fromkeys(items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, value: Any) -> None:
        """Add `value` at the end, unless it is there."""
        self._items[value] = None

    def discard(self, value: Any) -> None:
        """Take `value` out if it is there."""
        self._items.pop(value, None)

    def copy(self) -> OrderedSet:
        """A copy that later changes do not touch."""
        return OrderedSet(tuple(self._items))


class Signal(blinker.Signal):
    """A blinker signal whose receivers are called in the order they were connected, and whose object is told when there
    are others than before."""

    set_class = cast("type[set[Any]]", OrderedSet)

    def __init__(self, name: str, emitter: weakref.ref[EventEmitter]) -> None:
        super().__init__(name)
        self.name = name
        self._emitter = emitter

    def connect(self, receiver: Handler, sender: Any = blinker.ANY, weak: bool = True) -> Handler:
        """Connect a receiver, as blinker has it."""
        super().connect(checks.function(receiver, "a receiver"), sender, weak)
        self._changed()
        return receiver

    def _disconnect(self, receiver_id: Any, sender_id: Any) -> None:
        """Every way in which a receiver goes comes through here, also that of one that is collected: no lock is taken."""
        super()._disconnect(receiver_id, sender_id)
        self._changed()

    def __repr__(self) -> str:
        return f"<Signal {self.name} {len(self.receivers)} receivers>"

    def __dir__(self) -> list[str]:
        return ["connect", "connected_to", "disconnect", "has_receivers_for", "muted", "name", "receivers_for"]

    def _changed(self) -> None:
        emitter = self._emitter()
        if emitter is not None:
            emitter._pin()


class Signals:
    """The signals of one object, as attributes by event name; each is made when it is first asked for."""

    __slots__ = ("_by_event", "_emitter", "_names")

    def __init__(self, names: type[EventName], emitter: EventEmitter) -> None:
        self._names = names
        self._emitter = weakref.ref(emitter)
        self._by_event: dict[EventName, Signal] = {}

    def __getattr__(self, name: str) -> Signal:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.signal(self._names.parse(name))  # an unknown event is an AttributeError too

    def signal(self, event: EventName) -> Signal:
        """The signal of `event`."""
        found = self._by_event.get(event)
        return found if found is not None else self._by_event.setdefault(event, Signal(event.python_name, self._emitter))

    def __repr__(self) -> str:
        return f"<Signals {' '.join(self.__dir__())}>"

    def __dir__(self) -> list[str]:
        return [event.python_name for event in self._names]

    def known(self, event: EventName) -> Signal | None:
        """The signal of `event` if anybody ever asked for it."""
        return self._by_event.get(event)

    @property
    def heard(self) -> bool:
        """Whether anybody is connected to any of them."""
        return any(signal.receivers for signal in list(self._by_event.values()))


class Subscription:
    """One registration of a handler; a context manager that ends it."""

    __slots__ = ("__weakref__", "_emitter", "_once", "_waits", "event", "handler")

    def __init__(
        self, emitter: EventEmitter, event: EventName, handler: Callable[..., Any], *, once: bool, waits: bool = False
    ) -> None:
        """`waits`: discard events until `begin`, since the replay that comes then has what they tell of."""
        self._emitter: EventEmitter | None = emitter
        self._once = once
        self._waits = waits
        self.event = event
        self.handler = checks.function(handler, "a handler")

    def __repr__(self) -> str:
        state = "" if self._emitter is not None else " cancelled"
        return f"<Subscription {self.event.python_name} {naming.name_of(self.handler)}{state}>"

    def begin(self) -> None:
        """Pass on what comes from now on."""
        self._waits = False

    def cancel(self) -> None:
        """Stop calling the handler; harmless when repeated."""
        emitter, self._emitter = self._emitter, None
        if emitter is not None:
            emitter.signals.signal(self.event).disconnect(self)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def __call__(self, _sender: Any, *, event: EventName, payload: Any) -> Any:
        """What blinker calls; not for users."""
        if self._emitter is None or self._waits:
            return None
        if self._once:
            self.cancel()
        return self.handler() if event in WITHOUT_PAYLOAD else self.handler(payload)


@attrs.define(eq=False, repr=False)
class EventEmitter:
    """Base of everything that has events.

    Handlers run one at a time on the client's events thread, in the order things happened; they may call any blocking
    method. An exception in one is logged, reported on the client's ``error`` event, and stops nothing.
    """

    _events: ClassVar[type[EventName]]
    _surveyed: ClassVar[frozenset[EventName]] = frozenset()
    _dispatcher: Dispatcher
    _signals: Signals | None = attrs.field(default=None, init=False)
    _last: dict[EventName, Any] | None = attrs.field(default=None, init=False)
    _gone: bool = attrs.field(default=False, init=False)

    @property
    def signals(self) -> Signals:
        """The blinker signals behind the events, such as ``obj.signals.message_added``.

        Receivers connected there are called as ``receiver(sender, event=..., payload=...)``.
        """
        if self._signals is None:
            with self._dispatcher.registering:
                if self._signals is None:
                    self._signals = Signals(self._events, self)
        return self._signals

    @overload
    def on(self, event: str, handler: None = None, *, replay: bool = False) -> Callable[[Handler], Handler]: ...

    @overload
    def on(self, event: str, handler: Callable[..., Any], *, replay: bool = False) -> Subscription: ...

    def on(self, event: str, handler: Callable[..., Any] | None = None, *, replay: bool = False) -> Any:
        """Call `handler` whenever `event` happens; without a handler, a decorator.

        The same handler registered twice runs twice.

        With `replay`, a handler that is registered late is first given what it has missed. For events that tell of something
        that is there (``conversation_added``, ``conversation_joined`` and ``user_subscribed`` of a client,
        ``participant_joined`` of a conversation) that is everything that is there now, each once, before later events. For
        others it is the latest payload, if the event has happened (``initialized`` and ``init_failed`` always do so).

        Raises:
            UnknownEventError: this object has no such event.
            InvalidArgumentError: the handler cannot be called, or is ``async def`` or a generator, which nobody would run.
        """
        return self._register(event, handler, replay=replay, once=False)

    @overload
    def once(self, event: str, handler: None = None, *, replay: bool = False) -> Callable[[Handler], Handler]: ...

    @overload
    def once(self, event: str, handler: Callable[..., Any], *, replay: bool = False) -> Subscription: ...

    def once(self, event: str, handler: Callable[..., Any] | None = None, *, replay: bool = False) -> Any:
        """Like `on`, for the next time only: the registration ends before the handler runs."""
        return self._register(event, handler, replay=replay, once=True)

    def off(self, event: str, handler: Callable[..., Any]) -> None:
        """End the latest registration of `handler`; one that is not registered is ignored."""
        for subscription in reversed(self._subscriptions(event)):
            if subscription.handler == handler:
                subscription.cancel()
                return

    def listeners(self, event: str) -> list[Callable[..., Any]]:
        """The handlers registered for `event`, in order."""
        return [subscription.handler for subscription in self._subscriptions(event)]

    def remove_all_listeners(self, event: str | None = None) -> None:
        """End all registrations made with `on` and `once`, of one event or of all."""
        for name in [event] if event is not None else list(self._events):
            for subscription in self._subscriptions(name):
                subscription.cancel()

    def _register(self, event: str, handler: Callable[..., Any] | None, *, replay: bool, once: bool) -> Any:
        name = self._events.parse(event)
        if handler is None:
            return lambda function: (self._register(name, function, replay=replay, once=once), function)[1]
        surveyed = replay and name in self._surveyed
        subscription = Subscription(self, name, handler, once=once, waits=surveyed)
        signal = self.signals.signal(name)
        with self._dispatcher.registering:
            signal.connect(subscription, weak=False)
            latest = (self._last or {}).get(name, _NEVER) if replay or name in STICKY else _NEVER
        if surveyed:
            self._survey(name, functools.partial(self._dispatcher.replay, self, subscription, name))
        elif latest is not _NEVER:
            self._dispatcher.replay(self, subscription, name, (latest,))
        return subscription

    def _survey(self, event: EventName, take: Callable[[Iterable[Any]], None]) -> None:
        """Have `take` called, on the io thread, with everything that `event` tells of and that is there then.

        Only the io thread raises such events: those before are in it, and those after come after it.
        """
        raise NotImplementedError

    def _subscriptions(self, event: str) -> list[Subscription]:
        signal = self._signals.known(self._events.parse(event)) if self._signals is not None else None
        receivers = signal.receivers_for(self) if signal is not None else ()
        return [receiver for receiver in receivers if isinstance(receiver, Subscription)]

    def __dir__(self) -> list[str]:
        return public_names(super().__dir__())

    def _pin(self) -> None:
        """Have this object kept alive exactly as long as it has handlers and may still have events.

        Without a lock: whoever took the pin away looks once more, so that a handler that came meanwhile is not overlooked.
        """
        if self._is_heard:
            self._dispatcher.pin(self)
        else:
            self._dispatcher.unpin(self)
            if self._is_heard:
                self._dispatcher.pin(self)

    @property
    def _is_heard(self) -> bool:
        return not self._gone and self._signals is not None and self._signals.heard

    def _leave(self) -> None:
        """What this object stands for is gone: events that wait still come, and then only the program keeps it."""
        self._gone = True
        self._pin()

    def _return(self) -> None:
        """What this object stands for is there again."""
        if self._gone:
            self._gone = False
            self._pin()

    def _receivers(self, event: EventName, payload: Any) -> list[tuple[Callable[..., Any], Callable[..., Any]]]:
        """Return what `_connected` returns; from now on this event is also the one that `replay` gives."""
        with self._dispatcher.registering:
            if self._last is None:
                self._last = {}
            self._last[event] = payload
            return self._connected(event)

    def _connected(self, event: EventName) -> list[tuple[Callable[..., Any], Callable[..., Any]]]:
        """Return the program's function and what is to be called for it, for each that is connected to this event, in order.

        The caller holds `Dispatcher.registering`.
        """
        signal = self._signals.known(event) if self._signals is not None else None
        receivers = signal.receivers_for(self) if signal is not None and not signal.is_muted else ()
        return [(one.handler if isinstance(one, Subscription) else one, one) for one in receivers]
