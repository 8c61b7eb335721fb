"""The tables of `tests.security.matrix`, compared with the service over plain HTTP and through the tunnel, without a gap.

What is refused changes nothing in the database, sends nothing to anybody and tells nothing of what it was about.
"""

from __future__ import annotations

import itertools
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.routing import Route as HttpRoute

from tests.security.forgery import FORGED
from tests.security.matrix import CLIENT_API, MEDIA, NOTHING, OBJECTS, PEOPLE, READINGS, Row, is_answered_by, path, rows
from tests.security.people import DOORS, HTTP, People, Reply, identity
from tests.server.peer import Peer
from twilio_conversations.server import LocalServer
from twilio_conversations.server.api.routing import ANY
from twilio_conversations.server.control.operations import Control
from twilio_conversations.server.errors import CATALOGUE
from twilio_conversations.server.http.session import Session
from twilio_conversations.server.sync.objects import COLLECTIONS, NOT_FOUND
from twilio_conversations.wire import packets
from twilio_conversations.wire.packets import Init, RestCall, Unknown, Update

Things = dict[str, str]
Case = tuple[str, str]
"""A door and who comes by it."""
_numbers = itertools.count(1)

BODIES: dict[str, Callable[[Things], Any]] = {
    "nothing": lambda _: {},
    "name": lambda _: {"friendly_name": "changed"},
    "unique": lambda _: {"unique_name": f"unique-{next(_numbers)}"},
    "attributes": lambda _: {"attributes": '{"changed":1}'},
    "text": lambda _: {"body": "changed"},
    "media": lambda things: {"media_sids": [things["unsent"]]},
    "horizon": lambda _: {"last_read_message_index": 1},
    "level": lambda _: {"notification_level": "muted"},
    "myself": lambda things: {"identity": things["me"]},
    "somebody": lambda _: {"identity": "somebody"},
    "telephone": lambda things: {"messaging_binding": {"address": "+15550177", "proxy_address": things["proxy"]}},
    "typing": lambda things: f"ChannelSid={things['room']}",
    "device": lambda _: {"channel_type": "fcm", "message_types": [], "data": {"registration_id": "mine"}},
    "address": lambda things: {"binding_type": "fcm", "address": things["device"]},
    "poke": lambda _: {"event_protocol_version": 4, "action": "establish", "correlation_id": 1, "requests": []},
    "bytes": lambda _: b"bytes",
    "sent": lambda things: {"command": "get", "list": [{"media_sid": things["sent"]}]},
    "unsent": lambda things: {"command": "get", "list": [{"media_sid": things["unsent"]}]},
}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Everybody, in a service of their own, following all that they may."""
    with People(tmp_path_factory.mktemp("matrix")) as everybody:
        for row in rows(OBJECTS):
            for who, cell in row.cells.items():
                if not is_refusal(cell):
                    everybody.follow(who, *row.what)
        yield everybody


def is_refusal(cell: str) -> bool:
    """Whether a cell stands for something that is not done."""
    return cell == NOTHING or len(cell) > 3


def expected(cell: str) -> tuple[int, int | None]:
    """Status and code that a cell stands for."""
    if cell == NOTHING:
        return 204, None
    return (CATALOGUE[int(cell)][0], int(cell)) if is_refusal(cell) else (int(cell), None)


def ask(people: People, door: str, who: str, row: Row, things: Things) -> Reply:
    """Ask for what a row is about."""
    method, what, *body = row.what
    things = {**things, "me": identity(who)}
    asked = path(what).format_map(things)
    sent = BODIES[body[0]](things) if body else None
    told = people.ask(door, who, method, asked, sent)
    if told.status >= 400:
        said = told.text.lower()
        assert [secret for secret in people.secrets() if secret in said and secret not in f"{asked}{sent}"] == [], said
    return told


@contextmanager
def nothing_happens(people: People) -> Iterator[None]:
    """Inside, nothing changes in the database, and nobody is sent anything."""
    people.notifications()
    before = people.kept()
    yield
    assert people.notifications() == {}
    assert people.kept() == before


def outcomes(people: People, row: Row, doors: Iterable[str], *, refusals: bool) -> dict[Case, tuple[int, int | None]]:
    """What those are told by each door who are to be refused; or those who are not."""
    told = {}
    for door, who in cells(row, doors, refusals=refusals):
        changes = not refusals and row.what[0] != "GET"
        answer = ask(people, door, who, row, people.another_room(row.what) if changes else people.things)
        told[door, who] = (answer.status, answer.code)
    return told


def cells(row: Row, doors: Iterable[str], *, refusals: bool) -> dict[Case, tuple[int, int | None]]:
    """What is to be told, of what is refused or of what is not."""
    return {(door, who): expected(cell) for door in doors for who, cell in row.cells.items() if is_refusal(cell) is refusals}


@pytest.mark.parametrize("row", rows(CLIENT_API), ids=str)
def test_the_client_api(people: People, row: Row) -> None:
    """Each person may do what the table says, through the tunnel and over HTTP, and nothing else."""
    with nothing_happens(people):
        assert outcomes(people, row, DOORS, refusals=True) == cells(row, DOORS, refusals=True)
    allowed = cells(row, DOORS, refusals=False)
    if row.what[1] == "/v4/Subscriptions":  # without a connection there is nothing that could be followed
        allowed |= {case: (404, 20404) for case in allowed if case[0] == HTTP}
    assert outcomes(people, row, DOORS, refusals=False) == allowed


@pytest.mark.parametrize("row", rows(MEDIA), ids=str)
def test_media(people: People, row: Row) -> None:
    """Media are for their uploader until they are sent, and then for those who may read the conversation."""
    if row.what[1].endswith("MediaSet"):
        told = {who: ask(people, HTTP, who, row, people.things).body[0] for who in PEOPLE}
        assert {who: str(entry["code"]) for who, entry in told.items()} == row.cells
        assert all(set(entry["media_record"]) == {"sid"} for entry in told.values() if entry["code"] != 200)
        return
    with nothing_happens(people):
        assert outcomes(people, row, [HTTP], refusals=True) == cells(row, [HTTP], refusals=True)
    assert outcomes(people, row, [HTTP], refusals=False) == cells(row, [HTTP], refusals=False)


@pytest.mark.parametrize("row", rows(OBJECTS), ids=str)
def test_reading_sync_objects(people: People, row: Row) -> None:
    """An object is read by those who may, by its name and by its sid, root and items; written by nobody."""
    collection, name = row.what
    root = people.root("member", collection, name)
    key = next((item["key"] for item in people.items("member", collection, name) if "key" in item), "")
    with nothing_happens(people):
        for reference, reading in itertools.product((root["sid"], root["unique_name"]), READINGS[collection]):
            what = f"/v3/{collection}/{reference}{reading.replace('{key}', key)}"
            reads = Row(("GET", what), row.cells)
            for refusals in (True, False):
                assert outcomes(people, reads, DOORS, refusals=refusals) == cells(reads, DOORS, refusals=refusals)
            for method in ("POST", "PUT", "DELETE"):
                writes = Row((method, what, "nothing"), dict.fromkeys(("anyone", "member", "owner"), "54007"))
                assert outcomes(people, writes, DOORS, refusals=True) == cells(writes, DOORS, refusals=True)


def test_following_sync_objects(people: People) -> None:
    """Who may not read an object cannot follow it by its sid either: that looks as if there were none, and nothing is sent."""
    room = people.another_room()
    people.notifications()
    followed, denied = set(), set()
    for row in rows(OBJECTS):
        collection, name = row.what
        kind = people.kind(collection)
        sid = people.root("member", collection, name, room)["sid"]
        for who, cell in row.cells.items():
            assert people.peers[who].poke((kind, sid, -1)).status == 202
            (outcome,) = [packet for packet in people.peers[who].barrier() if sid in str(packet.payload)][-1:]
            if is_refusal(cell):
                denied.add((who, sid))
                (event,) = outcome.payload["events"]
                assert outcome.payload["event_type"] == "subscription_failed"
                assert event["error"] == {"status": 404, "code": NOT_FOUND[kind], "message": CATALOGUE[NOT_FOUND[kind]][1]}
            else:
                followed.add((who, sid))
                assert outcome.payload["event_type"] == "subscription_established", (who, name)
    people.notifications()
    people.change_all(room)
    heard = {who: str([packet.payload for packet in found]) for who, found in people.notifications().items()}
    assert {(who, sid) for who, sid in denied if sid in heard.get(who, "")} == set()
    assert {(who, sid) for who, sid in followed if sid not in heard.get(who, "")} == set()


# -- no gaps -----------------------------------------------------------------------------------------------------------------


def all_rows() -> list[tuple[str, str]]:
    """Method and path of every row of every table, in the terms of the routes."""
    asked = [(row.what[0], path(row.what[1])) for table in (CLIENT_API, MEDIA) for row in rows(table)]
    for row in rows(OBJECTS):
        collection = row.what[0]
        readings = [f"/v3/{collection}/{{object}}{reading}" for reading in READINGS[collection]]
        asked += [(method, reading) for reading in readings for method in ("GET", ANY)]
    return asked


def test_every_route_has_a_row(people: People) -> None:
    """A route that nobody has said who may use fails here, and so does a row whose route is gone."""
    app = people.server._app
    assert app is not None
    routes = [(route.method, route.template) for route in app.service.routes.routes]
    http = [route for route in app.asgi().routes if isinstance(route, HttpRoute) and route.path.startswith(("/v1/", "/media"))]
    routes += [
        (method, route.path.replace("{service_sid}", "{service}"))
        for route in http
        for method in (route.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    asked = all_rows()

    def answers(route: tuple[str, str], row: tuple[str, str]) -> bool:
        return route[0] == row[0] and is_answered_by(route[1], row[1])

    assert [route for route in routes if not any(answers(route, row) for row in asked)] == []
    gone = [row for row in asked if not any(answers(route, row) for route in routes) and "{account}" not in row[1]]
    assert gone == []


def test_every_kind_of_object_has_a_row(people: People) -> None:
    """An object of a new kind fails here: the tables tell them by what follows the sid in their names."""
    kinds = {(COLLECTIONS[kind], "." + name.rpartition(".")[2]) for name, kind in people.objects()}
    assert kinds == {(row.what[0], "." + row.what[1].rpartition(".")[2]) for row in rows(OBJECTS)}
    assert set(READINGS) == set(COLLECTIONS.values())


DOORWAYS = {
    "/v3/wsconnect": "test_frames_without_a_good_token",
    "/{path:path}": "test_every_route_wants_a_good_token",
    "/_local/{operation}": "test_the_control_plane_wants_the_key",
    "/_local/token": "tests/server/http/test_token_endpoint.py",
    "/_local/health": "open to all, and says nothing but how many connections there are",
}


def test_every_doorway_is_known(people: People) -> None:
    """What the application answers besides the routes of the tables is watched by a test of its own, or open on purpose."""
    app = people.server._app
    assert app is not None
    paths = {getattr(route, "path", "") for route in app.asgi().routes}
    assert {found for found in paths if not found.startswith(("/v1/", "/media"))} == set(DOORWAYS)
    health = people.ask_with({}, "GET", "/_local/health")
    assert set(health.body) == {"status", "connections"}


# -- without a good token ----------------------------------------------------------------------------------------------------

BAD_TOKENS: dict[str, tuple[int, Callable[[People], str]]] = {
    "none": (20101, lambda _: ""),
    "rubbish": (20101, lambda _: "rubbish"),
    "expired": (20104, lambda people: people.server.token("member", -60)),
    "the key": (20101, lambda people: people.server.api_key[1]),
} | {
    name: (FORGED[name][0], lambda people, name=name: FORGED[name][1](people.server))
    for name in ("not yet valid", "alg none", "HS512 with the right key", "RS256, signed with what looks like a public key")
}


@pytest.mark.parametrize("name", [*BAD_TOKENS, "another service's"])
def test_every_route_wants_a_good_token(people: People, name: str) -> None:
    """By every route of every table the answer is 401 with the code of what is wrong, before anything is looked at."""
    if name in BAD_TOKENS:
        code, token = BAD_TOKENS[name][0], BAD_TOKENS[name][1](people)
    else:
        code = 20107
        with LocalServer() as other:
            token = other.token("member")
    asked = {(method.replace(ANY, "DELETE"), template) for method, template in all_rows() if template != "/media/{sent}"}
    with nothing_happens(people):
        for method, template in sorted(asked):
            things = {**people.things, "me": "member", "object": people.things["room"], "key": "0"}
            told = people.ask_with({"X-Twilio-Token": token} if token else {}, method, template.format_map(things), {})
            assert (told.status, told.code) == (401, code), (method, template)


def test_frames_without_a_good_token(people: People) -> None:
    """On the websocket a session begins with a good token, goes on with one of the same person, or ends; requests wait for it."""
    assert set(Session.FRAMES) == {
        Init,
        Update,
        RestCall,
        packets.Reply,
        Unknown,
    }
    for code, token in [(code, make(people)) for code, make in BAD_TOKENS.values()]:
        with Peer(people.server) as nobody:
            reply = nobody.init(token)
            assert (reply.status.code, reply.status.error_code) == (401, code)
        with Peer.connected(people.server, "member") as member:
            reply = member.update(token)
            assert (reply.status.code, reply.status.error_code) == (401, code)
    with Peer.connected(people.server, "anyone") as anyone:
        reply = anyone.update(people.tokens["member"])
        assert (reply.status.code, reply.status.error_code) == (401, 20106)
    with Peer(people.server) as nobody:
        reply = nobody.reply_to(nobody.start("GET", f"/v3/Documents/{people.things['room']}.channel"))
        assert (reply.status.code, reply.status.error_code, reply.http_status) == (401, 20101, None)
    with Peer(people.server) as nobody:
        reply = nobody.update(people.tokens["member"])
        assert (reply.status.code, reply.status.error_code) == (401, 20101)


@pytest.mark.parametrize(("method", "operation"), sorted(Control.OPERATIONS))
def test_the_control_plane_wants_the_key(people: People, method: str, operation: str) -> None:
    """Who does not hold the API key is refused every operation, with an access token too, and nothing happens."""
    sid, secret = people.server.api_key
    token = people.tokens["boss"]
    pairs = [(sid, "wrong"), ("wrong", secret), (sid, ""), ("", ""), (secret, sid), (sid, token), ("boss", token)]
    headers = [{"Authorization": f"Basic {b64encode(':'.join(pair).encode()).decode()}"} for pair in pairs]
    headers += [{}, {"Authorization": f"Bearer {token}"}, {"Authorization": f"Bearer {secret}"}, {"Authorization": "Basic ="}]
    with nothing_happens(people):
        for header in headers:
            told = people.ask_with({"X-Twilio-Token": token, **header}, method, f"/_local/{operation}", {})
            assert (told.status, told.code) == (401, 20003), header
