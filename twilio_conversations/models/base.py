"""What all live objects share: layered state, custom data, writes that can be read back at once, refusal to be pickled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, NoReturn, Protocol, Self, TypeVar

import attrs

from twilio_conversations.errors import ConversationsError, NotFoundError, NotPicklableError
from twilio_conversations.events.emitter import EventEmitter
from twilio_conversations.models.layers import OVERLAY_SECONDS, Layered, Write
from twilio_conversations.runtime import Services
from twilio_conversations.util import logs
from twilio_conversations.util.futures import Flow, Future, flow
from twilio_conversations.util.json import Attributes, dumps, parse_time, plain

_log = logs.logger(__name__)


class Described(attrs.AttrsInstance, Protocol):
    """What the service says of an object that has custom data."""

    @property
    def attributes(self) -> Attributes:
        """Custom data."""
        ...


Data = TypeVar("Data", bound=Described)


@attrs.define(eq=False, repr=False)
class Model(EventEmitter, Generic[Data]):
    """A live object: one per key and client, equal only to itself, kept current by the client."""

    _services: Services
    _state: Layered[Data]

    @property
    def attributes(self) -> Any:
        """Custom data; a copy, ``{}`` when there is none."""
        return self._data.attributes.value()

    def update_attributes(self, attributes: Any, *, timeout: float | None = None) -> Self:
        """Replace the custom data (``POST`` to the object's own resource). Returns this object, changed."""
        text = dumps(attributes)
        self._post(self._url, {"attributes": text}, {"attributes": Attributes(text)}, timeout)
        return self

    @property
    def _url(self) -> str:
        """Its REST resource."""
        raise NotImplementedError

    @property
    def _data(self) -> Data:
        return self._state.visible

    def _write(self, fields: Mapping[str, Any], call: Callable[[], Any]) -> Any:
        """Run `call`, which writes `fields`; show them before returning, and give back its answer."""
        with self._services.lock:
            write = self._state.begin(fields)
        try:
            answer = call()
        except BaseException:
            with self._services.lock:
                self._state.abandon(write)
            raise
        self._confirm(write, self._confirmed(answer))
        return answer

    def _confirm(self, write: Write, further: Mapping[str, Any]) -> None:
        """Show what an answer confirmed, until Sync tells of it or has had the time to."""
        with self._services.lock:
            overlaid = self._state.confirm(write, further)
            overlay = self._state.overlays
        if overlaid:
            self._services.later(OVERLAY_SECONDS, lambda: self._settle_overlay(overlay))

    def _post(self, url: str, body: Mapping[str, Any], fields: Mapping[str, Any], timeout: float | None) -> Any:
        """POST `body`, which writes `fields`."""
        return self._write(fields, lambda: self._services.rest.post(url, body, timeout=timeout))

    def _confirmed(self, answer: Any) -> Mapping[str, Any]:
        """Further fields that the answer to a write confirms."""
        del answer
        return {}

    def _fetch(self) -> Future[tuple[Data, int] | None]:
        """The state that the service has now, with its event id; `None` when it is gone."""
        raise NotImplementedError

    @flow
    def _settle_overlay(self, overlay: int) -> Flow[None]:
        """Sync has not told of a write for a while: look what became of it, and trust that."""
        if not self._state.has_overlay(overlay):
            return
        try:
            found = yield self._fetch()
        except ConversationsError as error:
            _log.info("%r: could not look whether a write arrived: %s", self, error)
            found = None
        self._take(found, overlay)

    def _take(self, found: tuple[Data, int] | None, overlay: int) -> None:
        """Show what the service said instead of writes up to `overlay`; the state as a whole, if nothing was written since.

        A write may have been overwritten while it was shown, with no event of its own: then what handlers saw last, with the
        write in it, is not so, and unless Sync has still to tell of the difference, nobody else will.
        """
        with self._services.lock:
            state = self._state
            shown = state.visible
            if found is not None and state.overlays == overlay:
                state.show(*found)
            state.drop_overlay(overlay)
            truth = state.visible
            is_told = state.replica == truth
        if is_told:
            self._announce(shown, truth)

    def _announce(self, former: Data | None, current: Data) -> None:
        """Raise ``updated`` for what differs between two states, if anything."""
        raise NotImplementedError

    def refresh(self, *, timeout: float | None = None) -> Self:
        """Ask the service for the state it has now, and return this object showing it.

        Events tell of changes by themselves; this is for a decision that must not rest on what may be a moment old.

        Raises:
            NotFoundError: it is gone.
        """
        overlay = self._state.overlays
        found = self._services.run(self._fetch, self._services.deadline(timeout), "refresh()")
        if found is None:
            raise NotFoundError(f"{self!r} is gone")
        self._take(found, overlay)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return what is known now, with what identifies the object, as data that `json` can write.

        The names are those of the attributes, times are ISO-8601 text, words are plain text. Writing and reading the data as JSON
        gives the same data: they go into a template, a queue, a log or another process.
        """
        with self._services.lock:
            data = self._data
        return {**self._names(), **self._facts(plain(data))}

    def _names(self) -> dict[str, Any]:
        """What identifies the object, by the names of its attributes."""
        raise NotImplementedError

    def _facts(self, data: dict[str, Any]) -> dict[str, Any]:
        """The data of `to_dict` by the names of attributes, from the names that they have in here."""
        return data

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise NotPicklableError(f"a {type(self).__name__} is alive and cannot be pickled; use to_dict()")


def date_updated(answer: Any) -> dict[str, Any]:
    """When an object was changed last, as the answer to a write has it."""
    date = answer.get("date_updated") if isinstance(answer, dict) else None
    return {"date_updated": parse_time(date)} if date else {}
