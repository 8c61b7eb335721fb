"""Commands of a history, each with the client's public methods. Refusals by the service are allowed; other errors fail it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import attrs

from tests.histories.environment import PEOPLE, Person
from twilio_conversations import Conversation, ConversationsError, Message, NotFoundError
from twilio_conversations.enums import ConversationStatus, NotificationLevel

REFUSALS = (403, 404, 409)
ORDERED_STATUS = 503
"""Status of requests that a history has refused for some time."""
ORDERED = frozenset({ORDERED_STATUS, 429, 504})
"""Statuses of failed requests that may be reported: refused on command, too many, or failed after they were carried out."""
TOKEN_REFUSED = 401
"""Status of a token that a history has refused once, which may meet a token that a command gives."""
GIVES_A_TOKEN = ("update token", "expire token")


@attrs.frozen
class Sent:
    """A message that the service has confirmed."""

    room: str
    author: str
    index: int
    body: str


@attrs.define
class Action:
    """One command of one person in one conversation; `number` chooses among the participants, messages or values."""

    person: Person
    room: str
    number: int
    confirmed: list[Sent]

    @property
    def conversation(self) -> Conversation:
        """The conversation, as this person's client has it."""
        known = self.person.events.rooms.get(self.room)
        return known if known is not None else self.person.client.peek_conversation_by_sid(self.room)

    @property
    def somebody(self) -> str:
        return PEOPLE[self.number % len(PEOPLE)]

    @property
    def message(self) -> Message:
        seen = self.person.events.messages.get(self.room)
        if not seen:
            raise NotFoundError("no message to choose")
        return seen[-1 - self.number % len(seen)]

    @property
    def joined(self) -> bool:
        return self.conversation.status is ConversationStatus.JOINED

    def run(self, name: str) -> None:
        """Run the command; a refusal by the service is no failure."""
        try:
            COMMANDS[name](self)
        except NotFoundError:
            pass
        except ConversationsError as error:
            if error.status not in REFUSALS and not (error.status == TOKEN_REFUSED and name in GIVES_A_TOKEN):
                error.add_note(f"{self.person.identity} could not {name}")
                raise


_texts = itertools.count()


def _create(action: Action) -> None:
    made = action.person.client.create_conversation(friendly_name=f"room {action.number}", attributes={"made": action.number})
    action.person.environment.rooms.append(made.sid)
    if action.number % 4:
        made.join()
    for other in PEOPLE[: action.number % 4]:
        if other != action.person.identity:
            made.add(other)


def _send(action: Action) -> None:
    body = f"text {next(_texts)}"
    message = action.conversation.send_message(body, attributes={"n": action.number})
    action.confirmed.append(Sent(action.room, action.person.identity, message.index, body))


def _participant_attributes(action: Action) -> None:
    if action.joined:
        action.conversation.get_participant_by_identity(action.somebody).update_attributes({"seat": next(_texts)})


def _read(action: Action) -> None:
    if action.joined:
        action.conversation.get_messages(page_size=1 + action.number)
        action.conversation.get_participants()


def _horizon(action: Action) -> None:
    index = action.number % 4
    moves: list[Callable[[], object]] = [
        lambda: action.conversation.advance_last_read_message_index(index),
        lambda: action.conversation.update_last_read_message_index(index),
        action.conversation.set_all_messages_read if action.joined else lambda: None,
        action.conversation.set_all_messages_unread,
    ]
    moves[index]()


def _type(action: Action) -> None:
    try:
        action.conversation.typing()
    except ConversationsError as error:  # never sent again: it would come too late
        if not error.retryable:
            raise


def _update_token(action: Action) -> None:
    action.person.client.update_token(action.person.token())


def _expire_token(action: Action) -> None:
    action.person.environment.server.faults.expire_tokens(action.person.identity)
    _update_token(action)


COMMANDS: dict[str, Callable[[Action], Any]] = {
    "create": _create,
    "join": lambda action: action.conversation.join(),
    "add": lambda action: action.conversation.add(action.somebody, {"seat": action.number}),
    "remove participant": lambda action: action.conversation.remove_participant(action.somebody),
    "leave": lambda action: action.conversation.leave(),
    "delete": lambda action: action.conversation.delete(),
    "send": _send,
    "edit": lambda action: action.message.update_body(f"edited {next(_texts)}"),
    "edit attributes": lambda action: action.message.update_attributes({"edited": next(_texts)}),
    "remove message": lambda action: action.message.remove(),
    "attributes": lambda action: action.conversation.update_attributes({"changed": next(_texts)}),
    "friendly name": lambda action: action.conversation.update_friendly_name(f"name {next(_texts)}"),
    "unique name": lambda action: action.conversation.update_unique_name(f"unique {next(_texts)}" if action.number % 3 else None),
    "participant attributes": _participant_attributes,
    "horizon": _horizon,
    "level": lambda action: action.conversation.set_user_notification_level(list(NotificationLevel)[action.number % 2]),
    "typing": _type,
    "read": _read,
    "update token": _update_token,
    "expire token": _expire_token,
    "reopen": lambda action: action.person.reopen(),
}
OFTEN = ("send", "edit") * 5 + ("edit attributes", "join", "add") * 3 + ("leave", "remove message") * 2
