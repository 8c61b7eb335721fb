"""Coming in, tokens, and frames that are none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
import websocket

from tests.server.conftest import Connect
from tests.server.peer import Peer, new_id
from twilio_conversations import tokens
from twilio_conversations.server import LocalServer
from twilio_conversations.server.storage.credentials import Credentials
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import ClientUpdate, Close, Reply, RestCall, Unknown

Fresh = Callable[[str], str]


@pytest.fixture
def peer(service: LocalServer) -> Any:
    """A connection that has said nothing yet."""
    with Peer(service) as connection:
        yield connection


def credentials(service: LocalServer) -> Credentials:
    """The secrets of the service under test."""
    found = service._credentials
    assert found is not None
    return found


def altered(service: LocalServer, change: Callable[[dict[str, Any]], Any], **options: Any) -> str:
    """A token of alice's with its claims changed and signed again."""
    claims = jwt.decode(service.token("alice"), options={"verify_signature": False})
    change(claims)
    secret = options.pop("secret", credentials(service).api_key_secret)
    return jwt.encode(claims, secret, algorithm=options.pop("algorithm", "HS256"), headers={"cty": tokens.CONTENT_TYPE})


def test_init_reply_has_what_clients_read(peer: Peer, service: LocalServer, fresh: Fresh) -> None:
    """The answer to init carries a continuation token, the capabilities both sides know, and a storage id."""
    identity = fresh("alice")
    reply = peer.init(service.token(identity))
    assert reply.status.code == 200
    assert reply.fields["continuation_token"]
    assert reply.fields["capabilities"] == ["client_update", "telemetry.v1"]
    assert reply.fields["offline_storage"]["ip_messaging"]["storage_id"]
    assert reply.fields["continuation_token_status"]["reissued"] is True
    with Peer(service) as again:
        second = again.init(service.token(identity), continuation_token=reply.fields["continuation_token"])
    assert second.fields["continuation_token_status"]["reissued"] is False


@pytest.mark.parametrize(
    ("code", "make"),
    [
        (20101, lambda service: "not-a-jwt"),
        (20101, lambda service: ""),
        (20101, lambda service: altered(service, lambda claims: None, algorithm="none", secret=None)),
        (20101, lambda service: altered(service, lambda claims: None, algorithm="HS512", secret="x" * 64)),
        (20107, lambda service: altered(service, lambda claims: None, secret="y" * 43)),
        (20103, lambda service: altered(service, lambda claims: claims.update(iss="SKother"))),
        (20103, lambda service: altered(service, lambda claims: claims.update(sub="ACother"))),
        (20104, lambda service: service.token("alice", ttl=-60)),
        (20104, lambda service: altered(service, lambda claims: claims.pop("exp"))),
        (20104, lambda service: altered(service, lambda claims: claims.update(exp="soon"))),
        (20105, lambda service: altered(service, lambda claims: claims.update(nbf=time.time() + 600))),
        (20105, lambda service: altered(service, lambda claims: claims.update(iat=time.time() + 600))),
        (20106, lambda service: altered(service, lambda claims: claims.update(grants="all"))),
        (20106, lambda service: altered(service, lambda claims: claims["grants"].pop("chat"))),
        (20106, lambda service: altered(service, lambda claims: claims["grants"].pop("identity"))),
        (20106, lambda service: altered(service, lambda claims: claims["grants"]["chat"].update(service_sid="ISother"))),
    ],
)
def test_bad_tokens_are_refused_by_name(peer: Peer, service: LocalServer, code: int, make: Callable[[LocalServer], str]) -> None:
    """Each fault of a token has its code, with status 401 and a description."""
    reply = peer.init(make(service))
    assert (reply.status.code, reply.status.error_code) == (401, code)
    assert reply.status.description


def test_a_refused_client_may_close_first(peer: Peer) -> None:
    """The socket stays open behind a refusal: one that closed at once would look like a fault of the network."""
    assert not peer.init("not-a-jwt").status.ok
    peer.socket.settimeout(0.5)
    with pytest.raises(websocket.WebSocketTimeoutException):
        peer.receive()


def test_requests_before_init_are_refused(peer: Peer) -> None:
    """A request without an introduction gets a transport error and does nothing."""
    packet = RestCall(new_id(), HttpRequest("GET", "h", "/Client/v2/Configuration"))
    peer.send(packet)
    assert peer.reply_to(packet.id).status.code == 401


def test_a_new_token_replaces_the_old_one(connect: Connect, service: LocalServer) -> None:
    """An update with a good token is accepted; one for somebody else ends the session."""
    alice = connect("alice")
    assert alice.update(service.token(alice.identity)).status.code == 200
    assert alice.get("/Client/v2/Configuration").status == 200
    refused = alice.update(service.token("mallory"))
    assert (refused.status.code, refused.status.error_code) == (401, 20106)


def test_expired_update_is_refused(connect: Connect, service: LocalServer) -> None:
    """An update with an expired token is refused with 20104."""
    alice = connect("alice")
    assert alice.update(service.token(alice.identity, ttl=-1)).status.error_code == 20104


def test_expiry_is_announced_and_enforced(connect: Connect) -> None:
    """A short token is announced as about to expire at once, and ends the session with 410 when it does."""
    alice = connect("alice", ttl=5)
    notice = alice.expect(lambda packet: isinstance(packet, ClientUpdate))
    assert notice.client_update_type == "token_about_to_expire"
    close = alice.expect(lambda packet: isinstance(packet, Close))
    assert close.status is not None
    assert close.status.code == 410


def test_update_puts_expiry_off(connect: Connect, service: LocalServer) -> None:
    """A session whose token was renewed outlives the first one."""
    alice = connect("alice", ttl=5)
    assert alice.update(service.token(alice.identity, ttl=600)).status.ok
    alice.socket.settimeout(5.5)
    with pytest.raises(websocket.WebSocketTimeoutException):
        alice.expect(lambda packet: isinstance(packet, Close))


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (406, b""),
        (406, b"hello"),
        (406, b"TWILSOCK V3.0 2\r\n{}\r\n"),
        (406, b"TWILSOCK V3.0 4\r\nnull\r\n"),
        (406, b"TWILSOCK V3.0 999\r\n{}\r\n"),
        (406, b'TWILSOCK V3.0 28\r\n{"id":"x","method":"message"}\r\n'),
        (406, b"TWILSOCK V3.0 3\r\n\xff\xff\xff\r\n"),
        (417, b'TWILSOCK V3.0 27\r\n{"id":"x","method":"reply"}\r\n'),
    ],
)
def test_bad_frames_end_their_own_session_only(connect: Connect, code: int, data: bytes) -> None:
    """A frame that cannot be understood is answered with a close, and others are served on."""
    alice, bob = connect("alice"), connect("bob")
    alice.send_bytes(data)
    close = alice.expect(lambda packet: isinstance(packet, Close))
    assert close.status is not None
    assert close.status.code == code
    assert bob.get("/Client/v2/Configuration").status == 200


def test_text_messages_are_not_frames(connect: Connect) -> None:
    """A text websocket message is answered with close 406."""
    alice = connect("alice")
    alice.socket.send("TWILSOCK V3.0 2\r\n{}\r\n")
    close = alice.expect(lambda packet: isinstance(packet, Close))
    assert close.status is not None
    assert close.status.code == 406


def test_other_frames_are_tolerated(connect: Connect) -> None:
    """Pings and contexts are acknowledged, unknown methods refused, telemetry and strange acknowledgements ignored."""
    alice = connect("alice")
    for method, status in (("ping", 200), ("put_notification_ctx", 200), ("delete_notification_ctx", 200), ("dance", 400)):
        alice.send(Unknown(f"U{method}", method))
        assert alice.reply_to(f"U{method}").status.code == status
    alice.send(Unknown("T1", "telemetry.v1", {"events": []}))
    alice.send(Reply("nothing-known"))
    assert alice.get("/Client/v2/Configuration").status == 200
    assert alice.inbox == []


def test_configuration_is_complete_and_absolute(alice: Peer, service: LocalServer) -> None:
    """All links are there, with the address by which the client came."""
    links = alice.configuration["links"]
    for name in ("my_conversations", "conversations", "users", "current_user", "typing", "media_service", "media_set_service"):
        assert links[name].startswith(f"{service.url}/")
    assert links["messages_receipts"].count("%s") == 2
    assert set(alice.configuration["sync_objects"]) == {"my_conversations", "my_user_info"}


def test_client_close_ends_the_session(alice: Peer, service: LocalServer) -> None:
    """After a courtesy close the service hangs up."""
    alice.send(Close(new_id()))
    with pytest.raises((ConnectionError, websocket.WebSocketConnectionClosedException)):
        alice.receive()
