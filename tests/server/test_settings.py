"""The table of settings and that of faults: what they take, and that the guide of the local service shows all of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from twilio_conversations import InvalidArgumentError
from twilio_conversations.server import LocalServer
from twilio_conversations.server.control.methods import FaultOrders
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.fault_orders import KINDS
from twilio_conversations.server.settings import Settings, described

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "local-service.md"


def test_the_guide_lists_all_settings() -> None:
    """Each setting is a row of the guide's table, with its default and meaning, in the same order."""
    rows = [f"| `{setting.name}` | `{setting.default}` | {setting.about} |" for setting in described()]
    assert "\n".join(rows) in GUIDE.read_text("utf-8")


def test_the_guide_lists_all_faults() -> None:
    """Each kind of fault is a row of the guide's table, and a method."""
    rows = [f"| `{kind.value}` | {row.about} |" for kind, row in KINDS.items()]
    assert "\n".join(rows) in GUIDE.read_text("utf-8")
    assert all(hasattr(FaultOrders, kind.value) for kind in KINDS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"honour_mutation_ids": 0},
        {"journal_limit": -1},
        {"journal_limit": True},
        {"included_items": None},
        {"delivery": "never"},
        {"email_bodies_allowed_mime_types": "text/plain"},
        {"subscriptions_limit": 2**31},
        {"no_such": 1},
    ],
)
def test_a_wrong_setting_is_refused_by_name(wrong: Mapping[str, Any]) -> None:
    """What is no setting, or no value for it, is refused, while the service runs as at its start."""
    with pytest.raises(Refusal, match=next(iter(wrong))):
        Settings().changed(wrong)
    with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
        LocalServer(settings=wrong)


def test_settings_at_the_start() -> None:
    """They hold from the start, and again after a reset."""
    with LocalServer(settings={"index_gap": 3, "journal_limit": 0}) as server:
        server.configure(index_gap=5)
        assert (server.configure()["index_gap"], server.configure()["journal_limit"]) == (5, 0)
        server.reset()
        assert server.configure()["index_gap"] == 3
