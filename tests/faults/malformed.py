"""Bytes that violate the protocol, drawn from a seed: at the level of HTTP, of WebSocket frames, and of TWILSOCK packets.

A packet is made by taking a right one and spoiling it in one way: cutting it, lying about sizes, replacing a value by one of
another type, flipping a bit, or by not being a packet at all. None of them is a *valid* order to stop (such as a `close` with
a status), since obeying that would be right.
"""

from __future__ import annotations

import copy
import json
import os
import random
import struct
from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]

STRANGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**63,
    10**400,
    1.5,
    "",
    "\x00",
    "☃" * 300,
    [],
    {},
    [[]],
    {"a": {"b": None}},
    "2026-13-45T99:99:99Z",
)

FROM_CLIENT: tuple[tuple[Json, Any], ...] = (
    ({"method": "init", "id": "TM1", "token": "x.y.z", "metadata": {}, "registrations": [], "capabilities": []}, None),
    ({"method": "update", "id": "TM2", "token": "x.y.z"}, None),
    ({"method": "reply", "id": "TM3", "status": {"code": 200, "status": "OK"}}, None),
    ({"method": "telemetry.v1", "id": "TM4", "events": [{"start": -1, "end": 0, "title": "t", "details": ""}]}, None),
    ({"method": "put_notification_ctx", "id": "TM5", "notification_ctx_id": "n"}, {"product_id": "ip_messaging"}),
    (
        {
            "method": "message",
            "id": "TM6",
            "active_grant": "ip_messaging",
            "payload_type": "application/json",
            "http_request": {
                "host": "h",
                "path": "/v4/Subscriptions",
                "method": "POST",
                "params": {"PageSize": "5"},
                "headers": {"Content-Type": "application/json"},
            },
        },
        {
            "event_protocol_version": 4,
            "action": "establish",
            "correlation_id": 1,
            "retried_requests": 0,
            "ttl_in_s": -1,
            "requests": [{"object_sid": "MP" + "0" * 32, "object_type": "map", "last_event_id": 0}],
        },
    ),
    (
        {
            "method": "message",
            "id": "TM7",
            "active_grant": "ip_messaging",
            "payload_type": "application/json; charset=utf-8",
            "http_request": {
                "host": "h",
                "path": "/Client/v2/Services/IS1/Conversations",
                "method": "POST",
                "params": {},
                "headers": {"X-Twilio-Mutation-Id": "m"},
            },
        },
        {"friendly_name": "f", "unique_name": "u", "attributes": "{}"},
    ),
)

FROM_SERVICE: tuple[tuple[Json, Any], ...] = (
    ({"method": "client_update", "id": "TM1", "client_update_type": "unheard_of"}, None),
    ({"method": "ping", "id": "TM2"}, None),
    ({"method": "close", "id": "TM3"}, None),
    ({"method": "close", "id": "TM4", "status": {"code": "many"}}, None),
    ({"method": "reply", "id": "TM5", "status": {"code": 200, "status": "OK"}, "http_status": {"code": 200}}, {"a": 1}),
    (
        {"method": "notification", "id": "TM6", "message_type": "twilio.ipmsg.typing_indicator"},
        {"channel_sid": "CH1", "identity": "i"},
    ),
    (
        {"method": "notification", "id": "TM7", "message_type": "twilio.sync.event", "payload_type": "application/json"},
        {
            "event_type": "subscription_established",
            "event_protocol_version": 4,
            "correlation_id": 1,
            "events": [{"object_sid": "MP1", "object_type": "map", "replay_status": "completed", "last_event_id": 7}],
        },
    ),
)


class Malformer:
    """Source of malformed input: alters `templates`, correct packets (header, payload); with `masked`, frames of a client."""

    def __init__(self, seed: int, templates: tuple[tuple[Json, Any], ...], *, masked: bool) -> None:
        self._random = random.Random(seed)
        self._templates = templates
        self._masked = masked

    # packets

    def packet(self) -> bytes:
        """The content of one WebSocket message."""
        spoil: Callable[[], bytes] = self._random.choice(
            [self._noise, self._cut, self._lie_about_sizes, self._wrong_magic, self._bad_header, self._bad_payload, self._flip]
            + 5 * [self._replace_value]
        )
        return spoil()

    def _right(self) -> tuple[Json, Any]:
        header, payload = copy.deepcopy(self._random.choice(self._templates))
        return header, payload

    def _noise(self) -> bytes:
        return self._random.randbytes(self._random.choice([0, 1, 13, 100, 5000]))

    def _cut(self) -> bytes:
        whole = encode(*self._right())
        return whole[: self._random.randrange(len(whole))]

    def _lie_about_sizes(self) -> bytes:
        header, payload = self._right()
        if self._random.random() < 0.5:
            size: Any = self._random.choice([-1, 10**12, 1.5, "5", True, None, [], 2**70])
            return encode({**header, "payload_size": size}, payload, keep_size=True)
        text = json.dumps({**header, "payload_size": 0}).encode()
        length = len(text)
        size_text = self._random.choice(
            [str(length + 1), str(length - 1), "-5", "0", "1e3", "٣", "0x10", "", " 7", "9" * 5000, f"{length}.0"]
        )
        return b"TWILSOCK V3.0 " + size_text.encode() + b"\r\n" + text + b"\r\n"

    def _wrong_magic(self) -> bytes:
        magic = self._random.choice(
            [b"twilsock V3.0", b"TWILSOCK V4.0", b"TWILSOCK", b"GET / HTTP/1.1", b"\xff\xfe TWILSOCK V3.0"]
        )
        return encode(*self._right()).replace(b"TWILSOCK V3.0", magic, 1)

    def _bad_header(self) -> bytes:
        text = self._random.choice(
            [
                *(b"null", b"[]", b"7", b'"text"', b"{", b"{}", b'{"a":1,}', b"NaN", b'{"method":NaN}', b"[" * 20_000),
                *(b'{"method":"\xff\xfe"}', b'{"method":"\\ud800","id":"x"}', b'{"method":null,"id":null}', b'{"id":"x"}'),
                b'{"method":"reply"}',
            ]
        )
        return b"TWILSOCK V3.0 %d\r\n%s\r\n" % (len(text), text)

    def _bad_payload(self) -> bytes:
        header, _ = self._right()
        body = self._random.choice([b"{", b"\xff\xff", b"[" * 20_000, b'{"a":NaN}', b"null", b'"', b"\x00", b"1" * 5000])
        kind = self._random.choice(["application/json", "text/plain", "image/png", 5, None])
        text = json.dumps({**header, "payload_type": kind, "payload_size": len(body)}).encode()
        return b"TWILSOCK V3.0 %d\r\n%s\r\n%s" % (len(text), text, body)

    def _flip(self) -> bytes:
        whole = bytearray(encode(*self._right()))
        whole[self._random.randrange(len(whole))] ^= 1 << self._random.randrange(8)
        return bytes(whole)

    def _replace_value(self) -> bytes:
        header, payload = self._right()
        whole = {"header": header, "payload": payload}
        places = [place for place in walk(whole) if place[0] is not whole and place[1] != "method"]
        holder, key = self._random.choice(places)
        if self._random.random() < 0.3 and isinstance(holder, dict):
            del holder[key]
        else:
            holder[key] = self._random.choice(STRANGE)
        return encode(whole["header"], whole["payload"])

    # frames

    def frame(self) -> bytes:
        """Bytes that break the WebSocket protocol itself; the connection cannot go on after them."""
        return self._random.choice(
            [
                b"\x83\x80\0\0\0\0",  # a reserved opcode
                b"\xf2\x80\0\0\0\0",  # reserved bits
                b"\x82\xff" + struct.pack(">Q", 2**63 - 1),  # an absurd length
                b"\x82\x7f" + struct.pack(">Q", 2**64 - 1),
                b"\x09\x80\0\0\0\0",  # a control frame in fragments
                b"\x89\xfe\x01\x00" + bytes(260),  # a ping of 256 bytes
                b"\x88\x81\0\0\0\0\x01",  # a close with half a code
                b"\x80\x85\0\0\0\0hello",  # a continuation of nothing
                self._random.randbytes(50),
            ]
        )

    def wrap(self, message: bytes) -> bytes:
        """A packet in one binary frame, or sometimes in a text frame."""
        opcode = 1 if self._random.random() < 0.05 else 2
        size = len(message)
        bit = 0x80 if self._masked else 0
        head = bytes([0x80 | opcode])
        if size < 126:
            head += bytes([bit | size])
        elif size < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", size)
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", size)
        return head + (b"\0\0\0\0" if self._masked else b"") + message  # a mask of zeros changes nothing

    # HTTP

    def request(self) -> bytes:
        """What is sent instead of a WebSocket upgrade."""
        upgrade = b"Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        return self._random.choice(
            [
                self._random.randbytes(200),
                b"GET\r\n\r\n",
                b"GET /v3/wsconnect HTTP/9.9\r\n\r\n",
                b"GET /v3/wsconnect HTTP/1.1\r\n" + upgrade + b"\r\n",  # no key
                b"GET /v3/wsconnect HTTP/1.1\r\n" + upgrade + b"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
                b"GET /v3/wsconnect HTTP/1.1\r\n"
                + upgrade
                + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 1\r\n\r\n",
                b"GET /v3/wsconnect HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
                b"POST /v3/wsconnect HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
                b"POST /v1/Conversations HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n{]{]{",
                b"GET /%00%ff%zz/../.. HTTP/1.1\r\nHost: h\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
            ]
        )

    def response(self) -> bytes:
        """What is answered instead of `101 Switching Protocols`."""
        return self._random.choice(
            [
                b"",
                self._random.randbytes(200),
                b"HTTP/1.1 200 OK\r\n\r\n",
                b"HTTP/1.1 503 Busy\r\nRetry-After: soon\r\n\r\n",
                b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:9/\r\n\r\n",
                b"HTTP/1.1 101\r\n\r\n",
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: no\r\n\r\n",
                b"HTTP/1.1 abc\r\n\r\n",
                b"HTTP/1.1 101 Switching Protocols\r\n: : :\r\n\xff\xfe\r\n\r\n",
                b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
            ]
        )


def encode(header: Any, payload: Any, *, keep_size: bool = False) -> bytes:
    """A packet with right sizes, or with the size that the header claims."""
    body = b"" if payload is None else json.dumps(payload).encode()
    if isinstance(header, Mapping) and not keep_size:
        header = {**header, "payload_size": len(body)}
    text = json.dumps(header).encode()
    return b"TWILSOCK V3.0 %d\r\n%s\r\n%s" % (len(text), text, body)


def walk(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON value: what holds it, and under which key."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    places: list[tuple[Any, Any]] = []
    for key in keys:
        places.append((value, key))
        places += walk(value[key])
    return places


def fresh_seed() -> int:
    """A seed from the environment (`FAULT_SEED`) or a new one, printed."""
    given = os.environ.get("FAULT_SEED")
    seed = int(given) if given else random.randrange(2**32)
    print(f"malformed input: seed {seed}")
    return seed
