"""What each command does: its answer, what Sync clients see of it, and how it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.server.conftest import Connect
from tests.server.peer import Answer, Peer, names, new_id
from twilio_conversations.server.domain import limits
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import RestCall

Fresh = Callable[[str], str]
NO_SUCH = "CH" + "0" * 32


def sid_of(room: str) -> str:
    """The sid in a conversation's URL."""
    return room.rsplit("/", 1)[1]


def mine(peer: Peer) -> str:
    """The name of the peer's map of conversations."""
    return str(peer.configuration["sync_objects"]["my_conversations"])


def document(peer: Peer, room: str) -> dict[str, Any]:
    """The conversation's document."""
    return dict(peer.open("document", f"{sid_of(room)}.channel")["data"])


# -- conversations -----------------------------------------------------------------------------------------------------------


def test_create_makes_the_objects_and_nobody_joins(alice: Peer, fresh: Fresh) -> None:
    """A new conversation has document, list and roster, and no participants; its creator may open them."""
    name = fresh("room")
    body = {"friendly_name": "Room", "unique_name": name, "attributes": '{"a":1}'}
    made = alice.post(alice.link("conversations"), body)
    assert made.status == 201
    sid = made.body["sid"]
    assert made.body["sync_objects"] == {
        "conversation": f"{sid}.channel",
        "messages": f"{sid}.messages",
        "participants": f"{sid}.roster",
    }
    data = document(alice, made.body["url"])
    assert data["friendlyName"] == "Room"
    assert data["uniqueName"] == name
    assert data["attributes"] == '{"a":1}'
    assert data["createdBy"] == alice.identity
    assert data["state"]["current"] == "active"
    assert data["lastMessage"] is None
    assert (data["messages"], data["roster"]) == (f"{sid}.messages", f"{sid}.roster")
    assert alice.items("map", f"{sid}.roster") == []
    assert alice.items("map", mine(alice)) == []


def test_join_appears_in_roster_and_own_list(alice: Peer) -> None:
    """Joining adds a roster item, then an item of the user's conversations; the creator gets the admin role."""
    room = alice.room()
    (member,) = alice.items("map", f"{sid_of(room)}.roster")
    assert member["key"].startswith("MB")
    assert member["data"]["identity"] == alice.identity
    assert member["data"]["type"] == "chat"
    assert member["data"]["roleSid"].startswith("RL")
    assert member["data"]["lastConsumedMessageIndex"] is None
    (item,) = alice.items("map", mine(alice))
    assert item["key"] == sid_of(room)
    assert item["data"] == {
        "channel": f"{sid_of(room)}.channel",
        "status": "joined",
        "lastConsumedMessageIndex": None,
        "notificationLevel": "default",
    }


def test_update_changes_the_document(alice: Peer, fresh: Fresh) -> None:
    """Friendly name, unique name (also its removal) and attributes arrive in the document in one event each."""
    room = alice.room()
    alice.follow("document", f"{sid_of(room)}.channel")
    name = fresh("unique")
    for body, field, value in (
        ({"friendly_name": "New ☃"}, "friendlyName", "New ☃"),
        ({"unique_name": name}, "uniqueName", name),
        ({"unique_name": ""}, "uniqueName", None),
        ({"attributes": "[1]"}, "attributes", "[1]"),
    ):
        assert alice.post(room, body).status == 200
        assert alice.event("document_updated").payload["events"][0]["document_data"][field] == value


def test_delete_goes_from_the_lists_first(alice: Peer, bob: Peer) -> None:
    """Members see the conversation leave their list, then its objects go; afterwards it is unknown."""
    room = alice.room(bob.identity)
    sid = sid_of(room)
    bob.follow("map", mine(bob))
    roots = [bob.follow("document", f"{sid}.channel"), bob.follow("list", f"{sid}.messages"), bob.follow("map", f"{sid}.roster")]
    assert alice.delete(room).status == 204
    assert names(bob.barrier()) == ["map_item_removed", "document_removed", "list_removed", "map_removed"]
    assert bob.get(room).code == 50350
    assert bob.get(f"/v3/Documents/{sid}.channel").code == 54300
    assert bob.get(f"/v3/Documents/{roots[0]['sid']}").code == 54100
    assert bob.get(f"/v3/Lists/{roots[1]['sid']}").code == 54150
    assert bob.get(f"/v3/Maps/{roots[2]['sid']}").code == 54200


def test_lookup_by_sid_and_unique_name(alice: Peer, bob: Peer, fresh: Fresh) -> None:
    """A conversation is found by sid and by unique name, encoded ones included, and tells its counts."""
    name = fresh("a/b ?#%2e+☃")
    room = alice.room(bob.identity, unique_name=name)
    alice.say(room)
    quoted = alice.link("my_conversations") + "/" + "".join(f"%{byte:02X}" for byte in name.encode())
    entry = alice.get(quoted)
    assert entry.status == 200
    assert entry.body["conversation_sid"] == sid_of(room)
    assert entry.body["unique_name"] == name
    assert entry.body["unread_messages_count"] is None
    found = alice.get(room).body
    assert (found["participants_count"], found["messages_count"], found["status"]) == (2, 1, "joined")


def test_strangers_are_told_apart_from_the_lost(alice: Peer, connect: Connect) -> None:
    """Somebody else's conversation is 50430, one that does not exist 50350, its objects 54007."""
    room = alice.room()
    carol = connect("carol")
    assert (carol.get(room).status, carol.get(room).code) == (403, 50430)
    assert carol.get(f"{carol.link('my_conversations')}/{sid_of(room)}").code == 50430
    assert carol.post(f"{room}/Messages", {"body": "hi"}).code == 50430
    assert carol.post(f"{room}/Participants", {"identity": carol.identity}).code == 50430
    assert carol.delete(room).code == 50430
    assert carol.get(f"/v3/Lists/{sid_of(room)}.messages").code == 54007
    assert carol.get(f"{carol.link('conversations')}/{NO_SUCH}").code == 50350
    assert carol.post(f"{carol.link('conversations')}/{NO_SUCH}", {"friendly_name": "x"}).code == 50350
    assert carol.get(f"{carol.link('my_conversations')}/nothing").code == 50350


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (50003, {"friendly_name": "x" * 257}),
        (50004, {"unique_name": "x" * 257}),
        (50390, {"unique_name": NO_SUCH}),
        (50304, {"attributes": "{"}),
        (50304, {"attributes": {"an": "object"}}),
        (50304, {"attributes": "NaN"}),
        (50303, {"attributes": json.dumps("x" * limits.CONVERSATION_ATTRIBUTES)}),
        (20422, {"friendly_name": 7}),
        (20422, {"friendly_name": "half a pair: \ud83d"}),
    ],
)
def test_bad_fields_of_conversations(alice: Peer, code: int, body: dict[str, Any]) -> None:
    """Each limit has its code, on creating and on changing, and nothing is changed."""
    answer = alice.post(alice.link("conversations"), body)
    assert (answer.status, answer.code) == (400, code)
    assert set(answer.body) == {"status", "code", "message", "more_info"}
    room = alice.room(friendly_name="kept")
    assert alice.post(room, body).code == code
    assert document(alice, room)["friendlyName"] == "kept"


def test_unique_names_are_unique(alice: Peer, bob: Peer, fresh: Fresh) -> None:
    """A second conversation of one unique name is a conflict, on creating and on renaming."""
    name = fresh("room")
    alice.room(unique_name=name)
    answer = bob.post(bob.link("conversations"), {"unique_name": name})
    assert (answer.status, answer.reason, answer.code) == (409, "CONFLICT", 50353)
    assert bob.post(bob.room(), {"unique_name": name}).code == 50353


def test_malformed_requests(alice: Peer) -> None:
    """Bodies that are no JSON objects, unknown paths and wrong methods are refused with an error body."""
    assert alice.request("POST", alice.link("conversations"), [1]).code == 20001
    assert alice.request("POST", alice.link("conversations"), form="a=b").code == 20001
    assert alice.get("/Client/v2/Nothing").code == 20404
    assert alice.request("PUT", alice.room(), {}).code == 20404
    assert alice.post("/v3/Maps", {}).status in (403, 404, 405)
    assert alice.post("/v3/Maps/x", {}).code == 54007


def test_half_characters_are_refused_everywhere(alice: Peer) -> None:
    """Half of a surrogate pair, which JSON can spell and nothing can store, is a bad request wherever it stands."""
    room, half = alice.room(), "\ud83d"
    for packet_path, params, headers in (
        (f"/v3/Maps/{half}", (), {}),
        ("/v3/Maps/x", (("Include", half),), {}),
        ("/Client/v2/Configuration", (), {"X-Twilio-Mutation-Id": half}),
    ):
        packet = RestCall(new_id(), HttpRequest("GET", "h", packet_path, params, headers))
        alice.send(packet)
        assert Answer(alice.reply_to(packet.id)).code == 20001
    assert alice.post("/v4/Subscriptions", {"action": "establish", "requests": [{"object_sid": half}]}).code == 20001
    assert alice.post(f"{room}/Participants", {"identity": half}).code == 50204
    binding = {"address": half, "proxy_address": "+2"}
    assert alice.post(f"{room}/Participants", {"messaging_binding": binding}).code == 50407
    assert alice.post(f"{room}/Messages", {"body": half}).code == 50503
    assert alice.post(f"{room}/Messages", {"body": "x", "attributes": f'"{half}"'}).code == 50304
    assert alice.say(room, "", attributes='"\\ud83d"')["attributes"] == '"\\ud83d"'


# -- participants ------------------------------------------------------------------------------------------------------------


def test_add_makes_the_user_and_tells_both_sides(alice: Peer, connect: Connect, fresh: Fresh) -> None:
    """Adding somebody never seen makes that user; attributes arrive; the added one sees the conversation appear."""
    identity = fresh("zoë+tag@ex ample/☃")
    room = alice.room()
    alice.follow("map", f"{sid_of(room)}.roster")
    added = alice.post(f"{room}/Participants", {"identity": identity, "attributes": '{"x":1}'})
    assert added.status == 201
    event = alice.event("map_item_added").payload["events"][0]
    assert event["item_key"] == added.body["sid"]
    assert event["item_data"]["attributes"] == '{"x":1}'
    late = connect(identity=identity)
    assert [item["key"] for item in late.items("map", mine(late))] == [sid_of(room)]
    info = alice.open("map", event["item_data"]["userInfo"] + "")
    assert {item["key"] for item in alice.page(info)["items"]} == {"friendlyName", "attributes"}


def test_adding_twice_is_a_conflict(alice: Peer, bob: Peer) -> None:
    """Joining or adding again is 409/50433."""
    room = alice.room(bob.identity)
    for peer, identity in ((alice, alice.identity), (alice, bob.identity), (bob, bob.identity)):
        answer = peer.post(f"{room}/Participants", {"identity": identity})
        assert (answer.status, answer.code) == (409, 50433)


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (50204, {}),
        (50204, {"identity": ""}),
        (50204, {"identity": 5}),
        (50206, {"identity": "US" + "0" * 32}),
        (50207, {"identity": "x" * 257}),
        (50304, {"identity": "bob", "attributes": "}"}),
        (50303, {"identity": "bob", "attributes": json.dumps("x" * limits.PARTICIPANT_ATTRIBUTES)}),
        (50407, {"messaging_binding": "sms"}),
        (50411, {"messaging_binding": {"proxy_address": "+2"}}),
        (50412, {"messaging_binding": {"address": "+1"}}),
        (50409, {"messaging_binding": {"address": "+1", "proxy_address": "+1"}}),
        (50414, {"messaging_binding": {"address": "+1", "proxy_address": "whatsapp:+2"}}),
        (50420, {"messaging_binding": {"address": "+1", "proxy_address": "+2", "name": "Bob"}}),
    ],
)
def test_bad_participants(alice: Peer, code: int, body: dict[str, Any]) -> None:
    """Each fault has its code, and nobody is added."""
    room = alice.room()
    assert alice.post(f"{room}/Participants", body).code == code
    assert len(alice.items("map", f"{sid_of(room)}.roster")) == 1


def test_people_outside_chat(alice: Peer, fresh: Fresh) -> None:
    """A participant with a messaging binding has a type and a binding, and no identity; the pair of addresses is unique."""
    room = alice.room()
    address = fresh("bob") + "@example.com"
    binding = {"address": address, "proxy_address": "us@example.com", "name": "Bob", "level": "to"}
    added = alice.post(f"{room}/Participants", {"messaging_binding": binding})
    assert added.status == 201
    assert added.body["messaging_binding"]["type"] == "email"
    item = next(i for i in alice.items("map", f"{sid_of(room)}.roster") if i["key"] == added.body["sid"])
    assert (item["data"]["identity"], item["data"]["type"]) == (None, "email")
    assert item["data"]["bindings"]["email"]["address"] == address
    assert alice.post(f"{room}/Participants", {"messaging_binding": binding}).code == 50416


def test_participant_attributes(alice: Peer, bob: Peer) -> None:
    """A member changes its own attributes; another's need the admin role."""
    room = alice.room(bob.identity)
    roster = {item["data"]["identity"]: item["key"] for item in alice.items("map", f"{sid_of(room)}.roster")}
    alice.follow("map", f"{sid_of(room)}.roster")
    assert bob.post(f"{room}/Participants/{roster[bob.identity]}", {"attributes": "[]"}).status == 200
    event = alice.event("map_item_updated").payload["events"][0]
    assert (event["item_key"], event["item_data"]["attributes"]) == (roster[bob.identity], "[]")
    assert alice.post(f"{room}/Participants/{bob.identity}", {"attributes": "{}"}).status == 200
    refused = bob.post(f"{room}/Participants/{roster[alice.identity]}", {"attributes": "{}"})
    assert (refused.status, refused.code) == (403, 50107)
    assert alice.post(f"{room}/Participants/MB{'0' * 32}", {"attributes": "{}"}).code == 50432


def test_leaving_ends_what_one_can_see(alice: Peer, bob: Peer) -> None:
    """The leaver sees the conversation go from its list, then its objects; it hears nothing afterwards and may not look."""
    room = alice.room(bob.identity)
    sid = sid_of(room)
    bob.follow("map", mine(bob))
    bob.follow("document", f"{sid}.channel")
    bob.follow("list", f"{sid}.messages")
    alice.follow("map", f"{sid}.roster")
    assert bob.delete(f"{room}/Participants/{bob.identity}").status == 204
    assert alice.event("map_item_removed").payload["events"][0]["item_data"]["identity"] == bob.identity
    alice.say(room, "bob is gone")
    assert names(bob.barrier()) == ["map_item_removed", "document_removed", "list_removed"]
    assert bob.get(f"/v3/Lists/{sid}.messages").code == 54007
    assert bob.post(f"{room}/Messages", {"body": "still here"}).code == 50430
    assert bob.delete(f"{room}/Participants/{bob.identity}").code == 50430


def test_removing_by_sid_and_again(alice: Peer, bob: Peer) -> None:
    """A participant is removed by sid; a second time there is nobody; added again, its read horizon is new."""
    room = alice.room(bob.identity)
    roster = {item["data"]["identity"]: item["key"] for item in alice.items("map", f"{sid_of(room)}.roster")}
    alice.say(room)
    assert bob.post(f"{bob.link('my_conversations')}/{sid_of(room)}", {"last_read_message_index": 0}).status == 200
    assert alice.delete(f"{room}/Participants/{roster[bob.identity]}").status == 204
    gone = alice.delete(f"{room}/Participants/{roster[bob.identity]}")
    assert (gone.status, gone.code) == (404, 50432)
    assert alice.post(f"{room}/Participants", {"identity": bob.identity}).status == 201
    assert bob.items("map", mine(bob))[0]["data"]["lastConsumedMessageIndex"] is None


# -- messages ----------------------------------------------------------------------------------------------------------------


def test_sending_adds_an_item_and_moves_last_message(alice: Peer, bob: Peer) -> None:
    """A message is a list item whose index is its own, followed by the document's last message."""
    room = alice.room(bob.identity)
    sid = sid_of(room)
    bob.follow("list", f"{sid}.messages")
    bob.follow("document", f"{sid}.channel")
    sent = alice.say(room, "héllo", attributes='{"n":1}', subject="s")
    added, updated = bob.barrier()
    event = added.payload["events"][0]
    assert (event["id"], event["item_index"], event["item_revision"], event["list_revision"]) == (0, 0, "0", "1")
    data = event["item_data"]
    assert (data["sid"], data["text"], data["author"], data["subject"]) == (sent["sid"], "héllo", alice.identity, "s")
    assert (data["memberSid"], data["attributes"], data["type"]) == (sent["participant_sid"], '{"n":1}', "text")
    assert data["timestamp"] == data["dateUpdated"]
    assert (data["lastUpdatedBy"], data["contentSid"]) == (None, None)
    last = updated.payload["events"][0]["document_data"]["lastMessage"]
    assert last == {"index": 0, "timestamp": data["timestamp"], "sid": sent["sid"], "author": alice.identity}
    assert added.message_type == "com.twilio.rtd.cds.list"
    assert updated.message_type == "com.twilio.rtd.cds.document"


def test_editing(alice: Peer) -> None:
    """A new body names its editor and moves the date; new attributes leave the editor as it was."""
    room = alice.room()
    sent = alice.say(room, "a")
    url = f"{room}/Messages/{sent['sid']}"
    alice.follow("list", f"{sid_of(room)}.messages")
    assert alice.post(url, {"attributes": '"x"'}).status == 200
    first = alice.event("list_item_updated").payload["events"][0]["item_data"]
    assert (first["text"], first["attributes"], first["lastUpdatedBy"]) == ("a", '"x"', None)
    assert alice.post(url, {"body": ""}).status == 200
    second = alice.event("list_item_updated").payload["events"][0]["item_data"]
    assert (second["text"], second["attributes"], second["lastUpdatedBy"]) == ("", '"x"', alice.identity)
    assert second["dateUpdated"] >= first["dateUpdated"] >= second["timestamp"]


def test_deleting_moves_last_message_back(alice: Peer) -> None:
    """Deleting the newest message makes the one before it the last; indexes are not used again; the last of all clears it."""
    room = alice.room()
    urls = [f"{room}/Messages/{alice.say(room, text)['sid']}" for text in ("a", "b")]
    assert alice.delete(urls[1]).status == 204
    assert document(alice, room)["lastMessage"]["index"] == 0
    assert alice.say(room, "c")["index"] == 2
    gone = alice.post(urls[1], {"body": "zombie"})
    assert (gone.status, gone.code) == (404, 50500)
    assert [item["index"] for item in alice.items("list", f"{sid_of(room)}.messages")] == [0, 2]
    alice.delete(urls[0])
    alice.delete(f"{room}/Messages/{alice.items('list', f'{sid_of(room)}.messages')[0]['data']['sid']}")
    assert document(alice, room)["lastMessage"] is None


def test_other_peoples_messages(alice: Peer, bob: Peer) -> None:
    """A member may not touch another's message; the creator, who is admin, may."""
    room = alice.room(bob.identity)
    of_alice, of_bob = alice.say(room)["sid"], bob.say(room)["sid"]
    for answer in (
        bob.post(f"{room}/Messages/{of_alice}", {"body": "x"}),
        bob.post(f"{room}/Messages/{of_alice}", {"attributes": "{}"}),
        bob.delete(f"{room}/Messages/{of_alice}"),
        bob.delete(room),
    ):
        assert (answer.status, answer.code) == (403, 50107)
    assert alice.post(f"{room}/Messages/{of_bob}", {"body": "moderated"}).body["body"] == "moderated"
    assert alice.delete(f"{room}/Messages/{of_bob}").status == 204


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (50503, {}),
        (50503, {"body": 5}),
        (50504, {"body": "ü" * (limits.BODY // 2 + 1)}),
        (50304, {"body": "x", "attributes": "{'a'}"}),
        (50303, {"body": "x", "attributes": json.dumps("x" * limits.MESSAGE_ATTRIBUTES)}),
        (50507, {"body": "x", "media_sids": ["ME" + "0" * 32]}),
        (50510, {"body": "x", "media_sids": "ME"}),
        (50526, {"content_sid": "HX"}),
    ],
)
def test_bad_messages(alice: Peer, code: int, body: dict[str, Any]) -> None:
    """Each fault has its code, and no index is used up."""
    room = alice.room()
    assert alice.post(f"{room}/Messages", body).code == code
    assert alice.say(room, "ü" * (limits.BODY // 2))["index"] == 0


def test_small_resources_of_messages(alice: Peer) -> None:
    """Receipts and recipients are empty, channel metadata is not found, a message can be fetched."""
    room = alice.room()
    sent = alice.say(room)
    url = f"{room}/Messages/{sent['sid']}"
    assert alice.get(url).body == sent
    end = {"next_token": None, "previous_token": None}
    assert alice.get(f"{url}/Receipts").body == {"delivery_receipts": [], "meta": end}
    assert alice.get(f"{room}/MessageRecipients?MessageSid={sent['sid']}").body == {"message_recipients": [], "meta": end}
    metadata = alice.get(f"{url}/ChannelMetadata")
    assert (metadata.status, metadata.code, metadata.body["status"]) == (404, 50530, 404)
    assert alice.get("/Client/v2/ContentTemplates?PageSize=100").body.keys() == {"templates", "meta"}


# -- reading -----------------------------------------------------------------------------------------------------------------


def test_read_horizon(alice: Peer, bob: Peer) -> None:
    """A horizon shows in one's own list and to others in the roster; the answer counts what is unread."""
    room = alice.room(bob.identity)
    for _ in range(3):
        alice.say(room)
    url = f"{bob.link('my_conversations')}/{sid_of(room)}"
    assert bob.get(url).body["unread_messages_count"] is None
    alice.follow("map", f"{sid_of(room)}.roster")
    bob.follow("map", mine(bob))
    answer = bob.post(url, {"last_read_message_index": 1})
    assert (answer.body["unread_messages_count"], answer.body["last_read_message_index"]) == (1, 1)
    data = alice.event("map_item_updated").payload["events"][0]["item_data"]
    assert data["lastConsumedMessageIndex"] == 1
    assert isinstance(data["lastConsumptionTimestamp"], int)
    assert data["dateUpdated"] == data["dateCreated"]
    assert bob.event("map_item_updated").payload["events"][0]["item_data"]["lastConsumedMessageIndex"] == 1
    assert bob.get(url).body["unread_messages_count"] == 1
    assert bob.post(url, {"last_read_message_index": None}).body["unread_messages_count"] == 3
    assert bob.get(url).body["unread_messages_count"] is None


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (50421, {"last_read_message_index": "1"}),
        (50421, {"last_read_message_index": -1}),
        (50421, {"last_read_message_index": True}),
        (50210, {"notification_level": "loud"}),
        (50210, {"notification_level": None}),
    ],
)
def test_bad_reading(alice: Peer, code: int, body: dict[str, Any]) -> None:
    """A malformed horizon or level is refused."""
    assert alice.post(f"{alice.link('my_conversations')}/{sid_of(alice.room())}", body).code == code


def test_notification_level_is_private(alice: Peer, bob: Peer) -> None:
    """The level shows in one's own list only."""
    room = alice.room(bob.identity)
    alice.follow("map", f"{sid_of(room)}.roster")
    assert bob.post(f"{bob.link('my_conversations')}/{sid_of(room)}", {"notification_level": "muted"}).status == 200
    assert bob.items("map", mine(bob))[0]["data"]["notificationLevel"] == "muted"
    assert alice.barrier() == []


def test_listing_my_conversations_in_pages(connect: Connect) -> None:
    """All of one's conversations and no others, 100 to a page, each with what a client needs to open it."""
    alice, bob = connect("alice"), connect("bob")
    rooms = {sid_of(alice.room()) for _ in range(103)}
    bob.room(alice.identity)
    first = alice.get(alice.link("my_conversations")).body
    second = alice.get(f"{alice.link('my_conversations')}?PageToken={first['meta']['next_token']}").body
    assert len(first["conversations"]) == 100
    assert second["meta"]["next_token"] is None
    listed = [entry["conversation_sid"] for entry in first["conversations"] + second["conversations"]]
    assert len(listed) == len(set(listed)) == 104
    assert rooms < set(listed)
    entry = first["conversations"][0]
    assert entry["sync_objects"]["participants"] == f"{entry['conversation_sid']}.roster"
    assert alice.get(f"{alice.link('my_conversations')}?PageToken=%25%25").code == 20001


# -- users and typing --------------------------------------------------------------------------------------------------------


def test_users(alice: Peer, bob: Peer) -> None:
    """A user changes its own name and attributes, everybody may read them, nobody else may change them."""
    own = alice.get(f"{alice.link('users')}/{alice.identity}").body
    assert (own["friendly_name"], own["attributes"], own["is_online"]) == (None, "{}", None)
    root = bob.follow("map", own["sync_objects"]["user_info_map"])
    assert root["last_event_id"] == 1
    assert alice.post(f"{alice.link('users')}/{alice.identity}", {"friendly_name": "Alice ☃"}).status == 200
    event = bob.event("map_item_updated").payload["events"][0]
    assert (event["item_key"], event["item_data"]) == ("friendlyName", {"value": "Alice ☃"})
    assert alice.post(f"{alice.link('users')}/{own['sid']}", {"attributes": '{"a":1}'}).body["attributes"] == '{"a":1}'
    refused = bob.post(f"{bob.link('users')}/{alice.identity}", {"friendly_name": "Mallory"})
    assert (refused.status, refused.code) == (403, 50107)
    assert bob.get(f"{bob.link('users')}/nobody-at-all").code == 50200
    assert alice.post(f"{alice.link('users')}/{alice.identity}", {"attributes": "x"}).code == 50304


def test_typing_reaches_the_others(alice: Peer, bob: Peer, connect: Connect) -> None:
    """Other members who are online are told, on all their connections; the sender and outsiders are not."""
    room = alice.room(bob.identity)
    second, carol = connect(identity=bob.identity), connect("carol")
    answer = alice.request("POST", alice.link("typing"), form=f"ChannelSid={sid_of(room)}")
    assert (answer.status, answer.body) == (200, {"typing_timeout": 5})
    for peer in (bob, second):
        (told,) = peer.barrier()
        assert told.message_type == "twilio.ipmsg.typing_indicator"
        assert told.payload == {"channel_sid": sid_of(room), "identity": alice.identity, "typing_timeout": 6}
    assert alice.barrier() == carol.barrier() == []
    assert carol.request("POST", carol.link("typing"), form=f"ChannelSid={sid_of(room)}").code == 50430
    assert carol.request("POST", carol.link("typing"), form="ChannelSid=CHnothing").code == 50350
    assert carol.request("POST", carol.link("typing"), form="a").code == 50350
