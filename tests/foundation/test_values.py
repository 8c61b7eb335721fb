"""URLs, JSON values, options and the service's configuration."""

from __future__ import annotations

import datetime as dt
import math
import pickle
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations.errors import ConflictError, InvalidArgumentError, ProtocolError, RestError, ServiceError
from twilio_conversations.util import urls
from twilio_conversations.util.json import Attributes, dumps, parse_index, parse_time
from twilio_conversations.values.configuration import Configuration

HOSTILE = ["/", "?", "#", "%", "%2e%2e", " ", "+", "a/../b", "zoë+tag@ex ample.com ☃", "😀", "\x00", "a&b=c", "\\"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_one_path_segment(name: str) -> None:
    """Whatever a name contains, it stays one segment and comes back unchanged."""
    url = urls.join("http://h/base", name, "Items")

    assert url.count("/") == 5
    assert "?" not in url
    assert unquote(url.split("/")[4]) == name


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_of_dots_is_not_resolved(name: str) -> None:
    """Joining URLs keeps the segment, which comes back unchanged when it is decoded."""
    url = urls.join("http://h/base", name)

    assert urljoin(url, urlsplit(url).path) == url
    assert unquote(url.rpartition("/")[2]) == name


@pytest.mark.parametrize("name", ["", "\ud800"])
def test_a_name_that_no_path_can_hold_is_refused(name: str) -> None:
    """A path with an empty segment would be another path."""
    with pytest.raises(InvalidArgumentError):
        urls.join("http://h", name)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_query_value_survives(value: str) -> None:
    """Values are percent-encoded whole; a space is never a plus."""
    url = urls.with_query("http://h/x", [("a", value), ("skipped", None), ("n", 1)])
    pairs = dict(pair.split("=") for pair in url.partition("?")[2].split("&"))

    assert "+" not in url
    assert {name: unquote(text) for name, text in pairs.items()} == {"a": value, "n": "1"}


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: "a"}, {"a": {2: 3}}, object(), {"a": {1, 2}}, "\ud800"])
def test_attributes_must_be_strict_json(value: Any) -> None:
    """What JSON cannot say, or would say differently, is refused before anything is sent."""
    with pytest.raises(InvalidArgumentError):
        dumps(value)


def test_attributes_that_refer_to_themselves_are_refused() -> None:
    """A cycle is an error, not a hang."""
    loop: dict[str, Any] = {}
    loop["self"] = loop
    with pytest.raises(InvalidArgumentError):
        dumps(loop)


@pytest.mark.parametrize(
    ("raw", "value"), [(None, {}), ("", {}), ("{}", {}), ('{"a":1}', {"a": 1}), ("[1", {}), ({"a": 1}, {"a": 1}), ("5", 5)]
)
def test_attributes_from_the_service_are_read_leniently(raw: Any, value: Any) -> None:
    """JSON text, data and nonsense all read as something."""
    assert Attributes(raw).value() == value


def test_attributes_are_equal_by_meaning() -> None:
    """Spelling does not matter, kinds of values do."""
    assert Attributes('{"a":1,"b":2}') == Attributes('{"b": 2, "a": 1}') == Attributes({"a": 1, "b": 2})
    assert Attributes('{"a":1}') != Attributes('{"a":true}')


def test_attributes_are_handed_out_as_copies() -> None:
    """Changing what was handed out changes nothing here."""
    attributes = Attributes({"list": [1]})
    attributes.value()["list"].append(2)

    assert attributes.value() == {"list": [1]}


@pytest.mark.parametrize("value", ["", "yesterday", "2024-13-01T00:00:00Z", True, 10**30, [], None, math.nan])
def test_a_malformed_time_is_none(value: Any) -> None:
    """Nonsense in the service's data never raises."""
    assert parse_time(value) is None


def test_times_are_aware() -> None:
    """ISO text and epoch milliseconds are UTC."""
    moment = dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)

    assert parse_time("2024-01-02T03:04:05.000Z") == moment
    assert parse_time("2024-01-02T05:04:05+02:00") == moment
    assert parse_time("2024-01-02T03:04:05") == moment
    assert parse_time(moment.timestamp() * 1000) == moment


@pytest.mark.parametrize(("value", "index"), [(0, 0), ("7", 7), (-1, -1), ("x", None), (True, None), ("²", None), (1.5, None)])
def test_an_index_is_a_number_or_its_text(value: Any, index: int | None) -> None:
    """Anything else is no index."""
    assert parse_index(value) == index


CONFIGURATION: dict[str, Any] = {
    "identity": "alice",
    "options": {"user_infos_to_subscribe": 7, "email_bodies_allowed_mime_types": ["text/plain"]},
    "sync_objects": {"my_conversations": "US1.conversations", "my_user_info": "US1.info"},
    "links": {
        name: f"http://h/{name}"
        for name in ("my_conversations", "conversations", "users", "typing", "messages_receipts", "media_service")
    },
}


def test_the_configuration_is_read_with_defaults() -> None:
    """What the service leaves out has a default, where there can be one."""
    configuration = Configuration.parse(CONFIGURATION)

    assert (configuration.identity, configuration.user_infos_to_subscribe) == ("alice", 7)
    assert configuration.media_set_url == "http://h/media_serviceSet"
    assert configuration.limits.media_attachments_count_limit == 10
    assert configuration.limits.email_bodies_allowed_content_types == ("text/plain",)


@pytest.mark.parametrize("missing", [("identity",), ("links", "typing"), ("sync_objects", "my_conversations"), ("links",)])
def test_a_configuration_without_the_essential_is_a_protocol_error(missing: tuple[str, ...]) -> None:
    """The error names what is missing."""
    body = {key: dict(value) if isinstance(value, dict) else value for key, value in CONFIGURATION.items()}
    owner = body
    for name in missing[:-1]:
        owner = owner[name]
    del owner[missing[-1]]

    with pytest.raises(ProtocolError, match=missing[-1]):
        Configuration.parse(body)


def test_errors_carry_the_facts_and_can_be_pickled() -> None:
    """A worker process can send an error home."""
    body = {"status": 409, "code": 50353, "message": "taken", "more_info": "https://t"}
    error = RestError.from_answer("POST x", 409, body, request_id="RQ1", attempts=2)
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is ConflictError
    assert (again.status, again.code, again.request_id, again.attempts, again.more_info) == (409, 50353, "RQ1", 2, "https://t")
    assert "taken" in str(again)
    assert not again.retryable


@pytest.mark.parametrize("body", [None, "text", [], {"code": "x"}, {"message": None}])
def test_an_error_body_may_be_anything(body: Any) -> None:
    """A strange answer still makes a clear error."""
    assert ServiceError.from_answer("GET x", 503, body).retryable


LINKS: list[Any] = ["http://[::1/x", "http://h:99999999/x", "http://h:-1/", "http://h:0/", "h/x", "ftp://h/x", "//h/x", "http://"]
LINKS += ["http://a b/", 5, None]
LINKS += ["http://h/\x00", "http://h/\ud800", "http://\\h", [], {"a": 1}, 10**400, math.nan]


@pytest.mark.parametrize("value", LINKS, ids=lambda value: repr(value)[:20])
def test_a_link_that_is_no_url_is_an_error_of_the_service(value: Any) -> None:
    """Found where it is read, not by some library later."""
    with pytest.raises(ProtocolError, match="the link is no URL"):
        urls.link(value, "the link")


def test_a_link_shows_no_signature() -> None:
    """What is wrong with a signed link is told without the part that opens it."""
    with pytest.raises(ProtocolError) as caught:
        urls.link("http://h:99999/x?Signature=secret", "the link")
    assert "secret" not in str(caught.value)
    assert urls.link("https://H:1/x?Signature=a%2Fb", "the link") == "https://H:1/x?Signature=a%2Fb"


@pytest.mark.parametrize("name", ["my_conversations", "conversations", "users", "typing", "messages_receipts"])
@pytest.mark.parametrize("value", LINKS, ids=lambda value: repr(value)[:20])
def test_a_configuration_with_links_that_are_none_is_refused(name: str, value: Any) -> None:
    """The start fails with the link's name instead of each call with something else."""
    with pytest.raises(ProtocolError, match=name):
        Configuration.parse({**CONFIGURATION, "links": {**CONFIGURATION["links"], name: value}})
