"""A bot that does nothing but `client.wait()`, in a process of its own: the log says what is wrong in one line, within the first
back-off, and where that is final the program ends with that error."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import attrs
import pytest

from tests.client.test_token_life import forged
from tests.support.patience import PATIENCE
from tests.support.proxies import Proxy
from twilio_conversations.server import LocalServer

LINE = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL):(twilio_conversations\S*?):(.*)")
NAME = "twilio_conversations.connection"

BOT = """
import logging, sys
from twilio_conversations import Client

logging.basicConfig(level=logging.INFO)
with Client(sys.argv[1], endpoint=sys.argv[2]) as client:
    client.wait()
"""
RENEWING_BOT = BOT.replace("Client(sys.argv[1]", "Client(lambda: sys.argv[1]")

MINT = """
import json
from twilio_conversations import tokens
sys.argv[1] = tokens.mint("alice", ttl=4, **json.loads(sys.argv[1]))
with Client"""
"""A short life begins when the program is ready to connect, however long its start takes."""


class Bot:
    """The program, and what it writes to stderr."""

    def __init__(self, source: str, token: str, endpoint: str, environment: dict[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        self.token = token
        self.process = subprocess.Popen(
            [sys.executable, "-c", source, token, endpoint], stderr=subprocess.PIPE, text=True, env={**kept, **environment}
        )
        self.lines: list[str] = []

    def read_until(self, level: str, words: str = "") -> list[str]:
        """Read until a line of the log of that level with those words; returns what came before and that."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))
            found = LINE.fullmatch(self.lines[-1])
            if found is not None and found[1] == level and words in found[3]:
                return self.lines
        raise AssertionError("no such line among:\n" + "\n".join(self.lines))

    def end(self) -> tuple[int, str]:
        """Wait until it ends by itself; its exit code and last line."""
        assert self.process.stderr is not None
        self.lines += self.process.stderr.read().splitlines()
        return self.process.wait(PATIENCE), self.lines[-1]

    def logged(self) -> list[tuple[str, str, str]]:
        """(level, logger, message) of the log's lines."""
        return [match.group(1, 2, 3) for line in self.lines if (match := LINE.fullmatch(line))]


@contextmanager
def bot(source: str, token: str, endpoint: str, **environment: str) -> Iterator[Bot]:
    """Run it; in the end it is gone, and its log never held a token."""
    one = Bot(source, token, endpoint, environment)
    try:
        yield one
    finally:
        with suppress(ProcessLookupError):
            one.process.terminate()
        one.process.wait(PATIENCE)
        assert one.process.stderr is not None
        one.process.stderr.close()
        assert not any(one.token in line or "eyJ" in line for line in one.lines)


@pytest.fixture
def service(own: LocalServer) -> LocalServer:
    """A service with nothing in it, for this test alone."""
    return own


FINAL: dict[str, tuple[Any, str, str]] = {
    "a wrong signature": (lambda service: forged(service.token("alice")), "InitializationError", "signature"),
    "a token that has just expired": (lambda service: service.token("alice", ttl=-30), "InitializationError", "expired"),
}


@pytest.mark.parametrize("what", FINAL)
def test_a_fixed_token_that_is_refused_ends_the_program(service: LocalServer, what: str) -> None:
    """One ERROR names the cause, and the program ends with it."""
    make, kind, words = FINAL[what]
    with bot(BOT, make(service), service.url) as one:
        code, last = one.end()
    errors = [(name, text) for level, name, text in one.logged() if level == "ERROR"]

    assert code == 1
    assert f"{kind}: " in last
    assert words in last
    assert [name for name, _ in errors] == [NAME]
    assert "'alice'" in errors[0][1]
    assert words in errors[0][1]


def test_an_expired_fixed_token_ends_the_program_at_once(service: LocalServer) -> None:
    """It is not even sent."""
    with bot(BOT, service.token("alice", ttl=-3600), service.url) as one:
        code, last = one.end()

    assert code == 1
    assert "TokenError: the token expired 36" in last


def key_of(service: LocalServer) -> str:
    """What `tokens.mint` must be told, as JSON."""
    return json.dumps(attrs.asdict(service.credentials))


def test_a_fixed_token_that_runs_out_is_announced_and_ends_the_program(service: LocalServer) -> None:
    """A WARNING ahead of the end says what to do; then one ERROR, and the program ends."""
    with bot(BOT.replace("with Client", MINT), key_of(service), service.url) as one:
        code, last = one.end()
    told = [(level, text) for level, _, text in one.logged() if level in ("WARNING", "ERROR")]

    assert code == 1
    assert "expired" in last
    assert [level for level, _ in told] == ["WARNING", "ERROR"]
    assert "give Client a function" in told[0][1]


def test_a_function_that_renews_is_not_told_to(service: LocalServer) -> None:
    """There is somebody to ask."""
    renewing = RENEWING_BOT.replace("    client.wait()", "    client.wait_until_ready(); print(client.wait(3), file=sys.stderr)")
    with bot(renewing.replace("with Client", MINT), key_of(service), service.url) as one:
        one.end()

    assert not any("give Client a function" in line for line in one.lines)


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def says_first(one: Bot, words: str) -> None:
    """The first trouble is one WARNING with these words, before the second attempt; it goes on, and WARNs no more."""
    one.read_until("WARNING", words)
    one.read_until("INFO", "connecting again in")
    one.read_until("INFO", "connecting again in")
    levels = [level for level, _, _ in one.logged()]

    assert one.process.poll() is None
    assert levels == ["WARNING", "INFO", "INFO"]
    assert len(one.lines) == len(levels), "each is one line, and nothing else is written"
    assert all(words in text for _, _, text in one.logged())


def test_a_dead_endpoint(service: LocalServer) -> None:
    """Refused, in words, with address and port."""
    port = closed_port()
    with bot(BOT, service.token("alice"), f"http://127.0.0.1:{port}") as one:
        says_first(one, f"127.0.0.1:{port} refused the connection")


def test_a_name_that_does_not_resolve(service: LocalServer) -> None:
    """The host is named."""
    with bot(BOT, service.token("alice"), "http://nowhere.invalid") as one:
        says_first(one, "DNS does not know the host of nowhere.invalid")


def test_a_proxy_that_refuses(service: LocalServer) -> None:
    """It wants a password that nobody has given."""
    with (
        Proxy(password="secret") as proxy,
        bot(BOT, service.token("alice"), "http://elsewhere.example", HTTP_PROXY=f"http://127.0.0.1:{proxy.port}") as one,
    ):
        says_first(one, f"127.0.0.1:{proxy.port}")
        assert "407" in one.lines[0]


def test_a_proxy_that_is_not_there(service: LocalServer) -> None:
    """Its address is named, not the service's alone."""
    port = closed_port()
    with bot(BOT, service.token("alice"), "http://elsewhere.example", HTTP_PROXY=f"http://127.0.0.1:{port}") as one:
        says_first(one, f"127.0.0.1:{port}")


def test_a_function_whose_tokens_are_refused(service: LocalServer) -> None:
    """It is asked again, so nothing is final; the log says what is wrong."""
    with bot(RENEWING_BOT, forged(service.token("alice")), service.url) as one:
        one.read_until("WARNING", "signature")
        assert one.process.poll() is None


def test_all_is_well_and_then_the_service_goes(service: LocalServer) -> None:
    """Connected, lost, and why, all at INFO; WARNING only when it cannot be reached again."""
    with LocalServer() as doomed, bot(BOT, doomed.token("alice"), doomed.url) as one:
        one.read_until("INFO", "connected to")
        doomed.faults.drop("alice")
        one.read_until("INFO", "connected again")
        assert {level for level, _, _ in one.logged()} == {"INFO"}
        doomed.stop()
        one.read_until("WARNING", "refused the connection")
