"""The command `probe`: its key, its reports, and its errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from rich.console import Console

from tests.support.patience import LONG_PATIENCE
from twilio_conversations import InvalidArgumentError
from twilio_conversations.cli.probe import key_of, run
from twilio_conversations.probe import CHECKS, Pace, Probe, Target
from twilio_conversations.server import LocalServer

COMMAND = (sys.executable, "-m", "twilio_conversations", "probe")


def test_key_names() -> None:
    """The credentials are found under the names of sample apps, and under those of tests/cloud."""
    key = {"account_sid": "AC1", "api_key_sid": "SK1", "api_key_secret": "x", "service_sid": "IS1"}
    short = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_API_KEY": "SK1", "TWILIO_API_SECRET": "x"}
    assert key_of({**short, "TWILIO_CONVERSATIONS_SERVICE_SID": "IS1"}) == key
    long = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_API_KEY_SID": "SK1", "TWILIO_API_KEY_SECRET": "x"}
    assert key_of({**long, "TWILIO_CHAT_SERVICE_SID": "IS1"}) == key
    with pytest.raises(InvalidArgumentError, match="TWILIO_SERVICE_SID or TWILIO_CONVERSATIONS_SERVICE_SID"):
        key_of(long)


def test_without_a_key() -> None:
    """Without credentials the command ends with 1 and names those that are missing."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TWILIO_")}
    result = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=LONG_PATIENCE, check=False)
    assert result.returncode == 1
    assert result.stderr == "Error: the environment lacks TWILIO_ACCOUNT_SID\n"


def test_reports(tmp_path: Path) -> None:
    """Both reports are written, and each finding is a line where there is no terminal."""
    with LocalServer() as server, (tmp_path / "log").open("w+") as log:
        checks = [check for check in CHECKS if check.name in ("links", "page-size")]
        probe = Probe(Target.of(attrs.asdict(server.credentials), endpoint=server.url), Pace(), checks=checks)
        run(probe, Console(file=log), markdown=tmp_path / "report.md", json=tmp_path / "report.json")
        log.seek(0)
        assert log.read().splitlines() == ["links: all links are there", "page-size: PageSize=100 is accepted"]
    assert (tmp_path / "report.md").read_text("utf-8").startswith("# Probe of a service at an address of its own\n")
    assert [finding["name"] for finding in json.loads((tmp_path / "report.json").read_text("utf-8"))["findings"]] == [
        "links",
        "page-size",
    ]


def test_progress_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal the number of checks that have ended is shown."""
    with LocalServer() as server, (tmp_path / "log").open("w+") as log:
        checks = [check for check in CHECKS if check.name == "links"]
        probe = Probe(Target.of(attrs.asdict(server.credentials), endpoint=server.url), Pace(), checks=checks)
        run(probe, Console(file=log, force_terminal=True), markdown=None, json=None)
        log.seek(0)
        assert "1/1" in log.read()


def test_refused_key(tmp_path: Path) -> None:
    """A key that the service refuses ends the command with 1, in one line without the secret."""
    with LocalServer(tmp_path) as server:
        names = ("TWILIO_ACCOUNT_SID", "TWILIO_API_KEY", "TWILIO_API_SECRET", "TWILIO_SERVICE_SID")
        known = server.credentials
        values = (known.account_sid, known.api_key_sid, "not-the-secret-not-the-secret-not-the-secret", known.service_sid)
        result = subprocess.run(
            [*COMMAND, "--endpoint", server.url],
            env={**os.environ, **dict(zip(names, values, strict=True))},
            capture_output=True,
            text=True,
            timeout=LONG_PATIENCE,
            check=False,
        )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: ")
    assert "not-the-secret-not-the-secret-not-the-secret" not in result.stderr
