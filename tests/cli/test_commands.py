"""The command, as a process of its own."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from tests.server.peer import TIMEOUT
from tests.support.patience import LONG_PATIENCE
from twilio_conversations import InvalidArgumentError
from twilio_conversations.cli.commands import group
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


def test_serve_with_settings(tmp_path: Path) -> None:
    """Settings of the command hold from the start."""
    command = [sys.executable, "-m", "twilio_conversations.cli", "serve", "--port", "0", "--json", "--data", str(tmp_path)]
    command += ["--set", "index_gap=4", "--set", "delivery=on_command", "--set", 'email_bodies_allowed_mime_types=["text/plain"]']
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        key = json.loads((tmp_path / "credentials.json").read_text("utf-8"))
        settings = requests.get(f"{url}/_local/config", auth=(key["api_key_sid"], key["api_key_secret"]), timeout=TIMEOUT).json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
    assert (settings["index_gap"], settings["delivery"]) == (4, "on_command")
    assert settings["email_bodies_allowed_mime_types"] == ["text/plain"]


@pytest.mark.parametrize(
    ("given", "words"), [("index_gap", "NAME=VALUE"), ("no_such=1", "no setting"), ("index_gap=x", "index_gap")]
)
def test_serve_with_a_wrong_setting(tmp_path: Path, given: str, words: str) -> None:
    """What is wrong with a setting is said, and nothing is served."""
    result = CliRunner().invoke(group, ["serve", "--port", "0", "--data", str(tmp_path), "--set", given])
    assert result.exit_code == 2
    assert words in result.output


def test_serve_with_a_wrong_seed(tmp_path: Path) -> None:
    """What is wrong with the file is said, and nothing is served."""
    seed = tmp_path / "seed.json"
    seed.write_text('{"conversation": []}', "utf-8")
    command = [sys.executable, "-m", "twilio_conversations.cli", "serve", "--port", "0", "--data", str(tmp_path / "data")]
    result = subprocess.run([*command, "--seed", str(seed)], capture_output=True, text=True, timeout=LONG_PATIENCE, check=False)
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
        printed = subprocess.run(command, capture_output=True, text=True, timeout=LONG_PATIENCE, check=True).stdout
        known = server.credentials
    variables = dict(line.split("=", 1) for line in printed.splitlines())
    assert (variables["ACCOUNT_SID"], variables["TWILIO_ACCOUNT_SID"]) == (known.account_sid,) * 2
    assert (variables["API_KEY"], variables["TWILIO_API_KEY_SID"]) == (known.api_key_sid,) * 2
    assert (variables["API_SECRET"], variables["TWILIO_API_KEY_SECRET"]) == (known.api_key_secret,) * 2
    names = ("SERVICE_SID", "CONVERSATIONS_SERVICE_SID", "TWILIO_CONVERSATIONS_SERVICE_SID", "TWILIO_CHAT_SERVICE_SID")
    assert {variables[name] for name in names} == {known.service_sid}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--public-url", "chat.test"),
        ("--trust-proxy", "localhost"),
        ("--allow-origin", "*"),
        ("--allow-origin", "http://localhost:3000"),
    ],
)
def test_serve_with_a_wrong_option(tmp_path: Path, option: str, value: str) -> None:
    """A wrong address, origin or proxy is said in a line; so is an origin that has nothing to ask for."""
    command = [sys.executable, "-m", "twilio_conversations.cli", "serve", "--port", "0", "--data", str(tmp_path / "data")]
    result = subprocess.run([*command, option, value], capture_output=True, text=True, timeout=LONG_PATIENCE, check=False)
    assert result.returncode in (1, 2)
    assert "Error: " in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "data").exists()


CLI = (sys.executable, "-m", "twilio_conversations")


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [*CLI, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LONG_PATIENCE,
        check=False,
        env={**os.environ, **environment} if environment else None,
    )


def test_python_m() -> None:
    """``python -m twilio_conversations`` is the command."""
    result = run("--help")
    assert result.returncode == 0
    assert result.stdout.startswith("Usage: twilio-conversations ")


def test_serve_names_the_address(tmp_path: Path) -> None:
    """A port that is taken is named together with its host, in one line; one that cannot be is refused."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--port", str(port), "--data", tmp_path / "data")
    assert result.returncode == 1
    assert result.stderr.startswith(f"Error: cannot listen on 127.0.0.1:{port}: the port is in use")
    assert result.stderr.count("\n") == 1
    for wrong in ("-1", "65536", "http"):
        result = run("serve", "--port", wrong, "--data", tmp_path / "data")
        assert (result.returncode, "Invalid value for '--port'" in result.stderr) == (2, True)


SEEDS: dict[str, tuple[str | bytes, int, str]] = {
    "syntax.json": ('{\n "users": [\n  {"identity": "alice",}\n ]\n}', 3, "not JSON: "),
    "latin.json": (b'{\n "users": "caf\xe9"}', 2, "not UTF-8"),
    "list.json": ("[]", 1, "not an object"),
    "field.json": ('{"users": [],\n "conversation":\n  []}', 3, "conversation: unknown in a seed: conversation"),
    "entry.json": (
        '{"conversations": [\n {"unique_name": "a, \\"]{"},\n {"messages": [\n  {"body": "hi"},\n  {"bdy": "hi"}]}]}',
        5,
        "conversations[1].messages[1]: unknown in 'messages': bdy",
    ),
    "refused.json": ('{"users": [\n {"identity": "alice"},\n {"identity": ""}]}', 3, "users[1]: Identity not provided"),
    "settings.json": ('{\n "settings": {"index_gap": -1}}', 2, "settings: -1 is no value for the setting 'index_gap'"),
    "syntax.yaml": ("users:\n  - identity: alice\n  identity: bob\n", 3, "not YAML: "),
    "entry.yaml": ("conversations:\n- messages:\n  - body: hi\n  - bdy: hi\n", 4, "conversations[0].messages[1]: "),
}


@pytest.mark.parametrize("name", SEEDS)
def test_a_wrong_seed_is_wrong_at_a_line(tmp_path: Path, name: str) -> None:
    """What is wrong with a file is said with its name and line, by the server as by the command, and nothing is made."""
    if name.endswith(".yaml"):
        pytest.importorskip("yaml")
    text, line, reason = SEEDS[name]
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with LocalServer() as server:
        with pytest.raises(InvalidArgumentError) as caught:
            server.seed(path)
        assert str(caught.value).startswith(f"{path}:{line}: {reason}")
        server.seed({"users": [{"identity": "alice"}]}, if_empty=True)
    if name == "entry.json":
        result = run("serve", "--port", "0", "--data", tmp_path / "data", "--seed", path)
        assert (result.returncode, result.stderr) == (1, f"Error: {caught.value}\n")


def test_token_needs_a_directory_that_is_there(tmp_path: Path) -> None:
    """A token of secrets that were just made would open nothing: the directory must be there, and none is made."""
    missing = tmp_path / "my data"
    result = run("token", "alice", "--data", missing)
    assert (result.returncode, result.stdout, missing.exists()) == (1, "", False)
    assert result.stderr == (
        f"Error: there is no data directory {missing}; name the one that the service uses, or start the service first:"
        f" twilio-conversations serve --data '{missing}'\n"
    )
    missing.mkdir(0o700)
    assert run("token", "alice", "--data", missing).stdout.count(".") == 2


def test_the_hint_names_the_directory_in_use(tmp_path: Path) -> None:
    """The printed command for tokens works as it is printed: with the directory that was asked for, or with the usual one."""
    for directory, options in (("my data", ("--data", str(tmp_path / "my data"))), ("twilio-conversations", ())):
        environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
        command = [*CLI, "serve", "--port", "0", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline().strip() for _ in range(4)]
            process.terminate()
            process.stdout.read()
        hint = next(line for line in lines if line.startswith("tokens"))
        _, name, *arguments = shlex.split(hint.replace("IDENTITY", "alice"))
        assert (name, arguments[-1]) == ("twilio-conversations", str(tmp_path / directory))
        token = subprocess.run([*CLI, *arguments], capture_output=True, text=True, timeout=LONG_PATIENCE, check=True)
        assert token.stdout.count(".") == 2


ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_terminals_that_are_not_utf_8(tmp_path: Path, name: str) -> None:
    """Where the encoding lacks a letter, another one is printed instead."""
    environment = {**os.environ, **ENCODINGS[name]}
    result = subprocess.run([*CLI, "demo"], env=environment, capture_output=True, timeout=LONG_PATIENCE, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"The usual place? ?" in result.stdout
    command = [*CLI, "token", "alice", "--data", str(tmp_path / "καφές")]
    result = subprocess.run(command, env=environment, capture_output=True, timeout=LONG_PATIENCE, check=False)
    assert (result.returncode, b"Traceback" in result.stderr) == (1, False)


@pytest.mark.skipif(os.name != "posix", reason="arguments are text there")
def test_an_identity_that_is_no_text() -> None:
    """Bytes that are no UTF-8 are refused, not signed."""
    result = subprocess.run([*CLI, "token", b"\xff"], capture_output=True, timeout=LONG_PATIENCE, check=False)
    assert (result.returncode, b"IDENTITY must be text" in result.stderr) == (2, True)


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a home directory the command asks for a data directory; with one it works."""

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    result = CliRunner().invoke(group, ["token", "alice"])
    assert (result.exit_code, result.output) == (1, "Error: this user has no home directory; name a data directory with --data\n")
    assert CliRunner().invoke(group, ["token", "alice", "--data", str(tmp_path)]).exit_code == 0
    assert CliRunner().invoke(group, ["serve", "--help"]).exit_code == 0
