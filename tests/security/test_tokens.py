"""Forged and foreign tokens are refused, over HTTP and through the tunnel, and the answer does not repeat the token."""

from __future__ import annotations

import pytest
import requests

from tests.security.forgery import FORGED, claims, header, part, signed
from tests.server.conftest import Connect
from tests.server.peer import TIMEOUT, Peer
from twilio_conversations.server import LocalServer


def doors(service: LocalServer, alice: Peer, token: str) -> dict[str, tuple[int, int | None, str]]:
    """Try the token at every door: status, code, and what was said."""
    said = {}
    with Peer(service) as stranger:
        reply = stranger.init(token)
        said["init"] = (reply.status.code, reply.status.error_code, repr(reply))
    reply = alice.update(token)
    said["update"] = (reply.status.code, reply.status.error_code, repr(reply))
    urls = {"REST": f"{service.url}/Client/v2/Configuration", "media": alice.link("media_service") + "/ME1"}
    for name, url in urls.items():
        answer = requests.get(url, headers={"X-Twilio-Token": token.encode()}, timeout=TIMEOUT)
        said[name] = (answer.status_code, answer.json().get("code"), answer.text + str(answer.headers))
    return said


@pytest.mark.parametrize("name", FORGED)
def test_forged_tokens_open_no_door(connect: Connect, service: LocalServer, name: str) -> None:
    """By init, by update, over HTTP and to the media service: status 401, Twilio's code, and nothing of the token repeated."""
    code, forge = FORGED[name]
    token = forge(service)
    said = doors(service, connect("alice"), token)
    assert {door: facts[:2] for door, facts in said.items()} == dict.fromkeys(said, (401, code))
    secret_part = token.rpartition(".")[2] or token
    for door, (_, _, text) in said.items():
        assert token not in text, door
        assert len(secret_part) < 8 or secret_part not in text, door


def test_a_right_token_opens_all_of_them(connect: Connect, service: LocalServer) -> None:
    """The forger's tools make a good token when nothing is changed: it is what was changed that was refused."""
    alice = connect("alice", identity="alice")
    said = doors(service, alice, signed(service, header(), part(claims(service))))
    assert {door: facts[:2] for door, facts in said.items()} == {
        "init": (200, None),
        "update": (200, None),
        "REST": (200, None),
        "media": (404, 50507),
    }


def test_other_services_tokens_are_nothing_here(connect: Connect, service: LocalServer) -> None:
    """Two local services trust only their own: what one has signed the other refuses, whoever it is for."""
    with LocalServer() as other:
        said = doors(service, connect("alice"), other.token("alice"))
        assert {facts[:2] for facts in said.values()} == {(401, 20107)}


def test_any_changed_character_breaks_a_token(service: LocalServer) -> None:
    """Each character of a token is covered by its signature."""
    token = service.token("alice")
    url = f"{service.url}/Client/v2/Configuration"
    with requests.Session() as session:
        for place in range(0, len(token), 7):
            if token[place] != ".":
                changed = token[:place] + ("B" if token[place] != "B" else "C") + token[place + 1 :]
                assert session.get(url, headers={"X-Twilio-Token": changed}, timeout=TIMEOUT).status_code == 401, place
