"""The control plane: reset, seed, the clock, recorded traffic, settings, and who may use it."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.server.peer import TIMEOUT, Peer
from twilio_conversations.server import LocalServer
from twilio_conversations.server.storage.tables import timers

SEED: dict[str, Any] = {
    "roles": [{"friendly_name": "reader", "permissions": ["leaveConversation"]}],
    "users": [
        {"identity": "alice", "friendly_name": "Alice", "attributes": {"team": 1}},
        {"identity": "boss", "role": "service admin"},
    ],
    "templates": [{"friendly_name": "hi", "variables": {"name": "you"}, "variants": {"twilio/text": {"body": "Hi {{name}}"}}}],
    "conversations": [
        {
            "friendly_name": "Lunch",
            "unique_name": "lunch",
            "attributes": {"where": "out"},
            "created_by": "carol",
            "timers": {"inactive": "PT1M"},
            "participants": [
                {"identity": "alice", "attributes": '{"seat":1}'},
                {"identity": "bob", "role": "reader"},
                {"messaging_binding": {"address": "+15550100", "proxy_address": "+15550199"}},
            ],
            "messages": [
                {"author": "alice", "body": "Hi"},
                {"author": "+15550100", "body": "Hello", "index": 5, "channel_metadata": {"type": "sms", "data": {"a": 1}}},
                {"body": "Welcome"},
            ],
        }
    ],
}


@pytest.fixture
def own() -> Iterator[LocalServer]:
    """A service of one's own, to be emptied and moved through time."""
    with LocalServer() as server:
        yield server


def test_seed_makes_what_it_says(own: LocalServer) -> None:
    """Users, roles, templates, and a conversation with members, somebody outside and messages are there afterwards."""
    made = own.seed(SEED)
    (conversation,) = made["conversations"]
    with Peer.connected(own, "alice") as alice:
        found = alice.get(f"{alice.link('my_conversations')}/lunch").body
        assert found["conversation_sid"] == conversation["sid"]
        assert found["attributes"] == '{"where":"out"}'
        items = alice.items("list", f"{conversation['sid']}.messages")
        assert [(item["index"], item["data"]["author"], item["data"]["text"]) for item in items] == [
            (0, "alice", "Hi"),
            (5, "+15550100", "Hello"),
            (6, "system", "Welcome"),
        ]
        assert [item["data"]["sid"] for item in items] == conversation["messages"]
        roster = {item["key"]: item["data"] for item in alice.items("map", f"{conversation['sid']}.roster")}
        assert set(roster) == set(conversation["participants"])
        assert items[1]["data"]["memberSid"] == conversation["participants"][2]
        assert alice.get(f"{alice.link('users')}/alice").body["friendly_name"] == "Alice"
        assert alice.get("/Client/v2/ContentTemplates").body["templates"][0]["sid"] == made["templates"][0]
    with Peer.connected(own, "bob") as bob:
        room = f"{bob.link('conversations')}/{conversation['sid']}"
        assert bob.post(f"{room}/Messages", {"body": "may I?"}).code == 50107


def test_seed_only_if_empty(own: LocalServer) -> None:
    """Where there is something already, only the settings are taken."""
    data = {"settings": {"index_gap": 1}, **SEED}
    assert own.seed(data, if_empty=True)["conversations"] != []
    own.configure(index_gap=0)
    assert own.seed(data, if_empty=True)["conversations"] == []
    assert own.configure()["index_gap"] == 1
    with pytest.raises(ValueError, match="role"):
        own.seed(data)


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_seed_from_a_file(own: LocalServer, tmp_path: Path, suffix: str) -> None:
    """A JSON file is read, and a YAML file too."""
    path = tmp_path / f"seed{suffix}"
    if suffix == ".yaml":
        pytest.importorskip("yaml")
        path.write_text("conversations:\n  - unique_name: from-file\n    participants: [{identity: alice}]\n", "utf-8")
    else:
        path.write_text(json.dumps({"conversations": [{"unique_name": "from-file", "participants": [{"identity": "alice"}]}]}))
    own.seed(path)
    with Peer.connected(own, "alice") as alice:
        assert alice.get(f"{alice.link('my_conversations')}/from-file").status == 200


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"conversation": []}, "unknown in a seed: conversation"),
        ({"conversations": [{"name": "x"}]}, "unknown in 'conversations': name"),
        ({"users": [{"identity": "new"}], "conversations": [{"state": "closed"}]}, "50384"),
        ({"users": [{"identity": "new"}], "conversations": [{"messages": [{"body": "a"}, {"index": 0}]}]}, "'index'"),
        ({"users": [{"identity": "new"}], "roles": [{"friendly_name": "channel user"}]}, "role"),
        ({"users": [{"identity": "new"}], "roles": [{"friendly_name": "r" * 65}]}, "50003"),
        ({"users": [{"identity": "new"}], "roles": [{"friendly_name": ""}]}, "role"),
        ({"settings": {"no_such": 1}}, "no_such"),
        ({"users": {}, "templates": [{"variants": {}}]}, "variants"),
    ],
)
def test_a_wrong_seed_leaves_nothing(own: LocalServer, data: dict[str, Any], words: str) -> None:
    """What cannot be made is refused with a reason, and nothing of it stays."""
    with pytest.raises(ValueError, match=words):
        own.seed(data)
    with Peer.connected(own, "asker") as asker:
        assert asker.get(f"{asker.link('users')}/new").code == 50200


def test_reset_empties_the_service(own: LocalServer) -> None:
    """Afterwards connections are cut, nothing is found, settings, faults and time are as at the beginning, and it works."""
    own.seed(SEED)
    own.configure(index_gap=3)
    own.faults.refuse(None)
    later = own.advance_clock(86_400)
    with Peer(own) as before:
        before.init(own.token("alice"))
        own.reset()
        with pytest.raises(ConnectionError):
            before.receive()
    assert own.now() < later - dt.timedelta(hours=23)
    assert own.faults.pending() == []
    with Peer.connected(own, "alice") as alice:
        assert alice.get(f"{alice.link('conversations')}/lunch").code == 50350
        assert alice.get("/Client/v2/ContentTemplates").body["templates"] == []
        room = alice.room()
        assert [alice.say(room)["index"] for _ in range(2)] == [0, 1]
    assert {entry["identity"] for entry in own.traffic()} == {"alice"}


def test_the_clock_moves_timestamps_only_ahead(own: LocalServer) -> None:
    """What is written after the clock was moved bears the later time; tokens stay valid; it does not go back."""
    with Peer.connected(own, "alice") as alice:
        room = alice.room()
        first = dt.datetime.fromisoformat(alice.say(room)["date_created"])
        now = own.advance_clock(dt.timedelta(days=2))
        second = dt.datetime.fromisoformat(alice.say(room)["date_created"])
        assert dt.timedelta(days=2) <= second - first < dt.timedelta(days=2, minutes=5)
        assert abs(now - second) < dt.timedelta(minutes=5)
        assert alice.update(own.token("alice")).status.ok
    with pytest.raises(ValueError, match="ahead"):
        own.advance_clock(-1)
    for _ in range(2):
        with pytest.raises(ValueError, match="ten years in all"):
            own.advance_clock(dt.timedelta(days=3649))


def test_traffic_is_recorded_without_tokens(own: LocalServer) -> None:
    """Frames of both directions are kept in order with their connection's identity; no token is in them."""
    token = own.token("alice")
    with Peer(own) as alice:
        alice.init(token)
        alice.get("/Client/v2/Configuration")
        frames = own.traffic("alice")
    assert [(entry["direction"], entry["header"]["method"]) for entry in frames] == [
        ("in", "init"),
        ("out", "reply"),
        ("in", "message"),
        ("out", "reply"),
    ]
    assert frames[0]["header"]["token"] == "(redacted)"
    assert frames[3]["payload"]["identity"] == "alice"
    assert token not in json.dumps(frames)
    assert frames[1]["header"]["continuation_token"] == "(redacted)"
    assert own.traffic("nobody") == []
    own.forget_traffic()
    assert own.traffic() == []


def test_settings_reach_clients(own: LocalServer) -> None:
    """Settings are told to clients at their start, and hold at once; one that does not exist is refused by name."""
    own.configure(media_attachments_count_limit=3, participants_limit=1, typing_timeout=9, reachability_enabled=True)
    with Peer.connected(own, "alice") as alice:
        options = alice.configuration["options"]
        assert (options["media_attachments_count_limit"], options["reachability_enabled"]) == (3, True)
        room = alice.room()
        assert alice.post(f"{room}/Participants", {"identity": "bob"}).code == 50417
        answer = alice.request("POST", alice.link("typing"), form=f"ChannelSid={room.rsplit('/', 1)[1]}")
        assert answer.body == {"typing_timeout": 9}
    for wrong in ({"nothing": 1}, {"participants_limit": "1"}, {"delivery": "never"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            own.configure(**wrong)


def test_indexes_may_have_gaps(own: LocalServer) -> None:
    """When asked for, indexes are left out between messages."""
    own.configure(index_gap=2)
    with Peer.connected(own, "alice") as alice:
        room = alice.room()
        assert [alice.say(room)["index"] for _ in range(3)] == [0, 3, 6]


def test_over_http_with_the_api_key(own: LocalServer) -> None:
    """Every operation is a resource for those who hold the API key, and 401 for everybody else."""
    url = f"{own.url}/_local"
    for auth in (None, (own.api_key[0], "wrong"), ("", "")):
        for method, operation in (("POST", "reset"), ("GET", "traffic"), ("POST", "seed"), ("GET", "nothing")):
            answer = requests.request(method, f"{url}/{operation}", auth=auth, timeout=TIMEOUT)
            assert (answer.status_code, answer.json()["code"]) == (401, 20003)

    def call(method: str, operation: str, body: Any = None, **query: str) -> Any:
        return requests.request(method, f"{url}/{operation}", json=body, params=query, auth=own.api_key, timeout=TIMEOUT)

    assert call("POST", "seed", SEED).json()["conversations"][0]["unique_name"] == "lunch"
    assert call("POST", "config", {"index_gap": 1}).json()["index_gap"] == 1
    assert call("GET", "config").json()["index_gap"] == 1
    assert "now" in call("POST", "clock", {"advance": 1}).json()
    assert call("POST", "faults", {"kind": "refuse"}).json()["faults"][0]["kind"] == "refuse"
    assert call("DELETE", "faults").json() == {"faults": []}
    assert call("GET", "traffic", identity="alice").json() == {"frames": []}
    assert call("POST", "faults", {"kind": "explode"}).status_code == 400
    assert call("DELETE", "config").status_code == 404
    assert call("GET", "nothing").status_code == 404
    assert call("POST", "reset").json() == {}
    assert requests.get(f"{url}/health", timeout=TIMEOUT).json()["status"] == "ok"


def test_nothing_without_a_service() -> None:
    """Before the start and after the end the methods say what is missing."""
    server = LocalServer()
    with pytest.raises(RuntimeError, match="start"):
        server.reset()
    with pytest.raises(RuntimeError, match="start"):
        _ = server.api_key


def test_a_data_directory_of_an_earlier_version(tmp_path: Path) -> None:
    """Columns that came later are added to the tables that are there; what was kept stays readable."""
    with LocalServer(tmp_path) as server, Peer.connected(server, "alice") as alice:
        room = alice.room()
        alice.say(room, "kept")
    later = {
        "messages": ("channel_metadata", "delivery"),
        "conversations": ("timer_inactive", "date_closed", "bindings", "last_sid", "last_author", "messages_count"),
    }
    with sqlite3.connect(tmp_path / "conversations.sqlite3") as database:
        for index in timers:
            database.execute(f"DROP INDEX {index.name}")
        for table, columns in later.items():
            for column in columns:
                database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        database.execute("UPDATE sync_entities SET unique_name = 'US0.conversations' WHERE unique_name = 'alice.channels'")
        database.execute("PRAGMA user_version = 0")  # as before versions were recorded
    database.close()
    with LocalServer(tmp_path) as server, Peer.connected(server, "alice") as alice:
        again = f"{alice.link('conversations')}/{room.rsplit('/', 1)[1]}"
        server.update_conversation(room.rsplit("/", 1)[1], timers={"closed": "PT10M"})
        kept = alice.open("document", f"{room.rsplit('/', 1)[1]}.channel")["data"]["lastMessage"]
        assert kept["author"] == "alice"
        assert alice.get(again).body["messages_count"] == 1
        assert alice.say(again, "new")["index"] == 1
        assert [item["data"]["text"] for item in alice.items("list", f"{room.rsplit('/', 1)[1]}.messages")] == ["kept", "new"]
        assert [item["key"] for item in alice.items("map", "alice.channels")] == [room.rsplit("/", 1)[1]]


def test_states_survive_a_restart(tmp_path: Path, fresh: Callable[[str], str]) -> None:
    """A timer that is running when the service stops runs out after it has started again."""
    server = LocalServer(tmp_path / fresh("data"))
    with server:
        server.seed({"conversations": [{"unique_name": "a", "timers": {"closed": "PT10M"}, "participants": [{"identity": "x"}]}]})
    with server, Peer.connected(server, "x") as peer:
        server.advance_clock(601)
        assert peer.get(f"{peer.link('conversations')}/a").body["state"] == "closed"
