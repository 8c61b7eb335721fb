"""Repetition of HTTP requests: the statuses that pass by themselves, and the delay that ``Retry-After`` asks for."""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Mapping
from datetime import UTC
from typing import Final

from twilio_conversations.options import BackoffPolicy

RESENDS: Final = BackoffPolicy(minimum=0.25, maximum=10.0)
"""Delays between attempts of one request where the service names none."""

LONGEST: Final = 86_400.0
"""Seconds of ``Retry-After`` that are obeyed: no clock waits for numbers without bounds."""

TEMPORARY: Final = frozenset({429, 502, 503, 504})
"""Statuses of an answer that may be another one later."""


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that ``Retry-After`` (a number or a date) asks to wait; 0 if it cannot be read.

    A date is compared with the ``Date`` of the same answer, as this machine's clock may be wrong. `headers` has lower-case names,
    or finds them in any case.
    """
    text = (headers.get("retry-after") or "").strip()
    if not text:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        until, now = _timestamp(text), _timestamp(headers.get("date") or "")
        seconds = 0.0 if until is None else until - (time.time() if now is None else now)
    return min(max(0.0, seconds), LONGEST) if math.isfinite(seconds) else 0.0


def _timestamp(text: str) -> float | None:
    """Return the time of an HTTP date."""
    try:
        moment = email.utils.parsedate_to_datetime(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
