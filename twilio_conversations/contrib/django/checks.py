"""The check of the setting, for ``manage.py check`` and at the start of every command."""

from __future__ import annotations

from typing import Any

from django.core import checks

from twilio_conversations.contrib.django.settings import NAME, problems, raw_settings

WORKER_LIMIT = 30.0
"""Seconds after which gunicorn kills a worker that answers nothing."""


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Return a message for each fault of the setting, and a warning where a call may outlast a web worker."""
    raw = raw_settings()
    found: list[checks.CheckMessage] = [
        checks.Error(problem.text, hint=problem.hint, id=f"twilio_conversations.{problem.id}") for problem in problems(raw)
    ]
    if not found and raw.get("TIMEOUT", 0) >= WORKER_LIMIT:
        found.append(
            checks.Warning(
                f"{NAME}['TIMEOUT'] is {raw['TIMEOUT']:g} seconds, and gunicorn ends a worker after {WORKER_LIMIT:.0f}.",
                hint="Use some seconds in web processes, and timeout= of a call where more is needed.",
                id="twilio_conversations.W001",
            )
        )
    return found
