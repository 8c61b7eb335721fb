"""The report of a run, in Markdown and JSON. Neither has a name, an address or a secret in it."""

from __future__ import annotations

import datetime as dt
import json
import platform
from collections.abc import Iterator

from twilio_conversations._version import __version__
from twilio_conversations.probe.findings import Finding
from twilio_conversations.probe.run import Probe

_RIGHT = {True: "yes", False: "**no**", None: "-"}


def _when(moment: dt.datetime | None) -> str:
    return (moment or dt.datetime.now(dt.UTC)).strftime("%Y-%m-%d %H:%M UTC")


def as_json(probe: Probe, moment: dt.datetime | None = None) -> str:
    """Return the report as one JSON object."""
    report = {
        "where": probe.target.where,
        "when": _when(moment),
        "version": __version__,
        "python": platform.python_version(),
        "findings": [finding.to_json() for finding in probe.ordered],
        "not_removed": {"conversations": probe.remains.conversations, "users": probe.remains.users},
    }
    return json.dumps(report, indent=2, ensure_ascii=False)


def as_markdown(probe: Probe, moment: dt.datetime | None = None) -> str:
    """Return the report as a page."""
    return "\n".join(_lines(probe, moment)) + "\n"


def _lines(probe: Probe, moment: dt.datetime | None) -> Iterator[str]:
    findings = probe.ordered
    settled = sum(finding.outcome is not None for finding in findings)
    wrong = [finding for finding in findings if finding.client_is_right is False]
    yield f"# Probe of {probe.target.where}"
    yield ""
    yield f"{_when(moment)}, twilio-conversations {__version__}. {settled} of {len(findings)} questions are settled."
    names = ", ".join(f"`{finding.name}`" for finding in wrong)
    yield f"The client is not right with the answers to: {names}." if wrong else "The client is right with all of the answers."
    yield ""
    yield "| Question | Seen | Client right | For the client |"
    yield "| --- | --- | --- | --- |"
    for finding in findings:
        yield _row(finding)
    if probe.remains.conversations or probe.remains.users:
        yield ""
        yield _remains(probe)


def _row(finding: Finding) -> str:
    outcome = f"**{finding.outcome}**: " if finding.outcome is not None else ""
    cells = (finding.question, f"{outcome}{finding.seen}", _RIGHT[finding.client_is_right], finding.meaning or "-")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _remains(probe: Probe) -> str:
    left = probe.remains
    why = "" if probe.target.users_api is not None else ": this service has no API by which users are removed"
    return f"Not removed: {left.conversations} conversations, {left.users} users{why}."
