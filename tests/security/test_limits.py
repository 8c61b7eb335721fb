"""Twilio's limits: the largest that is allowed passes and is kept, one more is refused with its code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import requests

from tests.server.peer import TIMEOUT, Answer, Peer, new_id
from twilio_conversations.server import LocalServer
from twilio_conversations.server.auth import MAX_TOKEN
from twilio_conversations.server.http.plain import MAX_BODY
from twilio_conversations.server.storage.writer import MAX_MUTATION_ID
from twilio_conversations.server.uvicorn_server import MAX_FRAME
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import RestCall

Command = Callable[[Peer, str], Answer]


def text(size: int) -> str:
    """So many characters, most of which are more than one byte, or one of UTF-16's."""
    return ("x☃\U0001f35c" * size)[:size]


def attributes(size: int) -> str:
    """JSON of so many UTF-8 bytes."""
    return json.dumps("ü" * ((size - 2) // 2) + "x" * (size % 2), ensure_ascii=False)


def body(size: int) -> str:
    """Text of so many UTF-8 bytes."""
    return "ü" * (size // 2) + "x" * (size % 2)


def address(size: int) -> str:
    """An e-mail address of so many characters."""
    return "a" * (size - 5) + "@b.cd"


def binding(**changes: str) -> dict[str, Any]:
    """Somebody outside."""
    return {"messaging_binding": {"address": "x@example.com", "proxy_address": "y@example.com", **changes}}


def with_mutation(peer: Peer, mutation: str) -> Answer:
    """A message under a mutation id."""
    return peer.post(f"{peer.room()}/Messages", {"body": "x"}, mutation=mutation)


@attrs.frozen
class Limit:
    """A limit of `size`: what makes a value of a size, the command that carries it, where the answer repeats it, and the code."""

    size: int
    value: Callable[[int], str]
    command: Command
    field: str | None
    code: int


def conversation(field: str) -> Command:
    """Make a conversation with that field."""
    return lambda peer, value: peer.post(peer.link("conversations"), {field: value})


def renaming(field: str) -> Command:
    """Change a conversation's field."""
    return lambda peer, value: peer.post(peer.room(), {field: value})


def message(field: str) -> Command:
    """Send a message with that field."""
    return lambda peer, value: peer.post(f"{peer.room()}/Messages", {"body": "x", field: value})


def edit(field: str) -> Command:
    """Change a message's field."""
    return lambda peer, value: peer.post(peer.say(peer.room())["url"], {field: value})


def participant(make: Callable[[str], dict[str, Any]]) -> Command:
    """Add somebody."""
    return lambda peer, value: peer.post(f"{peer.room()}/Participants", make(value))


def user(field: str) -> Command:
    """Change oneself."""
    return lambda peer, value: peer.post(f"{peer.link('users')}/{peer.identity}", {field: value})


LIMITS = {
    "friendly name": Limit(256, text, conversation("friendly_name"), "friendly_name", 50003),
    "friendly name, changed": Limit(256, text, renaming("friendly_name"), "friendly_name", 50003),
    "unique name": Limit(256, text, conversation("unique_name"), "unique_name", 50004),
    "attributes of a conversation": Limit(16 * 1024, attributes, conversation("attributes"), "attributes", 50303),
    "attributes of a conversation, changed": Limit(16 * 1024, attributes, renaming("attributes"), "attributes", 50303),
    "body": Limit(32 * 1024, body, message("body"), "body", 50504),
    "body, changed": Limit(32 * 1024, body, edit("body"), "body", 50504),
    "attributes of a message": Limit(4 * 1024, attributes, message("attributes"), "attributes", 50303),
    "attributes of a message, changed": Limit(4 * 1024, attributes, edit("attributes"), "attributes", 50303),
    "subject": Limit(256, text, message("subject"), "subject", 20422),
    "identity": Limit(256, text, participant(lambda value: {"identity": value}), "identity", 50207),
    "attributes of a participant": Limit(
        4 * 1024, attributes, participant(lambda value: {"identity": "x", "attributes": value}), "attributes", 50303
    ),
    "address": Limit(256, address, participant(lambda value: binding(address=value)), None, 50407),
    "proxy address": Limit(256, address, participant(lambda value: binding(proxy_address=value)), None, 50408),
    "friendly name of a user": Limit(256, text, user("friendly_name"), "friendly_name", 50003),
    "attributes of a user": Limit(4 * 1024, attributes, user("attributes"), "attributes", 50303),
    "mutation id": Limit(MAX_MUTATION_ID, lambda size: "m" * size, with_mutation, None, 20001),
}


@pytest.mark.parametrize("name", LIMITS)
def test_at_the_limit_and_beyond(alice: Peer, fresh: Callable[[str], str], name: str) -> None:
    """At the limit the value is kept as it was given, in full; one more is refused with its code."""
    limit = LIMITS[name]
    largest, too_large = limit.value(limit.size), limit.value(limit.size + 1)
    if name == "unique name":
        largest = (fresh("u") + largest)[: limit.size]
    answer = limit.command(alice, largest)
    assert answer.status in (200, 201), answer.body
    if limit.field is not None:
        assert answer.body[limit.field] == largest
    refused = limit.command(alice, too_large)
    assert (refused.status, refused.code) == (400, limit.code)


def test_numbers_of_participants() -> None:
    """Participants, those outside among them, and conversations per person are limited by settings; Twilio's are the defaults."""
    with LocalServer() as own, Peer.connected(own, "alice") as alice:
        defaults = own.configure()
        names = ("participants_limit", "non_chat_participants_limit", "conversations_per_identity_limit")
        assert [defaults[name] for name in names] == [1000, 50, 1000]
        own.configure(participants_limit=3, non_chat_participants_limit=1, conversations_per_identity_limit=1)
        room = alice.room()
        assert alice.post(f"{room}/Participants", binding()).status == 201
        assert alice.post(f"{room}/Participants", binding(address="z@example.com")).code == 50418
        assert alice.post(f"{room}/Participants", {"identity": "bob"}).status == 201
        assert alice.post(f"{room}/Participants", {"identity": "carol"}).code == 50417
        other = alice.post(alice.link("conversations"), {}).body
        assert alice.post(other["links"]["participants"], {"identity": "alice"}).code == 50214


def test_content_variables(alice: Peer) -> None:
    """A hundred variables, names of 16 and values of 256 characters pass; one more of each is refused by its own code."""
    room, sid = alice.room(), "HX" + "0" * 32

    def code(variables: dict[str, str]) -> int | None:
        return alice.post(f"{room}/Messages", {"content_sid": sid, "content_variables": json.dumps(variables)}).code

    fine = code({str(number): "" for number in range(100)})
    assert fine == code({"k" * 16: text(256)})
    assert fine not in (50527, 50529, 50540, 50541)
    assert code({str(number): "" for number in range(101)}) == 50529
    assert code({"k" * 17: ""}) == 50540
    assert code({"k": text(257)}) == 50541


def test_plain_http(service: LocalServer, alice: Peer) -> None:
    """Bodies, headers and tokens over plain HTTP are bounded; what is beyond is refused, and the service serves on."""
    url, headers = alice.link("conversations"), {"X-Twilio-Token": service.token(alice.identity)}
    largest = b" " * (MAX_BODY - 2) + b"{}"
    assert requests.post(url, data=largest, headers=headers, timeout=TIMEOUT).status_code == 201
    too_large = requests.post(url, data=largest + b" ", headers=headers, timeout=TIMEOUT)
    assert (too_large.status_code, too_large.json()["code"]) == (413, 20413)
    bad = requests.get(url, headers={"X-Twilio-Token": "x" * (MAX_TOKEN + 1)}, timeout=TIMEOUT)
    assert (bad.status_code, bad.json()["code"]) == (401, 20101)
    for target, extra in ((url, {"X": "y" * 200_000}), (f"{url}/{'x' * 200_000}", {})):
        try:
            status = requests.get(target, headers=headers | extra, timeout=TIMEOUT).status_code
        except requests.RequestException:
            continue  # it hung up on what it did not want to read
        assert 400 <= status < 500
    assert alice.get("/Client/v2/Configuration").status == 200


def test_frames(alice: Peer, bob: Peer) -> None:
    """A frame at the limit is answered; one byte more ends its own connection, and only that."""
    room = alice.room()
    request = HttpRequest("POST", "h", room.partition(alice.server.url)[2] + "/Messages", body=b'{"body":"x"}')

    def frame(size: int) -> bytes:
        bare = len(RestCall("F", request).encode())
        padded = attrs.evolve(request, body=b" " * (size - bare - 8) + request.body)
        data = RestCall("F", padded).encode()
        grown = attrs.evolve(padded, body=b" " * (size - len(data)) + padded.body)
        return RestCall("F", grown).encode()

    assert len(frame(MAX_FRAME)) == MAX_FRAME
    alice.send_bytes(frame(MAX_FRAME))
    assert alice.reply_to("F").status.ok
    alice.send_bytes(frame(MAX_FRAME + 1))
    with pytest.raises((ConnectionError, OSError)):
        alice.expect(lambda packet: False)
    packet = RestCall(new_id(), HttpRequest("GET", "h", "/Client/v2/Configuration"))
    bob.send(packet)
    assert bob.reply_to(packet.id).status.ok
