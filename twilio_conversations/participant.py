"""A participant of a conversation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from twilio_conversations import urls
from twilio_conversations.bindings import ParticipantBindings
from twilio_conversations.enums import ParticipantType, ParticipantUpdateReason
from twilio_conversations.errors import ProtocolError, UnsupportedOperationError
from twilio_conversations.event_names import EventName, ParticipantEvent
from twilio_conversations.futures import Future
from twilio_conversations.json_values import Attributes, dumps, parse_index, parse_text, parse_time
from twilio_conversations.layered import Reasons, renamed
from twilio_conversations.model import Model
from twilio_conversations.model_events import ParticipantEvents

if TYPE_CHECKING:
    from twilio_conversations.conversation import Conversation
    from twilio_conversations.user import User

_REST_NAMES = {
    "identity": "identity",
    "role_sid": "roleSid",
    "attributes": "attributes",
    "date_created": "dateCreated",
    "date_updated": "dateUpdated",
    "last_read_message_index": "lastConsumedMessageIndex",
    "last_read_timestamp": "lastConsumptionTimestamp",
}

REASONS = Reasons(
    {
        "attributes": ParticipantUpdateReason.ATTRIBUTES,
        "date_updated": ParticipantUpdateReason.DATE_UPDATED,
        "date_created": ParticipantUpdateReason.DATE_CREATED,
        "role_sid": ParticipantUpdateReason.ROLE_SID,
        "last_read_message_index": ParticipantUpdateReason.LAST_READ_MESSAGE_INDEX,
        "last_read_timestamp": ParticipantUpdateReason.LAST_READ_TIMESTAMP,
        "bindings": ParticipantUpdateReason.BINDINGS,
    }
)
"""Fields whose changes are announced, in the order of detection."""


@attrs.frozen
class ParticipantData:
    """What a roster item says, in our names."""

    identity: str | None = None
    type: ParticipantType | str = ParticipantType.CHAT
    role_sid: str = ""
    attributes: Attributes = attrs.field(factory=Attributes)
    date_created: dt.datetime | None = None
    date_updated: dt.datetime | None = None
    last_read_message_index: int | None = None
    last_read_timestamp: dt.datetime | None = None
    bindings: ParticipantBindings = attrs.field(factory=ParticipantBindings)
    user_info: str | None = None

    @classmethod
    def parse(cls, item: Any, base: ParticipantData | None = None) -> ParticipantData:
        """Read an item; what it does not mention stays as in `base`.

        Raises:
            ProtocolError: neither identity nor type, so that it cannot be a participant.
        """
        if not isinstance(item, dict) or not (item.get("identity") or item.get("type") or base):
            raise ProtocolError("a participant without identity and type")
        known = {name: read(item[key]) for key, (name, read) in _FIELDS.items() if key in item}
        if known.get("last_read_timestamp", True) is None:
            del known["last_read_timestamp"]  # once there it never goes back to None
        return attrs.evolve(base or cls(), **known)

    @classmethod
    def from_rest(cls, body: Any) -> ParticipantData:
        """Read the answer to an add."""
        if not isinstance(body, dict):
            raise ProtocolError("the answer to an add is not a participant")
        item = renamed(body, _REST_NAMES)
        binding = body.get("messaging_binding")
        if isinstance(binding, dict) and isinstance(binding.get("type"), str):
            item |= {"type": binding["type"], "bindings": {binding["type"]: binding}}
        return cls.parse({"type": "chat", **item})


def _type(value: Any) -> ParticipantType | str:
    try:
        return ParticipantType(value or "chat")
    except ValueError:
        return str(value)


_FIELDS: dict[str, tuple[str, Any]] = {
    "identity": ("identity", parse_text),
    "type": ("type", _type),
    "roleSid": ("role_sid", lambda value: parse_text(value) or ""),
    "attributes": ("attributes", Attributes),
    "dateCreated": ("date_created", parse_time),
    "dateUpdated": ("date_updated", parse_time),
    "lastConsumedMessageIndex": ("last_read_message_index", parse_index),
    "lastConsumptionTimestamp": ("last_read_timestamp", parse_time),
    "bindings": ("bindings", ParticipantBindings.parse),
    "userInfo": ("user_info", parse_text),
}


@attrs.frozen
class ParticipantUpdatedEventArgs:
    """Payload of ``participant_updated`` and of a participant's ``updated``."""

    participant: Participant
    update_reasons: tuple[ParticipantUpdateReason, ...]


@attrs.define(eq=False, repr=False)
class Participant(ParticipantEvents, Model[ParticipantData]):  # type: ignore[misc] # `on` is narrower
    """Somebody in a conversation. Made by the client only.

    Attributes:
        conversation: the conversation it belongs to.
        sid: ``MB...``.
        is_typing: whether the service reported typing that has not ended.
    """

    _events: ClassVar[type[EventName]] = ParticipantEvent
    conversation: Conversation
    sid: str
    is_typing: bool = attrs.field(default=False, init=False)

    @property
    def key(self) -> str:
        """What names it wherever it lives: its sid."""
        return self.sid

    @property
    def identity(self) -> str | None:
        """Who it is; `None` for participants of other channels than chat."""
        return self._data.identity

    @property
    def type(self) -> ParticipantType | str:
        """The channel; a plain string for one that this package does not know."""
        return self._data.type

    @property
    def role_sid(self) -> str:
        """``RL...``; empty when unknown."""
        return self._data.role_sid

    @property
    def attributes(self) -> Any:
        """Custom data; a copy, ``{}`` when there is none."""
        return self._data.attributes.value()

    @property
    def date_created(self) -> dt.datetime | None:
        """When it was added, UTC."""
        return self._data.date_created

    @property
    def date_updated(self) -> dt.datetime | None:
        """When it was changed last, UTC."""
        return self._data.date_updated

    @property
    def last_read_message_index(self) -> int | None:
        """How far it has read; `None` when it never said."""
        return self._data.last_read_message_index

    @property
    def last_read_timestamp(self) -> dt.datetime | None:
        """When it said so last, UTC."""
        return self._data.last_read_timestamp

    @property
    def bindings(self) -> ParticipantBindings:
        """The channel beyond chat that it writes with; empty for chat."""
        return self._data.bindings

    def get_user(self, *, timeout: float | None = None) -> User:
        """The user behind a chat participant, as `Client.get_user` gives it.

        Raises:
            UnsupportedOperationError: the participant is on another channel.
        """
        identity, map_name = self.identity, self._data.user_info
        if self.type is not ParticipantType.CHAT or identity is None:
            raise UnsupportedOperationError(f"a participant of type {str(self.type)!r} has no user")
        services = self._services
        return services.run(lambda: services.users.get(identity, map_name), services.deadline(timeout), "get_user()")

    def update_attributes(self, attributes: Any, *, timeout: float | None = None) -> Participant:
        """Replace the custom data (``POST .../Participants/{sid}``). Returns this participant, changed."""
        text = dumps(attributes)
        self._post(self._url, {"attributes": text}, {"attributes": Attributes(text)}, timeout)
        return self

    def remove(self, *, timeout: float | None = None) -> None:
        """Remove it from the conversation (``DELETE .../Participants/{sid}``)."""
        self.conversation.remove_participant(self, timeout=timeout)

    @property
    def _url(self) -> str:
        return urls.join(self.conversation._url, "Participants", self.sid)

    def _confirmed(self, answer: Any) -> Mapping[str, Any]:
        date = answer.get("date_updated") if isinstance(answer, dict) else None
        return {"date_updated": parse_time(date)} if date else {}

    def _fetch(self) -> Future[tuple[ParticipantData, int] | None]:
        return self.conversation._roster.fetch(self.sid)

    def __repr__(self) -> str:
        return f"<Participant {self.sid} {self.identity!r}>"
