"""One run: checks are independent and limited, what was made is removed, and nothing secret or personal is reported."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs
import jwt
import pytest

from tests.probe.conftest import QUICK, conversations_in, target_of
from tests.support.patience import PATIENCE
from twilio_conversations import Client, InitializationError, TransportUnavailableError
from twilio_conversations.errors import RequestTimeoutError
from twilio_conversations.probe import CHECKS, Check, Meaning, Probe, Seen, Target, Unsettled, as_json, as_markdown
from twilio_conversations.probe.stage import Stage
from twilio_conversations.server import LocalServer
from twilio_conversations.util.futures import Deadline


def check(name: str, look: Any, **options: Any) -> Check:
    """Return a check of a test's own."""
    return Check(name=name, question=f"{name}?", look=look, outcomes={"yes": Meaning("so it is")}, **options)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    """A service whose data can be looked at."""
    with LocalServer(tmp_path) as running:
        yield running


def test_checks_are_independent(server: LocalServer) -> None:
    """One that fails is not settled, and its reason stands there; the others are."""

    def refused(stage: Stage, deadline: Deadline) -> Seen:
        room = stage.room(deadline)
        stage.host(deadline).do("POST", room.participants, {"identity": stage.identity("host")}, deadline=deadline)
        raise AssertionError

    def unsettled(stage: Stage, deadline: Deadline) -> Seen:
        raise Unsettled("nobody knows")

    def broken(stage: Stage, deadline: Deadline) -> Seen:
        raise KeyError("alice")

    def fine(stage: Stage, deadline: Deadline) -> Seen:
        return Seen("yes", "seen")

    looks = {"refused": refused, "unsettled": unsettled, "broken": broken, "fine": fine}
    probe = Probe(target_of(server), QUICK, checks=[check(name, look) for name, look in looks.items()])
    found = {finding.name: (finding.outcome, finding.seen, finding.client_is_right) for finding in probe.run()}
    assert found == {
        "refused": (None, "not settled: a POST was answered 409", None),
        "unsettled": (None, "not settled: nobody knows", None),
        "broken": (None, "not settled: KeyError", None),
        "fine": ("yes", "seen", True),
    }


def test_time_limit(server: LocalServer) -> None:
    """A check that gets no answer ends at its limit, and the next ones go on."""
    server.faults.delay(seconds=PATIENCE, path="/Messages$", count=1)

    def sent(stage: Stage, deadline: Deadline) -> Seen:
        stage.host(deadline).do("POST", stage.room(deadline).messages, {"body": "late"}, deadline=deadline)
        return Seen("yes", "sent")

    probe = Probe(target_of(server), QUICK, checks=[check("slow", sent, limit=1.0), check("next", sent)])
    slow, after = probe.run()
    assert (slow.outcome, slow.seen) == (None, "not settled: RequestTimeoutError")
    assert after.outcome == "yes"


def test_wrong_key(server: LocalServer) -> None:
    """A key that is refused is an error of the whole run."""
    target = attrs.evolve(target_of(server), api_key_secret="wrong" * 10)
    with pytest.raises(InitializationError):
        Probe(target, QUICK).run()


def test_no_service() -> None:
    """So is a service that is not there."""
    key = {"account_sid": "AC1", "api_key_sid": "SK1", "api_key_secret": "x" * 40, "service_sid": "IS1"}
    with pytest.raises((TransportUnavailableError, RequestTimeoutError)):
        Probe(Target.of(key, endpoint="http://127.0.0.1:9"), QUICK).run(limit=1.0)


def test_what_others_made_stays(server: LocalServer, tmp_path: Path) -> None:
    """A conversation of somebody else's is untouched."""
    with Client(server.token("alice"), endpoint=server.url) as alice:
        room = alice.create_conversation(friendly_name="probe", unique_name="mine").join()
        room.send_message("hello")
        Probe(target_of(server), QUICK, checks=[one for one in CHECKS if "at-once" in one.name]).run()
        assert [message.body for message in room.get_messages().items] == ["hello"]
        assert [participant.identity for participant in room.get_participants()] == ["alice"]
    assert conversations_in(tmp_path) == 1


def test_creation_without_an_answer(server: LocalServer, tmp_path: Path) -> None:
    """A conversation whose creation was never answered is found by its name, and removed."""
    server.faults.fail_answers(path="/Conversations$")
    made: list[int] = []

    def created(stage: Stage, deadline: Deadline) -> Seen:
        host = stage.host(deadline)
        url = host.configuration(deadline)[1].conversations_url
        stage.remember("probe-unanswered")
        answer = host.send("POST", url, {"unique_name": "probe-unanswered"}, deadline=deadline)
        made.append(conversations_in(tmp_path))
        return Seen("yes", f"answered {answer.code}")

    (finding,) = Probe(target_of(server), QUICK, checks=[check("created", created)]).run()
    assert finding.seen == "answered 504"
    assert made == [1]
    assert conversations_in(tmp_path) == 0


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C counts, here and in processes that are started, also where the tests run in a shell's background."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("name", ["mutation-id-conversation-later", "roster", "event-ids", "replay-order", "no-init"])
def test_interrupted(server: LocalServer, tmp_path: Path, name: str) -> None:
    """Interrupted anywhere, a run removes what it made before the error reaches the program."""
    began = threading.Event()

    def interrupted(stage: Stage, deadline: Deadline) -> Seen:
        stage.room(deadline)
        began.set()
        stage.pause(PATIENCE)
        raise AssertionError

    one = next(one for one in CHECKS if one.name == name)
    pace = attrs.evolve(QUICK, apart=PATIENCE, changes=2000, roster=900)
    probe = Probe(target_of(server), pace, checks=[check("beside", interrupted, waits="apart"), one])
    main = threading.main_thread().ident
    assert main is not None
    interrupter = threading.Thread(target=lambda: began.wait(PATIENCE) and signal.pthread_kill(main, signal.SIGINT))
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        probe.run()
    interrupter.join()
    assert conversations_in(tmp_path) == 0
    assert probe.findings["beside"].seen == "not settled: interrupted"


CLI = (sys.executable, "-m", "twilio_conversations", "probe")


@pytest.mark.usefixtures("interruptible")
def test_command_interrupted(server: LocalServer, tmp_path: Path) -> None:
    """Ctrl-C ends the command with 1, leaves nothing behind, and the report has what was settled before."""
    report = tmp_path / "report.md"
    command = [*CLI, "--endpoint", server.url, "--data", str(tmp_path), "--markdown", str(report)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "roster" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(PATIENCE) == 1
    assert rest.endswith("Error: the probe was interrupted; its conversations have been removed\n")
    assert conversations_in(tmp_path) == 0
    assert "60 of 60 participants" in report.read_text("utf-8")


def test_reports_have_no_names(server: LocalServer) -> None:
    """Neither report has a secret, a sid, an identity, a token or a host in it, not even those of what failed."""
    target = target_of(server)

    def failing(stage: Stage, deadline: Deadline) -> Seen:
        with Client(target.token(stage.identity("someone")), endpoint=server.url) as client:
            client.get_conversation_by_sid("CH" + "0" * 32)
        raise AssertionError

    checks = [one for one in CHECKS if one.waits is None and one.only is None and one.name != "no-init"]
    probe = Probe(target, QUICK, checks=[*checks, check("failing", failing)])
    probe.run()
    for text in (as_json(probe), as_markdown(probe)):
        assert "not settled: " in text
        for secret in attrs.astuple(server.credentials):
            assert secret not in text
        assert re.search(r"[A-Z]{2}[0-9a-f]{32}|eyJ|127\.0\.0\.1|localhost|probe-[0-9a-f]|https?:", text) is None


def test_json(server: LocalServer) -> None:
    """The report for programs has each finding with its outcome."""
    probe = Probe(target_of(server), QUICK, checks=[one for one in CHECKS if one.name in ("links", "own-map")])
    probe.run()
    report = json.loads(as_json(probe))
    assert [(finding["name"], finding["outcome"], finding["client_is_right"]) for finding in report["findings"]] == [
        ("links", "all", True),
        ("own-map", "there", True),
    ]
    assert report["not_removed"] == {"conversations": 0, "users": 2}


class _Users(BaseHTTPRequestHandler):
    """A public REST API that notes what is deleted."""

    deleted: list[tuple[str, str | None]]

    def do_DELETE(self) -> None:
        """Note it."""
        self.deleted.append((self.path, self.headers["Authorization"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""


def test_users_are_removed(server: LocalServer) -> None:
    """Where the public REST API is, the probe's users are deleted by the key, and no others."""
    handler = type("Users", (_Users,), {"deleted": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as api:
        threading.Thread(target=api.serve_forever).start()
        target = attrs.evolve(target_of(server), users_api=f"http://127.0.0.1:{api.server_port}/v1/Services/IS1/Users")
        probe = Probe(target, QUICK, checks=[one for one in CHECKS if one.name == "own-map"])
        try:
            probe.run()
        finally:
            api.shutdown()
    deleted = handler.deleted  # type: ignore[attr-defined]
    assert probe.remains.users == 0
    assert len(deleted) == 2
    assert all(path.startswith("/v1/Services/IS1/Users/probe-") and (key or "").startswith("Basic ") for path, key in deleted)


@pytest.mark.parametrize(
    ("region", "host"),
    [(None, "conversations.twilio.com"), ("us1", "conversations.twilio.com"), ("ie1", "conversations.dublin.ie1.twilio.com")],
)
def test_regions(region: str | None, host: str) -> None:
    """In Twilio's regions the websocket and the API of the users are those of the region."""
    key = {"account_sid": "AC1", "api_key_sid": "SK1", "api_key_secret": "x" * 40, "service_sid": "IS1"}
    target = Target.of(key, region=region)
    assert jwt.get_unverified_header(target.token("alice")).get("twr") == (None if region == "us1" else region)
    assert target.users_api == f"https://{host}/v1/Services/IS1/Users"
    assert target.options.endpoints.twilsock == f"wss://tsock.{region or 'us1'}.twilio.com/v3/wsconnect"


def test_address_before_region() -> None:
    """An address has precedence over a region, which may come from the environment."""
    key = {"account_sid": "AC1", "api_key_sid": "SK1", "api_key_secret": "x" * 40, "service_sid": "IS1"}
    target = Target.of(key, region="ie1", endpoint="http://127.0.0.1:9")
    assert target.options.endpoints.twilsock == "ws://127.0.0.1:9/v3/wsconnect"
    assert (target.region, target.users_api) == (None, None)
