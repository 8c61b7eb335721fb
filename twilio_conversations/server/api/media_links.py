"""Temporary links to media: each gives access to one file for some minutes, without a token."""

from __future__ import annotations

import hashlib
import hmac

import attrs

from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.settings import Clock

LIFETIME = 300
"""Seconds, by the service's clock."""
PATH = "/media"


@attrs.frozen
class MediaLinks:
    """Creation and check of links. Nothing is stored: a link carries its expiry and a signature."""

    _clock: Clock
    _secret: str = attrs.field(repr=False)

    def make(self, base_url: str, sid: str) -> str:
        """Return a new link to the content of a file."""
        expires = str(int(self._clock.now().timestamp()) + LIFETIME)
        return f"{base_url}{PATH}/{sid}?Expires={expires}&Signature={self._signature(sid, expires)}"

    def check(self, sid: str, expires: str, signature: str) -> None:
        """Raise `Refusal` 20403 when the link is forged or expired."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
            raise Refusal(20403, "The link is not valid")
        if not hmac.compare_digest(self._signature(sid, expires).encode(), signature.encode()):
            raise Refusal(20403, "The link is not valid")
        if int(expires) <= self._clock.now().timestamp():
            raise Refusal(20403, "The link has expired")

    def _signature(self, sid: str, expires: str) -> str:
        # SHA-512, which nothing else that is signed with this key uses: no other signature can pass for one of a link.
        return hmac.new(self._secret.encode(), f"media {sid} {expires}".encode(), hashlib.sha512).hexdigest()
