"""Compare the state and the events of the clients with the service's database."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from typing import Any

from tests.histories.client_events import ClientEvent, ClientEvents, of_conversation, of_message, of_participant
from tests.histories.commands import ORDERED, Sent
from tests.histories.environment import Environment, Person
from tests.histories.service_tables import LoggedEvent, Room
from twilio_conversations.util.json import parse_time

LETTERS = {"added": "A", "joined": "J", "left": "L", "removed": "R"}
LIFECYCLE = re.compile(r"(A(J(LR)?|R)?|AJLR|AR)*")
KINDS = {
    "message_added": "added",
    "message_updated": "updated",
    "message_removed": "removed",
    "participant_joined": "added",
    "participant_updated": "updated",
    "participant_left": "removed",
}
TYPING = ("typing_started", "typing_ended")
RESYNCED = "conversation_resynced"


def check_history(environment: Environment, confirmed: Sequence[Sent]) -> None:
    """Check one history, once every client has caught up."""
    rooms = {sid: environment.tables.room(sid) for sid in environment.rooms}
    for person in environment.people:
        check_models(person, rooms)
        for events in (*person.past, person.events):
            current = events is person.events
            unexpected = [error for error in events.errors if getattr(error, "status", None) not in ORDERED]
            assert not unexpected, f"{person.identity} received errors: {unexpected}"
            for sid, room in rooms.items():
                try:
                    check_events(environment, events, sid, room, person.identity, current=current)
                except AssertionError as error:
                    told = "; ".join(map(str, events.of(sid)))
                    error.add_note(f"{person.identity}, client {len(person.past)}, received of {sid[-4:]}: {told}")
                    raise
    check_sent(environment, rooms, confirmed)


def check_sent(environment: Environment, rooms: dict[str, Room], confirmed: Sequence[Sent]) -> None:
    """Check that every confirmed message was added, none is there twice, and each author's messages are in order."""
    for sid, room in rooms.items():
        mine = [sent for sent in confirmed if sent.room == sid]
        added = {event.key for event in environment.tables.log(f"{sid}.messages") if event.what == "added"}
        assert {sent.index for sent in mine} <= added, "a confirmed message was lost"
        for author in {sent.author for sent in mine}:
            indexes = [sent.index for sent in mine if sent.author == author]
            assert indexes == sorted(set(indexes)), f"{author}'s messages are out of order: {indexes}"
        bodies = [row["body"] for row in room.messages.values()]
        assert len(bodies) == len(set(bodies)), f"a message is there twice: {bodies}"


# the state of the clients


def check_models(person: Person, rooms: dict[str, Room]) -> None:
    """Compare the client's conversations, participants and messages with the tables."""
    shown = {one.sid: one for one in person.client.iter_conversations() if one.sid in rooms}
    who = person.identity
    assert shown.keys() == {sid for sid, room in rooms.items() if room.member(who) is not None}, f"{who}'s conversations"
    for sid, conversation in shown.items():
        room = rooms[sid]
        _same(of_conversation(conversation), conversation_row(room, who), f"{who}: {conversation!r}")
        participants = {one.sid: of_participant(one) for one in conversation.get_participants()}
        _same(participants, {key: participant_row(row) for key, row in room.participants.items()}, f"{who}: roster")
        truth = {index: message_row(row) for index, row in room.messages.items()}
        held = {one.index: of_message(one) for one in person.events.messages.get(sid, ()) if one.index in truth}
        _same(held, {index: truth[index] for index in held}, f"{who}: messages held")
        read = [of_message(one) for one in conversation.iter_messages(newest_first=False)]
        _same(read, list(truth.values()), f"{who}: messages read")


def _same(shown: Any, truth: Any, what: str) -> None:
    assert shown == truth, f"{what} shows\n  {shown}\nbut the service has\n  {truth}"


def conversation_row(room: Room, identity: str) -> dict[str, Any]:
    """Return the values that a participant should see of a conversation."""
    row, member = room.row, room.member(identity)
    assert row is not None
    return {
        "friendly_name": row["friendly_name"] or None,
        "unique_name": row["unique_name"],
        "attributes": json.loads(row["attributes"]),
        "created_by": row["created_by"],
        "state": row["state"],
        "last_message": row["last_index"],
        "date_created": parse_time(row["date_created"]),
        "date_updated": parse_time(row["date_updated"]),
        "last_read_message_index": None if member is None else member["last_read_index"],
        "notification_level": "default" if member is None else member["notification_level"],
    }


def participant_row(row: sqlite3.Row) -> dict[str, Any]:
    """Return the values that everybody should see of a participant."""
    return {
        "identity": row["identity"],
        "attributes": json.loads(row["attributes"]),
        "role_sid": row["role_sid"],
        "last_read_message_index": row["last_read_index"],
        "last_read_timestamp": parse_time(row["last_read_timestamp"]),
        "date_updated": parse_time(row["date_updated"]),
    }


def message_row(row: sqlite3.Row) -> dict[str, Any]:
    """Return the values that everybody should see of a message."""
    return {
        "sid": row["sid"],
        "author": row["author"],
        "body": row["body"],
        "attributes": json.loads(row["attributes"]),
        "participant_sid": row["participant_sid"],
        "last_updated_by": row["last_updated_by"],
        "date_created": parse_time(row["date_created"]),
        "date_updated": parse_time(row["date_updated"]),
    }


# the events of the clients


def check_events(environment: Environment, events: ClientEvents, sid: str, room: Room, identity: str, *, current: bool) -> None:
    """Check the events of one conversation: added, joined, left and removed in order, items as in the log, last states true."""
    told = events.of(sid)
    lifecycle = "".join(LETTERS.get(entry.event.removeprefix("conversation_"), "") for entry in told)
    assert LIFECYCLE.fullmatch(lifecycle), f"order of added, joined, left, removed: {lifecycle}"
    resynced = [entry for entry in told if entry.event == RESYNCED]
    assert environment.forgets or not resynced, "resynced, though no event was lost"
    if current:
        assert lifecycle.endswith("J") == (room.member(identity) is not None), f"joined at the end? events {lifecycle}"
        assert room.row is not None or not lifecycle.endswith(("A", "J")), f"deleted, but events {lifecycle}"
    for place, (epoch, ended) in enumerate(_epochs(told)):
        over = ended or not current
        for number, (name, about) in enumerate({"messages": "message_", "roster": "participant_"}.items()):
            items = [entry for entry in epoch if entry.event.startswith(about)]
            marks = epoch[0].marks
            assert marks is not None
            log = environment.tables.log(f"{sid}.{name}")
            if environment.compacts or environment.forgets:
                check_compacted(items, log, marks[number], over=over)
            else:
                messages = name == "messages"
                check_log(items, log, marks[number], over=over, reread=place > 0 and messages, early=messages)
        if not over:
            check_last_states(epoch, room, identity)
        check_typing(epoch)


def _epochs(told: list[ClientEvent]) -> list[tuple[list[ClientEvent], bool]]:
    """Return the events between each joined and left, and whether it has ended; no item may have events outside of these."""
    epochs: list[tuple[list[ClientEvent], bool]] = []
    inside = False
    for entry in told:
        if entry.event == "conversation_joined":
            epochs.append(([entry], False))
            inside = True
        elif entry.event == "conversation_left":
            epochs[-1] = (epochs[-1][0], True)
            inside = False
        elif inside:
            epochs[-1][0].append(entry)
        else:
            assert not entry.event.startswith(("message_", "participant_", "typing_")), f"{entry} while not joined"
    return epochs


def check_log(items: list[ClientEvent], log: list[LoggedEvent], mark: int, *, over: bool, reread: bool, early: bool) -> None:
    """Check that the events are the log without a gap: from an event up to `mark` on, to its end unless the client has left.

    With `reread`, an update up to `mark` may be missing: a client that joins again reads messages that it still holds before it
    raises `conversation_joined`, and shows them as they are. With `early`, messages written between the joining and that event
    may be raised first, as they are: none of them is left out, and their events up to then are missing.
    """
    covered = mark if reread else -1
    told = [(KINDS[entry.event], entry.key) for entry in items]
    leading = next((place for place, (what, _) in enumerate(told) if what != "added"), len(told)) if early else 0
    for count in range(leading + 1):
        first = [key for _, key in told[:count]]
        gone = _come_and_gone(log, first)
        if gone is None:
            continue
        shown = set(first)
        rest = [event for event in log if event.key not in gone and (event.what, event.key in shown) != ("added", True)]
        for start in range(len(rest) + 1):
            if start and rest[start - 1].id > mark and not (over and not told):
                break
            if _tells(told[count:], rest[start:], covered, shown, to_the_end=not over):
                return
    written = [(event.id, event.what, event.key) for event in log]
    raise AssertionError(f"events {told}\nbut the log, of which {mark} was known when joined, has\n{written}")


def _come_and_gone(log: list[LoggedEvent], first: list[Any]) -> set[Any] | None:
    """Return the messages that were removed before the early ones were raised; `None` if one that is there was left out."""
    if not first:
        return set()
    between = {event.key for event in log if event.what == "added" and first[0] <= event.key <= first[-1]} - set(first)
    removed = {event.key for event in log if event.what == "removed"}
    in_order = first == sorted(set(first))
    return between if in_order and between <= removed else None


def _tells(told: list[tuple[str, Any]], log: list[LoggedEvent], covered: int, shown: set[Any], *, to_the_end: bool) -> bool:
    left = iter(told)
    expected = next(left, None)
    ahead = set(shown)  # those of which no event was raised yet
    for event in log:
        if (event.what, event.key) == expected:
            expected = next(left, None)
            ahead.discard(event.key)
        elif event.what == "updated" and (event.id <= covered or event.key in ahead):
            continue
        elif to_the_end or expected is not None:
            return False
    return expected is None


def check_compacted(items: list[ClientEvent], log: list[LoggedEvent], mark: int, *, over: bool) -> None:
    """Check against a service that has compacted its log, or forgets events: each item's events in order, none twice; present
    items were added, others removed.
    """
    told = check_items(items, log)
    if not over:
        removed = {event.key for event in log if event.what == "removed"}
        new = {event.key for event in log if event.what == "added" and event.id > mark} - removed
        missed = {key for key in new if "added" not in told.get(key, ())}
        assert not missed, f"no event for these, which were added: {missed}"
        kept = {key for key, kinds in told.items() if key in removed and kinds[-1] != "removed"}
        assert not kept, f"no event for these, which were removed: {kept}"


def check_items(items: list[ClientEvent], log: list[LoggedEvent]) -> dict[Any, list[str]]:
    """Check that no item was added or removed twice, or had events before or after; return the events of each."""
    told: dict[Any, list[str]] = {}
    for entry in items:
        told.setdefault(entry.key, []).append(KINDS[entry.event])
    for key, kinds in told.items():
        assert kinds.count("added") <= 1, f"{key} was added twice: {kinds}"
        assert "added" not in kinds[1:], f"{key} had an event before it was added: {kinds}"
        assert "removed" not in kinds[:-1], f"{key} had an event after it was removed: {kinds}"
    added = {event.key: event.id for event in log if event.what == "added"}
    assert told.keys() <= added.keys(), "an item was invented"
    order = [added[entry.key] for entry in items if KINDS[entry.event] == "added"]
    assert order == sorted(order), f"added out of order: {order}"
    return told


def check_last_states(epoch: list[ClientEvent], room: Room, identity: str) -> None:
    """Check that what handlers saw last of each object, at its event or a later ``conversation_resynced``, is its true state."""
    last: dict[tuple[str, Any], Any] = {}
    for entry in epoch:
        if entry.event not in TYPING:
            last[entry.event.split("_")[0], entry.key] = entry.state
        for key, state in (entry.items or {}).items():
            if key in last:
                last[key] = state
    for (kind, key), state in last.items():
        if kind == "conversation":
            _same(state, conversation_row(room, identity), "the last event")
        elif kind == "message" and key in room.messages:
            _same(state, message_row(room.messages[key]), "the last event")
        elif kind == "participant" and key in room.participants:
            _same(state, participant_row(room.participants[key]), "the last event")


def check_typing(epoch: list[ClientEvent]) -> None:
    """Check that typing_started and typing_ended of each participant alternate."""
    for key in {entry.key for entry in epoch if entry.event in TYPING}:
        told = [entry.event for entry in epoch if entry.event in TYPING and entry.key == key]
        assert told == [TYPING[number % 2] for number in range(len(told))], told
