"""A Django project for the tests of this folder, without a file of its own; its service is the one of the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.conf import settings
from django.test import override_settings

from tests.support.patience import PATIENCE
from twilio_conversations.server import LocalServer

if not settings.configured:
    settings.configure(
        SECRET_KEY="only for tests",
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "twilio_conversations.contrib.django"],
        MIDDLEWARE=[],
        ROOT_URLCONF="tests.contrib.urls",
        USE_TZ=True,
    )
    django.setup()


def setting(service: LocalServer, **changes: Any) -> dict[str, Any]:
    """Return the setting for a local service."""
    credentials = service.credentials
    return {
        "ENDPOINT": service.url,
        "ACCOUNT_SID": credentials.account_sid,
        "API_KEY_SID": credentials.api_key_sid,
        "API_KEY_SECRET": credentials.api_key_secret,
        "SERVICE_SID": credentials.service_sid,
        "TIMEOUT": PATIENCE,
        **changes,
    }


@pytest.fixture
def site(service: LocalServer) -> Iterator[LocalServer]:
    """The service of the run, which the site uses; the site's clients are closed afterwards."""
    from twilio_conversations.contrib.django import close_clients

    with override_settings(TWILIO_CONVERSATIONS=setting(service)):
        yield service
    close_clients()
