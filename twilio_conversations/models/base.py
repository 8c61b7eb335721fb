"""Base classes of live objects: custom data, dates, refreshing, `to_dict`, refusal to be pickled."""

from __future__ import annotations

import datetime as dt
from typing import Any, Generic, NoReturn, Protocol, Self, TypeVar

import attrs

from twilio_conversations.errors import NotFoundError, NotPicklableError
from twilio_conversations.events.emitter import EventEmitter
from twilio_conversations.models.live import Live
from twilio_conversations.util.json import Attributes, dumps, plain


class Described(attrs.AttrsInstance, Protocol):
    """Values of an object that has custom data."""

    @property
    def attributes(self) -> Attributes:
        """Custom data."""
        ...


class Dated(Described, Protocol):
    """Values of an object that has dates as well."""

    @property
    def date_created(self) -> dt.datetime | None:
        """Time of creation, UTC."""
        ...

    @property
    def date_updated(self) -> dt.datetime | None:
        """Time of the last change, UTC."""
        ...


Data = TypeVar("Data", bound=Described)
DatedData = TypeVar("DatedData", bound=Dated)


@attrs.define(eq=False, repr=False)
class Model(EventEmitter, Generic[Data]):
    """A live object: one per key and client, equal only to itself, kept up to date by the client."""

    _live: Live[Data, Any]

    @property
    def attributes(self) -> Any:
        """Custom data; a copy, ``{}`` when there is none."""
        return self._live.state.visible.attributes.value()

    def update_attributes(self, attributes: Any, *, timeout: float | None = None) -> Self:
        """Replace the custom data (``POST`` to the object's own resource). Returns this object, changed."""
        text = dumps(attributes)
        self._live.post(self, self._url, {"attributes": text}, {"attributes": Attributes(text)}, timeout)
        return self

    @property
    def _url(self) -> str:
        """REST resource of the object."""
        raise NotImplementedError

    def refresh(self, *, timeout: float | None = None) -> Self:
        """Read the current state from the service, and return this object with it.

        Events keep the object up to date; use this for a decision that must not depend on slightly older state.

        Raises:
            NotFoundError: it was removed.
        """
        live = self._live
        overlay = live.state.overlays
        found = live.runtime.run(lambda: live.keeper.fetch(self), live.runtime.deadline(timeout), "refresh()")
        if found is None:
            raise NotFoundError(f"{self!r} is gone")
        live.take(self, found, overlay)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the current state and the identifiers of the object as data that `json` can write.

        The names are those of the attributes, times are ISO-8601 text, enumerations are plain text. The data is unchanged by a
        round trip through JSON.
        """
        with self._live.runtime.lock:
            data = self._live.state.visible
        return {**self._names(), **self._facts(plain(data))}

    def _names(self) -> dict[str, Any]:
        """Return the identifiers of the object, by the names of its attributes."""
        raise NotImplementedError

    def _facts(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the data of `to_dict` under the public names; `data` has the names of the fields of the state."""
        return data

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise NotPicklableError(f"a {type(self).__name__} is alive and cannot be pickled; use to_dict()")


@attrs.define(eq=False, repr=False)
class DatedModel(Model[DatedData], Generic[DatedData]):
    """A live object with the dates of its creation and of its last change."""

    @property
    def date_created(self) -> dt.datetime | None:
        """Time of creation, UTC."""
        return self._live.state.visible.date_created

    @property
    def date_updated(self) -> dt.datetime | None:
        """Time of the last change, UTC."""
        return self._live.state.visible.date_updated
