"""The table of all checks."""

from __future__ import annotations

from typing import Final

from twilio_conversations.probe import connections, limits, mutations, sync_objects
from twilio_conversations.probe.findings import Check

CHECKS: Final[tuple[Check, ...]] = (*connections.CHECKS, *mutations.CHECKS, *sync_objects.CHECKS, *limits.CHECKS)
"""In the order of the report."""
