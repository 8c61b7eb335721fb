"""A dispatcher of a test's own, its limit, and its warnings about slow handlers."""

from __future__ import annotations

import re

import pytest

LIMIT = 20


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the handler that each warning about slow handlers names."""
    found = []
    for record in list(caplog.records):
        said = re.fullmatch(r"handlers are too slow: (\d+) events wait for (.+); live events stay .*", record.getMessage())
        if said is not None:
            assert int(said[1]) >= LIMIT
            found.append(said[2])
    return found
