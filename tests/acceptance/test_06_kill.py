"""`kill -9` on the service, again and again: what it acknowledged is there, what it did not arrives by the client's resend."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import kills
from tests.faults.plan import fresh_seed

KILLS = 10


@pytest.mark.slow
def test_the_service_is_killed_ten_times_while_messages_are_under_way(tmp_path: Path) -> None:
    """Four clients come back by themselves each time; every message is kept once and seen once by each, in order, and the
    database is sound after each kill. Set FAULT_SEED to repeat the moments."""
    seed = fresh_seed()
    print(f"seed {seed}")
    figures = kills.run(tmp_path, cycles=KILLS, seed=seed)
    print(figures)
    assert figures.kinds["kills_with_a_send_unanswered"] == KILLS
    assert figures.counts.messages >= 2 * 4 * KILLS, "all four senders got on between kills"
    assert figures.clean
