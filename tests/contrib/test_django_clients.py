"""Clients of a site's processes: one for each identity, whatever threads and forks there are."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from tests.client.test_forks import in_child
from tests.contrib.conftest import setting
from tests.contrib.traffic import connections
from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations import Client, ClientClosedError
from twilio_conversations.contrib.django import clients, close_clients, create_client, get_client
from twilio_conversations.server import LocalServer


@pytest.mark.usefixtures("site")
def test_one_client_for_each_identity(fresh: Any) -> None:
    """It connects at once and is the same at every call; `create_client` makes one that nobody shares."""
    alice, bob = fresh("alice"), fresh("bob")
    client = get_client(alice)
    assert client.wait_until_ready(PATIENCE).identity == alice
    assert get_client(alice) is client
    assert get_client(bob) is not client
    with create_client(alice, auto_connect=False) as another:
        assert another is not client
        assert another.connection_state == "unknown"


def test_threads_that_ask_at_once_share_one(site: LocalServer, fresh: Any) -> None:
    """Of many first calls one makes the client, and one connection reaches the service."""
    identity = fresh("alice")
    barrier = threading.Barrier(8)
    got: list[Client] = []

    def ask() -> None:
        barrier.wait(PATIENCE)
        got.append(get_client(identity))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(got) == 8
    assert len(set(map(id, got))) == 1
    got[0].wait_until_ready(PATIENCE)
    assert list(connections(site, identity).values()) == [False]
    close_clients()
    until(lambda: list(connections(site, identity).values()) == [True], "one connection, closed")


@pytest.mark.usefixtures("site")
def test_a_client_that_is_over_is_replaced(fresh: Any) -> None:
    """Somebody closed it, or all were closed: the next call makes another."""
    identity = fresh("alice")
    first = get_client(identity).wait_until_ready(PATIENCE)
    first.close()
    second = get_client(identity).wait_until_ready(PATIENCE)
    assert second is not first
    close_clients()
    assert isinstance(second.ended_by, ClientClosedError)
    assert get_client(identity) not in (first, second)


def test_code_of_the_site_runs_without_the_lock(
    site: LocalServer, fresh: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting names a function of the site, whose module is imported where a client is made: it may ask for one itself."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "tokens_of_the_site.py").write_text(
        "from twilio_conversations.contrib.django import clients\n"
        "is_free = clients._clients()._lock.acquire(timeout=0)\n"
        "assert is_free\n"
        "clients._clients()._lock.release()\n"
        "def token(identity): raise NotImplementedError\n"
    )
    credentials = dict.fromkeys(("ACCOUNT_SID", "API_KEY_SID", "API_KEY_SECRET", "SERVICE_SID"))
    with override_settings(TWILIO_CONVERSATIONS=setting(site, TOKEN="tokens_of_the_site.token", **credentials)):
        get_client(fresh("alice"))


def test_another_setting_has_other_clients(site: LocalServer, fresh: Any) -> None:
    """Tests change the setting: clients of the one before are closed, those of the new one use it."""
    identity = fresh("alice")
    before = get_client(identity)
    with override_settings(TWILIO_CONVERSATIONS=setting(site, TIMEOUT=1.0)):
        assert before.ended_by is not None
        during = get_client(identity)
    assert during.ended_by is not None
    assert get_client(identity) not in (before, during)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_makes_its_own(site: LocalServer, fresh: Any) -> None:
    """The child of a process with a client gets another one, and closing there leaves the parent's alone."""
    identity = fresh("alice")
    client = get_client(identity).wait_until_ready(PATIENCE)
    room = client.create_conversation().join()

    def child() -> str:
        mine = get_client(identity)
        mine.get_conversation_by_sid(room.sid).send_message("from the child")
        close_clients()
        return "another" if mine is not client and mine.ended_by is not None else "the same"

    with clients._clients()._lock:  # another thread may be making a client at the time of the fork
        assert in_child(child, PATIENCE) == "another"
    assert [message.body for message in room.get_messages()] == ["from the child"]
    assert get_client(identity) is client
    assert client.stats().connection.reconnects == 0
    until(lambda: sorted(connections(site, identity).values()) == [False, True], "the parent's open, the child's closed")
