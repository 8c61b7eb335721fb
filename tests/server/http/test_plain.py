"""The same API over plain HTTP, and how a service is started."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.server.conftest import Connect
from tests.support.patience import PATIENCE
from twilio_conversations.server import LocalServer

Fresh = Callable[[str], str]


def test_requests_without_the_tunnel(service: LocalServer, fresh: Fresh) -> None:
    """With a token in `X-Twilio-Token` reads and commands work as through the tunnel; paths are decoded once."""
    headers = {"X-Twilio-Token": service.token(fresh("alice"))}
    configuration = requests.get(f"{service.url}/Client/v2/Configuration", headers=headers, timeout=PATIENCE).json()
    name = fresh("a b/c")
    made = requests.post(configuration["links"]["conversations"], json={"unique_name": name}, headers=headers, timeout=PATIENCE)
    assert made.status_code == 201
    found = requests.get(
        configuration["links"]["conversations"] + "/" + name.replace(" ", "%20").replace("/", "%2F"),
        headers=headers,
        timeout=PATIENCE,
    )
    assert found.json()["sid"] == made.json()["sid"]
    assert requests.delete(made.json()["url"], headers=headers, timeout=PATIENCE).status_code == 204


@pytest.mark.parametrize("name", [".", ".."])
@pytest.mark.parametrize("spelled", ["{}", "%2e", "%2E"])
def test_dots_in_a_path_mean_themselves(service: LocalServer, fresh: Fresh, name: str, spelled: str) -> None:
    """Nothing is resolved: the segment is an identity, encoded or not, and never the resource above it."""
    token = service.token(fresh("alice"))
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)

    def ask(method: str, path: str, body: str = "") -> tuple[int, Any]:
        connection.request(method, path, body, {"X-Twilio-Token": token, "Content-Type": "application/json"})
        with connection.getresponse() as answer:
            content = answer.read()
            return answer.status, json.loads(content) if content else None

    segment = name if spelled == "{}" else spelled * len(name)
    room = urlsplit(ask("POST", urlsplit(links(ask)["conversations"]).path, "{}")[1]["url"]).path
    assert ask("POST", f"{room}/Participants", json.dumps({"identity": name}))[0] == 201
    assert ask("GET", f"{urlsplit(links(ask)['users']).path}/{segment}")[1]["identity"] == name
    assert ask("DELETE", f"{room}/Participants/{segment}")[0] == 204
    assert ask("DELETE", f"{room}/Participants/{segment}")[0] == 404
    assert ask("GET", room)[0] == 200
    connection.close()


def links(ask: Callable[..., tuple[int, Any]]) -> dict[str, str]:
    """The addresses that the service names."""
    found: dict[str, str] = ask("GET", "/Client/v2/Configuration")[1]["links"]
    return found


def test_plain_requests_need_a_token(service: LocalServer) -> None:
    """Without a good token the answer is 401 with Twilio's error body."""
    for headers in ({}, {"X-Twilio-Token": "x"}):
        answer = requests.get(f"{service.url}/Client/v2/Configuration", headers=headers, timeout=PATIENCE)
        assert (answer.status_code, answer.json()["code"]) == (401, 20101)


def test_health(service: LocalServer, connect: Connect) -> None:
    """The health page needs no token and counts connections."""
    connect("alice")
    health = requests.get(f"{service.url}/_local/health", timeout=PATIENCE).json()
    assert health["status"] == "ok"
    assert health["connections"] >= 1


def test_a_taken_port_is_said(service: LocalServer, tmp_path: Path) -> None:
    """Starting on a taken port raises at once and leaves the data directory free."""
    with pytest.raises(OSError, match="in use"):
        LocalServer(tmp_path, port=service.port).start()
    with LocalServer(tmp_path) as other:
        assert other.port != service.port


def test_listening_to_others_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """Any address but loopback is warned about."""
    with LocalServer(host="0.0.0.0"):
        pass
    assert "0.0.0.0" in caplog.text


def test_a_token_needs_a_started_service() -> None:
    """Before the start there are no secrets to sign with."""
    with pytest.raises(RuntimeError, match="start"):
        LocalServer().token("alice")


def test_serve_refuses_a_directory_in_use(tmp_path: Path) -> None:
    """The command says in one line that another service has the data."""
    with LocalServer(tmp_path):
        command = [sys.executable, "-m", "twilio_conversations.cli", "serve", "--port", "0", "--data", str(tmp_path)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 1
    assert "another local service" in ended.stderr
    assert "Traceback" not in ended.stderr
