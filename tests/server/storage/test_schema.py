"""The version of the database."""

from __future__ import annotations

import hashlib

from twilio_conversations.server.storage.schema import VERSION
from twilio_conversations.server.storage.tables import metadata

KNOWN = {1: "2a07bd91334a0a50", 2: "10ec5bd242c7bd65", 3: "d5ea52cedb86c070"}
"""The tables and columns of each version. Whoever changes them adds a step to `schema.STEPS`, and a line here."""


def test_changed_tables_have_a_new_version() -> None:
    """Tables do not change without a version that tells databases apart, and a step that leads to it."""
    columns = [f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.columns]
    digest = hashlib.sha256("\n".join(sorted(columns)).encode()).hexdigest()[:16]
    assert max(KNOWN) == VERSION
    assert digest == KNOWN[VERSION]
