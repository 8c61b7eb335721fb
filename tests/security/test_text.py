"""Text that means something to a database, a file system, a header or a terminal is text, in every field; and JSON bombs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.security.hostile import RAW, TEXTS
from tests.server.peer import TIMEOUT, Peer
from twilio_conversations import Client
from twilio_conversations.server import LocalServer
from twilio_conversations.server.storage.database import DATABASE_FILE

SHORT = [text for text in TEXTS if 0 < len(text) <= 256]
UNUSUAL = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


def quoted(text: str) -> str:
    """Attributes with this text as key and value, spelled with all letters as they are."""
    return json.dumps({text: text, "list": [text]}, ensure_ascii=False)


def round_trip(peer: Peer, text: str, unique: str) -> None:
    """Write the text to every field that there is, and read it back over REST and from the Sync objects."""
    room = peer.room(friendly_name=text, unique_name=unique, attributes=quoted(text))
    sid = room.rsplit("/", 1)[1]
    message = peer.say(room, text, subject=text, attributes=quoted(text))
    added = peer.post(f"{room}/Participants", {"identity": f"{text}-{unique}", "attributes": quoted(text)}).body
    myself = f"{peer.link('users')}/{peer.identity}"
    peer.post(myself, {"friendly_name": text, "attributes": quoted(text)})

    found = peer.get(room).body
    assert (found["friendly_name"], found["unique_name"], found["attributes"]) == (text, unique, quoted(text))
    document = peer.open("document", f"{sid}.channel")["data"]
    assert (document["friendlyName"], document["uniqueName"], document["attributes"]) == (text, unique, quoted(text))
    (item,) = peer.items("list", f"{sid}.messages")
    assert (item["data"]["text"], item["data"]["subject"], item["data"]["attributes"]) == (text, text, quoted(text))
    again = peer.get(message["url"]).body
    assert (again["body"], again["subject"], again["attributes"]) == (text, text, quoted(text))
    roster = {entry["key"]: entry["data"] for entry in peer.items("map", f"{sid}.roster")}
    assert roster[added["sid"]]["identity"] == f"{text}-{unique}"
    assert roster[added["sid"]]["attributes"] == quoted(text)
    user = peer.get(myself).body
    assert (user["friendly_name"], user["attributes"]) == (text, quoted(text))


@pytest.mark.parametrize("text", SHORT)
def test_hostile_text_is_text(alice: Peer, fresh: Callable[[str], str], text: str) -> None:
    """SQL, paths, header lines, templates and strange letters come back unchanged from every field."""
    round_trip(alice, text, fresh((text + "-")[:200]))


def test_any_text_is_text(alice: Peer, fresh: Callable[[str], str]) -> None:
    """The same for generated text of all Unicode."""

    @settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(UNUSUAL)
    def run(text: str) -> None:
        round_trip(alice, text, fresh(text))

    run()


@pytest.mark.parametrize("text", [text for text in SHORT if len(text) <= 200])
def test_hostile_names_in_paths_and_tokens(service: LocalServer, fresh: Callable[[str], str], text: str) -> None:
    """As an identity and as a unique name, hostile text names what it names, and a room is found by it, by our client too."""
    identity = fresh(f"{text}'")
    with Peer.connected(service, identity) as peer:
        assert peer.identity == identity
        room = peer.room(unique_name=f"{identity}/..")
    with Client(service.token(identity), endpoint=service.url) as client:
        client.wait_until_ready(TIMEOUT)
        found = client.get_conversation_by_unique_name(f"{identity}/..")
        assert found.sid == room.rsplit("/", 1)[1]
        assert found.get_participant_by_identity(identity).identity == identity


def test_statements_are_bound(tmp_path: Path) -> None:
    """After all of that the database has its tables and nothing more than was said, and is well."""
    injected = "x'); DELETE FROM messages; INSERT INTO users (sid) VALUES ('evil'); --"
    with LocalServer(tmp_path) as server, Peer.connected(server, injected) as peer:
        room = peer.room()
        for text in (injected, injected.replace("'", '"'), *SHORT):
            peer.say(room, text)
        for reference in (injected, "' OR '1'='1", "%", "_", "CH%", "*"):
            assert peer.get(f"{peer.link('conversations')}/{quote(reference, safe='')}").code == 50350
    database = sqlite3.connect(tmp_path / DATABASE_FILE)
    try:
        assert database.execute("SELECT count(*) FROM messages").fetchone() == (len(SHORT) + 2,)
        assert database.execute("SELECT count(*) FROM users WHERE sid = 'evil'").fetchone() == (0,)
        assert database.execute("SELECT identity FROM users").fetchall() == [(injected,)]
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        database.close()


@pytest.mark.parametrize("place", ["..", ".", "%2e%2e", "..%2f..", "\x00", "..\\..", "/etc/passwd", "", " "])
@pytest.mark.parametrize("path", ["/media/{}", "/v1/Services/{service}/Media/{}", "/v1/Services/{service}/Media/{}/Content"])
def test_sids_are_no_paths(service: LocalServer, alice: Peer, path: str, place: str) -> None:
    """What stands for a medium in a URL is looked up, never opened: encoded slashes, dots, NUL and backslashes find nothing."""
    service_sid = alice.link("media_service").split("/")[-2]
    for spelled in {place, quote(place, safe="")}:
        url = service.url + path.replace("{service}", service_sid).replace("{}", spelled)
        prepared = requests.Request("GET", url, headers={"X-Twilio-Token": service.token(alice.identity)}).prepare()
        prepared.url = url.replace("\x00", "%00").replace(" ", "%20")
        with requests.Session() as session:
            answer = session.send(prepared, timeout=TIMEOUT)
        assert answer.status_code in (401, 403, 404, 405), (url, answer.status_code)
        assert answer.json()["code"] in (20403, 20404, 50507, 20004)


@pytest.mark.parametrize("body", RAW)
def test_json_bombs_over_both_doors(service: LocalServer, alice: Peer, body: bytes) -> None:
    """Deep nesting, numbers without end, keys twice, NaN and half characters are refused, or harmless, and quickly."""
    url, headers = alice.link("conversations"), {"X-Twilio-Token": service.token(alice.identity)}
    answer = requests.post(url, data=body, headers=headers, timeout=TIMEOUT)
    assert answer.status_code in (201, 400), answer.text
    expected: dict[str, Any] = answer.json()
    if answer.status_code == 400:
        assert expected["code"] in (20001, 20422, 50304)
    else:
        assert {expected["friendly_name"], expected["unique_name"]} == {None}
    assert alice.get("/Client/v2/Configuration").status == 200
