"""Tables of routes: how a request finds what answers it."""

from __future__ import annotations

from typing import ClassVar

import pytest

from twilio_conversations.server.addresses import Addresses
from twilio_conversations.server.api.routing import ANY, Route, Table
from twilio_conversations.server.calls import Caller, Request, Response, split_path
from twilio_conversations.server.errors import Refusal

CALLER = Caller("alice", Addresses.at("http://service"))


def _told(name: str) -> Route:
    """A route that answers with its name and its parameters."""
    method, template = name.split(" ")
    return Route(method, template, lambda _api, _caller, _request, *values: Response.json(200, [name, *values]))


class Told:
    """An API of such routes."""

    ROUTES: ClassVar[tuple[Route, ...]] = tuple(
        map(_told, ("GET /a", "POST /a", "GET /a/{x}", f"{ANY} /a/{{x}}", "GET /{service}/b/{x}/c", "GET /a/{y}/d/{z}"))
    )


def ask(table: Table, method: str, path: str) -> Response:
    """The answer to a request."""
    answer = table.answer(CALLER, Request(method, split_path(path), {}, {}))
    assert isinstance(answer, Response)
    return answer


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/a", b'["GET /a"]'),
        ("POST", "/a/", b'["POST /a"]'),
        ("GET", "/a/b", b'["GET /a/{x}","b"]'),
        ("GET", "/a/%7Bx%7D", b'["GET /a/{x}","{x}"]'),
        ("GET", "/a/b%2Fd", b'["GET /a/{x}","b/d"]'),
        ("PURGE", "/a/b", b'["* /a/{x}","b"]'),
        ("GET", "/IS1/b/1/c", b'["GET /{service}/b/{x}/c","1"]'),
        ("GET", "/a/1/d/2", b'["GET /a/{y}/d/{z}","1","2"]'),
    ],
)
def test_a_request_finds_its_route(method: str, path: str, expected: bytes) -> None:
    """Segments are compared after they are decoded; parameters are handed on in order, known ones are not."""
    assert ask(Table([Told()], {"service": "IS1"}), method, path).body == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/a"),
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/a/1/d"),
        ("GET", "/a/1/d/2/3"),
        ("GET", "/IS2/b/1/c"),
        ("GET", "/{service}/b/1/c"),
    ],
)
def test_what_is_not_in_the_table_does_not_exist(method: str, path: str) -> None:
    """Another method, another length, another service: 20404."""
    with pytest.raises(Refusal) as refused:
        ask(Table([Told()], {"service": "IS1"}), method, path)
    assert refused.value.code == 20404


@pytest.mark.parametrize("names", [("GET /a", "GET /a"), ("GET /a/{x}", "GET /a/{y}"), ("GET /a/{x}", "GET /a/b/c")])
def test_routes_that_cannot_be_told_apart(names: tuple[str, ...]) -> None:
    """Two routes that one request could mean are an error when the table is made, not a matter of their order."""

    class Unclear:
        ROUTES: ClassVar[tuple[Route, ...]] = tuple(map(_told, names))

    with pytest.raises(ValueError, match=r"is there twice|stands where"):
        Table([Unclear()], {})
