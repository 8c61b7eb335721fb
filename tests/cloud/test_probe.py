"""The probe against Twilio itself: each check settles its question. Runs only with credentials in the environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud.key import cloud_marks, target
from twilio_conversations.probe import CHECKS, Check, Finding, Probe

pytestmark = cloud_marks
RUN = [check for check in CHECKS if check.only is None]


@pytest.fixture(scope="module")
def findings() -> Iterator[dict[str, Finding]]:
    """The findings of one run; what it made is gone."""
    probe = Probe(target(), checks=RUN)
    probe.run()
    yield probe.findings
    assert probe.remains.conversations == 0


@pytest.mark.parametrize("check", RUN, ids=lambda check: check.name)
def test_settled(findings: dict[str, Finding], check: Check) -> None:
    """The question is settled, and the client is right with the answer."""
    finding = findings[check.name]
    assert finding.outcome is not None, finding.seen
    assert finding.client_is_right, finding.seen
