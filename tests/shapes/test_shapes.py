"""Every shape that the cloud was seen to use is read: each file of this folder is a test, and a new file is a new one.

A file holds `kind` (how it reaches the client), what reaches it, and `expect`; `about` says where such a thing was seen. Names,
texts and ids are ours.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.sealed_tokens import sealed
from tests.sync.driven import Driven as SyncDriven
from tests.sync.driven import Watcher
from tests.sync.model_service import Answer, Stored
from tests.wire.driven import Driven
from twilio_conversations import tokens
from twilio_conversations.errors import ProtocolError
from twilio_conversations.sync.handle import Handle
from twilio_conversations.values.configuration import Configuration
from twilio_conversations.values.conversation import ConversationData
from twilio_conversations.values.message import MessageData
from twilio_conversations.values.participant import ParticipantData
from twilio_conversations.wire import packets
from twilio_conversations.wire.decoding import decode
from twilio_conversations.wire.packets import Init, Notification, Reply

FILES = sorted(Path(__file__).parent.glob("*.json"))
Shape = dict[str, Any]


# Frames


def frame_of(shape: Shape) -> bytes:
    """The bytes of a frame; some services put a line end after the payload, which `payload_size` does not count."""
    text = shape.get("text")
    payload = text.encode() if text is not None else json.dumps(shape["payload"]).encode() if "payload" in shape else b""
    head = json.dumps({**shape["header"], "payload_size": len(payload)}).encode()
    return b"TWILSOCK V3.0 %d\r\n%s\r\n%s%s" % (len(head), head, payload, b"\r\n" if shape["crlf"] else b"")


def read_frame(shape: Shape) -> None:
    """It is the packet that it should be, and has the effect that it should have."""
    packet = decode(frame_of(shape))
    expect = shape["expect"]
    assert type(packet) is getattr(packets, expect["packet"])
    if isinstance(packet, Reply):
        read_reply(packet, shape)
    if "leads_to" in expect:
        assert led_to(packet, shape) == expect["leads_to"]
    if isinstance(packet, Notification):
        read_notification(packet, shape)


def read_reply(reply: Reply, shape: Shape) -> None:
    """Its outcome, its body and its headers, whose names the proxies of the service spell in their own ways."""
    expect = shape["expect"]
    assert reply.ok is expect["ok"]
    for name, value in shape["header"].get("http_headers", {}).items():
        assert reply.http_headers[name.lower()] == value
    if "request_id" in expect:
        assert reply.request_id == expect["request_id"]
    if "text" in expect:
        with pytest.raises(ProtocolError):
            reply.json()
    else:
        assert reply.json() == shape.get("payload")
    if "root" in expect:
        read_root(expect["root"]["kind"], shape["payload"], expect["root"])


def led_to(packet: Any, shape: Shape) -> str:
    """The phase of a session that receives the packet: as the answer to its init, or later."""
    driven = Driven()
    if shape["expect"].get("answers_init"):
        driven.connect()
        driven.open()
        packet = attrs.evolve(packet, id=driven.last(Init).id)
    else:
        driven.up()
    driven.receive(packet)
    if shape["expect"].get("acknowledged"):
        assert driven.last(Reply).id == packet.id
    return driven.phase.value


def read_notification(notification: Notification, shape: Shape) -> None:
    """An event is told, an established subscription ends its wait."""
    expect = shape["expect"]
    if "establishes" in expect:
        driven = SyncDriven()
        driven.service.silent = True
        payload = notification.payload
        entity = opened_object(driven, expect["establishes"], payload["event"]["object_sid"], 0, Watcher())
        assert not entity.established
        driven.say({**payload, "correlation_id": driven.service.pokes[-1]["correlation_id"]}, notification.message_type)
        assert entity.established
    else:
        told(expect, [(notification.message_type, notification.payload)])


def opened_object(driven: SyncDriven, kind: str, sid: str, head: int, watcher: Watcher) -> Handle:
    """An object of the service's, with that sid and that newest event, which is open."""
    driven.service.objects[sid] = Stored(kind, "object", sid, head)
    future = driven.begin_open(kind, "object", watcher)
    driven.run(1)
    return future.result()


def told(expect: Shape, notifications: list[tuple[str, Any]], kind: str = "map", start: int = 0) -> None:
    """The changes that are reported of an object when the notifications come, and its newest event."""
    events = notifications[0][1].get("events") or [notifications[0][1]["event"]]
    driven, watcher = SyncDriven(), Watcher()
    entity = opened_object(driven, kind, events[0][f"{kind}_sid"], start, watcher)
    for message_type, payload in notifications:
        driven.say(payload, message_type)
    assert [[type(change).__name__, operator.attrgetter("key")(change)] for change in watcher.changes] == expect["tells"]
    if "event_id" in expect:
        assert entity.event_id == expect["event_id"]


def read_trace(shape: Shape) -> None:
    """Events as they came one after the other."""
    kind = shape["object"]
    message_type = f"com.twilio.rtd.cds.{kind}"
    told(shape["expect"], [(message_type, payload) for payload in shape["events"]], kind, shape["from_id"])


# Bodies


def read_root(kind: str, body: Shape, expect: Shape) -> None:
    """A Sync object is opened whose state the service describes so."""
    driven = SyncDriven()
    driven.service.faults.append(Answer(200, body))
    future = driven.begin_open(kind, body["unique_name"])
    driven.run(1)
    entity = future.result()
    assert (entity.sid, entity.event_id) == (body["sid"], expect["last_event_id"])
    if kind == "document":
        assert entity.data == expect["data"]


BODIES: dict[str, Callable[[Any], Any]] = {
    "configuration": Configuration.parse,
    "conversation": lambda body: ConversationData().with_document(body),
    "message": MessageData.parse,
    "participant": ParticipantData.parse,
    "participant_rest": ParticipantData.from_rest,
}


def read_body(shape: Shape) -> None:
    """What the models take from it."""
    if shape["read_as"].startswith("root_"):
        read_root(shape["read_as"].removeprefix("root_"), shape["body"], shape["expect"])
        return
    found = BODIES[shape["read_as"]](shape["body"])
    for path, value in shape["expect"].items():
        assert plain(operator.attrgetter(path)(found)) == value, path


def plain(value: Any) -> Any:
    """The value as JSON has it."""
    return json.loads(json.dumps(value))


# Others


def read_ws_close(shape: Shape) -> None:
    """The end of a WebSocket, with its code and reason."""
    driven = Driven()
    driven.up()
    driven.lose(shape["reason"], shape["code"])
    assert driven.phase.value == shape["expect"]["leads_to"]


def read_token(shape: Shape) -> None:
    """A token of that header, which only the service can read: it is sent as it is."""
    token = sealed(shape["header"])
    assert token.count(".") == shape["parts"] - 1
    assert tokens.check(token) == tokens.Claims(None, None, None, None)
    driven = Driven(token=token)
    driven.up()
    assert driven.last(Init).token == token


KINDS = {"token": read_token, "frame": read_frame, "body": read_body, "trace": read_trace, "ws_close": read_ws_close}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shape_of_the_cloud_is_read(path: Path) -> None:
    """Missing and further fields, either way of writing, and any order."""
    shape = json.loads(path.read_text())
    KINDS[shape["kind"]](shape)
