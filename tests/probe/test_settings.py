"""The report is exactly what the service was set to, line by line."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tests.probe.conftest import QUICK, Run
from twilio_conversations.probe import CHECKS
from twilio_conversations.probe.mutations import KINDS
from twilio_conversations.values.links import LINKS

IDS = "mutation-id-"
MOMENTS = ("at-once", "elsewhere", "later", "much-later")


def by_moment(*outcomes: str) -> dict[str, str]:
    """Return the outcome of each kind of command, given those by moment."""
    return {f"{IDS}{kind}-{moment}": outcome for moment, outcome in zip(MOMENTS, outcomes, strict=True) for kind in KINDS}


HONOURED, AGAIN = "honoured", "executed again"
DEFAULT = {
    "frames": "binary",
    "no-init": "1000",
    "pings": "often",
    "pongs": "answered",
    "links": "all",
    "typing-address": "works",
    "receipts-address": "works",
    "page-size": "accepted",
    "own-map": "there",
    **by_moment(HONOURED, HONOURED, HONOURED, HONOURED),
    "roster": "whole",
    "event-ids": "contiguous",
    "replay": "whole",
    "replay-order": "in order",
    "burst-limit": "accepted",
    "object-write-limit": "accepted",
    "subscription-limit": "accepted",
}


def test_default(run_checks: Run) -> None:
    """Every check is settled, as the service is by default, and the client is right with it."""
    findings = run_checks({}, "", options=("limits", "patient"))
    assert {name: finding.outcome for name, finding in findings.items()} == DEFAULT
    assert findings.keys() == {check.name for check in CHECKS}
    assert all(finding.client_is_right for finding in findings.values())


ALL_KINDS = (IDS,)
ROWS: list[tuple[dict[str, Any], tuple[str, ...], dict[str, str]]] = [
    ({"honour_mutation_ids": False}, ALL_KINDS, by_moment(AGAIN, AGAIN, AGAIN, AGAIN)),
    ({"mutation_id_scope": "connection"}, ALL_KINDS, by_moment(HONOURED, AGAIN, HONOURED, HONOURED)),
    ({"frame_type": "text"}, ("frames",), {"frames": "text"}),
    ({"ping_interval": 0}, ("pings",), {"pings": "none"}),
    ({"ping_interval": 2.0}, ("pings",), {"pings": "rarely"}),
    ({"websocket_pings": False}, ("pongs",), {"pongs": "ignored"}),
    ({"links_left_out": ["typing", "messages_receipts"]}, ("links", "typing", "receipts"), {"links": "derived"}),
    ({"links_left_out": list(LINKS)}, ("links",), {"links": "lost"}),
    ({"conversations_page_size": 50}, ("page-size",), {"page-size": "refused"}),
    ({"own_map_delay": 2}, ("own-map",), {"own-map": "late"}),
    ({"included_items": 20}, ("roster",), {"roster": "limited"}),
    ({"included_items": 0}, ("roster",), {"roster": "none"}),
    ({"journal_limit": 20}, ("replay",), {"replay": "short"}),
    ({"journal_limit": 0}, ("replay",), {"replay": "nothing"}),
    ({"replay_limit": 50}, ("replay",), {"replay": "whole"}),
    ({"replay_order": "live_first"}, ("replay",), {"replay-order": "live first"}),
    ({"requests_per_second": 100}, ("burst",), {"burst-limit": "refused"}),
    ({"requests_per_second": 100, "requests_refused_by": "tunnel"}, ("burst",), {"burst-limit": "refused"}),
    ({"object_writes_per_second": 20}, ("object",), {"object-write-limit": "refused"}),
    ({"subscriptions_limit": 9}, ("subscription",), {"subscription-limit": "refused"}),
]


@pytest.mark.parametrize(("settings", "names", "expected"), ROWS, ids=lambda value: "-".join(value) if value else "")
def test_contrary(run_checks: Run, settings: dict[str, Any], names: tuple[str, ...], expected: dict[str, str]) -> None:
    """What was set is seen, and nothing else differs from the default."""
    pace = attrs.evolve(QUICK, idle=5.0, silence=1.0, pong=1.0)
    findings = run_checks(settings, *names, pace=pace, options=("limits", "patient"))
    wanted = {name: outcome for name, outcome in (DEFAULT | expected).items() if name.startswith(names)}
    if settings.get("journal_limit") == 0:
        wanted["replay-order"] = None  # type: ignore[assignment] # there is no order of nothing
    assert {name: finding.outcome for name, finding in findings.items()} == wanted
    right = {name: finding.client_is_right for name, finding in findings.items() if finding.outcome is not None}
    assert [name for name, is_right in right.items() if not is_right] == [name for name in right if name == "subscription-limit"]


def test_ids_for_a_while(run_checks: Run) -> None:
    """Mutation ids that are honoured for a few seconds are seen as such."""
    pace = attrs.evolve(QUICK, apart=9.0)
    findings = run_checks({"mutation_id_lifetime": 8}, IDS, pace=pace)
    expected = by_moment(HONOURED, HONOURED, AGAIN, "") | {}
    assert {name: finding.outcome for name, finding in findings.items()} == {k: v for k, v in expected.items() if v}


@pytest.mark.parametrize(
    ("settings", "name", "words"),
    [
        ({"included_items": 20}, "roster", "20 of 60 participants come with the map, 60 on a page of 100; the client has 60"),
        ({"journal_limit": 20}, "replay", "20 of 120 events of the absence were replayed, the newest"),
        ({"replay_limit": 50}, "replay", "120 of 120 events of the absence were replayed, in 3 parts"),
        ({"links_left_out": ["typing", "users"]}, "links", "missing: users, typing"),
        ({"subscriptions_limit": 9}, "subscription", "9 of 12 subscriptions were established, the others failed with 54419"),
    ],
)
def test_words(run_checks: Run, settings: dict[str, Any], name: str, words: str) -> None:
    """The numbers of a setting stand in the report."""
    findings = run_checks(settings, name)
    assert words in [finding.seen for finding in findings.values()]


@pytest.mark.parametrize(
    ("by", "words"), [("tunnel", "by the tunnel (code 51202)"), ("service", "the service, with Retry-After")]
)
def test_refused_by(run_checks: Run, by: str, words: str) -> None:
    """The report names where a refusal of too many requests comes from."""
    findings = run_checks({"requests_per_second": 100, "requests_refused_by": by}, "burst")
    assert words in findings["burst-limit"].seen
