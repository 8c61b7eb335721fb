"""A service that is there already: the cloud, or another at an address of its own, with the credentials in the environment."""

from __future__ import annotations

import os
from typing import Any, Final

import attrs
import pytest
import requests

from twilio_conversations.cli.probe import key_of
from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.probe import Target
from twilio_conversations.testing.service import ControlPlane, Service

CLOUD: Final = "twilio"
"""Value of the option for Twilio's own service."""
_REFUSED: Final = frozenset({401, 403, 404, 405})
"""Statuses with which a service answers that has no control plane, or none for this key."""
_TIMEOUT: Final = 30.0
"""Seconds for a request to the control plane."""


def service_at(endpoint: str) -> Service:
    """Return the service at an address, or `CLOUD`.

    Raises:
        pytest.UsageError: the environment lacks credentials, or the address is none.
    """
    url = None if endpoint == CLOUD else endpoint.rstrip("/")
    try:
        target = Target.of(key_of(), region=os.environ.get("TWILIO_REGION"), endpoint=url)
    except InvalidArgumentError as error:
        raise pytest.UsageError(f"--conversations-endpoint {endpoint}: {error}") from error

    key = target.api_key_sid, target.api_key_secret
    control: ControlPlane = NoControlPlane() if url is None else RemoteControlPlane(url, key)
    return Service(url, target.options.endpoints, target.token, control)


@attrs.frozen
class NoControlPlane:
    """Control plane of a service that has none."""

    def __call__(self, method: str, operation: str, body: dict[str, Any], /) -> Any:
        """Skip the test."""
        pytest.skip(f"needs the control plane of a local service ({operation}), which the cloud does not have")


@attrs.frozen
class RemoteControlPlane:
    """Control plane over HTTP, of a service that may turn out to have none."""

    url: str
    key: tuple[str, str] = attrs.field(repr=False)

    def __call__(self, method: str, operation: str, body: dict[str, Any], /) -> Any:
        """Execute an operation."""
        address = f"{self.url}/_local/{operation}"
        query, content = (body, None) if method == "GET" else (None, body)
        answer = requests.request(method, address, params=query, json=content, auth=self.key, timeout=_TIMEOUT)
        if answer.ok:
            return answer.json()
        if answer.status_code in _REFUSED:
            pytest.skip(f"needs the control plane of a local service ({operation}): {self.url} answers {answer.status_code}")
        raise InvalidArgumentError(answer.text)
