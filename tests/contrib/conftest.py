"""A Django project for the tests of this folder, without a file of its own; its service is the one of the run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings
from django.test import override_settings

from tests.contrib.example import Site, prepare
from tests.support.patience import PATIENCE
from twilio_conversations.server import LocalServer

FOLDER = tempfile.TemporaryDirectory(prefix="contrib-")
"""Of the database, until the end of the process: one in memory is never closed."""

if not settings.configured:
    settings.configure(
        SECRET_KEY="only for tests",
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{FOLDER.name}/db.sqlite3"}},
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
    """The service of the run, which the site uses; its clients are closed when the setting is another one."""
    with override_settings(TWILIO_CONVERSATIONS=setting(service)):
        yield service


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalServer, Path]]:
    """A service for the example, and a database."""
    with LocalServer() as service:
        yield service, prepare(tmp_path_factory.mktemp("database") / "db.sqlite3")


@pytest.fixture
def example(prepared: tuple[LocalServer, Path], tmp_path: Path) -> Site:
    """The example site with an empty service."""
    service, database = prepared
    service.reset()
    service.forget_traffic()
    return Site.create(tmp_path / "site", service, database)
