"""What a program does to `requests` as a whole, for its own HTTP, neither sees nor changes what a client sends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.clients import Connect
from tests.support.patience import LONG_PATIENCE, PATIENCE
from twilio_conversations import Client
from twilio_conversations.server import LocalServer

requests_cache = pytest.importorskip("requests_cache", reason="requests_cache is not installed")
requests_mock = pytest.importorskip("requests_mock", reason="requests_mock is not installed")
responses = pytest.importorskip("responses", reason="responses is not installed")

CONTENT = b"content"
OWN = "https://bot.example/weather"
"""What the program itself asks for."""

Patch = Callable[[], AbstractContextManager[Callable[[], int]]]
"""Patches `requests`; the block gets a function that counts what the patch has seen."""


@contextmanager
def cached() -> Iterator[Callable[[], int]]:
    """`requests_cache.install_cache`, for every answer."""
    requests_cache.install_cache(backend="memory", allowable_codes=range(100, 600), allowable_methods=("GET", "POST", "DELETE"))
    try:
        cache: Any = requests_cache.get_cache()
        yield lambda: len(cache.responses) + len(cache.redirects)
    finally:
        requests_cache.uninstall_cache()


@contextmanager
def mocked() -> Iterator[Callable[[], int]]:
    """`requests_mock`, without a way to the network."""
    with requests_mock.Mocker() as mock:
        mock.get(OWN, text="sun")
        yield lambda: sum(request.url != OWN for request in mock.request_history)


@contextmanager
def answered() -> Iterator[Callable[[], int]]:
    """`responses`, without a way to the network."""
    with responses.RequestsMock() as mock:
        mock.get(OWN, body="sun")
        yield lambda: sum(call.request.url != OWN for call in mock.calls)


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """A tracer that wraps the methods of `requests.Session`."""
    seen: list[str] = []

    def wrapped(name: str, send: Callable[..., Any]) -> Callable[..., Any]:
        def call(session: Any, *facts: Any, **more: Any) -> Any:
            seen.append(name)
            raise AssertionError("a tracer with a fault")

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("send", "request", "get_adapter", "prepare_request", "merge_environment_settings"):
            patch.setattr(requests.Session, name, wrapped(name, getattr(requests.Session, name)))
        yield lambda: len(seen)


def whole_story(client: Client) -> None:
    """Everything that a client does by HTTP: commands, queries, an upload, a download."""
    room = client.create_conversation(friendly_name="patched").join()
    medium = room.send_message(media=("a.bin", CONTENT)).attached_media[0]
    assert medium.read() == CONTENT
    room.update_friendly_name("twice")
    room.update_friendly_name("once more")
    assert room.refresh().friendly_name == "once more"
    room.leave()


@pytest.mark.parametrize("patch", [cached, mocked, answered, traced])
def test_a_client_under_a_patch(connect: Connect, fresh: Any, patch: Patch) -> None:
    """Made before it, and made under it."""
    before = connect(fresh("alice"))
    with patch() as seen:
        whole_story(before)
        whole_story(connect(fresh("bob")))
        assert seen() == 0
        if patch in (mocked, answered):
            assert requests.get(OWN, timeout=PATIENCE).text == "sun"
    whole_story(before)


PROGRAM = """
import sys
import requests, {module}
{patch}
import twilio_conversations
{unpatch}
with twilio_conversations.Client(sys.argv[2], endpoint=sys.argv[1]) as client:
    room = client.create_conversation().join()
    assert room.send_message(media=("a.bin", b"content")).attached_media[0].read() == b"content"
{after}
print("done")
"""
BY_IMPORT = {
    "requests_cache": ("requests_cache.install_cache(backend='memory')", "", "assert not requests_cache.get_cache().responses"),
    "requests_mock": ("mock = requests_mock.Mocker(); mock.start()", "", "assert not mock.request_history"),
    "responses": ("responses.start()", "", "assert not responses.calls"),
    "responses, over": ("responses.start()", "responses.stop()", ""),
}


@pytest.mark.parametrize("case", BY_IMPORT)
def test_imported_under_a_patch(service: LocalServer, case: str, tmp_path: Path) -> None:
    """It lasts, or is over when the client is used."""
    patch, unpatch, after = BY_IMPORT[case]
    code = PROGRAM.format(module=case.partition(",")[0], patch=patch, unpatch=unpatch, after=after)
    command = [sys.executable, "-c", code, service.url, service.token("importer")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=LONG_PATIENCE, check=False, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "done\n"


def test_a_session_of_before_a_patch_is_taken(connect: Connect, fresh: Any) -> None:
    """Though it is no instance of what is called `requests.Session` now; and one of that class is taken too."""
    session = requests.Session()
    with cached():
        whole_story(connect(fresh("alice"), session=session))
        whole_story(connect(fresh("alice"), session=requests.Session()))


def test_a_session_of_the_program_s_is_used_with_its_patches(connect: Connect, fresh: Any) -> None:
    """Whoever wants to see or to mock media passes a session."""
    client = connect(fresh("alice"), session=requests.Session())
    medium = client.create_conversation().join().send_message(media=("a.bin", CONTENT)).attached_media[0]
    with requests_mock.Mocker() as mock:
        mock.get(requests_mock.ANY, real_http=True)
        assert medium.read() == CONTENT
        assert mock.request_history
