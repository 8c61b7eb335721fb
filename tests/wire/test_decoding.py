"""From bytes to packets: whatever comes is a packet or a `ProtocolError`, which names the request that it answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.test_frame import json_values
from twilio_conversations.errors import ProtocolError
from twilio_conversations.wire import decoding, frame
from twilio_conversations.wire.decoding import PacketError, decode
from twilio_conversations.wire.packets import Notification, Unknown


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "id",
                "method",
                "token",
                "status",
                "http_status",
                "http_request",
                "message_type",
                "payload_type",
                "registrations",
                "capabilities",
                "metadata",
            ]
        ),
        json_values,
    )
    | st.fixed_dictionaries(
        {
            "id": json_values,
            "method": st.sampled_from(sorted(decoding._READERS)),
            "status": json_values,
            "http_request": json_values,
            "http_headers": json_values,
            "payload_type": json_values,
        }
    ),
    st.binary(max_size=20),
)
def test_strange_headers_never_raise_anything_but_the_protocol_error(header: dict[str, object], payload: bytes) -> None:
    """Any header with any payload is a packet or a `ProtocolError`."""
    try:
        decode(frame.encode(header, payload))
    except ProtocolError:
        pass


@pytest.mark.parametrize(
    ("header", "payload", "reply_to"),
    [
        ({"id": "TM1", "method": "reply"}, b"", "TM1"),
        ({"id": "TM1", "method": "reply", "status": {}}, b"", "TM1"),
        ({"id": "TM1", "method": "notification"}, b"", None),
        ({"id": "TM1", "method": "notification", "message_type": "t"}, b"{", None),
        ({"id": "TM1", "method": "notification", "message_type": "t", "payload_type": 5}, b"{}", None),
        ({"id": "TM1", "method": "notification", "message_type": "t", "payload_type": "text/plain"}, b"\xff", None),
        ({"id": "TM1", "method": "message"}, b"", None),
        ({"id": "TM1", "method": "message", "http_request": {"method": "GET", "path": "relative"}}, b"", None),
        ({"id": "TM1", "method": "message", "http_request": {"method": "GET", "path": "/", "params": [1]}}, b"", None),
        ({"id": "TM1", "method": "message", "http_request": {"method": "GET", "path": "/", "headers": {"a": 1}}}, b"", None),
        ({"method": "init", "token": "jwt"}, b"", None),
        ({"id": "TM1", "method": "init"}, b"", None),
        ({"id": 5, "method": "reply"}, b"", None),
        ({"id": "TM1"}, b"", None),
    ],
)
def test_a_malformed_packet_names_the_request_it_answers(header: dict[str, object], payload: bytes, reply_to: str | None) -> None:
    """A malformed reply can fail its request at once, because the error says which one it was."""
    with pytest.raises(PacketError) as caught:
        decode(frame.encode(header, payload))

    assert reply_to == caught.value.reply_to


@pytest.mark.parametrize(
    ("kind", "payload", "content"),
    [
        ({}, b'{"a":1}', {"a": 1}),
        ({"payload_type": "application/json;charset=utf-8"}, b"5", 5),
        ({"payload_type": "text/plain"}, "é".encode(), "é"),
        ({"payload_type": "image/png"}, b"PNG", None),
        ({}, b"", None),
    ],
)
def test_the_payload_of_a_notification_is_read_by_its_type(kind: dict[str, str], payload: bytes, content: object) -> None:
    """JSON by default, text, or nothing that is known."""
    header = {"id": "TM1", "method": "notification", "message_type": "t", **kind}
    assert decode(frame.encode(header, payload)) == Notification("TM1", "t", content)


def test_an_unknown_method_is_kept() -> None:
    """Its header is there for whoever knows more of it."""
    packet = decode(frame.encode({"id": "N1", "method": "ping"}))

    assert isinstance(packet, Unknown)
    assert ("N1", "ping") == (packet.id, packet.method)
