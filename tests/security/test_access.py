"""Access that one person must not have to another, beside the tables of `tests.security.matrix`."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.server.conftest import Connect
from tests.server.domain.test_conversations import mine, sid_of
from tests.server.peer import TIMEOUT, Peer, names, new_mutation
from twilio_conversations.server import InboundMedia, LocalServer

Fresh = Callable[[str], str]
Parting = Callable[[Peer, Peer, str], Any]

PARTINGS: dict[str, Parting] = {
    "left": lambda _alice, bob, room: bob.delete(f"{room}/Participants/{bob.identity}"),
    "removed": lambda alice, bob, room: alice.delete(f"{room}/Participants/{bob.identity}"),
}


def objects(sid: str) -> list[tuple[str, str]]:
    """Kind and name of the objects of a conversation."""
    return [("document", f"{sid}.channel"), ("list", f"{sid}.messages"), ("map", f"{sid}.roster")]


@pytest.mark.parametrize("parting", PARTINGS)
def test_whoever_is_gone_hears_no_more(alice: Peer, connect: Connect, parting: str) -> None:
    """On every device what was followed ends with the objects' removal; nothing comes after it, nor is to be had."""
    devices = [connect("bob")]
    devices.append(connect(identity=devices[0].identity))
    room = alice.room(devices[0].identity)
    sid = sid_of(room)
    secret = alice.say(room, "before")
    roots = {device: [(kind, device.follow(kind, name)["sid"]) for kind, name in objects(sid)] for device in devices}
    assert PARTINGS[parting](alice, devices[0], room).status == 204
    alice.say(room, "behind the back")
    alice.post(f"{room}/Messages/{secret['sid']}", {"body": "changed behind the back"})
    alice.post(room, {"friendly_name": "renamed behind the back"})
    for device in devices:
        heard = device.barrier()
        assert sorted(names(heard)) == ["document_removed", "list_removed", "map_removed"]
        assert "behind" not in str([packet.payload for packet in heard])
        for kind, object_sid in roots[device]:
            device.poke((kind, object_sid, -1))
        assert names(device.barrier()) == ["subscription_failed"] * 3
        for kind, name in objects(sid):
            assert device.get(f"/v3/{kind.capitalize()}s/{name}").code == 54007


@pytest.mark.parametrize("parting", PARTINGS)
def test_whoever_is_gone_sees_no_media_of_the_room(alice: Peer, bob: Peer, parting: str) -> None:
    """Not even what they had sent themselves: it belongs to the conversation."""
    room = alice.room(bob.identity)
    headers = {"X-Twilio-Token": bob.server.token(bob.identity)}
    media = bob.link("media_service")
    sid = requests.post(media, data=b"x", headers=headers, timeout=TIMEOUT).json()["sid"]
    assert bob.post(f"{room}/Messages", {"media_sids": [sid]}).status == 201
    assert requests.get(f"{media}/{sid}", headers=headers, timeout=TIMEOUT).status_code == 200
    PARTINGS[parting](alice, bob, room)
    answer = requests.get(f"{media}/{sid}", headers=headers, timeout=TIMEOUT)
    assert (answer.status_code, answer.json()["code"]) == (404, 50507)


def test_who_comes_back_sees_what_was_said_meanwhile(alice: Peer, bob: Peer) -> None:
    """What ends is the access, not the history: added again, one reads all of it and hears what is new."""
    room = alice.room(bob.identity)
    sid = sid_of(room)
    bob.follow("list", f"{sid}.messages")
    PARTINGS["removed"](alice, bob, room)
    alice.say(room, "meanwhile")
    alice.post(f"{room}/Participants", {"identity": bob.identity})
    bob.barrier()
    root = bob.follow("list", f"{sid}.messages")
    assert [item["data"]["text"] for item in bob.page(root)["items"]] == ["meanwhile"]
    alice.say(room, "again")
    assert bob.event("list_item_added").payload["events"][0]["item_data"]["text"] == "again"


def test_an_address_is_nobodys_identity(service: LocalServer, alice: Peer, connect: Connect) -> None:
    """Whose identity is the telephone number of somebody outside may not change what was written by telephone."""
    number, proxy = (f"+{country}{uuid.uuid4().int % 10**10:010}" for country in (1, 2))
    room = alice.room()
    outside = alice.post(f"{room}/Participants", {"messaging_binding": {"address": number, "proxy_address": proxy}}).body
    written = service.receive(number, proxy, "by telephone", media=[InboundMedia(b"x", "text/plain")])
    namesake = connect(identity=number)
    assert namesake.get(room).code == 50430
    alice.post(f"{room}/Participants", {"identity": number})
    message = f"{room}/Messages/{written['sid']}"
    assert namesake.post(message, {"body": "forged"}).code == 50107
    assert namesake.delete(message).code == 50107
    assert namesake.post(f"{room}/Participants/{outside['sid']}", {"attributes": "{}"}).code == 50107
    assert alice.delete(f"{room}/Participants/{outside['sid']}").status == 204
    assert namesake.post(message, {"body": "forged"}).code == 50107
    own = namesake.say(room, "by chat")
    assert namesake.post(f"{room}/Messages/{own['sid']}", {"body": "corrected"}).status == 200


def test_mutation_ids_are_each_persons_own(alice: Peer, bob: Peer, connect: Connect) -> None:
    """The same id of two people names two commands; one that was refused names none; neither tells what another did."""
    room = alice.room(bob.identity)
    mutation = new_mutation()
    sent = [peer.post(f"{room}/Messages", {"body": peer.identity}, mutation=mutation) for peer in (alice, bob)]
    assert [answer.status for answer in sent] == [201, 201]
    stranger = connect("carol")
    assert stranger.post(f"{room}/Messages", {"body": "x"}, mutation=mutation).code == 50430
    alice.post(f"{room}/Participants", {"identity": stranger.identity})
    assert stranger.post(f"{room}/Messages", {"body": "x"}, mutation=mutation).status == 201
    repeated = stranger.post(f"{room}/Messages", {"body": "x"}, mutation=mutation)
    assert repeated.status == 202
    alice.delete(f"{room}/Participants/{stranger.identity}")
    again = stranger.post(f"{room}/Messages", {"body": "x"}, mutation=mutation)
    assert (again.status, set(again.body)) == (202, {"resource_url"})
    assert stranger.get(again.body["resource_url"]).code == 50430


def test_page_tokens_open_nothing(alice: Peer, bob: Peer) -> None:
    """A token says where to read on, not what: of another's list or object it shows one's own, or nothing."""
    room, his = alice.room(), bob.room()
    for number in range(3):
        alice.say(room, f"alice's {number}")
        bob.say(his, f"bob's {number}")
    token = alice.page(alice.open("list", f"{sid_of(room)}.messages"), PageSize=1)["meta"]["next_token"]
    assert bob.get(f"/v3/Lists/{sid_of(room)}.messages/Items?PageToken={token}").code == 54007
    page = bob.page(bob.open("list", f"{sid_of(his)}.messages"), PageToken=token)
    assert [item["data"]["author"] for item in page["items"]] == [bob.identity]
    for after in ("", "Q0g=", "LQ=="):
        answer = bob.get(f"{bob.link('my_conversations')}?PageToken={after}")
        assert {entry["conversation_sid"] for entry in answer.body.get("conversations", ())} <= {sid_of(his)}


def test_recipients_of_another_conversation(service: LocalServer, alice: Peer, bob: Peer, fresh: Fresh) -> None:
    """Asking one's own conversation about a message of another one tells nothing of it."""
    room, his = alice.room(), bob.room()
    address = f"{fresh('c')}@example.com"
    binding = {"address": address, "proxy_address": f"{fresh('p')}@example.com"}
    assert alice.post(f"{room}/Participants", {"messaging_binding": binding}).status == 201
    sent = alice.say(room, "an e-mail")
    assert alice.get(f"{room}/MessageRecipients?MessageSid={sent['sid']}").body["message_recipients"] != []
    assert bob.get(f"{his}/MessageRecipients?MessageSid={sent['sid']}").body["message_recipients"] == []


def test_media_are_sent_by_their_uploader(alice: Peer, bob: Peer) -> None:
    """Another's upload cannot be sent, nor does trying tell that there is one."""
    room = alice.room(bob.identity)
    headers = {"X-Twilio-Token": alice.server.token(alice.identity)}
    sid = requests.post(alice.link("media_service"), data=b"x", headers=headers, timeout=TIMEOUT).json()["sid"]
    refused = [bob.post(f"{room}/Messages", {"media_sids": [wanted]}).body for wanted in (sid, f"ME{0:032x}")]
    assert refused[0] == refused[1]
    assert refused[0]["code"] == 50507
    assert alice.post(f"{room}/Messages", {"media_sids": [sid]}).status == 201


def test_registrations_show_ones_own_only(alice: Peer, bob: Peer) -> None:
    """The same device of two people is two registrations, and each sees, changes and ends one."""
    device = {"channel_type": "fcm", "message_types": [], "data": {"registration_id": "shared"}}
    ids = [peer.post("/v1/registrations", device).body["id"] for peer in (alice, bob)]
    assert ids[0] != ids[1]
    assert bob.delete("/v1/registrations/" + ids[0]).status == 204
    assert [entry["id"] for entry in alice.get("/v1/registrations").body["registrations"]] == [ids[0]]
    assert [entry["id"] for entry in bob.get("/v1/registrations").body["registrations"]] == [ids[1]]


def test_a_list_of_conversations_is_ones_own(alice: Peer, bob: Peer) -> None:
    """Under another's name or sid there is none, by either door."""
    alice.room()
    user = mine(alice).partition(".")[0]
    headers = {"X-Twilio-Token": bob.server.token(bob.identity)}
    for reference in (alice.identity, user):
        url = f"{bob.link('users')}/{reference}/Conversations"
        assert bob.get(url).code == 20404
        assert requests.get(url, headers=headers, timeout=TIMEOUT).json()["code"] == 20404


def test_typing_is_for_those_who_are_in(alice: Peer, bob: Peer, connect: Connect) -> None:
    """Whoever is not, or not any more, makes nobody see them type, and sees nobody."""
    room = alice.room(bob.identity)
    carol = connect("carol")
    form = f"ChannelSid={sid_of(room)}"
    assert carol.request("POST", carol.link("typing"), form=form).code == 50430
    assert bob.request("POST", bob.link("typing"), form=form).status == 200
    assert [packet.payload.get("identity") for packet in alice.barrier()] == [bob.identity]
    PARTINGS["removed"](alice, bob, room)
    alice.barrier()
    assert bob.request("POST", bob.link("typing"), form=form).code == 50430
    assert alice.request("POST", alice.link("typing"), form=form).status == 200
    assert [peer.barrier() for peer in (alice, bob, carol)] == [[], [], []]
