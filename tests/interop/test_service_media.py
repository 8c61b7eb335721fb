"""The official SDK's media on the local service: sent and read by it, and by everybody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.interop.official import Official, OfficialError, Target, binary
from tests.interop.steps import official_room
from tests.server.peer import Peer
from tests.support.patience import PATIENCE
from twilio_conversations.server import LocalServer

Fresh = Callable[[str], str]
Connect = Callable[..., Official]

CONTENT = bytes(range(256)) * 300


def content(url: str) -> bytes:
    """Return what is behind a temporary link, fetched as an application does, without a token."""
    answer = requests.get(url, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    return answer.content


def attachments(official: Official, sid: str, index: int) -> list[dict[str, Any]]:
    """Return pictures of a message's attachments."""
    found: list[dict[str, Any]] = official.message(sid, index).call("getMediaByCategories", ["media"])
    return found


@pytest.mark.every_version
def test_one_medium(official: Connect, fresh: Fresh) -> None:
    """A picture sent in the simple way reaches the other with its name, type, size and bytes; also later, and in bulk."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    sid = official_room(alice, bob)
    options = {"contentType": "image/png", "filename": "p ü&1.png", "media": binary(CONTENT)}
    assert alice.conversation(sid).call("sendMessage", options, {"kind": "pic"}) == 0
    here, there = (member.wait_event("messageAdded") for member in (alice, bob))
    assert here == there
    assert (here["type"], here["body"], here["attributes"]) == ("media", None, {"kind": "pic"})
    late = official(bob.identity)
    for reader in (alice, bob, late):
        medium = reader.media(sid, 0).look()
        assert (medium["filename"], medium["contentType"], medium["size"]) == ("p ü&1.png", "image/png", len(CONTENT))
        assert medium["category"] == "media"
        assert attachments(reader, sid, 0) == [medium]
        assert content(reader.media(sid, 0).call("getContentTemporaryUrl")) == CONTENT
    links = Target(late, {}).chain(("getTemporaryContentUrlsForMediaSids", [medium["sid"]]), ("get", medium["sid"]))
    assert content(links) == CONTENT


def test_a_built_message(official: Connect, fresh: Fresh) -> None:
    """A message may have text, subject, several media, and e-mail bodies and histories by type."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    sid = official_room(alice, bob)
    index = alice.conversation(sid).chain(
        ("prepareMessage",),
        ("setBody", "look"),
        ("setSubject", "photos"),
        ("setAttributes", {"n": 1}),
        ("addMedia", {"contentType": "text/plain", "filename": "a.txt", "media": "text as text"}),
        ("addMedia", {"contentType": "application/octet-stream", "media": binary(b"\0\1\2")}),
        ("setEmailBody", "text/html", {"contentType": "text/html", "media": "<b>body</b>"}),
        ("setEmailBody", "text/plain", {"contentType": "text/plain", "media": "body"}),
        ("setEmailHistory", "text/plain", {"contentType": "text/plain", "media": "history"}),
        ("build",),
        ("send",),
    )
    assert index == 0
    message = bob.wait_event("messageAdded")
    assert (message["body"], message["subject"], message["attributes"]) == ("look", "photos", {"n": 1})
    found = attachments(bob, sid, 0)
    assert [(medium["filename"], medium["contentType"], medium["size"]) for medium in found] == [
        ("a.txt", "text/plain", 12),
        (None, "application/octet-stream", 3),
    ]
    assert [content(bob.media(sid, 0, number).call("getContentTemporaryUrl")) for number in (0, 1)] == [
        b"text as text",
        b"\0\1\2",
    ]
    for method, kind, expected in (
        ("getEmailBody", "text/html", b"<b>body</b>"),
        ("getEmailBody", "text/plain", b"body"),
        ("getEmailHistory", "text/plain", b"history"),
    ):
        assert content(bob.message(sid, 0).chain((method, kind), ("getContentTemporaryUrl",))) == expected
    alice.message(sid, 0).call("updateBody", "changed")
    update = bob.wait_event("messageUpdated")
    assert "media" not in update["updateReasons"]
    assert attachments(bob, sid, 0) == found


def test_media_from_elsewhere(official: Connect, fresh: Fresh, service: LocalServer) -> None:
    """What was uploaded with plain requests and sent by another client is read by the official one."""
    bob = official(fresh("bob"))
    with Peer.connected(service, fresh("alice")) as alice:
        room = alice.room(bob.identity)
        sid = bob.wait_event("conversationJoined")["sid"]
        headers = {"X-Twilio-Token": service.token(alice.identity)}
        made = requests.post(
            alice.link("media_service"), files={"file": ("f.bin", CONTENT)}, headers=headers, timeout=PATIENCE
        ).json()
        alice.say(room, "a caption", media_sids=[made["sid"]])
    message = bob.wait_event("messageAdded")
    assert (message["type"], message["body"]) == ("media", "a caption")
    assert (bob.media(sid, 0).look()["filename"], bob.media(sid, 0).look()["size"]) == ("f.bin", len(CONTENT))
    assert content(bob.media(sid, 0).call("getContentTemporaryUrl")) == CONTENT


def test_media_are_gone_with_their_message(official: Connect, fresh: Fresh) -> None:
    """After the removal of the message its links and descriptions are refused."""
    alice, bob = official(fresh("alice")), official(fresh("bob"))
    sid = official_room(alice, bob)
    alice.conversation(sid).call("sendMessage", {"contentType": "text/plain", "media": "secret"})
    bob.wait_event("messageAdded")
    medium = bob.media(sid, 0).look()
    url = bob.media(sid, 0).call("getContentTemporaryUrl")
    alice.message(sid, 0).call("remove")
    bob.wait_event("messageRemoved")
    assert requests.get(url, timeout=PATIENCE).status_code == 404
    with pytest.raises(OfficialError):
        bob.call("getTemporaryContentUrlsForMediaSids", [medium["sid"]])
