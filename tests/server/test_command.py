"""The command ``serve``, as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.server.peer import TIMEOUT
from twilio_conversations.server import LocalServer


def test_serve_with_a_seed(tmp_path: Path) -> None:
    """The service is filled at its first start, and goes on with that at its second; its key opens the control plane."""
    seed, data = tmp_path / "seed.json", tmp_path / "data"
    seed.write_text(json.dumps({"settings": {"index_gap": 4}, "conversations": [{"unique_name": "lunch"}]}), "utf-8")
    command = [sys.executable, "-m", "twilio_conversations.cli", "serve", "--port", "0", "--json"]
    for _ in range(2):
        with subprocess.Popen([*command, "--data", str(data), "--seed", str(seed)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            key = json.loads((data / "credentials.json").read_text("utf-8"))
            auth = (key["api_key_sid"], key["api_key_secret"])
            settings = requests.get(f"{url}/_local/config", auth=auth, timeout=TIMEOUT).json()
            body = {"conversation": "lunch", "bindings": {}}
            found = requests.post(f"{url}/_local/conversation", json=body, auth=auth, timeout=TIMEOUT)
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT) == 0
        assert settings["index_gap"] == 4
        assert found.json()["state"] == "active"


def test_serve_with_a_wrong_seed(tmp_path: Path) -> None:
    """What is wrong with the file is said, and nothing is served."""
    seed = tmp_path / "seed.json"
    seed.write_text('{"conversation": []}', "utf-8")
    command = [sys.executable, "-m", "twilio_conversations.cli", "serve", "--port", "0", "--data", str(tmp_path / "data")]
    result = subprocess.run([*command, "--seed", str(seed)], capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 1
    assert "unknown in a seed: conversation" in result.stderr


def test_serve_by_tls_with_tokens(tmp_path: Path) -> None:
    """The line of JSON has what a web app needs, no secret among it, and all of it works."""
    command = [sys.executable, "-m", "twilio_conversations.cli", "serve", "--port", "0", "--json", "--tls", "--token-endpoint"]
    command += ["--allow-origin", "http://localhost:3000", "--trust-proxy", "127.0.0.1", "--data", str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        facts, credentials = json.loads(line), json.loads((tmp_path / "data" / "credentials.json").read_text("utf-8"))
        asked = requests.get(facts["tokens"], params={"identity": "alice"}, verify=facts["ca"], timeout=TIMEOUT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
    assert asked.text.count(".") == 2
    assert credentials.pop("api_key_secret") not in line
    assert credentials.items() <= facts.items()
    port = facts["url"].rpartition(":")[2]
    assert f"--host-resolver-rules=MAP *.us1.twilio.com:443 127.0.0.1:{port}" in facts["chromium"]


def test_serve_prints_what_a_web_app_needs(tmp_path: Path) -> None:
    """For a person it is text: how to trust the certificate, how to start Chromium, what sample apps want to know."""
    command = [sys.executable, "-m", "twilio_conversations.cli", "serve", "--port", "0", "--tls", "--data", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(9)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
    text, credentials = "".join(lines), json.loads((tmp_path / "credentials.json").read_text("utf-8"))
    for part in ("'--host-resolver-rules=MAP *.us1.twilio.com:443 127.0.0.1:", "spki-list=", "NODE_EXTRA_CA_CERTS="):
        assert part in text
    for name, field in (("ACCOUNT_SID", "account_sid"), ("API_KEY", "api_key_sid"), ("SERVICE_SID", "service_sid")):
        assert f"{name}={credentials[field]}" in text
    assert credentials["api_key_secret"] not in text


def test_the_environment_of_sample_apps(tmp_path: Path) -> None:
    """`env` prints every credential, the secret too, under the names that sample apps look for."""
    with LocalServer(tmp_path) as server:
        command = [sys.executable, "-m", "twilio_conversations.cli", "env", "--data", str(tmp_path)]
        printed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
        known = server.credentials
    variables = dict(line.split("=", 1) for line in printed.splitlines())
    assert (variables["ACCOUNT_SID"], variables["TWILIO_ACCOUNT_SID"]) == (known.account_sid,) * 2
    assert (variables["API_KEY"], variables["TWILIO_API_KEY_SID"]) == (known.api_key_sid,) * 2
    assert (variables["API_SECRET"], variables["TWILIO_API_KEY_SECRET"]) == (known.api_key_secret,) * 2
    names = ("SERVICE_SID", "CONVERSATIONS_SERVICE_SID", "TWILIO_CONVERSATIONS_SERVICE_SID", "TWILIO_CHAT_SERVICE_SID")
    assert {variables[name] for name in names} == {known.service_sid}


@pytest.mark.parametrize(
    ("option", "value"),
    [("--public-url", "chat.test"), ("--trust-proxy", "localhost"), ("--allow-origin", "*"), ("--allow-origin", "http://localhost:3000")],
)
def test_serve_with_a_wrong_option(tmp_path: Path, option: str, value: str) -> None:
    """A wrong address, origin or proxy is said in a line; so is an origin that has nothing to ask for."""
    command = [sys.executable, "-m", "twilio_conversations.cli", "serve", "--port", "0", "--data", str(tmp_path / "data")]
    result = subprocess.run([*command, option, value], capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode in (1, 2)
    assert "Error: " in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "data").exists()
