"""The pytest plugin in other projects: what it gives, what it costs those who do not use it, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.patience import LONG_PATIENCE, PATIENCE
from twilio_conversations.options import Endpoints
from twilio_conversations.server import LocalServer
from twilio_conversations.testing import Service
from twilio_conversations.testing.elsewhere import NoControlPlane, RemoteControlPlane

pytest_plugins = ["pytester"]

ECHO = """
import pytest
from twilio_conversations.bot import Bot

@pytest.fixture
def echo(conversations_service, person, run_bot):
    bot = Bot(lambda: conversations_service.token(person.identity("echo")))

    @bot.message(r"^say (.+)")
    def say_it(match, say):
        say(match[1])

    @bot.command("/fail")
    def fail():
        raise ValueError("asked to")

    return run_bot(bot)

@pytest.fixture
def room(person, echo, settled):
    room = person("alice").create_conversation().join()
    room.add(echo.identity)
    settled()
    return room
"""
LEFT = """
import os, pathlib, threading

def pytest_sessionfinish(session):
    names = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    left = pathlib.Path(os.environ["LEFT"], f"{os.getpid()}.txt")
    left.write_text("\\n".join(name for name in names if "execnet" not in name and name != "Dummy-1"))
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest in a process of its own, as strictly as can be."""
    strict = ("-W", "error", "--strict-markers", "--strict-config", "-p", "no:cacheprovider")
    return pytester.runpytest_subprocess(*strict, *arguments, timeout=LONG_PATIENCE)


@pytest.fixture(autouse=True)
def other_project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project without settings; temporary files go below it."""
    monkeypatch.setenv("TMPDIR", str(pytester.mkdir("temporary")))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)


def test_a_run_that_does_not_use_it(pytester: pytest.Pytester) -> None:
    """Nothing of the package is imported but the entry, which imports nothing but pytest; nothing is printed."""
    pytester.makeconftest(
        """
        import sys
        def pytest_unconfigure():
            print("imported:", sorted(name for name in sys.modules if name.startswith(("twilio", "pytest_twilio"))))
        """
    )
    pytester.makepyfile("def test_nothing(): pass")
    result = run(pytester, "-q")
    assert result.ret == 0
    assert result.outlines[-1] == "imported: ['pytest_twilio_conversations']"
    assert "twilio" not in "".join(result.outlines[:-1] + result.errlines)


@pytest.mark.parametrize("way", ["by itself", "twice", "named", "blocked"])
def test_ways_to_load_it(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """It is loaded by itself, or where that is switched off by its name; both do no harm; it can be blocked."""
    if way in ("twice", "named"):
        pytester.makeconftest('pytest_plugins = ["twilio_conversations.testing"]')
    if way == "named":
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile("def test_bob(person, settled):\n    assert person('bob').identity.startswith('bob-')\n    settled()")
    result = run(pytester, *(["-p", "no:twilio_conversations.testing"] if way == "blocked" else []))
    if way == "blocked":
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines("E*fixture 'person' not found")
    else:
        result.assert_outcomes(passed=1)
    listed = run(pytester, "--help").stdout.str()
    assert "--conversations-endpoint=URL" in listed


def test_handlers_that_raise(pytester: pytest.Pytester) -> None:
    """A test fails when a handler raised in it, of a client or of a bot, unless it has taken the error; the next one does not."""
    pytester.makeconftest(ECHO)
    pytester.makepyfile(
        """
        def test_client(person):
            bob = person("bob")
            bob.on("conversation_joined", lambda conversation: 1 / 0)
            bob.create_conversation().join()

        def test_bot(room):
            room.send_message("/fail")

        def test_taken(room, settled, handler_errors):
            room.send_message("/fail")
            settled()
            assert str(handler_errors.pop().error) == "asked to"

        def test_failed_itself(room, settled):
            room.send_message("/fail")
            settled()
            raise KeyError("its own")

        def test_skipped_by_a_handler(room, echo):
            import pytest
            room.on("message_added", lambda message: pytest.fail("seen"))
            room.send_message("hello")

        def test_fine(room, ask):
            assert ask(room, "say yes").body == "yes"
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=2, failed=4)
    result.stdout.fnmatch_lines_random(
        [
            "FAILED *::test_client - ZeroDivisionError: division*",
            "E*raised in the event handler test_client.<locals>.<lambda>",
            "FAILED *::test_bot - ValueError: asked to",
            "FAILED *::test_failed_itself - KeyError: 'its own'",
            "FAILED *::test_skipped_by_a_handler - Failed: seen",
        ]
    )


def test_handlers_of_other_tests(pytester: pytest.Pytester) -> None:
    """Tests that do not use the service are left alone, whenever their handlers raise, although others of the run use it."""
    pytester.makepyfile(
        """
        import threading
        import pytest
        from twilio_conversations import Client
        from twilio_conversations.server import LocalServer

        @pytest.fixture(scope="module")
        def own():
            with LocalServer() as server:
                yield server

        @pytest.fixture
        def raising(own):
            raised = threading.Event()

            def fail(conversation):
                raised.set()
                raise ValueError("asked to")

            def create():
                client.create_conversation().join()
                assert raised.wait(60)

            with Client(lambda: own.token("bob"), endpoint=own.url) as client:
                client.on("conversation_joined", fail)
                create()
                yield create
                raised.clear()
                create()

        def test_uses_it(person):
            person("bob")

        def test_does_not(raising):
            raising()

        def test_uses_it_again(person):
            person("bob")
        """
    )
    run(pytester).assert_outcomes(passed=3)


def test_service_is_restored(pytester: pytest.Pytester) -> None:
    """Faults and settings of a test end with it."""
    pytester.makepyfile(
        """
        def test_changes(conversations_service):
            conversations_service.faults.refuse(count=None)
            conversations_service.configure(reachability_enabled=True)
            conversations_service.seed({"settings": {"ping_interval": 7}})

        def test_sees_none(conversations_service, person):
            settings = conversations_service.perform("GET", "config", {})
            assert not settings["reachability_enabled"] and settings["ping_interval"] != 7
            person("bob").create_conversation().join()
        """
    )
    run(pytester).assert_outcomes(passed=2)


@pytest.mark.slow
def test_fifty_tests_of_a_bot(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """They share one service for each worker, and leave neither a thread nor a file."""
    left = pytester.mkdir("left")
    monkeypatch.setenv("LEFT", str(left))
    pytester.makeconftest(ECHO + LEFT)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(25))
        def test_answers(room, ask, number):
            assert ask(room, f"say {number}").body == str(number)

        @pytest.mark.parametrize("number", range(25))
        def test_says_nothing(room, settled, number):
            room.send_message(f"do not say {number}")
            settled()
            assert [message.body for message in room.iter_messages()] == [f"do not say {number}"]
        """
    )
    before = {path.name for path in pytester.path.iterdir()}
    result = run(pytester, "-n", "4")
    result.assert_outcomes(passed=50)
    print(result.outlines[-1])
    reports = list(left.iterdir())
    assert len(reports) == 5, "four workers, and the process that leads them"
    assert {report.read_text() for report in reports} == {""}
    temporary = Path(os.environ["TMPDIR"])
    assert [path.name for path in temporary.iterdir() if not path.name.startswith("pytest-of-")] == []
    new = {path.name for path in pytester.path.iterdir()} - before  # the folder is the home, too
    assert {name for name in new if not name.startswith("runpytest-")} <= {"__pycache__", "stdout", "stderr"}


def test_against_another_service(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same tests run against a service that is there already, also what needs its control plane."""
    pytester.makeconftest(ECHO)
    pytester.makepyfile(
        """
        def test_bot(room, ask, settled, conversations_service):
            assert ask(room, "say hello").body == "hello"
            conversations_service.faults.drop()
            room.send_message("nothing")
            settled()
            assert room.get_messages_count() == 3
        """
    )
    with LocalServer() as server:
        credentials = server.credentials
        monkeypatch.setenv("TWILIO_ACCOUNT_SID", credentials.account_sid)
        monkeypatch.setenv("TWILIO_API_KEY_SID", credentials.api_key_sid)
        monkeypatch.setenv("TWILIO_API_KEY_SECRET", credentials.api_key_secret)
        monkeypatch.setenv("TWILIO_CONVERSATIONS_SERVICE_SID", credentials.service_sid)
        run(pytester, "--conversations-endpoint", server.url).assert_outcomes(passed=1)
    for name in ("TWILIO_API_KEY_SECRET", "TWILIO_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    result = run(pytester, "--conversations-endpoint", "twilio")
    assert "--conversations-endpoint twilio: the environment lacks TWILIO_API_" in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize("kind", ["cloud", "without a control plane"])
def test_what_needs_a_control_plane_is_skipped(conversations_service: Service, kind: str) -> None:
    """Faults, the clock and `settled` skip the test on a service that has none, with the reason."""
    url = f"{conversations_service.url}/elsewhere"
    control = NoControlPlane() if kind == "cloud" else RemoteControlPlane(url, ("SK", "secret"))
    other = Service(url, Endpoints.choose(None, url, None), lambda identity, ttl: "", control)
    for use in (other.faults.drop, other.now, other.activity):
        with pytest.raises(pytest.skip.Exception, match="needs the control plane of a local service"):
            use()
    other.restore()


def test_what_is_missing_is_named(pytester: pytest.Pytester) -> None:
    """Without the local service, or without pytest, the error says what to install."""
    pytester.makeconftest("import sys\nsys.modules['sqlalchemy'] = None")
    pytester.makepyfile("def test_bob(person): pass")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines('E*ImportError: *needs sqlalchemy; install it with: pip install "twilio-conversations[[]server]"')
    code = "import sys; sys.modules['pytest'] = None; import twilio_conversations.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert 'needs pytest; install it with: pip install "twilio-conversations[testing]"' in done.stderr
