"""The probe: it settles the open questions about a service, and reports whether the client is right with the answers."""

from twilio_conversations.probe.checks import CHECKS
from twilio_conversations.probe.findings import Check, Finding, Only
from twilio_conversations.probe.outcomes import Meaning, Seen, Unsettled
from twilio_conversations.probe.report import as_json, as_markdown
from twilio_conversations.probe.run import Probe
from twilio_conversations.probe.target import Pace, Target

__all__ = [
    "CHECKS",
    "Check",
    "Finding",
    "Meaning",
    "Only",
    "Pace",
    "Probe",
    "Seen",
    "Target",
    "Unsettled",
    "as_json",
    "as_markdown",
]
