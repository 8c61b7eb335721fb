"""What a role does not allow is refused: one test for each permission."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
import requests

from tests.server.peer import Answer, Peer
from tests.support.patience import PATIENCE
from twilio_conversations.server import LocalServer
from twilio_conversations.server.domain import roles

NAMES = roles.OWN + roles.TOGETHER + roles.ANY


@attrs.frozen
class Scene:
    """A conversation of carol's in which alice has a role, with a message of each."""

    alice: Peer
    carol: Peer
    room: str
    messages: dict[str, str]
    participants: dict[str, str]

    def upload(self) -> str:
        """A medium of alice's; its sid."""
        headers = {"X-Twilio-Token": self.alice.server.token("alice")}
        return str(requests.post(self.alice.link("media_service"), data=b"x", headers=headers, timeout=PATIENCE).json()["sid"])


Set = Callable[[frozenset[str]], Scene]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """A service of one's own: it is emptied between tests."""
    with LocalServer() as running:
        yield running


@pytest.fixture
def scene(server: LocalServer) -> Iterator[Set]:
    """Returns a maker of the scene, with all permissions for alice but those given."""
    peers: list[Peer] = []

    def make(without: frozenset[str]) -> Scene:
        server.reset()
        allowed = [name for name in NAMES if name not in without]
        server.seed(
            {
                "roles": [{"friendly_name": "restricted", "type": "conversation", "permissions": allowed}],
                "conversations": [
                    {
                        "unique_name": "room",
                        "created_by": "carol",
                        "participants": [{"identity": "alice", "role": "restricted"}, {"identity": "carol"}],
                        "messages": [{"author": "alice", "body": "mine"}, {"author": "carol", "body": "hers"}],
                    }
                ],
            }
        )
        alice, carol = Peer.connected(server, "alice"), Peer.connected(server, "carol")
        peers.extend((alice, carol))
        body = alice.get(f"{alice.link('conversations')}/room").body
        items = alice.items("list", body["sync_objects"]["messages"])
        messages = {item["data"]["author"]: f"{body['links']['messages']}/{item['data']['sid']}" for item in items}
        roster = alice.items("map", body["sync_objects"]["participants"])
        people = {item["data"]["identity"]: f"{body['links']['participants']}/{item['key']}" for item in roster}
        return Scene(alice, carol, body["url"], messages, people)

    yield make
    for peer in peers:
        peer.close()


def non_chat() -> dict[str, Any]:
    """Somebody with a telephone."""
    return {"messaging_binding": {"address": "+15550100", "proxy_address": "+15550199"}}


ACTS: dict[str, Callable[[Scene], Answer]] = {
    "sendMessage": lambda scene: scene.alice.post(f"{scene.room}/Messages", {"body": "x"}),
    "sendMediaMessage": lambda scene: scene.alice.post(f"{scene.room}/Messages", {"media_sids": [scene.upload()]}),
    "leaveConversation": lambda scene: scene.alice.delete(f"{scene.room}/Participants/alice"),
    "addParticipant": lambda scene: scene.alice.post(f"{scene.room}/Participants", {"identity": "dave"}),
    "addNonChatParticipant": lambda scene: scene.alice.post(f"{scene.room}/Participants", non_chat()),
    "removeParticipant": lambda scene: scene.alice.delete(scene.participants["carol"]),
    "editConversationName": lambda scene: scene.alice.post(scene.room, {"friendly_name": "x"}),
    "editConversationAttributes": lambda scene: scene.alice.post(scene.room, {"attributes": "{}"}),
    "editOwnMessage": lambda scene: scene.alice.post(scene.messages["alice"], {"body": "x"}),
    "editOwnMessageAttributes": lambda scene: scene.alice.post(scene.messages["alice"], {"attributes": "{}"}),
    "deleteOwnMessage": lambda scene: scene.alice.delete(scene.messages["alice"]),
    "editAnyMessage": lambda scene: scene.alice.post(scene.messages["carol"], {"body": "x"}),
    "editAnyMessageAttributes": lambda scene: scene.alice.post(scene.messages["carol"], {"attributes": "{}"}),
    "deleteAnyMessage": lambda scene: scene.alice.delete(scene.messages["carol"]),
    "editOwnParticipantAttributes": lambda scene: scene.alice.post(scene.participants["alice"], {"attributes": "{}"}),
    "editAnyParticipantAttributes": lambda scene: scene.alice.post(scene.participants["carol"], {"attributes": "{}"}),
    "editNotificationLevel": lambda scene: scene.alice.post(
        f"{scene.alice.link('my_conversations')}/room", {"notification_level": "muted"}
    ),
    "deleteConversation": lambda scene: scene.alice.delete(scene.room),
}


def test_every_permission_has_an_act() -> None:
    """The tests below leave no permission of conversations out."""
    assert set(ACTS) == set(NAMES)


@pytest.mark.parametrize("permission", NAMES)
def test_without_the_permission(scene: Set, permission: str) -> None:
    """Without it the act is refused with 50107, and nothing changes."""
    place = scene(frozenset({permission}))
    answer = ACTS[permission](place)
    assert (answer.status, answer.code) == (403, 50107)
    body = place.alice.get(place.room).body
    assert (body["messages_count"], body["participants_count"], body["friendly_name"]) == (2, 2, None)


@pytest.mark.parametrize("permission", NAMES)
def test_with_nothing_but_the_permission(scene: Set, permission: str) -> None:
    """It alone is enough for its act."""
    place = scene(frozenset(NAMES) - {permission})
    assert ACTS[permission](place).status < 300


def test_text_and_media_need_both(scene: Set) -> None:
    """A caption is a message, a picture is a media message: with both, both must be allowed."""
    for missing in ("sendMessage", "sendMediaMessage"):
        place = scene(frozenset({missing}))
        sid = place.upload()
        answer = place.alice.post(f"{place.room}/Messages", {"body": "a caption", "media_sids": [sid]})
        assert answer.code == 50107
        assert place.alice.get(place.room).body["messages_count"] == 2


@pytest.mark.parametrize(
    ("permission", "act"),
    [
        ("createConversation", lambda peer: peer.post(peer.link("conversations"), {})),
        ("joinConversation", lambda peer: peer.post(f"{peer.link('conversations')}/room/Participants", {"identity": "alice"})),
        ("editOwnUserInfo", lambda peer: peer.post(peer.link("current_user"), {"friendly_name": "x"})),
        ("editAnyUserInfo", lambda peer: peer.post(f"{peer.link('users')}/carol", {"friendly_name": "x"})),
    ],
)
def test_permissions_of_a_service_role(server: LocalServer, permission: str, act: Callable[[Peer], Answer]) -> None:
    """What a user may do in the service depends on the service role alone."""
    for allowed, status in (([permission], {200, 201}), ([], {403})):
        server.reset()
        server.seed({"conversations": [{"unique_name": "room", "created_by": "alice"}]})
        server.seed(
            {
                "roles": [{"friendly_name": "restricted", "type": "service", "permissions": allowed}],
                "users": [{"identity": "alice", "role": "restricted"}, {"identity": "carol"}],
            }
        )
        with Peer.connected(server, "alice") as alice:
            answer = act(alice)
            assert answer.status in status, answer.body
