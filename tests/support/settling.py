"""What keeps `settled` from returning, in its own words."""

from __future__ import annotations

import re

import pytest

from tests.support.waiting import until
from twilio_conversations.testing import Settled


def until_under_way(settled: Settled, pattern: str) -> None:
    """Wait until what is under way is named by a pattern, and assert that something always is."""

    def is_named() -> bool:
        with pytest.raises(AssertionError) as unsettled:
            settled(0.1)
        return re.search(pattern, str(unsettled.value)) is not None

    until(is_named, f"{pattern!r} under way")
