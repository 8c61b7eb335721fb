"""Our client in the official one's clothes: the same calls and the same pictures, so that one test can speak to both."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from tests.interop.official import WAIT, History
from twilio_conversations import Client, Conversation, Message, Paginator, Participant, User
from twilio_conversations.events.names import ClientEvent

FIELDS: dict[type, tuple[str, ...]] = {
    Conversation: (
        "sid",
        "uniqueName",
        "friendlyName",
        "status",
        "attributes",
        "createdBy",
        "dateCreated",
        "dateUpdated",
        "lastReadMessageIndex",
        "lastMessage",
        "notificationLevel",
        "state",
    ),
    Message: (
        "sid",
        "index",
        "body",
        "author",
        "attributes",
        "type",
        "subject",
        "participantSid",
        "dateCreated",
        "dateUpdated",
        "lastUpdatedBy",
        "aggregatedDeliveryReceipt",
    ),
    Participant: (
        "sid",
        "identity",
        "type",
        "attributes",
        "roleSid",
        "isTyping",
        "lastReadMessageIndex",
        "lastReadTimestamp",
        "dateCreated",
        "dateUpdated",
    ),
    User: ("identity", "friendlyName", "attributes", "isSubscribed", "isOnline", "isNotifiable"),
}
INDEX_ONLY = {"sendMessage"}  # ours returns the message, the official one its index


def snake(name: str) -> str:
    """Return the Python spelling of an official name."""
    return re.sub(r"[A-Z]", lambda letter: f"_{letter.group().lower()}", name)


def camel(name: str) -> str:
    """Return the official spelling of a Python name."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def instant(moment: dt.datetime) -> str:
    """Return a time as JavaScript prints it."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def picture(value: Any) -> Any:
    """Return what driver.js makes of the same thing."""
    for kind, fields in FIELDS.items():
        if isinstance(value, kind):
            seen = {field: picture(getattr(value, snake(field))) for field in fields}
            return seen | ({"conversationSid": value.conversation.sid} if hasattr(value, "conversation") else {})
    if isinstance(value, dt.datetime):
        return instant(value)
    if isinstance(value, Paginator):
        pages = {"hasNextPage": value.has_next_page, "hasPrevPage": value.has_prev_page}
        return {"page": value, "items": picture(value.items), **pages}
    if attrs.has(type(value)):
        return {camel(field.name): picture(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, list | tuple):
        return [picture(item) for item in value]
    return value


@attrs.define(eq=False)
class OurTarget:
    """The counterpart of `official.Target`: something that can be looked at and called under official names."""

    find: Callable[[], Any]

    def call(self, method: str, *args: Any, timeout: float = WAIT) -> Any:
        """Call the method that corresponds to an official one, and return a picture of the result."""
        named: Mapping[str, Any] = {}
        if method == "createConversation":
            named, args = ({snake(key): value for key, value in args[0].items()} if args else {}), ()
        elif method == "sendMessage" and len(args) > 1:
            named, args = {"attributes": args[1]}, args[:1]
        result = getattr(self.find(), snake(method))(*args, timeout=timeout, **named)
        return result.index if method in INDEX_ONLY else picture(result)

    def look(self) -> Any:
        """Return the fields that an application can read."""
        return picture(self.find())


class Ours(History):
    """The counterpart of `official.Official` around a client of ours."""

    def __init__(self, client: Client, identity: str) -> None:
        super().__init__(identity)
        self.client = client
        for event in ClientEvent:
            client.on(event, self._recorder(event))  # type: ignore[call-overload]  # any of them

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of the client."""
        return OurTarget(lambda: self.client).call(method, *args)

    def conversation(self, sid: str) -> OurTarget:
        """Return the handle of a conversation."""
        return OurTarget(lambda: self.client.get_conversation_by_sid(sid))

    def message(self, sid: str, index: int) -> OurTarget:
        """Return the handle of a message of a conversation."""
        return OurTarget(lambda: self.client.get_conversation_by_sid(sid).get_messages(1, index).items[0])

    def participant(self, sid: str, identity: str) -> OurTarget:
        """Return the handle of a participant of a conversation."""
        return OurTarget(lambda: self.client.get_conversation_by_sid(sid).get_participant_by_identity(identity))

    def user(self, identity: str) -> OurTarget:
        """Return the handle of a user."""
        return OurTarget(lambda: self.client.get_user(identity))

    def page(self, page: Any) -> OurTarget:
        """Return the handle of a page that a call returned."""
        return OurTarget(lambda: page)

    def _recorder(self, event: ClientEvent) -> Callable[..., None]:
        def record(payload: Any = None) -> None:
            self.receive(event.official_name, picture(payload))

        return record
