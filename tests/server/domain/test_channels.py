"""The world outside: who is in a conversation by SMS, WhatsApp or e-mail, what they write, and how what they are sent fares."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.server.domain.test_conversations import document, sid_of
from tests.server.peer import TIMEOUT, Peer
from twilio_conversations.server import InboundMedia, LocalServer

Fresh = Callable[[str], str]
NONE = {"sent": "none", "delivered": "none", "read": "none", "failed": "none", "undelivered": "none"}


@pytest.fixture(autouse=True)
def _calm(service: LocalServer) -> Iterator[None]:
    yield
    service.configure(delivery="at_once")


def add_non_chat(peer: Peer, room: str, address: str, proxy: str, **binding: Any) -> dict[str, Any]:
    """Add somebody outside; the participant."""
    body = {"messaging_binding": {"address": address, "proxy_address": proxy, **binding}, "attributes": "{}"}
    answer = peer.post(f"{room}/Participants", body)
    assert answer.status == 201, answer.body
    return dict(answer.body)


def latest(peer: Peer, room: str) -> dict[str, Any]:
    """The newest message as the list has it."""
    return dict(peer.items("list", f"{sid_of(room)}.messages", Order="desc", PageSize=1)[0]["data"])


def test_bindings_in_roster_and_answer(alice: Peer, fresh: Fresh) -> None:
    """Each kind of address is told by type and binding, in the answer and in the roster."""
    room = alice.room()
    number = fresh("+1555")
    for address, proxy, kind, binding in (
        (number, "+15550000", "sms", {}),
        (f"whatsapp:{number}", "whatsapp:+15550000", "whatsapp", {}),
        (f"{number}@example.com", "help@example.com", "email", {"name": "Eve", "level": "cc"}),
    ):
        made = add_non_chat(alice, room, address, proxy, **binding)
        expected = {"address": address, "proxy_address": proxy, **binding}
        assert made["messaging_binding"] == {"type": kind, **expected}
        assert made["identity"] is None
        (item,) = alice.items("map", f"{sid_of(room)}.roster", Key=made["sid"])
        assert (item["data"]["type"], item["data"]["identity"]) == (kind, None)
        assert item["data"]["bindings"] == {kind: expected}


def test_inbound_becomes_a_message_of_that_participant(service: LocalServer, alice: Peer, fresh: Fresh) -> None:
    """What somebody outside writes is announced as a message of that participant, with its channel's metadata."""
    room, number = alice.room(), fresh("whatsapp:+1555")
    made = add_non_chat(alice, room, number, "whatsapp:+15550000")
    alice.follow("list", f"{sid_of(room)}.messages")
    metadata = {"type": "whatsapp", "data": {"profileName": "Eve"}}
    message = service.receive(number, "whatsapp:+15550000", "Hello", channel_metadata=metadata)
    data = alice.event("list_item_added").payload["events"][0]["item_data"]
    assert (data["sid"], data["author"], data["memberSid"], data["text"]) == (message["sid"], number, made["sid"], "Hello")
    assert data["channelMetadata"] is True
    assert "delivery" not in data
    assert alice.get(f"{room}/Messages/{message['sid']}/ChannelMetadata").body == metadata
    assert document(alice, room)["lastMessage"]["index"] == 0
    plain = alice.say(room)
    assert alice.get(f"{room}/Messages/{plain['sid']}/ChannelMetadata").code == 50530


def test_inbound_with_media_and_email_bodies(service: LocalServer, alice: Peer, fresh: Fresh) -> None:
    """Media, bodies and histories come as media of their category, and their content can be fetched."""
    room, address = alice.room(), fresh("eve") + "@example.com"
    add_non_chat(alice, room, address, "help@example.com")
    service.receive(
        address,
        "help@example.com",
        subject="Help",
        media=[InboundMedia(b"\x89PNG", "image/png", "a.png")],
        email_body={"text/plain": "Hi", "text/html": "<p>Hi</p>"},
        email_history={"text/plain": "> before"},
    )
    data = latest(alice, room)
    assert (data["subject"], data["type"], data["text"]) == ("Help", "media", None)
    kinds = [(entry["category"], entry["contentType"], entry["filename"], entry["size"]) for entry in data["medias"]]
    assert kinds == [
        ("media", "image/png", "a.png", 4),
        ("body", "text/plain", None, 2),
        ("body", "text/html", None, 9),
        ("history", "text/plain", None, 8),
    ]
    url = f"{alice.link('media_service')}/{data['medias'][2]['sid']}"
    record = requests.get(url, headers={"X-Twilio-Token": service.token(alice.identity)}, timeout=TIMEOUT).json()
    assert requests.get(record["links"]["content_direct_temporary"], timeout=TIMEOUT).content == b"<p>Hi</p>"


def test_nobody_at_that_address(service: LocalServer, alice: Peer, fresh: Fresh) -> None:
    """A pair of addresses that nobody has is refused; so is an empty message."""
    room, number = alice.room(), fresh("+1555")
    add_non_chat(alice, room, number, "+15550000")
    with pytest.raises(ValueError, match="20404"):
        service.receive(number, "+15550001", "Hello")
    with pytest.raises(ValueError, match="50503"):
        service.receive(number, "+15550000")
    media = [{"content_type": "a/b", "content": "?"}]
    with pytest.raises(ValueError, match="base64"):
        service.perform("POST", "receive", {"address": number, "proxy_address": "+15550000", "media": media})


def test_outbound_is_delivered_at_once(service: LocalServer, alice: Peer, bob: Peer, fresh: Fresh) -> None:
    """A message goes out to everybody outside; it is queued, sent and delivered, each an event, and has receipts."""
    room, first, second = alice.room(bob.identity), fresh("+1555"), fresh("+1556")
    members = [add_non_chat(alice, room, number, "+15550000")["sid"] for number in (first, second)]
    alice.follow("list", f"{sid_of(room)}.messages")
    message = alice.say(room, "Hi all")
    added = alice.event("list_item_added").payload["events"][0]["item_data"]
    assert added["delivery"] == {**NONE, "total": 2}
    updates = [alice.event("list_item_updated").payload["events"][0]["item_data"]["delivery"] for _ in range(2)]
    assert updates == [{**NONE, "total": 2, "sent": "all"}, {**NONE, "total": 2, "sent": "all", "delivered": "all"}]
    assert message["delivery"] == updates[1]
    receipts = alice.get(f"{room}/Messages/{message['sid']}/Receipts").body["delivery_receipts"]
    assert sorted(receipt["participant_sid"] for receipt in receipts) == sorted(members)
    assert {(r["status"], r["error_code"], r["message_sid"], r["conversation_sid"]) for r in receipts} == {
        ("delivered", 0, message["sid"], sid_of(room))
    }
    assert [sent["body"] for sent in service.sent(first)] == ["Hi all"]
    assert {sent["channel_message_sid"][:2] for sent in service.sent() if sent["message_sid"] == message["sid"]} == {"SM"}


def test_chat_alone_has_no_delivery(alice: Peer, bob: Peer) -> None:
    """Among chat participants there is nothing to deliver."""
    room = alice.room(bob.identity)
    message = alice.say(room)
    assert message["delivery"] is None
    assert "delivery" not in latest(bob, room)
    assert alice.get(f"{room}/Messages/{message['sid']}/Receipts").body["delivery_receipts"] == []


def test_delivery_on_command(service: LocalServer, alice: Peer, fresh: Fresh) -> None:
    """When asked for, messages stay queued until told; each receipt has a status and an error of its own."""
    room, first, second = alice.room(), fresh("+1555"), fresh("+1556")
    for number in (first, second):
        add_non_chat(alice, room, number, "+15550000")
    service.configure(delivery="on_command")
    message = alice.say(room)
    assert latest(alice, room)["delivery"] == {**NONE, "total": 2}
    service.set_delivery(message["sid"], "read", address=first)
    assert latest(alice, room)["delivery"] == {**NONE, "total": 2, "sent": "some", "delivered": "some", "read": "some"}
    changed = service.set_delivery(message["sid"], "failed", address=second, error_code=30008)
    assert changed["delivery"]["failed"] == "some"
    receipts = alice.get(f"{room}/Messages/{message['sid']}/Receipts").body["delivery_receipts"]
    assert sorted((receipt["status"], receipt["error_code"]) for receipt in receipts) == [("failed", 30008), ("read", 0)]
    service.set_delivery(message["sid"], "undelivered")
    assert latest(alice, room)["delivery"] == {**NONE, "total": 2, "sent": "all", "undelivered": "all"}
    for wrong in ({"status": "lost"}, {"status": "read", "address": "+1"}):
        with pytest.raises(ValueError, match=r"no delivery status|did not go out"):
            service.set_delivery(message["sid"], **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="50500"):
        service.set_delivery("IM" + "0" * 32, "read")


def test_receipts_come_in_pages(alice: Peer, fresh: Fresh) -> None:
    """Every receipt is on exactly one page; the last page has no token, and pages lead back."""
    room = alice.room()
    for number in range(5):
        add_non_chat(alice, room, f"{fresh('+1555')}{number}", "+15550000")
    seen: list[str] = []
    sizes: list[int] = []
    url, token = f"{room}/Messages/{alice.say(room)['sid']}/Receipts?PageSize=2", ""
    while token is not None:
        body = alice.get(url + (f"&PageToken={token}" if token else "")).body
        assert (body["meta"]["previous_token"] is not None) == bool(seen)
        seen += [receipt["sid"] for receipt in body["delivery_receipts"]]
        sizes.append(len(body["delivery_receipts"]))
        token = body["meta"]["next_token"]
    assert sizes == [2, 2, 1]
    assert len(set(seen)) == 5
    assert alice.get(f"{url}&PageToken=%25").status == 400
    assert alice.get(url.replace("=2", "=0")).status == 400


def test_message_recipients(service: LocalServer, alice: Peer, fresh: Fresh) -> None:
    """An e-mail names sender and recipients by level, in both directions; the conversation lists those of all messages."""
    room, to, cc = alice.room(), fresh("to") + "@example.com", fresh("cc") + "@example.com"
    add_non_chat(alice, room, to, "help@example.com", name="To")
    add_non_chat(alice, room, cc, "help@example.com", name="Cc", level="cc")
    sent = alice.say(room)
    received = service.receive(cc, "help@example.com", "Re")

    def named(query: str) -> list[tuple[str, str, str | None, str]]:
        body = alice.get(f"{room}/MessageRecipients{query}").body
        return [(entry["type"], entry["level"], entry["name"], entry["address"]) for entry in body["message_recipients"]]

    outgoing = [("email", "from", None, "help@example.com"), ("email", "to", "To", to), ("email", "cc", "Cc", cc)]
    incoming = [("email", "from", "Cc", cc), ("email", "to", "To", to)]
    assert named(f"?MessageSid={sent['sid']}") == outgoing
    assert named(f"?MessageSid={received['sid']}") == incoming
    assert named("") == outgoing + incoming
    page = alice.get(f"{room}/MessageRecipients?PageSize=4").body
    following = alice.get(f"{room}/MessageRecipients?PageSize=4&PageToken={page['meta']['next_token']}").body
    assert [entry["message_sid"] for entry in following["message_recipients"]] == [received["sid"]]
    assert following["meta"]["next_token"] is None
    assert named("?MessageSid=IM" + "0" * 32) == []


def test_a_deleted_message_is_forgotten_outside(service: LocalServer, alice: Peer, fresh: Fresh) -> None:
    """With a message go its receipts and recipients; so do they with the conversation."""
    room, number = alice.room(), fresh("+1555")
    add_non_chat(alice, room, number, "+15550000")
    kept, gone = alice.say(room), alice.say(room)
    assert alice.delete(f"{room}/Messages/{gone['sid']}").status == 204
    assert [sent["message_sid"] for sent in service.sent(number)] == [kept["sid"]]
    assert alice.delete(room).status == 204
    assert service.sent(number) == []


# -- states ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def own() -> Iterator[LocalServer]:
    """A service of one's own, to be moved through time."""
    with LocalServer() as server:
        yield server


def test_timers(own: LocalServer) -> None:
    """Silence makes a conversation inactive, a message wakes it and starts the timers anew, more silence closes it."""
    with Peer.connected(own, "alice") as alice:
        room = alice.room()
        own.update_conversation(sid_of(room), timers={"inactive": "PT10M", "closed": "PT1H"})
        alice.follow("document", f"{sid_of(room)}.channel")
        assert alice.get(room).body["timers"]["date_inactive"] < alice.get(room).body["timers"]["date_closed"]
        own.advance_clock(599)
        assert alice.barrier() == []
        own.advance_clock(2)
        assert alice.event("document_updated").payload["events"][0]["document_data"]["state"]["current"] == "inactive"
        assert alice.get(room).body["timers"]["date_inactive"] is None
        alice.say(room)
        assert alice.event("document_updated").payload["events"][0]["document_data"]["state"]["current"] == "active"
        own.advance_clock(3599)
        assert document(alice, room)["state"]["current"] == "inactive"
        own.advance_clock(2)
        assert document(alice, room)["state"]["current"] == "closed"
        for refused in (alice.post(f"{room}/Messages", {"body": "late"}), alice.post(room, {"friendly_name": "late"})):
            assert (refused.status, refused.code) == (400, 50377)


def test_a_timer_needs_no_command(own: LocalServer) -> None:
    """A timer runs out by itself when its time has come."""
    with Peer.connected(own, "alice") as alice:
        room = alice.room()
        own.update_conversation(sid_of(room), timers={"inactive": "PT1M"})
        alice.follow("document", f"{sid_of(room)}.channel")
        own.advance_clock(59.5)
        assert alice.event("document_updated").payload["events"][0]["document_data"]["state"]["current"] == "inactive"


def test_closing_frees_addresses(service: LocalServer, alice: Peer, fresh: Fresh) -> None:
    """A pair of addresses is one conversation's at a time; of a closed one it is free again, and nothing comes there any more."""
    number, first, second = fresh("+1555"), alice.room(), alice.room()
    add_non_chat(alice, first, number, "+15550000")
    taken = {"messaging_binding": {"address": number, "proxy_address": "+15550000"}}
    assert alice.post(f"{second}/Participants", taken).code == 50416
    service.update_conversation(sid_of(first), state="closed")
    with pytest.raises(ValueError, match="20404"):
        service.receive(number, "+15550000", "Hello?")
    add_non_chat(alice, second, number, "+15550000")
    service.receive(number, "+15550000", "Hello!")
    assert latest(alice, second)["text"] == "Hello!"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"state": "gone"}, 50378),
        ({"state": ""}, 50374),
        ({"timers": {"inactive": "PT59S"}}, 50375),
        ({"timers": {"closed": "PT9M59S"}}, 50376),
        ({"timers": {"inactive": "1 minute"}}, 50379),
        ({"timers": {"inactive": "P"}}, 50379),
        ({"timers": {"inactive": "PT"}}, 50379),
        ({"timers": {"closed": "PT"}}, 50380),
        ({"timers": {"closed": 600}}, 50380),
        ({"timers": "x"}, 20422),
    ],
)
def test_states_that_are_refused(service: LocalServer, alice: Peer, change: dict[str, Any], code: int) -> None:
    """A wrong state or timer is refused with its code and changes nothing."""
    room = alice.room()
    with pytest.raises(ValueError, match=str(code)):
        service.perform("POST", "conversation", {"conversation": sid_of(room), **change})
    assert alice.get(room).body["state"] == "active"
    assert alice.get(room).body["timers"] == {"date_inactive": None, "date_closed": None}


def test_bindings_of_a_conversation(service: LocalServer, alice: Peer) -> None:
    """Bindings are told in the document and in the answer; a closed conversation cannot be changed any more."""
    room = alice.room()
    bindings = {"email": {"name": "Help", "projected_address": "help@example.com"}, "sms": {"address": "+15550100"}}
    service.update_conversation(sid_of(room), bindings=bindings)
    assert document(alice, room)["bindings"] == bindings
    assert alice.get(room).body["bindings"] == bindings
    service.update_conversation(sid_of(room), state="closed")
    with pytest.raises(ValueError, match="50377"):
        service.update_conversation(sid_of(room), state="active")


# -- content templates -------------------------------------------------------------------------------------------------------


def test_templates_come_in_pages(service: LocalServer, alice: Peer, fresh: Fresh) -> None:
    """Every template is on exactly one page, as it was seeded; the last page's token is null."""
    variants = {"twilio/text": {"body": "Hi {{1}}"}, "twilio/other": {"x": [1]}}
    entries = [{"friendly_name": fresh("hi"), "variables": {"1": "you"}, "variants": variants} for _ in range(3)]
    made = service.seed({"templates": entries})["templates"]
    found, token = [], ""
    while token is not None:
        body = alice.get("/Client/v2/ContentTemplates?PageSize=2" + (f"&PageToken={token}" if token else "")).body
        assert len(body["templates"]) <= 2
        found += body["templates"]
        token = body["meta"]["next_token"]
    mine = {template["sid"]: template for template in found if template["sid"] in made}
    assert len(found) == len({template["sid"] for template in found})
    assert set(mine) == set(made)
    assert mine[made[0]]["variants"] == variants
    assert json.loads(mine[made[0]]["variables"]) == {"1": "you"}


def test_a_message_from_a_template(service: LocalServer, alice: Peer, bob: Peer) -> None:
    """Text and rich content are made with the values given, or else the defaults; text and media of the sender do not count."""
    card = {"title": "{{name}}", "actions": [{"type": "URL", "title": "Go", "url": "https://example.com/{{1}}"}]}
    variants = {"twilio/text": {"body": "Hi {{name}}, {{1}} {{none}}"}, "twilio/card": card}
    (sid,) = service.seed({"templates": [{"variables": {"name": "you", "1": "a"}, "variants": variants}]})["templates"]
    room = alice.room(bob.identity)
    alice.say(room, "ignored", content_sid=sid, content_variables='{"name":"Bob"}')
    data = latest(bob, room)
    assert (data["text"], data["contentSid"]) == ("Hi Bob, a {{none}}", sid)
    (medium,) = data["medias"]
    assert (medium["category"], medium["contentType"]) == ("body", "application/x-vnd.com.twilio.rich.twilio.card")
    url = f"{bob.link('media_service')}/{medium['sid']}"
    record = requests.get(url, headers={"X-Twilio-Token": service.token(bob.identity)}, timeout=TIMEOUT).json()
    rich = requests.get(record["links"]["content_direct_temporary"], timeout=TIMEOUT).json()
    assert rich["data"] == {"title": "Bob", "actions": [{"type": "URL", "title": "Go", "url": "https://example.com/a"}]}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"content_sid": "HX1"}, 50526),
        ({"content_variables": "{}"}, 50528),
        ({"content_sid": "HX" + "0" * 32, "content_variables": "{"}, 50527),
        ({"content_sid": "HX" + "0" * 32, "content_variables": '{"1":1}'}, 50527),
        ({"content_sid": "HX" + "0" * 32, "content_variables": json.dumps({str(n): "" for n in range(101)})}, 50529),
        ({"content_sid": "HX" + "0" * 32, "content_variables": json.dumps({"k" * 17: ""})}, 50540),
        ({"content_sid": "HX" + "0" * 32, "content_variables": json.dumps({"k": "v" * 257})}, 50541),
    ],
)
def test_template_faults(alice: Peer, fields: dict[str, Any], code: int) -> None:
    """Each fault of a template's sid and variables has its code."""
    assert alice.post(f"{alice.room()}/Messages", {"body": "hi", **fields}).code == code
