"""The types of notifications: those that a client asks for when a connection begins."""

from __future__ import annotations

from typing import Final

TYPING: Final = "twilio.ipmsg.typing_indicator"
REPLAY: Final = "twilio.sync.event"
"""What happened to Sync objects before, and how subscriptions are."""
LIVE: Final = {kind: f"com.twilio.rtd.cds.{kind}" for kind in ("document", "list", "map")}
"""What happens to Sync objects now, by their kind."""

SYNC: Final = (REPLAY, *LIVE.values())
ALL: Final = (TYPING, *SYNC)
