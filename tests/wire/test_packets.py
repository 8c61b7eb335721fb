"""Packets: each survives the round trip, and malformed ones say which request they were for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.test_frame import json_values
from twilio_conversations.errors import InvalidArgumentError, ProtocolError
from twilio_conversations.wire import frame, packets
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import (
    BackoffHint,
    ClientUpdate,
    Close,
    Init,
    Notification,
    PacketError,
    Reply,
    RestCall,
    Status,
    Unknown,
    Update,
)

REQUEST = HttpRequest(
    "POST",
    "aim.us1.twilio.com:443",
    "/a%2Fb/%2e%2e",
    (("a", "1"), ("a", "2%203"), ("flag", "")),
    {"X-Twilio-A": "b"},
    b'{"k":"\xc3\xa9"}',
)


@pytest.mark.parametrize(
    "packet",
    [
        Init("TM1", "jwt", None, {"sdk": "Python"}, ({"product": "ip_messaging"},), None, ("client_update",)),
        Init("TM1", "jwt", "continue", {}, (), {"a": 1}, ()),
        Update("TM2", "jwt2"),
        RestCall("TM3", REQUEST),
        RestCall("TM3", HttpRequest("GET", "h", "/p")),
        Unknown("TM3", "ping", {"id": "TM3", "method": "ping", "kind": "x", "payload_size": 1}, b"?"),
        Notification("TM4", "twilio.sync.event", {"events": [{"id": 1, "text": "é✓"}]}),
        ClientUpdate("TM5", "token_about_to_expire"),
        Close("TM6", Status(308, "OFFLOAD", "go away", 51232), BackoffHint(1000, 20000)),
        Close("TM6", None, None),
    ],
)
def test_every_packet_survives_the_round_trip(packet: packets.Packet) -> None:
    """Client and service mean the same by the same bytes."""
    assert packet == packets.decode(packet.encode())


def test_a_reply_without_a_body_has_no_type() -> None:
    """A payload's type is named where there is a payload, or where somebody insists."""
    bare, typed = (packets.decode(one.encode()) for one in (Reply("TM1"), Reply("TM1", content_type="text/plain")))
    assert isinstance(bare, Reply)
    assert isinstance(typed, Reply)
    assert "payload_type" not in bare.fields
    assert typed.fields["payload_type"] == "text/plain"


def test_a_reply_keeps_status_headers_and_body() -> None:
    """The two levels of status and the body of a reply arrive apart."""
    sent = Reply("TM1", Status(200, "OK"), Status(404, "NOT FOUND"), {"a": "b"}, b'{"code":50350}', fields={"debug_info": "x"})
    reply = packets.decode(sent.encode())

    assert isinstance(reply, Reply)
    assert (Status(200, "OK"), Status(404, "NOT FOUND"), {"a": "b"}) == (
        reply.status,
        reply.http_status,
        reply.http_headers,
    )
    assert {"code": 50350} == reply.json()
    assert "x" == reply.fields["debug_info"]


def test_a_reply_has_the_status_of_its_rest_call() -> None:
    """Or that of the frame, where there was no call; and the service's name for the request."""
    answer = Reply("TM1", Status(200, "OK"), Status(404, "NOT FOUND"), {"twilio-request-id": "RQ1"})
    assert (answer.code, answer.ok, answer.request_id) == (404, False, "RQ1")
    assert (Reply("TM1").code, Reply("TM1").ok, Reply("TM1").request_id) == (200, True, None)


@given(st.text(max_size=30))
def test_an_acknowledgement_is_an_ordinary_reply(id_: str) -> None:
    """The acknowledgement that is put together by hand equals what the encoder would write."""
    ordinary = Reply(id_, content_type="application/json").encode()

    assert ordinary == packets.acknowledgement(id_)


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
            "method": st.sampled_from(sorted(packets._READERS)),
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
        packets.decode(frame.encode(header, payload))
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
        packets.decode(frame.encode(header, payload))

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
    """JSON unless it says otherwise, text, or nothing that is known."""
    header = {"id": "TM1", "method": "notification", "message_type": "t", **kind}
    assert packets.decode(frame.encode(header, payload)) == Notification("TM1", "t", content)


def test_an_unknown_method_is_kept() -> None:
    """A method that nobody has told us about is a packet like any other."""
    packet = packets.decode(frame.encode({"id": "N1", "method": "ping"}))

    assert isinstance(packet, Unknown)
    assert ("N1", "ping") == (packet.id, packet.method)


def test_a_url_is_taken_apart_without_decoding() -> None:
    """Encoded paths and every kind of query survive unchanged."""
    request = HttpRequest.from_url("GET", "https://h:1/a%2Fb/%2e?x=a=b=c&flag&x=%20&y=")

    assert ("h:1", "/a%2Fb/%2e") == (request.host, request.path)
    assert (("x", "a=b=c"), ("flag", ""), ("x", "%20"), ("y", "")) == request.params


@pytest.mark.parametrize("url", ["", "a/b", "ftp://h/x", "http://", "http://[/"])
def test_a_relative_or_foreign_url_is_refused(url: str) -> None:
    """Only absolute http(s) URLs can be tunnelled."""
    with pytest.raises(InvalidArgumentError):
        HttpRequest.from_url("GET", url)


def test_no_packet_shows_its_token() -> None:
    """Tokens stay out of every repr, and so out of logs."""
    assert "secret" not in repr(Init("TM1", "secret", "secret-too")) + repr(Update("TM2", "secret"))
