"""The probe against Twilio itself: each check settles its question. Runs only with credentials in the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from twilio_conversations import InvalidArgumentError
from twilio_conversations.cli.probe import key_of
from twilio_conversations.probe import CHECKS, Check, Finding, Probe, Target

try:
    KEY = key_of()
    MISSING = ""
except InvalidArgumentError as error:
    KEY, MISSING = {}, str(error)

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(MISSING), reason=f"talks to Twilio: {MISSING}"),
]
RUN = [check for check in CHECKS if check.only is None]


@pytest.fixture(scope="module")
def findings() -> Iterator[dict[str, Finding]]:
    """The findings of one run; what it made is gone."""
    probe = Probe(Target.of(KEY, region=os.environ.get("TWILIO_REGION")), checks=RUN)
    probe.run()
    yield probe.findings
    assert probe.remains.conversations == 0


@pytest.mark.parametrize("check", RUN, ids=lambda check: check.name)
def test_settled(findings: dict[str, Finding], check: Check) -> None:
    """The question is settled, and the client is right with the answer."""
    finding = findings[check.name]
    assert finding.outcome is not None, finding.seen
    assert finding.client_is_right, finding.seen
