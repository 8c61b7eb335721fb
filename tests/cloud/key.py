"""The service and its API key, from the environment, under any of the names that the command `probe` reads."""

from __future__ import annotations

import os

import pytest

from twilio_conversations import InvalidArgumentError
from twilio_conversations.cli.probe import key_of
from twilio_conversations.options import ENDPOINT_VARIABLE
from twilio_conversations.probe import Target


def target() -> Target:
    """Return Twilio's region us1 or the one in TWILIO_REGION, or the endpoint in the environment.

    Raises:
        InvalidArgumentError: the key is missing.
    """
    return Target.of(key_of(), region=os.environ.get("TWILIO_REGION"), endpoint=os.environ.get(ENDPOINT_VARIABLE))


def _missing() -> str:
    try:
        target()
    except InvalidArgumentError as error:
        return str(error)
    return ""


MISSING = _missing()
cloud_marks = [
    pytest.mark.cloud,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(MISSING), reason=f"talks to Twilio: {MISSING}"),
]
