"""The inside of a live object: its state, the receivers of its events, and the program's own writes.

A model is a facade over its `Live`; the names in here are for `state/` and the models, not for programs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs

from twilio_conversations.errors import ConversationsError
from twilio_conversations.events.signals import Receivers
from twilio_conversations.models.layers import OVERLAY_SECONDS, ReplicatedState, Write
from twilio_conversations.runtime import Runtime
from twilio_conversations.transport.commands import CommandKind
from twilio_conversations.util import logs
from twilio_conversations.util.flows import Flow, Future, flow
from twilio_conversations.util.json import parse_time

_log = logs.logger(__name__)
_GONE: Final = frozenset({403, 404})
Data = TypeVar("Data", bound=attrs.AttrsInstance)


class Keeper(Protocol):
    """The part of `state/` that keeps the models of one kind current, as the models see it."""

    def fetch(self, model: Any, /) -> Future[tuple[Any, int] | None]:
        """Request the current state from the service, with its event id; `None` when the object was removed. On the io thread."""

    def announce_update(self, model: Any, former: Any, current: Any, /) -> None:
        """Raise ``updated`` for what differs between two states, if anything."""

    def confirmed(self, answer: Any, /) -> Mapping[str, Any]:
        """Return further fields that the answer to a write confirms."""


K = TypeVar("K", bound=Keeper)


@attrs.define(eq=False, repr=False, weakref_slot=False)
class Live(Receivers, Generic[Data, K]):
    """The inside of one live object. It does not refer to its model, so that an unused message is freed without the collector.

    Attributes:
        runtime: access to the service, the threads and the other models.
        state: the state of the object.
        keeper: the part of `state/` that keeps the object current.
    """

    runtime: Runtime
    state: ReplicatedState[Data]
    keeper: K

    def write(self, model: Any, fields: Mapping[str, Any], call: Callable[[], Any]) -> Any:
        """Run `call`, which writes `fields` of `model`; show them before returning its answer."""
        with self.runtime.lock:
            write = self.state.begin(fields)
        try:
            answer = call()
        except BaseException:
            with self.runtime.lock:
                self.state.abandon(write)
            raise
        self._confirm(model, write, self.keeper.confirmed(answer))
        return answer

    def post(self, model: Any, url: str, body: Mapping[str, Any], fields: Mapping[str, Any], timeout: float | None) -> Any:
        """POST `body`, which writes `fields` of `model`; return the answer."""
        return self.write(model, fields, lambda: self.runtime.rest.post(url, body, CommandKind.UPDATE, timeout=timeout))

    def show(self, model: Any, fields: Mapping[str, Any]) -> None:
        """Show fields from an answer, as if they had been written."""
        with self.runtime.lock:
            write = self.state.begin(fields)
        self._confirm(model, write, {})

    def _confirm(self, model: Any, write: Write, further: Mapping[str, Any]) -> None:
        """Show the fields that an answer confirmed, until Sync delivers them or `OVERLAY_SECONDS` have passed."""
        with self.runtime.lock:
            overlaid = self.state.confirm(write, further)
            overlay = self.state.overlays
        if overlaid:
            self.runtime.later(OVERLAY_SECONDS, lambda: self._settle(model, overlay))

    @flow
    def _settle(self, model: Any, overlay: int) -> Flow[None]:
        """Fetch an object whose write Sync has not delivered in time, and show the state that the service returns.

        Of one that is gone, or is not visible to the user any more, events report the rest.
        """
        if not self.state.has_overlay(overlay):
            return
        try:
            found = yield self.keeper.fetch(model)
            is_gone = found is None
        except ConversationsError as error:
            _log.info("%r: could not look whether a write arrived: %s", model, error)
            found, is_gone = None, error.status in _GONE
        if not is_gone:
            self.take(model, found, overlay)
            return
        with self.runtime.lock:
            self.state.drop_overlay(overlay)

    def take(self, model: Any, found: tuple[Data, int] | None, overlay: int) -> None:
        """Show the state that the service returned in place of writes up to `overlay`; all of it, if nothing was written since.

        A write may have been overwritten while it was shown, without an event of its own. Handlers then saw a state that is not
        the service's; the difference is announced here, unless an event of Sync will still bring it.
        """
        with self.runtime.lock:
            state = self.state
            shown = state.visible
            if found is not None and state.overlays == overlay:
                state.show(*found)
            state.drop_overlay(overlay)
            truth = state.visible
            is_delivered = state.replica == truth
        if is_delivered:
            self.keeper.announce_update(model, shown, truth)


def date_updated(answer: Any) -> dict[str, Any]:
    """Return the field `date_updated` of the answer to a write."""
    date = answer.get("date_updated") if isinstance(answer, dict) else None
    return {"date_updated": parse_time(date)} if date else {}
