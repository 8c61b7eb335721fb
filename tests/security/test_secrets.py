"""Tokens and secrets appear nowhere: not in logs, reprs, tracebacks, errors, recorded traffic, files or names of threads."""

from __future__ import annotations

import gc
import json
import logging
import pickle
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import requests
import websocket

from tests.media.http_service import Answer, HttpService
from tests.server.peer import TIMEOUT, Peer
from twilio_conversations import Client, ConversationsError, tokens
from twilio_conversations.server import LocalServer
from twilio_conversations.server.storage.credentials import FILE_NAME
from twilio_conversations.util import logs


@attrs.define
class Environment:
    """A service with a connected client that has used its tokens and sent an attachment; `secrets` must appear nowhere."""

    server: LocalServer
    directory: Path
    client: Client
    secrets: dict[str, str]

    def look_in(self, text: str) -> list[str]:
        """The names of the secrets that are in a text, whole or in their decisive part."""
        return [name for name, secret in self.secrets.items() if secret.rpartition(".")[2] in text]

    def bad(self, **changes: Any) -> str:
        """A token that will be refused, a secret like the others."""
        minted = self.server.token(self.client.identity, **changes)
        self.secrets[f"bad {len(self.secrets)}"] = minted
        return minted


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that anybody logs, at DEBUG, with websocket-client's own trace."""
    websocket.enableTrace(True, handler=logging.NullHandler(), level="DEBUG")
    with caplog.at_level(logging.DEBUG):
        yield caplog
    websocket.enableTrace(False)


@pytest.fixture
def environment(tmp_path: Path, logged: pytest.LogCaptureFixture) -> Iterator[Environment]:
    """The service, and alice, who has sent a medium and renewed her token."""
    del logged  # from the first line on
    with LocalServer(tmp_path) as server:
        first, second = server.token("alice"), server.token("alice", 1800)
        with Client(first, endpoint=server.url) as client:
            client.wait_until_ready(TIMEOUT)
            room = client.create_conversation(friendly_name="room").join()
            message = room.prepare_message().set_body("x").add_media(("a.txt", b"content")).build().send()
            assert message.attached_media[0].read() == b"content"
            client.update_token(second)
            secrets = {"first token": first, "second token": second, "key": server.api_key[1]}
            yield Environment(server, tmp_path, client, secrets)


def refuse(environment: Environment) -> list[BaseException]:
    """Everything that can be wrong with a token, on every way to use one; what was raised."""
    raised: list[BaseException] = []
    url = environment.server.url
    for use in (
        lambda: Client(environment.bad(ttl=-3600), endpoint=url),
        lambda: environment.client.update_token(environment.bad(ttl=-3600)),
        lambda: environment.client.update_token(foreign(environment)),
        lambda: tokens.check(environment.bad(ttl=-3600)),
        lambda: connected(environment, foreign(environment)),
        lambda: connected(environment, environment.bad(ttl=-30)),
    ):
        with pytest.raises(ConversationsError) as caught:
            use()
        raised.append(caught.value)
    return raised


def connected(environment: Environment, token: str) -> None:
    """Try to connect with a token that looks good to the client."""
    with Client(token, endpoint=environment.server.url) as client:
        client.wait_until_ready(TIMEOUT)


def foreign(environment: Environment) -> str:
    """A token signed with another key, which only the service can tell."""
    good, other = environment.server.token("alice").rpartition(".")[0], environment.server.token("bob").rpartition(".")[2]
    environment.secrets[f"foreign {len(environment.secrets)}"] = token = f"{good}.{other}"
    return token


def test_logs(environment: Environment, logged: pytest.LogCaptureFixture) -> None:
    """Client, service, requests, urllib3 and websocket-client log at DEBUG, also about refusals, and no secret is in it."""
    environment.server.faults.drop()
    environment.client.create_conversation()
    headers = {"X-Twilio-Token": foreign(environment)}
    requests.get(f"{environment.server.url}/Client/v2/Configuration", headers=headers, timeout=TIMEOUT)
    refuse(environment)
    assert logs.flush(10)
    records = logged.get_records("setup") + logged.records
    assert {"twilio_conversations", "urllib3", "websocket"} <= {record.name.partition(".")[0] for record in records}
    assert environment.look_in("\n".join(map(logging.Formatter().format, records))) == []
    assert environment.look_in(repr([record.args for record in records])) == []


def test_every_object_of_ours(environment: Environment) -> None:
    """Every object that a connected client and a running service consist of can be shown without a secret."""
    refuse(environment)
    seen = 0
    for thing in gc.get_objects():
        if str(type(thing).__module__).startswith("twilio_conversations"):
            seen += 1
            assert environment.look_in(repr(thing) + str(thing)) == [], type(thing)
    assert seen > 300


def test_errors(environment: Environment) -> None:
    """What is raised about a token has no secret in its message, its attributes, its causes, or when it is pickled."""
    for error in refuse(environment):
        again: BaseException | None = error
        while again is not None:
            assert environment.look_in(f"{again}{again!r}{vars(again)!r}") == []
            again = again.__cause__ or again.__context__
        assert environment.look_in(repr(vars(pickle.loads(pickle.dumps(error))))) == []
        assert not any(secret.encode() in pickle.dumps(error) for secret in environment.secrets.values())
        assert environment.look_in("".join(traceback.format_exception(error))) == []


def test_locals_in_tracebacks(environment: Environment) -> None:
    """Where a tool shows the locals of our functions, a token is in variables that are called so, which such tools hide."""
    names = set()
    for error in refuse(environment):
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_globals["__name__"].startswith("twilio_conversations"):
                names |= {name for name, value in frame.f_locals.items() if environment.look_in(repr(value))}
    assert all("token" in name for name in names), names


def test_recorded_traffic(environment: Environment) -> None:
    """What the service recorded holds no token: of init, update, tunnelled headers, storage ids and refusals."""
    refuse(environment)
    with Peer(environment.server) as peer:
        reply = peer.init(environment.server.token("alice"), continuation_token=environment.secrets["first token"])
        environment.secrets["storage"] = reply.fields["continuation_token"]
        peer.send_bytes(b'TWILSOCK V3.0 9\r\n{"token":' + environment.secrets["first token"].encode())
    frames = environment.server.traffic()
    assert {"init", "update", "message", "reply"} <= {entry.get("header", {}).get("method") for entry in frames}
    assert environment.look_in(json.dumps(frames)) == []


def test_files(environment: Environment) -> None:
    """The data directory holds the key in one file, and tokens and links in none: not in the database, its log, or media."""
    refuse(environment)
    (link,) = requests.post(
        environment.client._core.runtime.configuration.media_set_url,
        json={"command": "get", "list": [{"media_sid": next((environment.directory / "media").iterdir()).name}]},
        headers={"X-Twilio-Token": environment.secrets["second token"]},
        timeout=TIMEOUT,
    ).json()
    environment.secrets["link"] = link["media_record"]["links"]["content_direct_temporary"].rpartition("Signature=")[2]
    files = [path for path in environment.directory.rglob("*") if path.is_file()]
    found = {path.name: environment.look_in(path.read_bytes().decode("latin-1")) for path in files}
    assert "conversations.sqlite3-wal" in found
    assert {name: names for name, names in found.items() if names} == {FILE_NAME: ["key"]}


def test_names_of_threads(environment: Environment) -> None:
    """Threads are named after what they do, not after whom for."""
    refuse(environment)
    assert environment.look_in(repr([thread.name for thread in threading.enumerate()])) == []


def test_errors_about_media(environment: Environment) -> None:
    """Neither the token nor the signature of a link is in what is raised and logged when the media service fails."""
    environment.secrets["link"] = "SIGNATURE"
    with HttpService(Answer(404, b"gone"), Answer(404, b"gone")) as service:
        runtime = environment.client._core.runtime
        for url in (f"{service.url}/x?Signature=SIGNATURE", f"{service.url}/y?Signature=SIGNATURE"):
            with pytest.raises(ConversationsError) as caught, runtime.media.transfer(runtime.deadline(5), "test") as transfer:
                runtime.media.get_content(url, transfer, authorised=True)
            assert environment.look_in(f"{caught.value}{caught.value!r}{vars(caught.value)!r}") == []
        assert service.seen[0].token == environment.secrets["second token"]
