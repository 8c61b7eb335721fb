"""What people do in a history, each with the client's public methods. Refusals are part of life; anything else is a failure."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import attrs

from tests.histories.stage import PEOPLE, Person
from twilio_conversations import Conversation, ConversationsError, Message, NotFoundError
from twilio_conversations.enums import ConversationStatus, NotificationLevel

REFUSALS = (403, 404, 409)
ORDERED_STATUS = 503
"""With which histories have requests refused for now."""


@attrs.frozen
class Sent:
    """A message that the service has confirmed."""

    room: str
    author: str
    index: int
    body: str


@attrs.define
class Act:
    """One person doing one thing in one conversation; `number` chooses among whatever there is to choose."""

    person: Person
    room: str
    number: int
    confirmed: list[Sent]

    @property
    def conversation(self) -> Conversation:
        """The conversation, as far as the person can see it."""
        known = self.person.chronicle.rooms.get(self.room)
        return known if known is not None else self.person.client.peek_conversation_by_sid(self.room)

    @property
    def somebody(self) -> str:
        return PEOPLE[self.number % len(PEOPLE)]

    @property
    def message(self) -> Message:
        seen = self.person.chronicle.messages.get(self.room)
        if not seen:
            raise NotFoundError("no message to choose")
        return seen[-1 - self.number % len(seen)]

    @property
    def joined(self) -> bool:
        return self.conversation.status is ConversationStatus.JOINED

    def run(self, name: str) -> None:
        """Do it; being refused is no failure."""
        try:
            COMMANDS[name](self)
        except NotFoundError:
            pass
        except ConversationsError as error:
            if error.status not in REFUSALS:
                error.add_note(f"{self.person.identity} could not {name}")
                raise


_texts = itertools.count()


def _create(act: Act) -> None:
    made = act.person.client.create_conversation(friendly_name=f"room {act.number}", attributes={"made": act.number})
    act.person.stage.rooms.append(made.sid)
    if act.number % 4:
        made.join()
    for other in PEOPLE[: act.number % 4]:
        if other != act.person.identity:
            made.add(other)


def _send(act: Act) -> None:
    body = f"text {next(_texts)}"
    message = act.conversation.send_message(body, attributes={"n": act.number})
    act.confirmed.append(Sent(act.room, act.person.identity, message.index, body))


def _participant_attributes(act: Act) -> None:
    if act.joined:
        act.conversation.get_participant_by_identity(act.somebody).update_attributes({"seat": next(_texts)})


def _read(act: Act) -> None:
    if act.joined:
        act.conversation.get_messages(page_size=1 + act.number)
        act.conversation.get_participants()


def _horizon(act: Act) -> None:
    index = act.number % 4
    moves: list[Callable[[], object]] = [
        lambda: act.conversation.advance_last_read_message_index(index),
        lambda: act.conversation.update_last_read_message_index(index),
        act.conversation.set_all_messages_read if act.joined else lambda: None,
        act.conversation.set_all_messages_unread,
    ]
    moves[index]()


def _type(act: Act) -> None:
    try:
        act.conversation.typing()
    except ConversationsError as error:  # never sent again: it would come too late
        if not error.retryable:
            raise


def _update_token(act: Act) -> None:
    act.person.client.update_token(act.person.token())


def _expire_token(act: Act) -> None:
    act.person.stage.server.faults.expire_tokens(act.person.identity)
    _update_token(act)


COMMANDS: dict[str, Callable[[Act], Any]] = {
    "create": _create,
    "join": lambda act: act.conversation.join(),
    "add": lambda act: act.conversation.add(act.somebody, {"seat": act.number}),
    "remove participant": lambda act: act.conversation.remove_participant(act.somebody),
    "leave": lambda act: act.conversation.leave(),
    "delete": lambda act: act.conversation.delete(),
    "send": _send,
    "edit": lambda act: act.message.update_body(f"edited {next(_texts)}"),
    "edit attributes": lambda act: act.message.update_attributes({"edited": next(_texts)}),
    "remove message": lambda act: act.message.remove(),
    "attributes": lambda act: act.conversation.update_attributes({"changed": next(_texts)}),
    "friendly name": lambda act: act.conversation.update_friendly_name(f"name {next(_texts)}"),
    "unique name": lambda act: act.conversation.update_unique_name(f"unique {next(_texts)}" if act.number % 3 else None),
    "participant attributes": _participant_attributes,
    "horizon": _horizon,
    "level": lambda act: act.conversation.set_user_notification_level(list(NotificationLevel)[act.number % 2]),
    "typing": _type,
    "read": _read,
    "update token": _update_token,
    "expire token": _expire_token,
    "reopen": lambda act: act.person.reopen(),
}
OFTEN = ("send", "edit") * 5 + ("edit attributes", "join", "add") * 3 + ("leave", "remove message") * 2
