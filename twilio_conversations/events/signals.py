"""The signals behind events: blinker's, with receivers kept in order and strongly, and what one object keeps of its own.

There is one mechanism: `EventEmitter.on` connects a `Subscription` to ``obj.signals.<event>``; whoever connects to that signal in
blinker's own way is called just the same, as ``receiver(sender, event=..., payload=...)``. Only the events thread runs receivers.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, MutableSet
from typing import Any, TypeVar, cast

import attrs
import blinker

from twilio_conversations.events.dispatcher import Calls, Dispatcher, Emitter
from twilio_conversations.events.names import WITHOUT_PAYLOAD, EventName
from twilio_conversations.util import checks, naming

Handler = TypeVar("Handler", bound=Callable[..., Any])


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
        """Return a copy that later changes do not touch."""
        return OrderedSet(tuple(self._items))


class Signal(blinker.Signal):
    """A blinker signal whose receivers are called in the order in which they were connected."""

    set_class: type[set[Any]] = cast("type[set[Any]]", OrderedSet)

    def __init__(self, name: str, changed: Callable[[], object]) -> None:
        """`changed` is called, without a lock, whenever there are other receivers than before."""
        super().__init__(name)
        self.name = name
        self._changed = changed
        self._version = object()
        self._calls: tuple[object, Calls] = object(), ()  # with the version that they are of

    def connect(self, receiver: Handler, sender: Any = blinker.ANY, weak: bool = True) -> Handler:
        """Connect a receiver, as blinker has it."""
        super().connect(checks.function(receiver, "a receiver"), sender, weak)
        self._forget_calls()
        self._changed()
        return receiver

    def _disconnect(self, receiver_id: Any, sender_id: Any) -> None:
        """Every way in which a receiver goes comes through here, also that of one that is collected: no lock is taken."""
        super()._disconnect(receiver_id, sender_id)
        self._forget_calls()
        self._changed()

    def calls(self, emitter: Any) -> Calls:
        """Return the program's function and what is to be called for it, for each receiver of the emitter whose signal this is.

        They are remembered until there are other receivers, but for those that the program holds itself.
        """
        version, calls = self._calls
        if version is not self._version:
            version = self._version  # before the receivers are read: one that comes meanwhile makes this outdated
            calls = [(one.handler if isinstance(one, Subscription) else one, one) for one in self.receivers_for(emitter)]
            if not any(isinstance(held, weakref.ref) for held in [*self.receivers.values()]):
                self._calls = version, calls
        return calls

    def _forget_calls(self) -> None:
        """Have `calls` look again, after each change of the receivers."""
        self._version = object()
        self._calls = object(), ()

    def __repr__(self) -> str:
        return f"<Signal {self.name} {len(self.receivers)} receivers>"

    def __dir__(self) -> list[str]:
        return ["connect", "connected_to", "disconnect", "has_receivers_for", "muted", "name", "receivers_for"]


class Signals:
    """The signals of one object, as attributes by event name; each is made when it is first asked for."""

    __slots__ = ("_by_event", "_changed", "_names")

    def __init__(self, names: type[EventName], changed: Callable[[], object]) -> None:
        """`changed` is called whenever one of them has other receivers than before."""
        self._names = names
        self._changed = changed
        self._by_event: dict[EventName, Signal] = {}

    def __getattr__(self, name: str) -> Signal:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.signal(self._names.parse(name))  # an unknown event is an AttributeError too

    def signal(self, event: EventName) -> Signal:
        """Return the signal of `event`."""
        found = self._by_event.get(event)
        return found if found is not None else self._by_event.setdefault(event, Signal(event.python_name, self._changed))

    def __repr__(self) -> str:
        return f"<Signals {' '.join(self.__dir__())}>"

    def __dir__(self) -> list[str]:
        return [event.python_name for event in self._names]

    def known(self, event: EventName) -> Signal | None:
        """Return the signal of `event` if it was ever requested."""
        return self._by_event.get(event)

    @property
    def heard(self) -> bool:
        """Whether anybody is connected to any of them."""
        return any(signal.receivers for signal in list(self._by_event.values()))


class Subscription:
    """Registration of a handler; a context manager that removes it."""

    __slots__ = ("__weakref__", "_once", "_signal", "_waits", "event", "handler")

    def __init__(self, signal: Signal, event: EventName, handler: Callable[..., Any], *, once: bool, waits: bool = False) -> None:
        """`waits`: discard events until `begin`, since the replay that follows includes their objects."""
        self._signal: Signal | None = signal
        self._once = once
        self._waits = waits
        self.event: EventName = event
        self.handler: Callable[..., Any] = checks.function(handler, "a handler")

    def __repr__(self) -> str:
        state = "" if self._signal is not None else " cancelled"
        return f"<Subscription {self.event.python_name} {naming.name_of(self.handler)}{state}>"

    def begin(self) -> None:
        """Start passing events to the handler."""
        self._waits = False

    def cancel(self) -> None:
        """Stop calling the handler; may be called repeatedly."""
        signal, self._signal = self._signal, None
        if signal is not None:
            signal.disconnect(self)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def __call__(self, _sender: Any, *, event: EventName, payload: Any) -> Any:
        """Call the handler; for blinker, not for users."""
        if self._signal is None or self._waits:
            return None
        if self._once:
            self.cancel()
        return self.handler() if event in WITHOUT_PAYLOAD else self.handler(payload)


@attrs.define(eq=False, repr=False, weakref_slot=False)
class Receivers:
    """Event state of one object: signals, the latest payloads, and whether further events can arrive.

    Attributes:
        dispatcher: the events thread and its queue.
        signals: made when they are first asked for; three per object would cost more than the object.
        last: the latest payload of each event that has happened.
        gone: what the object stands for is gone: it has no further events.
    """

    dispatcher: Dispatcher
    signals: Signals | None = attrs.field(default=None, init=False)
    last: dict[EventName, Any] | None = attrs.field(default=None, init=False)
    gone: bool = attrs.field(default=False, init=False)

    def made_signals(self, names: type[EventName], emitter: Emitter) -> Signals:
        """Return the signals of `emitter`, whose receivers these are, making them the first time."""
        with self.dispatcher.registering:
            if self.signals is None:
                self.signals = Signals(names, _pinning(weakref.ref(emitter)))
            return self.signals

    def pin(self, emitter: Emitter) -> None:
        """Keep `emitter` alive exactly as long as it has handlers and may still have events.

        Without a lock: after each change the state is read once more, so that a handler that comes meanwhile is not overlooked.
        """
        if self._is_heard:
            self.dispatcher.pin(emitter)
        else:
            self.dispatcher.unpin(emitter)
            if self._is_heard:
                self.dispatcher.pin(emitter)

    @property
    def _is_heard(self) -> bool:
        return not self.gone and self.signals is not None and self.signals.heard

    def leave(self, emitter: Emitter) -> None:
        """Mark the object of `emitter` as removed: waiting events are still delivered, then only the program keeps it."""
        self.gone = True
        self.pin(emitter)

    def come_back(self, emitter: Emitter) -> None:
        """Mark the object of `emitter` as existing again."""
        if self.gone:
            self.gone = False
            self.pin(emitter)

    def deliver(self, emitter: Emitter, event: EventName, payload: Any) -> Calls:
        """Return what `connected` returns; from now on this event is also the one that `replay` gives.

        The caller holds `Dispatcher.registering`.
        """
        if self.last is None:
            self.last = {}
        self.last[event] = payload
        return self.connected(emitter, event)

    def connected(self, emitter: Emitter, event: EventName) -> Calls:
        """Return the program's function and what is to be called for it, for each that is connected to this event, in order.

        The caller holds `Dispatcher.registering`.
        """
        if self.signals is None or (signal := self.signals.known(event)) is None or signal.is_muted:
            return ()
        return signal.calls(emitter)


def _pinning(reference: weakref.ref[Emitter]) -> Callable[[], None]:
    """Return a callback for changes of an object's receivers; it holds no reference to the object."""

    def changed() -> None:
        emitter = reference()
        if emitter is not None:
            emitter._live.pin(emitter)

    return changed
