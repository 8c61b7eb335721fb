"""Packets: each survives the round trip, and none shows its token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.wire import packets
from twilio_conversations.wire.decoding import decode
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import (
    BackoffHint,
    ClientUpdate,
    Close,
    Init,
    Notification,
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
    assert packet == decode(packet.encode())


def test_a_reply_without_a_body_has_no_type() -> None:
    """A payload's type is named where there is a payload, or where somebody insists."""
    bare, typed = (decode(one.encode()) for one in (Reply("TM1"), Reply("TM1", content_type="text/plain")))
    assert isinstance(bare, Reply)
    assert isinstance(typed, Reply)
    assert "payload_type" not in bare.fields
    assert typed.fields["payload_type"] == "text/plain"


def test_a_reply_keeps_status_headers_and_body() -> None:
    """The two levels of status and the body of a reply arrive apart."""
    sent = Reply("TM1", Status(200, "OK"), Status(404, "NOT FOUND"), {"a": "b"}, b'{"code":50350}', fields={"debug_info": "x"})
    reply = decode(sent.encode())

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


def test_content_type_in_any_case() -> None:
    """The request's own one, however its name is written; JSON without one."""
    made = [
        HttpRequest.from_url("POST", "http://h/x", headers) for headers in ({"content-type": "a/b"}, {"Content-Type": "a/c"}, {})
    ]
    assert [request.content_type for request in made] == ["a/b", "a/c", "application/json"]
