"""Content templates and their contents: prepared messages with buttons, lists, cards, places.

Reading never raises: a kind of content that this package does not know, or that lacks what makes its kind, is a
`ContentDataOther`, an action likewise a `ContentDataActionOther`. `raw_data` always has the JSON text of the source.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs

from twilio_conversations.errors import ProtocolError
from twilio_conversations.util import json_text
from twilio_conversations.util.json import compact, parse_index, parse_text, parse_time, text_or_empty

RICH_CONTENT = "application/x-vnd.com.twilio.rich."
"""How the content type of a message's rich content begins; the kind follows, with a dot where it has its slash."""


@attrs.frozen
class _Source:
    """Base of values that keep the JSON they were read from."""

    raw_data: str = attrs.field(default="{}", kw_only=True, repr=False)

    @property
    def raw(self) -> Any:
        """`raw_data`, decoded; a fresh copy each time."""
        return json.loads(self.raw_data)


@attrs.frozen
class ContentDataActionUrl(_Source):
    """A button that opens a link."""

    title: str
    url: str = ""
    type: Literal["url"] = attrs.field(default="url", init=False)


@attrs.frozen
class ContentDataActionPhone(_Source):
    """A button that dials."""

    title: str
    phone: str = ""
    type: Literal["phone"] = attrs.field(default="phone", init=False)


@attrs.frozen
class ContentDataActionReply(_Source):
    """A button that sends its title as a reply, with a hidden `id`; `index` is its position among the buttons."""

    title: str
    id: str = ""
    index: int = 0
    type: Literal["reply"] = attrs.field(default="reply", init=False)


@attrs.frozen
class ContentDataActionOther(_Source):
    """An action of another kind."""

    type: Literal["other"] = attrs.field(default="other", init=False)


ContentDataAction = ContentDataActionUrl | ContentDataActionPhone | ContentDataActionReply | ContentDataActionOther


@attrs.frozen
class ContentDataReply:
    """A button of a quick reply, with a hidden `id`."""

    title: str
    id: str | None = None


@attrs.frozen
class ContentDataListItem:
    """An entry of a list picker: `item` is displayed, `id` is hidden."""

    id: str
    item: str
    description: str | None = None


@attrs.frozen
class ContentDataText(_Source):
    """Text (``twilio/text``)."""

    body: str
    type: Literal["text"] = attrs.field(default="text", init=False)


@attrs.frozen
class ContentDataMedia(_Source):
    """Links to media, optionally with text (``twilio/media``)."""

    body: str | None
    media: tuple[str, ...]
    type: Literal["media"] = attrs.field(default="media", init=False)


@attrs.frozen
class ContentDataLocation(_Source):
    """A place, in degrees (``twilio/location``)."""

    longitude: float
    latitude: float
    label: str | None = None
    type: Literal["location"] = attrs.field(default="location", init=False)


@attrs.frozen
class ContentDataQuickReply(_Source):
    """Text above reply buttons (``twilio/quick-reply``)."""

    body: str
    replies: tuple[ContentDataReply, ...]
    type: Literal["quickReply"] = attrs.field(default="quickReply", init=False)


@attrs.frozen
class ContentDataCallToAction(_Source):
    """Text above buttons with actions (``twilio/call-to-action``)."""

    body: str
    actions: tuple[ContentDataAction, ...]
    type: Literal["callToAction"] = attrs.field(default="callToAction", init=False)


@attrs.frozen
class ContentDataListPicker(_Source):
    """Text above a list that `button` opens (``twilio/list-picker``)."""

    body: str
    button: str
    items: tuple[ContentDataListItem, ...]
    type: Literal["listPicker"] = attrs.field(default="listPicker", init=False)


@attrs.frozen
class ContentDataCard(_Source):
    """A heading with media and buttons (``twilio/card``)."""

    title: str
    subtitle: str | None = None
    media: tuple[str, ...] = ()
    actions: tuple[ContentDataAction, ...] = ()
    type: Literal["card"] = attrs.field(default="card", init=False)


@attrs.frozen
class ContentDataOther(_Source):
    """Content of another kind."""

    type: Literal["other"] = attrs.field(default="other", init=False)


ContentData = (
    ContentDataText
    | ContentDataMedia
    | ContentDataLocation
    | ContentDataQuickReply
    | ContentDataCallToAction
    | ContentDataListPicker
    | ContentDataCard
    | ContentDataOther
)


@attrs.frozen
class ContentTemplateVariable:
    """A placeholder of a template and its value."""

    name: str
    value: str

    def copy_with_value(self, value: str) -> ContentTemplateVariable:
        """Return the same placeholder with another value."""
        return attrs.evolve(self, value=value)


@attrs.frozen
class ContentTemplate:
    """A prepared message.

    Attributes:
        sid: ``HX...``.
        friendly_name: its display name.
        variables: its placeholders with their defaults, in the service's order.
        variants: its contents by kind, such as ``"twilio/text"``.
        date_created: UTC.
        date_updated: UTC.
    """

    sid: str
    friendly_name: str
    variables: tuple[ContentTemplateVariable, ...] = ()
    variants: Mapping[str, ContentData] = attrs.field(factory=dict)
    date_created: dt.datetime | None = None
    date_updated: dt.datetime | None = None

    @classmethod
    def parse(cls, value: Any) -> ContentTemplate | None:
        """Read one entry of ``templates``; return `None` for one without sid."""
        if not isinstance(value, dict) or not isinstance(value.get("sid"), str):
            return None
        return cls(
            value["sid"],
            _text(value, "friendly_name"),
            _variables(value.get("variables")),
            {kind: parse_content(kind, source) for kind, source in _objects(value.get("variants"))},
            parse_time(value.get("date_created")),
            parse_time(value.get("date_updated")),
        )


def parse_content(kind: str, source: Any) -> ContentData:
    """Read content of a kind such as ``"twilio/text"``."""
    raw = compact(source)
    read = _READERS.get(kind)
    if read is None or not isinstance(source, dict):
        return ContentDataOther(raw_data=raw)
    return read(source, raw)


def parse_rich_content(content_type: str, text: bytes) -> ContentData:
    """Read the medium that a message from a template has; its content type names the kind of content.

    Raises:
        ProtocolError: it is not a JSON object with ``data``.
    """
    kind = content_type.removeprefix(RICH_CONTENT).partition(";")[0].strip().replace(".", "/", 1)
    try:
        return parse_content(kind, json_text.loads(text.decode())["data"])
    except (ValueError, KeyError, TypeError) as error:
        raise ProtocolError(f"rich content that is no JSON object with data: {error}") from error


def _location(source: Mapping[str, Any], raw: str) -> ContentData:
    longitude, latitude = _number(source.get("longitude")), _number(source.get("latitude"))
    if longitude is None or latitude is None:
        return ContentDataOther(raw_data=raw)
    return ContentDataLocation(longitude, latitude, parse_text(source.get("label")), raw_data=raw)


def _quick_reply(source: Mapping[str, Any], raw: str) -> ContentData:
    replies = tuple(ContentDataReply(_text(each, "title"), parse_text(each.get("id"))) for each in _list(source, "actions"))
    return ContentDataQuickReply(_text(source, "body"), replies, raw_data=raw)


def _list_picker(source: Mapping[str, Any], raw: str) -> ContentData:
    items = tuple(
        ContentDataListItem(_text(each, "id"), _text(each, "item"), parse_text(each.get("description")))
        for each in _list(source, "items")
    )
    return ContentDataListPicker(_text(source, "body"), _text(source, "button"), items, raw_data=raw)


def _card(source: Mapping[str, Any], raw: str) -> ContentData:
    return ContentDataCard(
        _text(source, "title"), parse_text(source.get("subtitle")), _links(source), _actions(source), raw_data=raw
    )


_READERS: dict[str, Callable[[Mapping[str, Any], str], ContentData]] = {
    "twilio/text": lambda source, raw: ContentDataText(_text(source, "body"), raw_data=raw),
    "twilio/media": lambda source, raw: ContentDataMedia(parse_text(source.get("body")), _links(source), raw_data=raw),
    "twilio/location": _location,
    "twilio/quick-reply": _quick_reply,
    "twilio/call-to-action": lambda source, raw: ContentDataCallToAction(_text(source, "body"), _actions(source), raw_data=raw),
    "twilio/list-picker": _list_picker,
    "twilio/card": _card,
}


def _actions(source: Mapping[str, Any]) -> tuple[ContentDataAction, ...]:
    return tuple(map(_action, _list(source, "actions")))


def _action(source: Mapping[str, Any]) -> ContentDataAction:
    title, raw = _text(source, "title"), compact(source)
    match source.get("type"):
        case "URL":
            return ContentDataActionUrl(title, _text(source, "url"), raw_data=raw)
        case "PHONE_NUMBER":
            return ContentDataActionPhone(title, _text(source, "phone"), raw_data=raw)
        case "QUICK_REPLY":
            return ContentDataActionReply(title, _text(source, "id"), parse_index(source.get("index")) or 0, raw_data=raw)
        case _:
            return ContentDataActionOther(raw_data=raw)


def _variables(value: Any) -> tuple[ContentTemplateVariable, ...]:
    """Placeholders from an object, or the JSON text of one; its order is kept."""
    if isinstance(value, str):
        try:
            value = json_text.loads(value)
        except ValueError:
            return ()
    texts = ((name, each if isinstance(each, str) else compact(each)) for name, each in _objects(value))
    return tuple(ContentTemplateVariable(name, text) for name, text in texts)


def _objects(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _list(source: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = source.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _links(source: Mapping[str, Any]) -> tuple[str, ...]:
    value = source.get("media")
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _text(source: Mapping[str, Any], name: str) -> str:
    return text_or_empty(source.get(name))


def _number(value: Any) -> float | None:
    """Return a finite number, or its text (the service sends both)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
