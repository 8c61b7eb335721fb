"""Own messages that are being sent to one conversation: each is looked for, once it is in doubt, before it is sent again.

Two sends of the same text are two messages. So equal sends in doubt are settled one at a time, while no equal one is under way
whose message could be taken for another's, and a message that was found or answered is the result of one send only.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, cast

import attrs

from twilio_conversations.errors import ConversationsError, ProtocolError, RequestTimeoutError, ServiceError
from twilio_conversations.sync.changes import Item
from twilio_conversations.util.flows import Flow, Future, flow
from twilio_conversations.util.futures import Deadline, SharedFuture
from twilio_conversations.util.json import Attributes, parse_index
from twilio_conversations.values.message import MessageData
from twilio_conversations.wire.frame import json_bytes
from twilio_conversations.wire.packets import Reply, Status

if TYPE_CHECKING:
    from twilio_conversations.models.message import Message
    from twilio_conversations.runtime import Runtime
    from twilio_conversations.sync.client import Handle
    from twilio_conversations.transport.pending import Receiver

MOST_LEFT: Final = 64
"""Sends that ended in doubt and are remembered for the case that the program repeats them."""

MOST_TAKEN: Final = 10_000
"""Indexes of results that are remembered for sends that ended in doubt."""

MOST_SENT: Final = 1_000
"""Own messages that are remembered as they were sent, while a send is under way or has ended in doubt."""

_PAGE: Final = 50


class Content(NamedTuple):
    """The fields in which equal messages agree."""

    body: str
    subject: str
    attributes: str
    content_sid: str | None
    variables: str | None
    media_sids: tuple[str, ...]

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Content:
        """Return the content of the request for a message."""
        return cls(
            request.get("body") or "",
            request.get("subject") or "",
            request.get("attributes") or "{}",
            request.get("content_sid"),
            request.get("content_variables"),
            tuple(request.get("media_sids") or ()),
        )

    def is_of(self, data: MessageData) -> bool:
        """Return whether a message has this content. Of one from a template, the service has made the text and the media."""
        if (data.content_sid or None) != self.content_sid or data.attributes != Attributes(self.attributes):
            return False
        if self.content_sid is not None:
            return True
        medias = tuple(sorted(media.sid for media in data.medias))
        return (data.body or "", data.subject or "", medias) == (self.body, self.subject, tuple(sorted(self.media_sids)))


@attrs.define(eq=False)
class Sending:
    """One send, as a `Look`; it is under way for as long as a ``with`` block of it runs.

    Attributes:
        mutation_id: the id of its request.
        above: its message has a larger index.
        found: the message, if it was looked for and found.
        turn: done when it may look.
    """

    owner: OwnMessages
    content: Content
    mutation_id: str
    deadline: Deadline
    above: int = -1
    in_doubt: bool = False
    found: Message | None = None
    turn: Future[None] | None = None

    def __enter__(self) -> Self:
        self.owner.begin(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self.owner.end(self, left=error is not None and (self.in_doubt or _may_have_arrived(error)))

    def doubt(self) -> None:
        """Note that an attempt has left it in doubt."""
        self.in_doubt = True
        self.owner.doubt(self)

    def look(self) -> Future[Reply | None]:
        """Look for the message, when it is this send's turn."""
        return self.owner.look(self)


@attrs.define(eq=False)
class _Equals:
    """The sends of one content: whose attempt is under way, who is in doubt, who of these has the turn, who waits to begin."""

    under_way: set[Sending] = attrs.field(factory=set)
    in_doubt: dict[Sending, None] = attrs.field(factory=dict)
    settling: Sending | None = None
    waiting: list[SharedFuture[None]] = attrs.field(factory=list)

    @property
    def is_free(self) -> bool:
        """Whether another one may begin."""
        return self.settling is None and not self.in_doubt

    @property
    def is_empty(self) -> bool:
        return self.is_free and not self.under_way

    def doubt(self, sending: Sending) -> None:
        self.leave(sending)
        self.in_doubt[sending] = None

    def leave(self, sending: Sending) -> None:
        self.under_way.discard(sending)
        self.in_doubt.pop(sending, None)
        if self.settling is sending:
            self.settling = None

    def go_on(self) -> Sequence[Receiver]:
        """Give the turn to the next one, if nobody is in the way; return whom to wake."""
        if self.settling is None and self.in_doubt and not self.under_way:
            self.settling = next(iter(self.in_doubt))
            del self.in_doubt[self.settling]
            return [] if self.settling.turn is None else [self.settling.turn]
        if not self.is_free:
            return []
        woken, self.waiting = self.waiting, []
        return woken


class OwnMessages:
    """The sends of one conversation.

    `sending`, `begin`, `end` and `answered` may be used from any thread, the others on the io thread.
    """

    def __init__(
        self,
        runtime: Runtime,
        opened: Callable[[], Future[Handle]],
        shown: Callable[[Item], Message | None],
        newest: Callable[[], int],
    ) -> None:
        """`opened` gives the Sync list, `shown` the live message of an item, and `newest` the largest index that is known."""
        self._runtime = runtime
        self._opened = opened
        self._shown = shown
        self._newest_known = newest
        self._newest = -1
        self._lock = threading.Lock()
        self._equals: dict[Hashable, _Equals] = {}
        self._under_way: dict[Sending, None] = {}
        self._left: dict[str, int] = {}  # mutation id of a send that ended in doubt -> above which index its message is
        self._taken: set[int] = set()
        self._sent: dict[int, MessageData] = {}  # own messages as they were sent: they may be edited before they are looked for

    def arrived(self, index: int, data: MessageData) -> None:
        """Note a message that an event has added."""
        self.told(index)
        if (self._under_way or self._left) and data.author == self._runtime.configuration.identity:
            with self._lock:
                self._sent.setdefault(index, data)
                if len(self._sent) > MOST_SENT:
                    del self._sent[next(iter(self._sent))]

    def told(self, index: int) -> None:
        """Note the index of a message that an event or an answer told of."""
        self._newest = max(self._newest, index)

    # -- the life of a send -------------------------------------------------------------------------------------------

    def sending(self, request: Mapping[str, Any], mutation_id: str, deadline: Deadline) -> Sending:
        """Return the send of a message, which is under way for as long as a block of it runs."""
        return Sending(self, Content.of(request), mutation_id, deadline)

    def begin(self, sending: Sending) -> None:
        """Begin a send when no equal one is being settled; one that another call left in doubt begins in doubt.

        Raises:
            RequestTimeoutError: the deadline passed before that.
        """
        self._runtime.connection.lifetime.check()  # before the lock, which a forked child may have inherited held
        mutation_id = sending.mutation_id
        while True:
            turn = self._turn(sending) if mutation_id in self._left else None
            known = self._newest_known()
            with self._lock:
                equals = self._equals.setdefault(sending.content, _Equals())
                if turn is not None and mutation_id in self._left:
                    sending.above, sending.in_doubt, sending.turn = self._left.pop(mutation_id), True, turn
                    self._under_way[sending] = None
                    equals.doubt(sending)
                    woken = equals.go_on()
                    break
                if equals.is_free:
                    sending.above = max(self._newest, known)
                    self._under_way[sending] = None
                    equals.under_way.add(sending)
                    woken = []
                    break
            self._wait_to_begin(sending, equals)
        self._wake(woken)

    def _wait_to_begin(self, sending: Sending, equals: _Equals) -> None:
        connection = self._runtime.connection
        future = connection.run(lambda: connection.sleep(_seconds(sending.deadline)))
        with self._lock:
            if equals.is_free:
                return
            equals.waiting.append(future)
        try:
            self._runtime.wait(future, sending.deadline, "send_message()")
        except RequestTimeoutError as error:
            error.sent = False
            raise
        finally:
            with self._lock:
                if future in equals.waiting:
                    equals.waiting.remove(future)
        if sending.deadline.passed:
            raise RequestTimeoutError("an equal message was being sent all the time", sent=False, retryable=True)

    def answered(self, index: int) -> None:
        """Note the index of a result, while its send is still under way: it is no other send's."""
        with self._lock:
            self.told(index)
            if len(self._under_way) > 1 or self._left:
                self._taken.add(index)

    def end(self, sending: Sending, *, left: bool) -> None:
        """End a send; remember one that is `left` in doubt."""
        with self._lock:
            self._under_way.pop(sending, None)
            if left:
                self._left[sending.mutation_id] = sending.above
                while len(self._left) > MOST_LEFT:
                    del self._left[next(iter(self._left))]
            self._forget_taken()
            equals = self._equals[sending.content]
            equals.leave(sending)
            woken = equals.go_on()
            if equals.is_empty:
                del self._equals[sending.content]
        self._wake(woken)

    def _forget_taken(self) -> None:
        """Forget the results that no send can be taken for any more."""
        if len(self._taken) > MOST_TAKEN:
            self._left.clear()
        if not self._under_way and not self._left:
            self._taken.clear()
            self._sent.clear()
        elif len(self._taken) > MOST_TAKEN:
            lowest = min(sending.above for sending in self._under_way)
            self._taken = {index for index in self._taken if index > lowest}

    def _turn(self, sending: Sending) -> Future[None]:
        """Return a future for the turn of a send, which comes at its deadline at the latest. From any thread."""
        turn: Future[None] = Future()
        self._runtime.later(_seconds(sending.deadline), functools.partial(turn.settle, None))
        return turn

    def _wake(self, futures: Iterable[Receiver]) -> None:
        for future in futures:
            self._runtime.connection.post(functools.partial(future.settle, None))

    # -- in doubt, on the io thread -----------------------------------------------------------------------------------

    def doubt(self, sending: Sending) -> None:
        """Take a send whose attempt was left in doubt: it gives the turn to another, and waits for its own."""
        sending.turn = self._turn(sending)
        with self._lock:
            if sending not in self._under_way:
                return
            equals = self._equals[sending.content]
            equals.doubt(sending)
            woken = equals.go_on()
        self._wake(woken)

    @flow
    def look(self, sending: Sending) -> Flow[Reply | None]:
        """Look for the message of a send; return the answer that it would have had, `None` if there is no such message."""
        if sending.turn is not None:
            yield sending.turn
        if not self._has_turn(sending):
            raise RequestTimeoutError("the service did not answer within the time limit", sent=True, retryable=True)
        items = yield from self._candidates(sending)
        with self._lock:
            free = [item for item in items if item.key not in self._taken and sending in self._under_way]
            if free:
                self._taken.add(cast(int, free[0].key))
        if not free:
            return None
        sending.found = self._shown(free[0])
        return Reply("", http_status=Status(200, "OK"), body=json_bytes({"index": free[0].key}))

    def _has_turn(self, sending: Sending) -> bool:
        with self._lock:
            equals = self._equals.get(sending.content)
            return equals is not None and equals.settling is sending

    def _candidates(self, sending: Sending) -> Flow[list[Item]]:
        """Read the messages that may be the one of a send, oldest first."""
        entity: Handle = yield self._opened()
        identity = self._runtime.configuration.identity
        found: list[Item] = []
        start: Any = None
        while True:
            page = yield from entity.page(
                start=start, size=_PAGE, order="desc", bounds="inclusive" if start is None else "exclusive"
            )
            newer = [item for item in page.items if (parse_index(item.key) or 0) > sending.above]
            found += [item for item in newer if self._is_own(item, identity, sending.content)]
            if len(newer) < len(page.items) or not page.has_next or not page.items:
                return found[::-1]
            start = page.items[-1].key

    def _is_own(self, item: Item, identity: str, content: Content) -> bool:
        """Return whether an item is an own message that was sent with this content."""
        index = parse_index(item.key)
        if index is None:
            return False
        try:
            data = self._sent.get(index) or MessageData.parse(item.data)
        except ProtocolError:
            return False
        return data.author == identity and content.is_of(data)


def _may_have_arrived(error: BaseException) -> bool:
    """Return whether a send that ended with this error may have been carried out."""
    return not isinstance(error, ServiceError) and not (isinstance(error, ConversationsError) and error.sent is False)


def _seconds(deadline: Deadline) -> float:
    remaining = deadline.remaining()
    return float("inf") if remaining is None else remaining
