"""Many conversations within seconds: raw frames, many in flight."""

from __future__ import annotations

from urllib.parse import urlsplit

from benchmarks.bare import Bare


def seed_conversations(twilsock: str, token: str, identity: str, count: int) -> list[str]:
    """Create `count` conversations that `identity` has joined; their sids."""
    bare = Bare(twilsock, token)
    try:
        base = urlsplit(bare.get("/Client/v2/Configuration")["links"]["conversations"]).path
        made = bare.pipeline(("POST", base, {"friendly_name": f"Conversation {n}", "attributes": "{}"}) for n in range(count))
        sids = [body["sid"] for _, body in made]
        joined = bare.pipeline(("POST", f"{base}/{sid}/Participants", {"identity": identity}) for sid in sids)
        refused = [status for status, _ in joined if status >= 300]
        if refused:
            raise RuntimeError(f"{len(refused)} joins refused, the first with {refused[0]}")
        return sids
    finally:
        bare.close()


def seed_messages(twilsock: str, token: str, sid: str, count: int) -> None:
    """Send `count` messages into a conversation."""
    bare = Bare(twilsock, token)
    try:
        path = urlsplit(bare.get("/Client/v2/Configuration")["links"]["conversations"]).path + f"/{sid}/Messages"
        sent = bare.pipeline(("POST", path, {"body": f"message {n}", "attributes": "{}"}) for n in range(count))
        refused = [status for status, _ in sent if status >= 300]
        if refused:
            raise RuntimeError(f"{len(refused)} messages refused, the first with {refused[0]}")
    finally:
        bare.close()
