"""Encrypted tokens (JWE), as Twilio Flex issues them, and local services that can open them."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from twilio_conversations.server import LocalServer, auth
from twilio_conversations.server.storage.credentials import Credentials

HEADER = {"alg": "dir", "enc": "A256CBC-HS512", "zip": "DEF", "cty": "twilio-fpa;v=1"}


def sealed(header: Mapping[str, Any] = HEADER) -> str:
    """A token of five parts: header, no key (as with `dir`), vector, contents, seal; the last three are noise."""
    noise = [_part(uuid.uuid4().bytes) for _ in range(3)]
    return ".".join([_part(json.dumps(header).encode()), "", *noise])


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Seals:
    """Knows what is in the sealed tokens of its making; the services of this process ask it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._contents: dict[str, str] = {}
        self.opened: list[str] = []
        verify = auth.verify

        def opened(token: str, credentials: Credentials) -> auth.Grant:
            if token in self._contents:
                self.opened.append(token)
            return verify(self._contents.get(token, token), credentials)

        patch.setattr(auth, "verify", opened)

    def token(self, service: LocalServer, identity: str, ttl: float = 3600) -> str:
        """A sealed token for a service."""
        token = sealed()
        self._contents[token] = service.token(identity, ttl)
        return token
