"""``twilio-conversations demo``: two people talk over the local service; the events of both are printed."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table

from twilio_conversations import Client, Conversation, MessageUpdatedEventArgs, ParticipantUpdatedEventArgs
from twilio_conversations.events.emitter import EventEmitter
from twilio_conversations.server import LocalServer

PATIENCE = 10.0
"""Limit of one step, in seconds; usually it takes some milliseconds."""


@attrs.define
class EventLog:
    """Log of one client's events, in order; `until` waits for a line."""

    name: str
    lines: list[tuple[dt.datetime, str, str]] = attrs.field(factory=list)
    _changed: threading.Condition = attrs.field(factory=threading.Condition)

    def note(self, event: str, text: str) -> None:
        """Add a line."""
        with self._changed:
            self.lines.append((dt.datetime.now(), event, text))  # noqa: DTZ005 - shown to the person in front of it
            self._changed.notify_all()

    def until(self, event: str, part: str = "") -> None:
        """Wait for a line of that event that contains `part`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._has(event, part), PATIENCE):
                raise TimeoutError(f"{self.name} did not see {event} {part!r} within {PATIENCE:g} s")

    def _has(self, event: str, part: str) -> bool:
        return any(event == seen and part in text for _, seen, text in self.lines)


def run(console: Console) -> None:
    """Run the demo; raise if anything that should happen does not."""
    console.print("[bold]twilio_conversations[/bold]: two people talk over the local service\n")
    with LocalServer() as server:
        console.print(f"The local service listens on {server.url} (one port of loopback, data in a temporary directory).")
        with (
            Client(server.token("alice"), endpoint=server.url, auto_connect=False) as alice,
            Client(server.token("bob"), endpoint=server.url, auto_connect=False) as bob,
        ):
            event_logs = [_record_events("alice", alice), _record_events("bob", bob)]
            _talk(console, alice, bob, *event_logs)
    for event_log in event_logs:
        console.print(_table(event_log))
    console.print("\nBoth clients are closed, the service has stopped. Exit 0.")


def _talk(console: Console, alice: Client, bob: Client, alices: EventLog, bobs: EventLog) -> None:
    """Run the conversation of the two."""

    def say(who: str, what: str) -> None:
        console.print(f"  [cyan]{who:>5}[/cyan]  {what}")

    _connect(console, alice, bob)
    room = alice.create_conversation(friendly_name="Lunch")
    room.join()
    room.add("bob", {"role": "guest"})
    say("alice", f"creates {room.friendly_name!r}, joins it and adds bob")
    bobs.until("conversation_joined")
    bobs_room = bob.get_conversation_by_sid(room.sid)

    hello = room.send_message("Hi Bob! Lunch at noon?", attributes={"mood": "hungry"})
    say("alice", f"sends message {hello.index}: {hello.body}")
    bobs.until("message_added", "noon")
    unread = bobs_room.get_unread_messages_count()
    say("bob", f"has {unread if unread is not None else 'never read anything, so no count of'} unread")
    bobs_room.typing()
    say("bob", "types ...")
    alices.until("typing_started")
    answer = bobs_room.send_message("Yes! The usual place? 🍜")
    say("bob", f"sends message {answer.index}: {answer.body}")
    alices.until("message_added", "usual")
    alices.until("typing_ended")
    say("bob", f"has read everything: {bobs_room.set_all_messages_read()} unread")
    alices.until("participant_updated", "bob")
    hello.update_body("Hi Bob! Lunch at one?")
    say("alice", f"corrects message {hello.index}: {hello.body}")
    bobs.until("message_updated", "at one")
    room.update_friendly_name("Lunch at one")
    say("alice", f"renames the conversation: {room.friendly_name!r}")
    bobs.until("conversation_updated", "friendlyName")
    _history(console, bobs_room)
    bobs_room.leave()
    say("bob", "leaves")
    alices.until("participant_left", "bob")
    bobs.until("conversation_removed")
    console.print()


def _connect(console: Console, alice: Client, bob: Client) -> None:
    for client in (alice, bob):
        client.connect()
    for client in (alice, bob):
        client.wait_until_ready(PATIENCE)
    console.print("Alice and Bob are connected, each over a websocket of their own.\n")


def _history(console: Console, conversation: Conversation) -> None:
    """Print the messages of the conversation."""
    console.print(f"\n{conversation.friendly_name}:")
    for message in conversation.get_messages(page_size=10):
        edited = " [dim](edited)[/dim]" if message.last_updated_by else ""
        console.print(f"  {message.index}  [bold]{message.author}[/bold]: {message.body}{edited}")
    console.print()


def _record_events(name: str, client: Client) -> EventLog:
    """Register handlers that log the events of a client."""
    event_log = EventLog(name)

    def reasons(what: Any) -> str:
        return ", ".join(what.update_reasons)

    def edited(change: MessageUpdatedEventArgs) -> str:
        return f"{change.message.index}: {change.message.body} ({reasons(change)})"

    def changed(change: ParticipantUpdatedEventArgs) -> str:
        return f"{change.participant.identity}: {reasons(change)}"

    describe: dict[str, Callable[[Any], str]] = {
        "connection_state_changed": str,
        "conversation_added": lambda conversation: f"{conversation.friendly_name}",
        "conversation_joined": lambda conversation: f"{conversation.friendly_name}",
        "participant_joined": lambda participant: f"{participant.identity} {participant.attributes or ''}",
        "message_added": lambda message: f"{message.index} by {message.author}: {message.body}",
        "message_updated": edited,
        "conversation_updated": lambda change: f"{change.conversation.friendly_name}: {reasons(change)}",
        "participant_updated": changed,
        "typing_started": lambda participant: f"{participant.identity}",
        "typing_ended": lambda participant: f"{participant.identity}",
        "participant_left": lambda participant: f"{participant.identity}",
        "conversation_left": lambda conversation: f"{conversation.friendly_name}",
        "conversation_removed": lambda conversation: f"{conversation.friendly_name}",
    }
    emitter: EventEmitter = client  # the names come from a table, which is more than a type checker can follow
    for event, text in describe.items():
        emitter.on(event, lambda payload, event=event, text=text: event_log.note(event, text(payload)))
    return event_log


def _table(event_log: EventLog) -> Table:
    table = Table(title=f"\nWhat {event_log.name}'s callbacks saw", title_justify="left", title_style="bold")
    table.add_column("time")
    table.add_column("event")
    table.add_column("payload", overflow="fold")
    for moment, event, text in event_log.lines:
        table.add_row(moment.strftime("%H:%M:%S.%f")[:-3], event, text)
    return table
