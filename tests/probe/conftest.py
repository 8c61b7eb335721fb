"""Runs of the probe against a local service with chosen settings."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs
import pytest

from twilio_conversations.probe import CHECKS, Finding, Only, Pace, Probe, Target
from twilio_conversations.server import LocalServer

QUICK = Pace(apart=0.5, far_apart=1.0, idle=30.0, pong=30.0)
"""Waits that a test can afford; what is to be seen ends those that are long."""

Run = Callable[..., dict[str, Finding]]


def target_of(server: LocalServer) -> Target:
    """Return a service, with its own key."""
    return Target.of(attrs.asdict(server.credentials), endpoint=server.url)


def conversations_in(directory: Path) -> int:
    """Return the number of conversations that a service has stored."""
    (file,) = directory.glob("*.sqlite3")
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
        return int(database.execute("SELECT count(*) FROM conversations").fetchone()[0])


@pytest.fixture
def run_checks(tmp_path: Path) -> Run:
    """Run the checks whose names begin as given, and return the findings by name; nothing may be left behind."""

    def run(
        settings: dict[str, Any], *names: str, pace: Pace = QUICK, options: Iterable[Only] = ("limits",)
    ) -> dict[str, Finding]:
        with LocalServer(tmp_path, settings={"ping_interval": 0.5, **settings}) as server:
            checks = [check for check in CHECKS if check.name.startswith(names)]
            probe = Probe(target_of(server), pace, options=options, checks=checks)
            probe.run()
            assert conversations_in(tmp_path) == probe.remains.conversations == 0
        return probe.findings

    return run
