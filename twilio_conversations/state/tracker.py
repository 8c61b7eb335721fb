"""One conversation's life for this client, by the table of `state.phases`: announced in order, each step once.

`react` looks an input up and does what the table has for it. While objects are being opened their changes wait, so that nothing
is announced before the step it belongs to. Everything here runs on the io thread.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from twilio_conversations.enums import ConversationStatus
from twilio_conversations.errors import (
    ClientClosedError,
    ConversationsError,
    InvalidArgumentError,
    NotFoundError,
    ProtocolError,
)
from twilio_conversations.events.names import ClientEvent, ConversationEvent, HandlerError
from twilio_conversations.models.conversation import Conversation, ConversationUpdatedEventArgs
from twilio_conversations.state.opening import GONE_STATUS, Opener, may_pass
from twilio_conversations.state.phases import TRANSITIONS, Action, Following, Input, Phase
from twilio_conversations.state.tracked import Kind, TrackedConversation
from twilio_conversations.sync.changes import (
    ITEM_CHANGES,
    Change,
    DocumentUpdated,
    EntityFailed,
    EntityRemoved,
    Established,
    Resynced,
)
from twilio_conversations.util import logs
from twilio_conversations.util.flows import Flow, flow
from twilio_conversations.values.conversation import DOCUMENT_FIELDS, REASONS, ConversationData
from twilio_conversations.wire.backoff import Backoff

if TYPE_CHECKING:
    from twilio_conversations.runtime import Runtime
    from twilio_conversations.sync.client import Handle

_log = logs.logger(__name__)

CONFIRMATION_PATIENCE: Final = 10.0
"""Seconds that ``conversation_resynced`` waits for the service to confirm the subscriptions of all objects."""


class Tracker:
    """Leads conversations through their phases, whoever wants them to be there."""

    def __init__(self, runtime: Runtime, forget: Callable[[str], object], has_started: Callable[[], bool]) -> None:
        """`forget` receives the sid of a conversation that is gone; `has_started` returns whether all conversations of the
        start were announced."""
        self._runtime = runtime
        self._forget = forget
        self.opener: Opener = Opener(runtime, has_started, self._object_changed)
        self._actions: dict[Action, Callable[[TrackedConversation], object]] = {
            Action.OPEN: self._open,
            Action.AWAIT: TrackedConversation.await_anew,
            Action.SHOW: self._show,
            Action.ADDED: self._announce_added,
            Action.JOINED: self._announce_joined,
            Action.LEFT: self._announce_left,
            Action.REMOVED: self._announce_removed,
            Action.CLOSE_JOINED: self._close_joined,
            Action.CLOSE: self._close,
            Action.RELEASE: self._release,
        }

    def react(self, tracked: TrackedConversation, event: Input) -> None:
        """Do what the table has for an input."""
        row = TRANSITIONS.get((tracked.phase, event))
        if row is None:
            return
        tracked.enter(row.phase)
        for action in row.actions:
            self._actions[action](tracked)

    # -- opening ------------------------------------------------------------------------------------------------------

    @flow
    def _open(self, tracked: TrackedConversation) -> Flow[None]:
        """Open what is wanted; one of these runs per conversation, until it succeeds or something else is wanted."""
        attempt = tracked.attempt
        is_open = False
        while tracked.attempt is attempt and not is_open:
            try:
                yield from self.opener.open(tracked)
                is_open = True
            except ClientClosedError:
                return
            except ConversationsError as error:
                if tracked.attempt is not attempt:
                    break
                if error.status in GONE_STATUS or isinstance(error, InvalidArgumentError):
                    self._refused(tracked, error)
                    return
                yield from self._back_off(tracked, error)
        self.react(tracked, Input.OPENED if tracked.attempt is attempt else Input.OUTDATED)

    def _refused(self, tracked: TrackedConversation, error: ConversationsError) -> None:
        """Remove a conversation that is not visible to this user, or whose name cannot be asked for."""
        _log.info("conversation %s cannot be opened: %s", tracked.conversation.sid, error)
        tracked.ready.fail(error)
        self.react(tracked, Input.REMOVED)

    def _back_off(self, tracked: TrackedConversation, error: ConversationsError) -> Flow[None]:
        """Report what went wrong, unless the client has failed as a whole, and wait."""
        if self._runtime.readiness.cause is None:
            _log.warning("conversation %s cannot be opened now: %s", tracked.conversation.sid, error)
            self._runtime.dispatcher.report(HandlerError(error))
        if tracked.backoff is None:
            tracked.backoff = Backoff(self._runtime.options.reconnect)
        yield self._runtime.pause(tracked.backoff.next_delay())

    # -- actions ------------------------------------------------------------------------------------------------------

    def _show(self, tracked: TrackedConversation) -> None:
        """Show the document as it was opened, and the user's own part."""
        self._show_document(tracked)
        is_joined = tracked.announced is Following.EVERYTHING
        status = ConversationStatus.JOINED if is_joined else ConversationStatus.NOT_PARTICIPATING
        self._set(tracked, lambda state: attrs.evolve(state.with_membership(tracked.item), status=status))

    def _show_document(self, tracked: TrackedConversation) -> None:
        """Apply the document; one that cannot be read is reported, and the conversation announced without it."""
        opened = tracked.document
        if opened is None or opened.contents is None:
            return
        contents, opened.contents = opened.contents, None
        try:
            self._set(tracked, lambda state: state.with_document(contents))
        except ProtocolError as error:
            _log.warning("%r: %s", tracked.conversation, error)
            self._runtime.dispatcher.report(HandlerError(error))
            return
        tracked.applied = contents
        with self._runtime.lock:
            tracked.live.state.drop_overlay(opened.written_before, DOCUMENT_FIELDS)

    def _announce_added(self, tracked: TrackedConversation) -> None:
        self._emit(tracked, ClientEvent.CONVERSATION_ADDED)

    def _announce_joined(self, tracked: TrackedConversation) -> None:
        self._emit(tracked, ClientEvent.CONVERSATION_JOINED)
        opened = tracked.messages
        if opened is not None:
            missed, opened.missed = opened.missed, []
            tracked.live.messages.announce_missed(missed, opened.followed_from)

    def _announce_left(self, tracked: TrackedConversation) -> None:
        self._emit(tracked, ClientEvent.CONVERSATION_LEFT)

    def _announce_removed(self, tracked: TrackedConversation) -> None:
        conversation = tracked.conversation
        self._runtime.emit(
            conversation,
            (self._runtime.events, ClientEvent.CONVERSATION_REMOVED),
            (conversation, ConversationEvent.REMOVED),
        )
        for model in tracked.live.models():
            model._live.leave(model)

    def _close_joined(self, tracked: TrackedConversation) -> None:
        tracked.close_joined()
        tracked.live.typing.clear()

    def _close(self, tracked: TrackedConversation) -> None:
        """Forget a conversation that is gone."""
        sid = tracked.conversation.sid
        self._forget(sid)
        tracked.waiting.clear()
        tracked.close()
        tracked.await_anew()
        tracked.ready.fail(NotFoundError(f"conversation {sid} is gone", status=404))
        tracked.live.typing.clear()
        self._set(tracked, lambda state: attrs.evolve(state, status=ConversationStatus.NOT_PARTICIPATING))

    def _release(self, tracked: TrackedConversation) -> None:
        """Apply the changes that waited; a conversation that one of them removes is not ready."""
        self._apply_waiting(tracked)
        tracked.ready.settle(tracked.conversation)

    def _apply_waiting(self, tracked: TrackedConversation) -> None:
        """Apply the changes that waited; those that still have to wait do."""
        waiting, tracked.waiting = tracked.waiting, []
        for change in waiting:
            change()

    # -- changes ------------------------------------------------------------------------------------------------------

    def _object_changed(self, tracked: TrackedConversation, kind: Kind, handle: Handle, change: Change) -> None:
        """Apply the change of an object; one that comes while the conversation is being opened waits."""
        if tracked.phase is Phase.GONE:
            return
        if tracked.is_opening or kind in tracked.rereading:
            tracked.waiting.append(functools.partial(self._object_changed, tracked, kind, handle, change))
            return
        if isinstance(change, ITEM_CHANGES):
            (tracked.live.messages if kind is Kind.MESSAGES else tracked.live.participants).changed(change)
        elif isinstance(change, DocumentUpdated):
            former, tracked.applied = tracked.applied, change.data
            self.apply(tracked, lambda state: state.with_document(change.data, former))
        elif isinstance(change, EntityFailed):
            _log.warning("%r cannot be followed: %s", tracked.conversation, change.error)
            self._runtime.dispatcher.report(HandlerError(change.error))
            self._announce_resynced(tracked)
        elif isinstance(change, EntityRemoved):
            if kind is Kind.DOCUMENT:
                self.react(tracked, Input.REMOVED)
        elif isinstance(change, Resynced):
            self._resynced(tracked, kind, handle, change)
        elif isinstance(change, Established):
            self._announce_resynced(tracked)

    @flow
    def _resynced(self, tracked: TrackedConversation, kind: Kind, handle: Handle, change: Resynced) -> Flow[None]:
        """Events of an object were lost: read it again, announce what came meanwhile, then raise ``conversation_resynced``.

        Later changes of the object wait for it, so that each is announced in its place.
        """
        conversation = tracked.conversation

        def is_worth_repeating(error: ConversationsError) -> bool:
            return tracked.phase is not Phase.GONE and may_pass(error)

        tracked.rereading.append(kind)
        try:
            what = f"reading {conversation.sid} again"
            reread = functools.partial(self.opener.reread, tracked, kind, handle, change)
            differs = yield self._runtime.insist(reread, what, is_worth_repeating)
            tracked.has_lost_events |= differs or change.is_certain
        except ConversationsError as error:
            _log.info("%r: changes were missed and cannot be read any more: %s", conversation, error)
        finally:
            tracked.rereading.remove(kind)
            self._apply_waiting(tracked)
        self._announce_resynced(tracked)
        if tracked.has_lost_events:
            self._runtime.later(CONFIRMATION_PATIENCE, lambda: self._announce_resynced(tracked, at_last=True))

    def _announce_resynced(self, tracked: TrackedConversation, *, at_last: bool = False) -> None:
        """Raise ``conversation_resynced`` if events were lost, as soon as everything is up to date.

        `at_last`: although the service has not confirmed everything, as it may never do so.
        """
        if not tracked.has_lost_events or tracked.rereading or (tracked.is_catching_up and not at_last):
            return
        tracked.has_lost_events = False
        if tracked.announced is not Following.NOTHING:
            conversation = tracked.conversation
            self._runtime.emit(
                conversation,
                (conversation, ConversationEvent.RESYNCED),
                (self._runtime.events, ClientEvent.CONVERSATION_RESYNCED),
            )

    # -- state --------------------------------------------------------------------------------------------------------

    def apply(self, tracked: TrackedConversation, change: Callable[[ConversationData], ConversationData]) -> None:
        """Change a conversation's replica and announce the difference."""
        conversation = tracked.conversation
        try:
            former, current = self._set(tracked, change)
        except ProtocolError as error:
            _log.warning("%r: %s", conversation, error)
            return
        tracked.live.horizon.told(former, current)
        self.announce_update(conversation, former, current)

    def announce_update(self, conversation: Conversation, former: ConversationData | None, current: ConversationData) -> None:
        """Raise ``updated`` for what differs between two states, if anything."""
        if found := REASONS.between(former, current):
            self._runtime.emit(
                ConversationUpdatedEventArgs(conversation, found),
                (conversation, ConversationEvent.UPDATED),
                (self._runtime.events, ClientEvent.CONVERSATION_UPDATED),
            )

    def _set(
        self, tracked: TrackedConversation, change: Callable[[ConversationData], ConversationData]
    ) -> tuple[ConversationData | None, ConversationData]:
        state = tracked.live.state
        with self._runtime.lock:
            current = change(state.replica or ConversationData())
            return state.apply(current, 0), current

    def _emit(self, tracked: TrackedConversation, event: ClientEvent) -> None:
        self._runtime.emit(tracked.conversation, (self._runtime.events, event))
