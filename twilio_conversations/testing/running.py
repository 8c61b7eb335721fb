"""A test run: its service, started once, and the watch over what handlers raise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from twilio_conversations.options import ENDPOINT_VARIABLE
from twilio_conversations.server import LocalServer
from twilio_conversations.testing.service import Service
from twilio_conversations.testing.watch import Watch


@contextmanager
def serve(config: pytest.Config) -> Iterator[Service]:
    """Provide the service that the command line asks for, and watch over the handlers of the tests that use it."""
    with _service(config.getoption("--conversations-endpoint", None)) as service, pytest.MonkeyPatch.context() as patch:
        if service.url is not None:
            patch.setenv(ENDPOINT_VARIABLE, service.url)
        with Watch(service) as watch:
            config.pluginmanager.register(watch)
            try:
                yield service
            finally:
                config.pluginmanager.unregister(watch)


@contextmanager
def _service(endpoint: str | None) -> Iterator[Service]:
    if endpoint is not None:
        from twilio_conversations.testing.elsewhere import service_at

        yield service_at(endpoint)
        return
    with LocalServer() as server:
        yield Service.of(server)
