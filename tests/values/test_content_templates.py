"""Content templates: every kind is read, and nothing that the service sends can raise."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations.errors import ProtocolError
from twilio_conversations.values.content_templates import (
    RICH_CONTENT,
    ContentData,
    ContentDataActionOther,
    ContentDataActionPhone,
    ContentDataActionReply,
    ContentDataActionUrl,
    ContentDataCallToAction,
    ContentDataCard,
    ContentDataListItem,
    ContentDataListPicker,
    ContentDataLocation,
    ContentDataMedia,
    ContentDataOther,
    ContentDataQuickReply,
    ContentDataReply,
    ContentDataText,
    ContentTemplate,
    ContentTemplateVariable,
    parse_content,
    parse_rich_content,
)

ACTIONS: list[dict[str, Any]] = [
    {"type": "URL", "title": "Open", "url": "https://example.com"},
    {"type": "PHONE_NUMBER", "title": "Call", "phone": "+15550100"},
    {"type": "QUICK_REPLY", "title": "Yes", "id": "y", "index": 1},
    {"type": "QUICK_REPLY", "title": "No"},
    {"type": "SING", "title": "Sing"},
]


def actions_of(content: ContentData) -> list[tuple[Any, ...]]:
    """What the actions say, by their types."""
    assert isinstance(content, ContentDataCallToAction | ContentDataCard)
    said: list[tuple[Any, ...]] = []
    for action in content.actions:
        match action:
            case ContentDataActionUrl():
                said.append((action.type, action.title, action.url))
            case ContentDataActionPhone():
                said.append((action.type, action.title, action.phone))
            case ContentDataActionReply():
                said.append((action.type, action.title, action.id, action.index))
            case ContentDataActionOther():
                said.append((action.type, action.raw))
    return said


SAID = [
    ("url", "Open", "https://example.com"),
    ("phone", "Call", "+15550100"),
    ("reply", "Yes", "y", 1),
    ("reply", "No", "", 0),
    ("other", {"type": "SING", "title": "Sing"}),
]


@pytest.mark.parametrize(
    ("kind", "source", "expected"),
    [
        ("twilio/text", {"body": "hi"}, ContentDataText("hi")),
        ("twilio/media", {"media": ["https://x/1", 7]}, ContentDataMedia(None, ("https://x/1",))),
        ("twilio/media", {"body": "b", "media": []}, ContentDataMedia("b", ())),
        ("twilio/location", {"longitude": 8.5, "latitude": "47", "label": "here"}, ContentDataLocation(8.5, 47.0, "here")),
        (
            "twilio/quick-reply",
            {"body": "?", "actions": [{"title": "Yes", "id": "y"}, {"title": "No"}]},
            ContentDataQuickReply("?", (ContentDataReply("Yes", "y"), ContentDataReply("No"))),
        ),
        (
            "twilio/list-picker",
            {"body": "?", "button": "P", "items": [{"id": "1", "item": "One", "description": "1st"}, {"id": "2", "item": "Two"}]},
            ContentDataListPicker("?", "P", (ContentDataListItem("1", "One", "1st"), ContentDataListItem("2", "Two"))),
        ),
        ("twilio/card", {"title": "T"}, ContentDataCard("T")),
        ("twilio/card", {"title": "T", "subtitle": "S", "media": ["https://x/1"]}, ContentDataCard("T", "S", ("https://x/1",))),
        ("twilio/carousel", {"anything": 1}, ContentDataOther()),
    ],
)
@pytest.mark.row(
    "CT13",
    "CT14",
    "CT15",
    "CT16",
    "CT17",
    "CT18",
    "CT19",
    "CT20",
    "CT21",
    "CT22",
    "CT23",
    "CT24",
    "CT25",
    "CT26",
    "CT27",
    "CT28",
    "CT29",
    "CT30",
    "CT31",
    "CT32",
    "CT33",
    "CT34",
    "CT35",
    "CT36",
    "CT37",
    "CT38",
    "CT39",
    "CT40",
    "CT41",
    "CT42",
    "CT43",
    "CT44",
    "CT45",
    "CT46",
    "CT47",
    "CT48",
    "CT49",
    "CT50",
    "CT51",
    "CT52",
    "CT53",
    "CT54",
    "CT55",
    "CT56",
    "CT57",
    "CT58",
    "CT59",
    "CT60",
    "CT61",
    "BY31",
)
def test_each_kind_of_content_is_read(kind: str, source: Any, expected: ContentData) -> None:
    """Its fields have their values, missing ones their defaults, and the source is kept beside them."""
    content = parse_content(kind, source)
    raw = json.dumps(source, separators=(",", ":"))
    assert repr(content) == repr(expected)
    assert type(content) is type(expected)
    assert content.raw_data == raw
    assert content.raw == source


@pytest.mark.row(
    "CT62",
    "CT63",
    "CT64",
    "CT65",
    "CT66",
    "CT67",
    "CT68",
    "CT69",
    "CT70",
    "CT71",
    "CT72",
    "CT73",
    "CT74",
    "CT75",
    "CT76",
    "CT77",
    "CT78",
    "CT79",
    "CT80",
    "CT81",
)
def test_actions_are_read_in_order() -> None:
    """Links, telephone numbers, replies, and one that is not known."""
    assert actions_of(parse_content("twilio/call-to-action", {"body": "?", "actions": ACTIONS})) == SAID
    assert actions_of(parse_content("twilio/card", {"title": "T", "actions": ACTIONS})) == SAID


@pytest.mark.row("CT23")
def test_a_place_without_coordinates_is_no_place() -> None:
    """It must not be taken for a place in the sea."""
    assert isinstance(parse_content("twilio/location", {"label": "?"}), ContentDataOther)
    assert isinstance(parse_content("twilio/location", {"longitude": "NaN", "latitude": 1}), ContentDataOther)


@pytest.mark.row("CT01", "CT02", "CT03", "CT04", "CT05", "CT06", "CT07", "CT08", "CT10", "CT11")
def test_a_template_is_read() -> None:
    """Variables keep their order, variants are keyed by their kinds, times are aware."""
    template = ContentTemplate.parse(
        {
            "sid": "HX1",
            "friendly_name": "greeting",
            "variables": '{"2":"b","1":"a"}',
            "variants": {"twilio/text": {"body": "hi {{1}}"}, "x/y": {}},
            "date_created": "2024-01-01T00:00:00.000Z",
            "date_updated": "2024-01-02T00:00:00Z",
        }
    )
    assert template is not None
    assert (template.sid, template.friendly_name) == ("HX1", "greeting")
    assert template.variables == (ContentTemplateVariable("2", "b"), ContentTemplateVariable("1", "a"))
    assert list(template.variants) == ["twilio/text", "x/y"]
    assert isinstance(template.variants["x/y"], ContentDataOther)
    assert template.date_created == dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    assert template.date_updated == dt.datetime(2024, 1, 2, tzinfo=dt.UTC)


@pytest.mark.row("CT09", "CT12")
def test_a_variable_is_copied_with_another_value() -> None:
    """The original stays as it is."""
    variable = ContentTemplateVariable("name", "you")
    assert variable.copy_with_value("Ada") == ContentTemplateVariable("name", "Ada")
    assert variable.value == "you"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["body", "media", "actions", "items", "title", "longitude", "latitude", "id", "type", "index"])
NAMES = ["text", "media", "location", "quick-reply", "call-to-action", "list-picker", "card"]
KINDS = st.sampled_from(NAMES).map("twilio/{}".format)


@given(KINDS, JSON | st.dictionaries(FIELDS, JSON | st.lists(st.dictionaries(FIELDS, JSON), max_size=3)))
def test_no_content_raises(kind: str, source: Any) -> None:
    """Whatever stands where a field should be, something is made of it, and the source is kept."""
    content = parse_content(kind, source)
    assert content.raw == source
    hash(content)


FURTHER = {"variables": JSON, "variants": JSON, "date_created": JSON}


@given(JSON | st.fixed_dictionaries({"sid": st.just("HX1")}, optional=FURTHER))
def test_no_template_raises(value: Any) -> None:
    """Without a sid there is no template; whatever else is wrong is read as absent."""
    template = ContentTemplate.parse(value)
    assert (template is not None) == (isinstance(value, dict) and isinstance(value.get("sid"), str))


def test_rich_content_is_read_by_the_type_of_its_medium() -> None:
    """The content type names the kind, with a dot for the slash."""
    found = parse_rich_content(f"{RICH_CONTENT}twilio.text; charset=utf-8", b'{"data":{"body":"hi"}}')
    assert isinstance(found, ContentDataText)
    assert found.body == "hi"


@pytest.mark.parametrize("text", [b"[]", b"{}", b"{", b"\xff", b"5"])
def test_rich_content_without_data_is_refused(text: bytes) -> None:
    """A medium that is no JSON object with `data` is an error of the service."""
    with pytest.raises(ProtocolError, match="rich content"):
        parse_rich_content(RICH_CONTENT + "twilio.text", text)


@pytest.mark.parametrize("variables", ["{", "5", None])
def test_variables_that_cannot_be_read_are_none(variables: Any) -> None:
    """A template is of use without them."""
    template = ContentTemplate.parse({"sid": "HX1", "variables": variables})
    assert template is not None
    assert template.variables == ()


@pytest.mark.parametrize(
    ("latitude", "read"), [("1.5", 1.5), (1, 1.0), ("north", None), ("1e999", None), (10**400, None), (True, None)]
)
def test_a_coordinate_is_a_finite_number(latitude: Any, read: float | None) -> None:
    """The service sends numbers and their texts; without one it is no place."""
    place = parse_content("twilio/location", {"latitude": latitude, "longitude": "2", "label": "x"})
    assert (place.latitude if isinstance(place, ContentDataLocation) else None) == read
