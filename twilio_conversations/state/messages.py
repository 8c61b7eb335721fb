"""The messages of one conversation: from Sync's list to `Message` objects, and from a send to the message it became."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from twilio_conversations.enums import MediaCategory, MessageType
from twilio_conversations.errors import InvalidArgumentError, ProtocolError, RestError
from twilio_conversations.events.names import ClientEvent, ConversationEvent, MessageEvent
from twilio_conversations.models.layers import ReplicatedState
from twilio_conversations.models.live import Live, date_updated
from twilio_conversations.models.message import Message, MessageUpdatedEventArgs
from twilio_conversations.sending.attachment import Attachment, SendEmailOptions, attachments
from twilio_conversations.sending.builder import MessageBuilder
from twilio_conversations.sending.draft import ContentVariables, Draft
from twilio_conversations.sending.sender import Sender, checked_progress
from twilio_conversations.state.announced import AnnouncedMessages
from twilio_conversations.state.message_pages import MOST_PER_REQUEST, MessagePages, messages_after
from twilio_conversations.state.own_messages import OwnMessages
from twilio_conversations.sync.changes import Item, ItemAdded, ItemChange, ItemRemoved, ItemUpdated, Resynced
from twilio_conversations.transport.commands import CommandKind
from twilio_conversations.util import checks, logs, urls
from twilio_conversations.util.flows import Flow, Future, flow
from twilio_conversations.util.json import parse_index
from twilio_conversations.values.media import MediaData
from twilio_conversations.values.message import REASONS, MessageData

if TYPE_CHECKING:
    from twilio_conversations.models.conversation_parts import LiveConversation
    from twilio_conversations.sync.client import Handle
    from twilio_conversations.values.progress import OnProgress

_log = logs.logger(__name__)


class Messages:
    """The messages of one conversation. Live objects are held weakly; the latest ones also by the client."""

    def __init__(self, live: LiveConversation, opened: Callable[[], Future[Handle]], typing_ended: Callable[[str], None]) -> None:
        """`opened` returns the Sync list, opening it if need be; `typing_ended` receives an identity. Both on the io thread."""
        self._live = live
        self._conversation = conversation = live.conversation
        self._runtime = runtime = live.runtime
        self._typing_ended = typing_ended
        self._opened = opened
        self._held: weakref.WeakValueDictionary[int, Message] = weakref.WeakValueDictionary()
        self._announced = AnnouncedMessages()
        self.pages: MessagePages = MessagePages(runtime, opened, self._show)
        self._own = OwnMessages(runtime, opened, self._show, self._newest_known)
        self._added_to = (
            (conversation, ConversationEvent.MESSAGE_ADDED),
            (runtime.events, ClientEvent.MESSAGE_ADDED),
        )

    # -- from Sync, on the io thread ----------------------------------------------------------------------------------

    def changed(self, change: ItemChange) -> None:
        """Apply a change of the list and announce it; what cannot be a message is left out."""
        try:
            index = _index(change.key)
            if self._announced.take(index, change):
                return
            if isinstance(change, ItemAdded):
                self._added(index, change)
            elif isinstance(change, ItemUpdated):
                self._updated(index, change)
            else:
                self._removed(index, change)
        except ProtocolError as error:
            _log.warning("%r: leaving out a change of the messages: %s", self._conversation, error)

    def _added(self, index: int, change: ItemAdded) -> None:
        message, _, current = self._apply(index, change)
        self._own.arrived(index, current)
        if current.author is not None:
            self._typing_ended(current.author)
        self._runtime.dispatcher.post(self._added_to, message)

    def _updated(self, index: int, change: ItemUpdated) -> None:
        message, former, current = self._apply(index, change)
        self.announce_update(message, former, current)

    def announce_update(self, message: Message, former: MessageData | None, current: MessageData) -> None:
        """Raise ``updated`` for what differs between two states; also when the one before is not known."""
        found = REASONS.between(former, current)
        if found or former is None:
            self._runtime.emit(
                MessageUpdatedEventArgs(message, found),
                (message, MessageEvent.UPDATED),
                (self._conversation, ConversationEvent.MESSAGE_UPDATED),
                (self._runtime.events, ClientEvent.MESSAGE_UPDATED),
            )

    def _apply(self, index: int, change: ItemAdded | ItemUpdated) -> tuple[Message, MessageData | None, MessageData]:
        """Apply a change; return the live message, its state before (`None` when that is not known), and that now."""
        with self._runtime.lock:
            message = self._held.get(index)
            if message is None:
                current = MessageData.parse(change.data)
                return self._hold(index, current, change.event_id, delivered=True), None, current
            state = message._live.state
            current = MessageData.parse(change.data, state.base_of(change.event_id))
            return message, state.apply(current, change.event_id), current

    def _removed(self, index: int, change: ItemRemoved) -> None:
        with self._runtime.lock:
            message = self._held.pop(index, None)
            if message is None:
                if change.data is None:
                    return
                message = self._make(index, MessageData.parse(change.data), change.event_id, delivered=True)
        self._announce_removed(message)

    def _announce_removed(self, message: Message) -> None:
        self._runtime.emit(
            message,
            (self._conversation, ConversationEvent.MESSAGE_REMOVED),
            (self._runtime.events, ClientEvent.MESSAGE_REMOVED),
        )
        message._live.leave(message)

    def opened(self, newest: int | None) -> None:
        """Begin with an open list: messages up to index `newest` are history."""
        self._announced.begin(newest)

    def announce_missed(self, items: Iterable[Item], followed_from: int | None) -> None:
        """Announce messages whose events do not come, as pages have them.

        Events behind `followed_from` may bring some of the items again, which is not announced.
        """
        for item in items:
            self.changed(ItemAdded(item.key, item.data, item.event_id, item.date_updated))
            if followed_from is not None:
                self._announced.note_page(item, followed_from)

    def held(self) -> list[Message]:
        """Return the messages that somebody has."""
        with self._runtime.lock:
            return list(self._held.values())

    def reread(self, entity: Handle) -> Flow[None]:
        """Bring what is held up to date after a time without events, and forget what is gone."""
        for index, message, item in (yield from self._read_held(entity)):
            try:
                with self._runtime.lock:
                    if item is None:
                        self._held.pop(index, None)
                        message._live.leave(message)
                    else:
                        message._live.state.catch_up(MessageData.parse(item.data, message._live.state.replica), item.event_id)
            except ProtocolError as error:
                _log.warning("%r: leaving out message %s: %s", self._conversation, index, error)

    def _read_held(self, entity: Handle) -> Flow[list[tuple[int, Message, Item | None]]]:
        """Read the messages that are held; `None` for those that are gone."""
        with self._runtime.lock:
            held = dict(self._held)
            for message in held.values():
                message._live.state.expect_anything()
        waiting = sorted(held)
        read: list[tuple[int, Message, Item | None]] = []
        while waiting:
            page: Any = yield from entity.page(start=waiting[0], size=MOST_PER_REQUEST)
            last = page.items[-1].key if page.has_next and page.items else waiting[-1]
            found = {item.key: item for item in page.items}
            read += [(index, held[index], found.get(index)) for index in waiting if index <= last]
            waiting = [index for index in waiting if index > last]
        return read

    def resync(self, entity: Handle, loss: Resynced) -> Flow[bool]:
        """Bring everything up to date after events were lost.

        Messages that were written or removed meanwhile are announced, in order; edits of held ones are not. Changes behind
        the lost ones have events of their own. Return whether others are found; none are if the list is closed meanwhile.
        """
        followed_from, is_lost = loss.event_id, False
        self._announced.lost(loss)
        held = yield from self._read_held(entity)
        newest, latest = self._announced.before(loss)
        missed = [item for item in (yield from messages_after(entity, newest)) if item.key not in latest]
        if not entity.open:
            return False
        for index, message, item in held:
            is_lost |= self._catch_up(index, message, item, followed_from)
        self.announce_missed(missed, followed_from)
        return is_lost or any(item.event_id <= followed_from for item in missed)

    def _catch_up(self, index: int, message: Message, item: Item | None, followed_from: int) -> bool:
        """Bring one message up to date; return whether it differs by a change without an event."""
        if item is None:
            with self._runtime.lock:
                self._held.pop(index, None)
            self._announced.note_removed(index)
            self._announce_removed(message)
            return False
        try:
            with self._runtime.lock:
                state = message._live.state
                data = MessageData.parse(item.data, state.replica)
                if item.event_id > followed_from:
                    state.show(data, item.event_id)
                    return False
                return state.catch_up(data, item.event_id)
        except ProtocolError as error:
            _log.warning("%r: leaving out message %s: %s", self._conversation, index, error)
            return False

    def _hold(self, index: int, data: MessageData, version: int, *, delivered: bool) -> Message:
        """Make a message and keep it; the client's lock is held."""
        message = self._make(index, data, version, delivered=delivered)
        self._held[index] = message
        self._runtime.recent.append(message)
        return message

    def _make(self, index: int, data: MessageData, version: int, *, delivered: bool) -> Message:
        runtime, state = self._runtime, ReplicatedState(data, version, delivered=delivered)
        return Message(Live(runtime.dispatcher, runtime, state, self), self._conversation, index)

    # -- reading ------------------------------------------------------------------------------------------------------

    def _show(self, item: Item) -> Message | None:
        """Return the live message of a page's item, `None` for a malformed one."""
        try:
            index = _index(item.key)
            with self._runtime.lock:
                message = self._held.get(index)
                if message is None:
                    return self._hold(index, MessageData.parse(item.data), item.event_id, delivered=False)
                message._live.state.show(MessageData.parse(item.data, message._live.state.visible), item.event_id)
                self._runtime.recent.append(message)
                return message
        except ProtocolError as error:
            _log.warning("%r: leaving out message %r: %s", self._conversation, item.key, error)
            return None

    @flow
    def fetch(self, message: Message) -> Flow[tuple[MessageData, int] | None]:
        """Read one message as the service has it now."""
        entity: Handle = yield self._opened()
        item = yield from entity.item(message.index)
        return None if item is None else (MessageData.parse(item.data), item.event_id)

    def confirmed(self, answer: Any) -> Mapping[str, Any]:
        """Return the date of a change."""
        return date_updated(answer)

    # -- sending, on the caller's thread ------------------------------------------------------------------------------

    def prepare(self) -> MessageBuilder:
        """Return a builder of a message to this conversation."""
        return MessageBuilder(self._runtime, self.post)

    def send(
        self,
        body: str | None,
        media: Attachment | Iterable[Attachment],
        *,
        attributes: Any,
        subject: str | None,
        content_sid: str | None,
        content_variables: ContentVariables | None,
        mutation_id: str | None,
        on_progress: OnProgress | None,
        timeout: float | None,
    ) -> Message:
        """Upload what is attached, POST the message and give back the live object it became."""
        items = [(MediaCategory.MEDIA, one) for one in attachments(media)]
        if body is None and not items and content_sid is None:
            if attributes is None and subject is None:
                raise InvalidArgumentError('body must be given where there are no media and no content_sid; "" is an empty text')
            body = ""
        told = checked_progress(on_progress)
        sender = Sender(self._runtime, self.post)
        draft = Draft.of(
            None if body is None else checks.text(body, "body"),
            {} if attributes is None else attributes,
            items,
            SendEmailOptions(None if subject is None else checks.filled(subject, "subject")),
            content_sid,
            content_variables,
            sender.limits,
        )
        return sender.send(draft, told, timeout, mutation_id)

    def post(
        self,
        request: Mapping[str, Any],
        medias: tuple[MediaData, ...],
        mutation_id: str,
        timeout: float | None,
    ) -> Message:
        """POST a message whose media were uploaded: the live object it became."""
        url, deadline = urls.join(self._live.url, "Messages"), self._runtime.deadline(timeout)
        with self._own.sending(request, mutation_id, deadline) as sending:

            def done(refusal: RestError) -> Any:
                if (found := self._runtime.run(sending.look, deadline, "send_message()")) is None:
                    raise refusal
                return found.json()

            facts: dict[str, Any] = {"timeout": deadline, "mutation_id": mutation_id, "look": sending, "done": done}
            answer = self._runtime.rest.post(url, request, CommandKind.MESSAGE, **facts)
            # A template makes its own content: the service has ignored what was attached.
            message = sending.found or self._sent(answer, () if "content_sid" in request else medias)
            self._own.answered(message.index)
            return message

    def _sent(self, answer: Any, medias: tuple[MediaData, ...]) -> Message:
        """Return the message of an answer: the live one if its event was faster, else one made from the answer."""
        index = parse_index(answer.get("index")) if isinstance(answer, dict) else None
        if index is None:
            raise ProtocolError("the answer to a send has no index", body=answer)
        with self._runtime.lock:
            message = self._held.get(index)
            if message is None:
                data = MessageData.from_rest(answer)
                if medias:  # the answer leaves out their categories
                    data = attrs.evolve(data, medias=medias, type=MessageType.MEDIA)
                message = self._hold(index, data, -1, delivered=False)
            return message

    def _newest_known(self) -> int:
        """Return the index of the newest message by the conversation's document, -1 for none."""
        last = self._conversation.last_message
        return -1 if last is None or last.index is None else last.index


def _index(key: Any) -> int:
    index = parse_index(key)
    if index is None:
        raise ProtocolError(f"{checks.shown(key)} is no message index")
    return index
