"""The tokens of one client: the latest, the one that was sent, the one that was accepted, and who waits for which."""

from __future__ import annotations

import attrs

from twilio_conversations import tokens
from twilio_conversations.errors import TokenError


@attrs.frozen
class _Update:
    """Pending update: its caller waits until `token`, or a later one, is accepted."""

    token: str = attrs.field(repr=False)
    deadline: float


class Credentials:
    """Tokens of a connection. However often the token changes meanwhile, the latest is the one finally sent."""

    def __init__(self, token: str | None, *, refreshable: bool) -> None:
        """`refreshable`: a provider can give another token when this one expires."""
        self.continuation_token: str | None = None
        self.refreshable = refreshable
        self._latest = token
        self._sent: str | None = None
        self._accepted: str | None = None
        self._over: set[str] = set()  # of the latest and the accepted one: those whose time has passed
        self._updates: dict[str, _Update] = {}

    @property
    def missing(self) -> bool:
        """Whether there is nothing worth sending: no token, or one that is over and can be replaced."""
        return self._latest is None or (self._latest in self._over and self.refreshable)

    @property
    def newer_at_hand(self) -> bool:
        """Whether another token came after the one that was sent."""
        return self._latest is not None and self._latest != self._sent

    @property
    def has_fallback(self) -> bool:
        """Whether another token than the one that was sent is accepted and good, as far as is known."""
        return self._accepted is not None and self._accepted != self._sent and self._accepted not in self._over

    @property
    def current(self) -> str | None:
        """The token that is good: the accepted one, or the latest while none was accepted."""
        return self._accepted or self._latest

    @property
    def latest(self) -> str | None:
        """The token that was given last and not refused."""
        return self._latest

    def replace(self, token: str) -> None:
        """Use `token` from now on. A continuation token is worth nothing to another holder."""
        if _holder(token) != _holder(self._latest):
            self.continuation_token = None
        self._latest = token
        self._over = (self._over & {self._accepted}) - {token}

    def expire(self, token: str) -> bool:
        """That token is over; whether it is the latest, so that another is needed."""
        if token in (self._latest, self._accepted):
            self._over.add(token)
        return token == self._latest

    def in_use(self, token: str) -> bool:
        """Return whether the service has accepted `token` and nothing came after it."""
        return token == self._accepted == self._latest

    @property
    def sent(self) -> str:
        """The token that was sent last."""
        return self._sent or ""

    def send(self) -> str:
        """Return the token to send now."""
        self._sent = self._latest
        return self._latest or ""

    # Who waits

    def expect(self, key: str, token: str, deadline: float) -> None:
        """`key` waits for `token`."""
        self._updates[key] = _Update(token, deadline)

    def accept(self) -> list[str]:
        """Accept the token that was sent; return the finished updates. Older tokens need no answer once the latest has one."""
        self._accepted = self._sent
        return self._take(None if self._latest == self._sent else self._sent)

    def reject(self) -> list[str]:
        """Discard the rejected token, so that it may be tried again; return the finished updates."""
        refused, keep = self._sent, self.newer_at_hand
        self._sent = None
        if self._accepted == refused:
            self._accepted = None
        if not keep:
            self._latest = self._accepted
        return self._take(refused if keep else None)

    def take_all(self) -> list[str]:
        """Everybody who waits; nobody does any more."""
        return self._take(None)

    def take_expired(self, now: float) -> list[str]:
        """Return the updates whose time limit has passed; their token is used all the same."""
        keys = [key for key, update in self._updates.items() if update.deadline <= now]
        for key in keys:
            del self._updates[key]
        return keys

    def next_deadline(self) -> float | None:
        """Return the earliest deadline of the updates."""
        return min((update.deadline for update in self._updates.values()), default=None)

    def _take(self, token: str | None) -> list[str]:
        """Remove those who wait for `token`; all of them for `None`."""
        keys = [key for key, update in self._updates.items() if token is None or update.token == token]
        for key in keys:
            del self._updates[key]
        return keys


def _holder(token: str | None) -> tuple[str, str | None] | None:
    """Return the identity and the service of a token."""
    try:
        claims = tokens.read(token or "")
    except TokenError:
        return None
    return claims.identity, claims.service_sid
