"""Clients with encrypted tokens, of which they can read nothing: identity, expiry and faults come from the service."""

from __future__ import annotations

import logging

import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from tests.support.sealed_tokens import Seals, sealed
from tests.support.waiting import until
from twilio_conversations import Client, ConnectionState, InitializationError, ReplyError
from twilio_conversations.server import LocalServer
from twilio_conversations.util import logs


@pytest.fixture
def service(own: LocalServer) -> LocalServer:
    """A service with nothing in it, for this test alone."""
    return own


@pytest.fixture
def seals(monkeypatch: pytest.MonkeyPatch) -> Seals:
    """Makes tokens that only the service can read."""
    return Seals(monkeypatch)


def test_the_service_says_whose_token_it_is(service: LocalServer, seals: Seals) -> None:
    """The identity is that of the configuration; messages and media work, with the token as it was given."""
    token = seals.token(service, "alice")
    with Client(token, endpoint=service.url, auto_connect=False) as client:
        assert client.identity == ""
        client.connect().wait_until_ready(PATIENCE)
        assert client.identity == client.user.identity == "alice"
        room = client.create_conversation().join()
        message = room.send_message("sealed", media=("a.txt", b"content", "text/plain"))
        assert (message.author, message.attached_media[0].read()) == ("alice", b"content")

    assert set(seals.opened) == {token}


def test_expiry_is_what_the_service_says(connect: Connect, service: LocalServer, seals: Seals) -> None:
    """Its notice and its refusal have the provider called; nothing is planned here."""
    given: list[str] = []

    def provider() -> str:
        given.append(seals.token(service, "alice"))
        return given[-1]

    client = connect("alice", token=provider)
    event_log = EventLog(client, "token_about_to_expire", "token_expired", "connection_state_changed")
    service.faults.expire_tokens()
    event_log.wait("token_expired")
    event_log.wait("connection_state_changed", lambda state: state is ConnectionState.CONNECTED)
    service.faults.token_about_to_expire()
    event_log.wait("token_about_to_expire")
    until(lambda: len(given) == 3 and given[2] in seals.opened, "the third token reaches the service")
    client.create_conversation()

    assert ConnectionState.DENIED not in event_log.of("connection_state_changed")


def test_a_refused_one_ends_the_start(service: LocalServer) -> None:
    """The fault is the service's word for it."""
    with (
        Client(sealed(), endpoint=service.url) as client,
        pytest.raises(InitializationError, match="Access Token") as caught,
    ):
        client.wait_until_ready(PATIENCE)

    assert (caught.value.status, caught.value.code) == (401, 20101)


def test_either_kind_follows_the_other(connect: Connect, service: LocalServer, seals: Seals) -> None:
    """Both can be updated to, and one that the service refuses leaves the one before in use."""
    client = connect("alice")
    client.update_token(seals.token(service, "alice"))
    with pytest.raises(ReplyError):
        client.update_token(sealed())
    client.update_token(service.token("alice", 1800))
    client.update_token(seals.token(service, "alice"))

    assert client.create_conversation().join().send_message("still here").index == 0
    assert client.identity == "alice"


def test_it_is_never_logged(service: LocalServer, seals: Seals, caplog: pytest.LogCaptureFixture) -> None:
    """Neither one that works nor one that is refused, at any level."""
    good, bad = seals.token(service, "alice"), sealed()
    with caplog.at_level(logging.DEBUG):
        with Client(good, endpoint=service.url) as client:
            client.wait_until_ready(PATIENCE)
            with pytest.raises(ReplyError):
                client.update_token(bad)
        assert logs.flush(PATIENCE)

    assert caplog.records
    for token in (good, bad):
        assert token.rpartition(".")[2] not in caplog.text
