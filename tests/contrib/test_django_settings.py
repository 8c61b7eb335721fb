"""The setting: each fault is found by the check framework, in words, and none of a right one is."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from tests.support.patience import PATIENCE
from twilio_conversations import tokens
from twilio_conversations.contrib.django import create_client, settings

CREDENTIALS = {"ACCOUNT_SID": "AC1", "API_KEY_SID": "SK1", "API_KEY_SECRET": "secret" * 8, "SERVICE_SID": "IS1"}
NOT_CALLABLE = "text"


def found(setting: Any) -> dict[str, str]:
    """Return the messages of the check by their ids."""
    with override_settings(TWILIO_CONVERSATIONS=setting):
        messages = run_checks(tags=["twilio_conversations"])
    return {str(message.id).rpartition(".")[2]: f"{message.msg} {message.hint}" for message in messages}


@pytest.mark.parametrize(
    "setting",
    [
        CREDENTIALS,
        {**CREDENTIALS, "REGION": "ie1", "TIMEOUT": 2.5, "TOKEN_TTL": 600},
        {**CREDENTIALS, "ENDPOINT": "http://127.0.0.1:8089", "OPTIONS": {"max_pending_events": 10}},
        {"TOKEN": "tests.contrib.test_django_settings.token_for", "IDENTITY": str},
    ],
)
def test_a_setting_that_works(setting: dict[str, Any]) -> None:
    """Nothing is reported of it."""
    assert found(setting) == {}


@pytest.mark.parametrize(
    ("setting", "id_", "words"),
    [
        (None, "E001", "TWILIO_CONVERSATIONS is missing"),
        ("http://h", "E001", "is str: it is a dictionary"),
        ({**CREDENTIALS, "ENDPONT": "http://h"}, "E002", "no key 'ENDPONT'. There are: ENDPOINT, REGION"),
        ({}, "E003", "'ACCOUNT_SID', 'API_KEY_SID', 'API_KEY_SECRET', 'SERVICE_SID' missing"),
        ({**CREDENTIALS, "SERVICE_SID": ""}, "E003", "'SERVICE_SID' missing or empty"),
        ({**CREDENTIALS, "TOKEN": repr}, "E003", "'TOKEN' as well as 'ACCOUNT_SID'"),
        ({**CREDENTIALS, "API_KEY_SECRET": b"x"}, "E003", "['API_KEY_SECRET'] is bytes, not text"),
        ({**CREDENTIALS, "TOKEN_TTL": 90_000}, "E003", "['TOKEN_TTL'] is 90000"),
        ({"TOKEN": "shop.tokens.none"}, "E004", "['TOKEN'] cannot be imported: No module named 'shop'"),
        ({**CREDENTIALS, "IDENTITY": f"{__name__}.NOT_CALLABLE"}, "E004", "['IDENTITY'] "),
        ({**CREDENTIALS, "ENDPOINT": "h", "REGION": "us1"}, "E005", "'ENDPOINT' as well as 'REGION'"),
        ({**CREDENTIALS, "ENDPOINT": "127.0.0.1:8089"}, "E005", "no usable address"),
        ({**CREDENTIALS, "REGION": "Ireland!"}, "E005", "not a region"),
        ({**CREDENTIALS, "TIMEOUT": 0}, "E006", "['TIMEOUT']: default_timeout must be above zero"),
        ({**CREDENTIALS, "TIMEOUT": "5"}, "E006", "['TIMEOUT']: "),
        ({**CREDENTIALS, "OPTIONS": {"pending": 1}}, "E006", "unknown option 'pending'"),
        ({**CREDENTIALS, "OPTIONS": 3}, "E006", "['OPTIONS'] is int"),
        ({**CREDENTIALS, "TIMEOUT": 30}, "W001", "gunicorn ends a worker after 30"),
    ],
)
def test_a_fault_is_named(setting: Any, id_: str, words: str) -> None:
    """Each has one number and a text that names the key; a client cannot be made with an error."""
    messages = found(setting)
    assert list(messages) == [id_]
    assert words in messages[id_]
    assert CREDENTIALS["API_KEY_SECRET"] not in messages[id_]
    if id_.startswith("E"):
        with override_settings(TWILIO_CONVERSATIONS=setting), pytest.raises(ImproperlyConfigured, match="TWILIO_CONVERSATIONS"):
            create_client("alice", auto_connect=False)


def token_for(identity: str) -> str:
    """A site's own function."""
    return f"token of {identity}"


def test_tokens_and_options_of_the_setting() -> None:
    """Tokens are signed with the credentials or come from the site's function; five seconds are the limit of a call."""
    with override_settings(TWILIO_CONVERSATIONS={**CREDENTIALS, "REGION": "ie1", "TOKEN_TTL": 60}):
        chosen = settings.current()
        claims = tokens.read(chosen.token_for("alice"))
    assert (claims.identity, claims.service_sid) == ("alice", "IS1")
    assert claims.life_left(0) == 60
    assert chosen.client == {"endpoint": None, "region": "ie1"}
    assert chosen.timeout == settings.WEB_TIMEOUT
    path = f"{__name__}.token_for"
    with override_settings(TWILIO_CONVERSATIONS={"TOKEN": path, "OPTIONS": {"resend": "never"}, "TIMEOUT": PATIENCE}):
        chosen = settings.current()
        assert chosen.token_for("bob") == "token of bob"
        assert chosen.client["resend"] == "never"
        assert chosen.timeout == PATIENCE
