"""The participants of one conversation: from Sync's roster to `Participant` objects."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Container, Mapping
from typing import TYPE_CHECKING, Any, Final

from twilio_conversations.errors import ConversationsError, NotFoundError, ProtocolError, RestError
from twilio_conversations.events.names import ClientEvent, ConversationEvent, ParticipantEvent
from twilio_conversations.models.layers import OVERLAY_SECONDS, ReplicatedState
from twilio_conversations.models.live import Live, date_updated
from twilio_conversations.models.participant import Participant, ParticipantUpdatedEventArgs
from twilio_conversations.state.announced import AnnouncedParticipants
from twilio_conversations.state.late_handlers import LateHandlers, Take
from twilio_conversations.state.own_commands import Command, OwnCommand, OwnCommands
from twilio_conversations.sync.changes import Item, ItemAdded, ItemChange, ItemRemoved, ItemUpdated, Resynced
from twilio_conversations.transport.commands import CommandKind
from twilio_conversations.util import checks, logs, urls
from twilio_conversations.util.flows import Flow, Future, flow
from twilio_conversations.util.futures import Deadline
from twilio_conversations.values.participant import REASONS, ParticipantData

if TYPE_CHECKING:
    from twilio_conversations.models.conversation_parts import LiveConversation
    from twilio_conversations.sync.client import Handle

_log = logs.logger(__name__)
_NEVER: Final = dt.datetime.min.replace(tzinfo=dt.UTC)


class Participants:
    """The participants of one conversation.

    Those that come with the map are a first state, and need not be all. The program is given participants
    after the map was read page by page.
    """

    def __init__(self, live: LiveConversation, loaded: Callable[[], Future[Handle]], typing_ended: Callable[[str], None]) -> None:
        """`loaded` returns the Sync map after `load` has run; `typing_ended` receives an identity. Both run on the io thread."""
        self._live = live
        self._conversation = live.conversation
        self._runtime = live.runtime
        self._typing_ended = typing_ended
        self._loaded = loaded
        self._by_sid: dict[str, Participant] = {}
        self._own = OwnCommands()
        self._read_from = 0  # number of the latest own command when the map was read last
        self._behind: set[str] = set()  # known from an earlier membership, and not read in this one yet
        self._announced = AnnouncedParticipants()
        self._arriving: dict[str, Item] = {}  # unknown to handlers, as a page has them: announced by the next event
        self._late = LateHandlers()

    # -- from Sync, on the io thread ----------------------------------------------------------------------------------

    def reading(self) -> None:
        """Begin to read the map: whoever is known by now, if only from an answer, is in it or has left since."""
        self._read_from = self._own.number

    def load_first(self, items: list[Item], opened_at: int) -> None:
        """Take the participants that came with the map, and announce nothing; there may be others."""
        self._announced.begin(opened_at)
        self._arriving.clear()
        known = {str(item.key) for item in items if self._take_silently(item)}
        self._behind = self._by_sid.keys() - known

    def load(self, items: list[Item], cursor: int) -> None:
        """Take all participants as pages have them.

        Those may be ahead of the events, which then announce what is new; lost ones are made up for by `load_anew`. `cursor` is
        the id of the change from which the service would replay.
        """
        known = set()
        for item in items:
            sid = str(item.key)
            if self._announced.includes(item, cursor) and (not self._is_told(sid) or sid in self._behind):
                self._take_silently(item)
            else:
                self._show(sid, item)
            known.add(sid)
        for sid in self._missing(known):
            if sid in self._behind or not self._is_told(sid):
                self._forget(sid)
        self._behind.clear()

    def load_anew(self, items: list[Item], loss: Resynced) -> bool:
        """Take all participants after events were lost, and announce who joined and who left meanwhile.

        Changes behind the lost ones have events of their own: the next one of an unknown participant announces that one, whether
        it is about joining or that was lost. Return whether there was a change without an event.
        """
        is_lost = False
        joined = []
        self._arriving.clear()
        for item in items:
            sid = str(item.key)
            is_told = self._is_told(sid)
            if item.event_id > loss.event_id:
                self._show(sid, item)
                if not is_told and sid in self._by_sid:
                    self._arriving[sid] = item
            elif not is_told and self._announced.includes(item, loss.known_to):
                self._take_silently(item)  # it did not come with the map
            elif (taken := self._take(sid, item.data, item.event_id)) is not None:
                participant, former, current = taken
                is_lost |= former != current
                if not is_told:
                    joined.append(participant)
        self._announce_joined(joined)
        known = {str(item.key) for item in items}
        for sid in self._missing(known):
            if self._is_told(sid):
                self._announced.note_removed(sid)
                self._removed(sid)
            else:
                self._forget(sid)
        self._announced.made_up_for(loss)
        return is_lost

    def _missing(self, known: Container[str]) -> list[str]:
        """Return who is not in a reading and should be."""
        with self._runtime.lock:
            return [sid for sid in self._by_sid if sid not in known and not self._own.has_added_since(sid, self._read_from)]

    def _show(self, sid: str, item: Item) -> None:
        """Show a participant as a page has it, and leave what is new to the event about it."""
        try:
            with self._runtime.lock:
                participant = self._by_sid.get(sid)
                if participant is None:
                    state = ReplicatedState(ParticipantData.parse(item.data), item.event_id, delivered=False)
                    self._by_sid[sid] = self._made(sid, state)
                else:
                    state = participant._live.state
                    state.show(ParticipantData.parse(item.data, state.visible), item.event_id)
        except ProtocolError as error:
            _log.warning("%r: leaving out participant %s: %s", self._conversation, sid, error)

    def _take_silently(self, item: Item) -> bool:
        """Take a participant that has been there for longer, and announce nothing; return whether it is one."""
        taken = self._take(str(item.key), item.data, item.event_id)
        if taken is not None:
            self._late.give(taken[0])
        return taken is not None

    def _forget(self, sid: str) -> None:
        self._late.end(sid)
        self._arriving.pop(sid, None)
        with self._runtime.lock:
            participant = self._by_sid.pop(sid)
            self._own.left([sid])
        participant._live.leave(participant)

    def _is_told(self, sid: str) -> bool:
        """Return whether handlers know a participant, or could: it is neither from an answer nor from a page that was ahead."""
        participant = self._by_sid.get(sid)
        return participant is not None and participant._live.state.replica is not None

    def resynced(self, loss: Resynced) -> None:
        """Take whatever is loaded next as newer than what is held: event ids may have started from below."""
        self._announced.lost(loss)
        with self._runtime.lock:
            for participant in self._by_sid.values():
                participant._live.state.expect_anything()

    def changed(self, change: ItemChange) -> None:
        """Apply a change of the map and announce it."""
        if self._announced.take(str(change.key), change):
            return
        self._give_late(str(change.key), change)
        if isinstance(change, ItemRemoved):
            self._removed(str(change.key), change)
        else:
            self._added_or_updated(change)

    def _give_late(self, sid: str, change: ItemChange) -> None:
        """Give the late handlers a participant that a page has shown, if the event about it is not about joining: it has been
        there for longer."""
        participant = self._by_sid.get(sid)
        if participant is None or self._is_joining(sid, change):
            self._late.end(sid)
        else:
            self._late.give(participant)

    def _added_or_updated(self, change: ItemAdded | ItemUpdated) -> None:
        sid = str(change.key)
        taken = self._take(sid, change.data, change.event_id)
        if taken is None:
            return
        participant, former, current = taken
        if self._is_joining(sid, change):
            self._arriving.pop(sid, None)
            self._announce_joined([participant])
        else:
            self.announce_update(participant, former, current)

    def _is_joining(self, sid: str, change: ItemChange) -> bool:
        """Return whether a change is the first one that handlers are notified of, as the participant joined or that was lost."""
        return isinstance(change, ItemAdded) or sid in self._arriving

    def _announce_joined(self, participants: list[Participant]) -> None:
        """Announce that these joined, and with them whoever joined earlier and waits for another event than the lost one."""
        latest = max((_joining(participant)[0] for participant in participants), default=_NEVER)
        for participant in sorted(participants + self._arrived(latest), key=_joining):  # a map is in the order of its keys
            self._late.end(participant.sid)
            self._emit(participant, ConversationEvent.PARTICIPANT_JOINED, ClientEvent.PARTICIPANT_JOINED)

    def _arrived(self, moment: dt.datetime) -> list[Participant]:
        """Return those who joined before a moment and have waited for an event to announce that."""
        joined = []
        for sid in [sid for sid in self._arriving if (self._by_sid[sid].date_created or moment) < moment]:
            item = self._arriving.pop(sid)
            if (taken := self._take(sid, item.data, item.event_id)) is not None:
                self._announced.note_page(item)
                joined.append(taken[0])
        return joined

    def announce_update(self, participant: Participant, former: ParticipantData | None, current: ParticipantData) -> None:
        """Raise ``updated`` for what differs between two states; also when the one before is not known."""
        found = REASONS.between(former, current)
        if found or former is None:
            self._runtime.emit(
                ParticipantUpdatedEventArgs(participant, found),
                (participant, ParticipantEvent.UPDATED),
                (self._conversation, ConversationEvent.PARTICIPANT_UPDATED),
                (self._runtime.events, ClientEvent.PARTICIPANT_UPDATED),
            )

    def _take(self, sid: str, data: Any, version: int) -> tuple[Participant, ParticipantData | None, ParticipantData] | None:
        """Apply `data`; return the live participant, its state before, and that now; `None` for an entry that is none."""
        try:
            with self._runtime.lock:
                participant = self._by_sid.get(sid)
                current = ParticipantData.parse(data, None if participant is None else participant._live.state.base_of(version))
                self._own.told(sid)
                if participant is None:
                    participant = self._by_sid[sid] = self._made(sid, ReplicatedState(current, version))
                    return participant, None, current
                return participant, participant._live.state.apply(current, version), current
        except ProtocolError as error:
            _log.warning("%r: leaving out participant %s: %s", self._conversation, sid, error)
            return None

    def _removed(self, sid: str, change: ItemRemoved | None = None) -> None:
        if change is not None and sid not in self._by_sid:
            self._take(sid, change.data, change.event_id)  # it did not come with the map, and pages are ahead of the events
        participant = self._by_sid.get(sid)
        if participant is not None and participant.identity is not None:
            self._typing_ended(participant.identity)
        self._arriving.pop(sid, None)
        with self._runtime.lock:
            self._by_sid.pop(sid, None)
            self._own.left([sid])
        if participant is not None:
            self._emit(participant, ConversationEvent.PARTICIPANT_LEFT, ClientEvent.PARTICIPANT_LEFT)
            participant._live.leave(participant)

    def joined_at(self, identity: str) -> dt.datetime | None:
        """Return the time at which that identity joined, by the service's clock; `None` if it is not known."""
        return next((one.date_created for one in self.held() if one.identity == identity), None)

    def held(self) -> list[Participant]:
        """Return the participants that are known."""
        with self._runtime.lock:
            return list(self._by_sid.values())

    def survey(self, take: Take) -> None:
        """Have `take` called with the participants that handlers know, in the order they became known.

        Those whose event is still to come are left to it; for one that joined earlier, `take` is called again.
        """
        known = list(self._by_sid.items())
        self._late.wait([sid for sid, _ in known if not self._is_told(sid)], take)
        take([participant for sid, participant in known if self._is_told(sid)])

    def _emit(self, participant: Participant, own: ConversationEvent, clients: ClientEvent) -> None:
        self._runtime.emit(participant, (self._conversation, own), (self._runtime.events, clients))

    def _made(self, sid: str, state: ReplicatedState[ParticipantData]) -> Participant:
        return Participant(Live(self._runtime.dispatcher, self._runtime, state, self), self._conversation, sid)

    def with_identity(self, identity: str) -> Participant | None:
        """Return the participant with that identity, as far as is known; from any thread."""
        found = None
        for participant in list(self._by_sid.values()):
            if participant.identity == identity:
                found = participant
        return found

    # -- for callers --------------------------------------------------------------------------------------------------

    def get_all(self, timeout: float | None) -> list[Participant]:
        """Return all participants, without those whose removal was just confirmed."""
        self._runtime.run(self._loaded, self._runtime.deadline(timeout), "get_participants()")
        with self._runtime.lock:
            return [participant for sid, participant in self._by_sid.items() if not self._own.hides(sid)]

    def get_by_sid(self, sid: str, timeout: float | None) -> Participant:
        """Return the participant with that sid."""
        for participant in self.get_all(timeout):
            if participant.sid == sid:
                return participant
        raise NotFoundError(f"no participant with sid {checks.shown(sid)} in {self._conversation.sid}")

    def get_by_identity(self, identity: str, timeout: float | None) -> Participant:
        """Return the latest participant with that identity."""
        for participant in reversed(self.get_all(timeout)):
            if participant.identity == identity:
                return participant
        raise NotFoundError(f"no participant with identity {checks.shown(identity)} in {self._conversation.sid}")

    def add(self, request: Mapping[str, Any], timeout: float | None) -> Participant:
        """POST a participant and give back the live object it became."""
        deadline = self._runtime.deadline(timeout)
        with self._runtime.lock:
            number = self._own.begin_add()
        try:
            answer = self._runtime.rest.post(
                urls.join(self._live.url, "Participants"),
                request,
                CommandKind.ADD,
                timeout=deadline.remaining(),
                done=lambda refusal: self._runtime.run(lambda: self._find(request, refusal), deadline, "add()"),
            )
            if isinstance(answer, Item):
                return self._added(str(answer.key), ParticipantData.parse(answer.data), number)
            sid = answer.get("sid") if isinstance(answer, dict) else None
            if not isinstance(sid, str):
                raise ProtocolError("the answer to an add has no sid", body=answer)
            return self._added(sid, ParticipantData.from_rest(answer), number)
        finally:
            with self._runtime.lock:
                self._own.end_add(number)

    @flow
    def _find(self, request: Mapping[str, Any], refusal: RestError) -> Flow[Item]:
        """Look for the participant that an earlier attempt has added; raise the refusal of the later one if there is none."""
        entity: Handle = yield self._loaded()
        start: Any = None
        while True:
            page = yield from entity.page(start=start, size=100, bounds="inclusive" if start is None else "exclusive")
            for item in page.items:
                if _is_wanted(item.data, request):
                    return item
            if not page.has_next or not page.items:
                raise refusal
            start = page.items[-1].key

    def _added(self, sid: str, data: ParticipantData, number: int) -> Participant:
        """Return the participant of an answer: the live one if its event was faster, else one made from the answer."""
        with self._runtime.lock:
            participant = self._by_sid.get(sid)
            if participant is not None:
                return participant
            participant = self._made(sid, ReplicatedState(data, delivered=False))
            own = self._own.added(sid, number)
            if own is not None:
                self._by_sid[sid] = participant
        if own is None:
            participant._live.leave(participant)
        else:
            self._settle_later({sid: own})
        return participant

    def _settle_later(self, commands: Mapping[str, OwnCommand]) -> None:
        """Settle own commands after the time that their events have."""

        def settle_all() -> None:
            for sid, own in commands.items():
                self._settle(sid, own)

        self._runtime.later(OVERLAY_SECONDS, settle_all)

    @flow
    def _settle(self, sid: str, own: OwnCommand) -> Flow[None]:
        """Look what became of a command whose event has not come for a while, and trust that."""
        participant = self._by_sid.get(sid)
        if participant is None or not self._own.has(sid, own):
            return
        is_add = own.command is Command.ADD
        try:
            is_there = (yield self.fetch(participant)) is not None
        except ConversationsError as error:
            _log.info(
                "%r: could not look whether %s was %s: %s", self._conversation, sid, "added" if is_add else "removed", error
            )
            is_there = True
        with self._runtime.lock:
            if not self._own.has(sid, own) or is_there is is_add:
                return
            self._own.end(sid)
        if is_add:
            self._forget(sid)

    def url_of(self, key: str, deadline: Deadline) -> str:
        """Return the resource of a participant, named by sid or identity.

        An identity of dots is replaced by the sid: resolved by a proxy on the way, the path with it would be the conversation's.

        Raises:
            NotFoundError: nobody has that identity of dots.
        """
        if key in urls.DOTS:
            key = self.get_by_identity(key, deadline.remaining()).sid
        return urls.join(self._live.url, "Participants", key)

    def remove(self, key: str, timeout: float | None) -> None:
        """DELETE a participant, named by sid or identity; it is not shown any more when this returns."""
        deadline = self._runtime.deadline(timeout)
        url = self.url_of(key, deadline)
        with self._runtime.lock:  # before: by the time of the answer, the same identity may have been added again
            gone = {sid for sid, held in self._by_sid.items() if key in (sid, held.identity)}
        self._runtime.rest.delete(url, CommandKind.REMOVE, timeout=deadline.remaining())
        with self._runtime.lock:
            commands = self._own.removed(sid for sid in gone if sid in self._by_sid)
        self._settle_later(commands)

    @flow
    def fetch(self, participant: Participant) -> Flow[tuple[ParticipantData, int] | None]:
        """Read one participant as the service has it now."""
        entity: Handle = yield self._loaded()
        item = yield from entity.item(participant.sid)
        return None if item is None else (ParticipantData.parse(item.data), item.event_id)

    def confirmed(self, answer: Any) -> Mapping[str, Any]:
        """Return the date of a change."""
        return date_updated(answer)


def _is_wanted(data: Any, request: Mapping[str, Any]) -> bool:
    """Return whether a roster item is the participant of a request: by its identity, or its pair of addresses."""
    if not isinstance(data, dict):
        return False
    if "identity" in request:
        return bool(data.get("identity") == request["identity"])
    bindings, wanted = data.get("bindings"), request["messaging_binding"]
    found = list(bindings.values()) if isinstance(bindings, dict) else []
    pair = ("address", "proxy_address")
    return any(isinstance(one, dict) and all(one.get(name) == wanted[name] for name in pair) for one in found)


def _joining(participant: Participant) -> tuple[dt.datetime, int]:
    """Return the date of joining and the id of the latest change, for sorting."""
    return participant.date_created or _NEVER, participant._live.state.version
