"""Fields that public traces of the cloud show are in what the service sends too, so that clients meet them in every test."""

from __future__ import annotations

from tests.server.domain.test_conversations import sid_of
from tests.server.peer import Peer
from twilio_conversations.server import LocalServer
from twilio_conversations.wire.packets import Close

ROOT = {
    "account_sid",
    "service_sid",
    "sid",
    "unique_name",
    "revision",
    "last_event_id",
    "date_created",
    "date_updated",
    "date_expires",
}
ROOT |= {"created_by", "type", "url"}
ITEM = {"account_sid", "service_sid", "revision", "last_event_id", "data", "date_created", "date_updated", "date_expires"}
ITEM |= {"created_by", "url"}
HEADERS = {"server", "date", "content-type", "content-length", "twilio-request-id", "vary", "x-shenanigans"}
HEADERS |= {"strict-transport-security", "x-envoy-upstream-service-time"}
OPTIONS = {"consumption_report_interval", "http_cache_interval", "reachability_enabled", "user_infos_to_subscribe"}
OPTIONS |= {"typing_indicator_timeout", "media_attachments_count_limit", "media_attachment_size_limit_in_mb"}
OPTIONS |= {"media_attachments_total_size_limit_in_mb"}


def test_init(service: LocalServer, alice: Peer) -> None:
    """The answer to `init` names its registrations, where it stores, and why the continuation token is new."""
    with Peer(service) as peer:
        fields = peer.init(service.token(alice.identity)).fields
    (registration,) = fields["init_registrations"]
    assert {"notification_ctx_id", "type", "product", "message_types"} == set(registration)
    assert len(fields["offline_storage"]["ip_messaging"]["storage_id"]) == 40
    status = fields["continuation_token_status"]
    assert (status["reissued"], status["reissue_reason"]) == (True, "MISSING")
    with Peer(service) as peer:
        status = peer.init(service.token(alice.identity), continuation_token="another").fields["continuation_token_status"]
        assert (status["reissued"], status["reissue_reason"]) == (True, "DIFFERENT_IDENTITY")


def test_replies(alice: Peer) -> None:
    """Answers have the headers of a proxy, in lower case, and say how long they are."""
    reply = alice.reply_to(alice.start("GET", "/Client/v2/Configuration"))
    assert set(reply.http_headers) >= HEADERS
    assert reply.http_headers["content-length"] == str(len(reply.body))
    assert set(reply.json()["options"]) >= OPTIONS
    assert reply.json()["links"]["typing"].endswith("/Typing")
    assert "/v1/Instances/IS" in reply.json()["links"]["typing"]


def test_sync(alice: Peer) -> None:
    """Roots and items say whose they are; revisions are hexadecimal; a poke is answered 202 with a time to live."""
    room = alice.room()
    for _ in range(10):
        alice.say(room)
    root = alice.open("list", f"{sid_of(room)}.messages")
    assert (set(root) >= ROOT, root["type"], root["revision"], root["last_event_id"]) == (True, "list", "a", 9)
    item = alice.items("list", f"{sid_of(room)}.messages")[-1]
    assert set(item) >= ITEM | {"list_sid", "index"}
    assert (item["account_sid"], item["service_sid"]) == (root["account_sid"], root["service_sid"])
    assert set(alice.items("map", f"{sid_of(room)}.roster")[0]) >= ITEM | {"map_sid", "key"}
    assert alice.open("document", f"{sid_of(room)}.channel")["type"] == "document"
    answer = alice.poke(("list", root["sid"], root["last_event_id"]))
    assert (answer.status, answer.body) == (
        202,
        {"estimated_delivery_in_ms": 10_000, "max_batch_size": 1_000, "ttl_in_s": 86_400},
    )


def test_what_is_no_frame(service: LocalServer) -> None:
    """Nonsense is answered with a close 406, in the cloud's words and with its code."""
    with Peer(service) as peer:
        peer.send_bytes(b"nonsense")
        close = peer.receive()
        assert isinstance(close, Close)
        assert close.status is not None
        assert (close.status.code, close.status.status, close.status.error_code) == (406, "NOT_ACCEPTABLE_MESSAGE", 51214)
