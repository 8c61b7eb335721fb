"""Steps that many interop tests begin with."""

from __future__ import annotations

from typing import Any

from tests.interop.official import Official, eventually


def official_room(owner: Official, *others: Official, **options: Any) -> str:
    """Let the owner create and join a conversation and add the others; returns its SID once all see each other."""
    sid: str = owner.call("createConversation", options)["sid"]
    owner.conversation(sid).call("join")
    owner.wait_event("conversationJoined", lambda data: data["sid"] == sid)
    owner.conversation(sid).call("getParticipants")
    for other in others:
        owner.conversation(sid).call("add", other.identity)
        other.wait_event("conversationJoined", lambda data: data["sid"] == sid)
    everyone = sorted(official.identity for official in (owner, *others))
    for official in (owner, *others):
        wait_for_roster(official, sid, everyone)
    return sid


def wait_for_roster(client: Any, sid: str, identities: list[str]) -> None:
    """Wait until a client, official or ours, sees exactly these people in a conversation."""

    def seen() -> bool:
        return identities == sorted(one["identity"] for one in client.conversation(sid).call("getParticipants"))

    eventually(seen, f"{client.identity} sees {identities}")


def bodies(page: dict[str, Any]) -> list[tuple[int, str]]:
    """Return index and text of the messages of a page."""
    return [(item["index"], item["body"]) for item in page["items"]]


def indexes(page: dict[str, Any]) -> list[int]:
    """Return the indexes of the messages of a page."""
    return [item["index"] for item in page["items"]]
