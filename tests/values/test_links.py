"""Links of the configuration: missing ones follow from the others, or are errors where they are used, not at the start."""

from __future__ import annotations

import itertools
from collections.abc import Set
from typing import Any

import pytest

from tests.util.test_urls import LINKS as DAMAGED
from twilio_conversations.errors import ProtocolError
from twilio_conversations.values.configuration import Configuration
from twilio_conversations.values.links import ServiceLinks

SERVICE = "https://aim.test/Client/v2/Services/IS1"
LINKS = {
    "conversations": f"{SERVICE}/Conversations",
    "users": f"{SERVICE}/Users",
    "current_user": f"{SERVICE}/Users/US1",
    "my_conversations": f"{SERVICE}/Users/US1/Conversations",
    "messages_receipts": f"{SERVICE}/Conversations/%s/Messages/%s/Receipts",
    "typing": "https://aim.test/v1/Instances/IS1/Typing",
    "media_service": "https://mcs.test/v1/Services/IS1/Media",
    "media_set_service": "https://mcs.test/v1/Services/IS1/MediaSet",
}
MEDIA = {"media_service", "media_set_service"}
REST = sorted(LINKS.keys() - MEDIA)


def links(names: Set[str], user_info: str = "US1.info", **changes: Any) -> ServiceLinks:
    """A configuration's links with only these names."""
    body = {
        "identity": "alice",
        "sync_objects": {"my_conversations": "alice.channels", "my_user_info": user_info},
        "links": {name: LINKS[name] for name in sorted(names)} | changes,
    }
    return Configuration.parse(body).links


@pytest.mark.parametrize("there", REST)
@pytest.mark.parametrize("empty", [None, ""])
def test_one_link_is_enough(there: str, empty: Any) -> None:
    """Links of the REST API follow from any of them, and media are expected at the endpoint of media."""
    found = links({there}, **{name: empty for name in LINKS if name != there})

    assert {name: found[name] for name in REST} == {name: LINKS[name] for name in REST}
    assert found["media_service"] == "/v1/Services/IS1/Media"
    assert found["media_set_service"] == "/v1/Services/IS1/MediaSet"


@pytest.mark.parametrize("missing", [set(pair) for pair in itertools.combinations(sorted(LINKS), 2) if set(pair) != MEDIA])
def test_any_two_links_may_be_missing(missing: set[str]) -> None:
    """All of them are there nevertheless; a user is known by its map, too."""
    found = links(LINKS.keys() - missing)

    assert {name: found[name] for name in LINKS} == LINKS


def test_links_without_the_host_of_the_rest_api_are_errors_where_they_are_used() -> None:
    """Media alone do not say where conversations are; the error names the link."""
    found = links({"media_set_service"})

    assert found["media_service"] == LINKS["media_service"]
    for name in REST:
        with pytest.raises(ProtocolError, match=f"^{name} is missing from the service's configuration$"):
            _ = found[name]


def test_a_user_who_is_not_known_has_no_link() -> None:
    """The name of the map holds no sid: only what needs it is an error."""
    found = links({"conversations"}, user_info="somebody")

    assert found["users"] == LINKS["users"]
    with pytest.raises(ProtocolError, match="my_conversations is missing"):
        _ = found["my_conversations"]


@pytest.mark.parametrize("body", [None, [], "links", {}])
def test_no_links_at_all_are_no_error_of_the_start(body: Any) -> None:
    """Nothing can be used, and each use says so."""
    found = ServiceLinks.parse(body, "US1.info")

    for name in LINKS:
        with pytest.raises(ProtocolError, match=f"{name} is missing"):
            _ = found[name]


@pytest.mark.parametrize("name", REST)
@pytest.mark.parametrize("value", [value for value in DAMAGED if value is not None], ids=lambda value: repr(value)[:20])
def test_a_damaged_link_is_an_error_where_it_is_used(name: str, value: Any) -> None:
    """It is neither guessed nor a reason not to start; the error has its name."""
    found = links(LINKS.keys(), **{name: value})

    with pytest.raises(ProtocolError, match=f"^{name} in the service's configuration is no URL"):
        _ = found[name]
    assert all(found[other] == LINKS[other] for other in LINKS if other != name)


def test_links_of_an_unknown_form_are_used_as_they_are() -> None:
    """Nothing is made of them, but for media sets, which are beside media."""
    found = links(set(), typing="http://h/t", media_service="http://h/m")

    assert (found["typing"], found["media_service"], found["media_set_service"]) == ("http://h/t", "http://h/m", "http://h/mSet")
    with pytest.raises(ProtocolError, match="users is missing"):
        _ = found["users"]
