"""A command that is sent twice happens once; and nothing that was answered is lost with the process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server.domain.test_conversations import mine, sid_of
from tests.server.peer import Answer, Peer, new_mutation
from tests.support.patience import PATIENCE
from twilio_conversations.server import DataDirectoryInUseError, LocalServer
from twilio_conversations.wire.packets import Reply


def test_a_repeated_send_is_answered_with_its_message(alice: Peer) -> None:
    """The second time the answer is 202 with the URL of what the first one made."""
    room = alice.room()
    mutation = new_mutation()
    first = alice.post(f"{room}/Messages", {"body": "once"}, mutation=mutation)
    second = alice.post(f"{room}/Messages", {"body": "once"}, mutation=mutation)
    assert (first.status, second.status) == (201, 202)
    assert alice.get(second.body["resource_url"]).body == first.body
    assert len(alice.items("list", f"{sid_of(room)}.messages")) == 1


def test_every_kind_of_command_can_be_repeated(alice: Peer) -> None:
    """Each repeated POST leads to its resource, and a repeated DELETE is 204 again."""
    made = []

    def twice(method: str, url: str, body: dict[str, object]) -> Answer:
        mutation = new_mutation()
        first = alice.request(method, url, body, mutation=mutation)
        assert first.status in (200, 201, 204), first.body
        second = alice.request(method, url, body, mutation=mutation)
        if method == "DELETE":
            assert second.status == 204
        else:
            assert second.status == 202
            assert alice.get(second.body["resource_url"]).status == 200
        made.append(url)
        return first

    conversation = twice("POST", alice.link("conversations"), {"attributes": "{}"}).body
    room = conversation["url"]
    participant = twice("POST", f"{room}/Participants", {"identity": alice.identity}).body
    message = twice("POST", f"{room}/Messages", {"body": "x"}).body
    twice("POST", room, {"friendly_name": "x"})
    twice("POST", participant["url"], {"attributes": "{}"})
    twice("POST", message["url"], {"body": "y"})
    twice("POST", f"{alice.link('my_conversations')}/{conversation['sid']}", {"last_read_message_index": 0})
    twice("POST", f"{alice.link('users')}/{alice.identity}", {"friendly_name": "A"})
    twice("DELETE", message["url"], {})
    twice("DELETE", participant["url"], {})
    twice("DELETE", room, {})
    assert len(made) == 11


def test_concurrent_repeats_wait_for_the_first(alice: Peer) -> None:
    """Of many at once exactly one makes the message; all others are led to it."""
    room = alice.room()
    mutation = new_mutation()
    ids = [alice.start("POST", f"{room}/Messages", {"body": "once"}, mutation=mutation) for _ in range(10)]
    answers = [Answer(alice.reply_to(id_)) for id_ in ids]
    assert sorted(answer.status for answer in answers) == [201] + [202] * 9
    assert len({answer.body.get("resource_url") or answer.body["url"] for answer in answers}) == 1
    assert len(alice.items("list", f"{sid_of(room)}.messages")) == 1


def test_mutation_ids_are_per_identity(alice: Peer, bob: Peer) -> None:
    """The same id from somebody else is another command."""
    room = alice.room(bob.identity)
    mutation = new_mutation()
    for peer in (alice, bob):
        assert peer.post(f"{room}/Messages", {"body": "x"}, mutation=mutation).status == 201


def test_a_failed_command_may_be_tried_again(alice: Peer) -> None:
    """A refusal leaves nothing behind, so the same id works once the reason is gone."""
    sid = alice.post(alice.link("conversations"), {}).body["sid"]
    room = f"{alice.link('conversations')}/{sid}"
    mutation = new_mutation()
    assert alice.post(f"{room}/Messages", {"body": "x"}, mutation=mutation).code == 50430
    alice.post(f"{room}/Participants", {"identity": alice.identity})
    assert alice.post(f"{room}/Messages", {"body": "x"}, mutation=mutation).status == 201
    assert alice.post(f"{room}/Messages", {"body": "x"}, mutation="m" * 65).code == 20001


def test_a_command_outlives_its_connection(alice: Peer, bob: Peer) -> None:
    """A command whose sender is gone happens all the same, and its repeat finds it."""
    room = alice.room(bob.identity)
    bob.follow("list", f"{sid_of(room)}.messages")
    mutation = new_mutation()
    alice.start("POST", f"{room}/Messages", {"body": "last words"}, mutation=mutation)
    alice.close()
    assert bob.event("list_item_added").payload["events"][0]["item_data"]["text"] == "last words"
    with Peer.connected(alice.server, alice.identity) as again:
        assert again.post(f"{room}/Messages", {"body": "last words"}, mutation=mutation).status == 202


def test_restart_keeps_everything(tmp_path: Path) -> None:
    """After a restart on the same data and port: sids, numbers, secrets and mutation ids are as before, and replay works."""
    server = LocalServer(tmp_path)
    with server, Peer.connected(server, "alice") as alice:
        port, token = server.port, server.token("alice")
        room, mutation = alice.room("bob"), new_mutation()
        assert alice.post(f"{room}/Messages", {"body": "before"}, mutation=mutation).status == 201
        root = alice.open("list", f"{sid_of(room)}.messages")
        listed = alice.items("map", mine(alice))
    with server, Peer(server) as again:
        assert server.port == port
        assert again.init(token).status.ok
        again.configuration = again.get("/Client/v2/Configuration").body
        assert again.configuration == alice.configuration
        assert again.open("list", f"{sid_of(room)}.messages") == root
        assert again.items("map", mine(again)) == listed
        assert again.post(f"{room}/Messages", {"body": "before"}, mutation=mutation).status == 202
        assert again.say(room, "after")["index"] == 1
        again.poke(("list", root["sid"], -1))
        events = [event for packet in again.barrier() for event in packet.payload["events"] if "id" in event]
        assert [(event["id"], event["item_data"]["text"]) for event in events] == [(0, "before"), (1, "after")]


def test_one_service_per_data_directory(tmp_path: Path) -> None:
    """A second service on one directory is refused with words, and the directory is free again after the first."""
    with LocalServer(tmp_path), pytest.raises(DataDirectoryInUseError, match="another local service"):
        LocalServer(tmp_path).start()
    with LocalServer(tmp_path):
        pass


def test_temporary_data_goes_with_the_service() -> None:
    """Without a data directory nothing is left behind, neither files nor threads."""
    before = set(threading.enumerate())
    server = LocalServer().start()
    directory = server._data_dir
    assert directory is not None
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "credentials.json").stat().st_mode & 0o777 == 0o600
    server.stop()
    server.stop()
    assert not directory.exists()
    assert set(threading.enumerate()) <= before


# -- the command -------------------------------------------------------------------------------------------------------------

CLI = (sys.executable, "-m", "twilio_conversations.cli")
Serve = Callable[[], tuple[subprocess.Popen[str], dict[str, str]]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Returns a function that runs ``serve`` on one data directory in a process of its own."""
    running: list[subprocess.Popen[str]] = []
    port = ["0"]

    def start() -> tuple[subprocess.Popen[str], dict[str, str]]:
        command = [*CLI, "serve", "--json", "--data", str(tmp_path), "--port", port[0]]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        port[0] = ready["url"].rpartition(":")[2]
        return process, ready

    yield start
    for process in running:
        process.kill()
        process.wait(PATIENCE)
        assert process.stdout is not None
        process.stdout.close()


class Elsewhere(LocalServer):
    """A service in another process, addressed like one's own."""

    def __init__(self, ready: dict[str, str]) -> None:
        self._ready = ready

    @property
    def url(self) -> str:
        """Its address."""
        return self._ready["url"]

    @property
    def twilsock(self) -> str:
        """Its websocket."""
        return self._ready["twilsock"]

    def token(self, identity: str, ttl: float = 3600) -> str:
        """A token, from the command."""
        command = [*CLI, "token", identity, "--data", self._ready["data"]]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout.strip()


def test_nothing_answered_is_lost_by_kill(serve: Serve) -> None:
    """After `kill -9` in the middle of a burst every answered message is there once, in order, and repeats find theirs."""
    process, ready = serve()
    server = Elsewhere(ready)
    alice = Peer.connected(server, "alice")
    room = alice.room()
    mutations = {alice.start("POST", f"{room}/Messages", {"body": str(n)}, mutation=f"m{n}"): n for n in range(200)}
    answered: list[tuple[int, str, int]] = []
    while len(answered) < 50:
        packet = alice.receive()
        if isinstance(packet, Reply) and packet.id in mutations:
            answered.append((mutations[packet.id], packet.json()["sid"], packet.json()["index"]))
    os.kill(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)
    alice.close()
    _, again = serve()
    assert again["url"] == ready["url"]
    with Peer.connected(Elsewhere(again), "alice") as back:
        for number in range(200):
            assert back.post(f"{room}/Messages", {"body": str(number)}, mutation=f"m{number}").status in (201, 202)
        root = back.open("list", f"{sid_of(room)}.messages")
        items = back.page(root, PageSize=100)["items"] + back.page(root, PageSize=100, From=100)["items"]
    assert [item["index"] for item in items] == list(range(200))
    assert sorted(int(item["data"]["text"]) for item in items) == list(range(200))
    stored = {item["index"]: (int(item["data"]["text"]), item["data"]["sid"]) for item in items}
    assert all(stored[index] == (number, sid) for number, sid, index in answered)


def test_serve_stops_cleanly(serve: Serve) -> None:
    """SIGTERM ends the process with status 0."""
    process, _ = serve()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


def test_token_works_without_a_service(tmp_path: Path) -> None:
    """The command makes the secrets of a directory that is there; a service started later on the same data accepts the token."""
    (tmp_path / "new").mkdir(0o700)
    token = Elsewhere({"data": str(tmp_path / "new")}).token("zoë")
    with LocalServer(tmp_path / "new") as server, Peer(server) as peer:
        assert peer.init(token).status.ok
