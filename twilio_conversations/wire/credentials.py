"""Knowledge of one client's tokens: the latest, the sent, the accepted and the refused one, and which may be sent."""

from __future__ import annotations

import attrs

from twilio_conversations import tokens
from twilio_conversations.errors import TokenError
from twilio_conversations.wire.token_updates import TokenUpdates


@attrs.frozen
class RefusedToken:
    """A token that the service refused; `expired` when that is why."""

    token: str = attrs.field(repr=False)
    expired: bool


class Credentials:
    """Tokens of a connection. However often the token changes meanwhile, the latest is the one finally sent.

    Attributes:
        continuation_token: by which the service recognises the connection before this one.
        refreshable: whether a provider can give another token when this one expires.
        updates: callers that wait until their token is accepted.
        holder: claims of the token that was accepted last, as far as one could be read.
        refused: the token that was refused last.
    """

    def __init__(self, token: str | None, *, refreshable: bool) -> None:
        self.continuation_token: str | None = None
        self.refreshable: bool = refreshable
        self.updates: TokenUpdates = TokenUpdates()
        self.holder: tokens.Claims | None = None
        self.refused: RefusedToken | None = None
        self._latest = token
        self._sent: str | None = None
        self._accepted: str | None = None
        self._called_expired = False  # the accepted one, by the service
        self._over: set[str] = set()  # of the latest and the accepted one: those whose time has passed

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

    @property
    def in_use(self) -> str | None:
        """The accepted token, unless the service has refused it since."""
        return None if self._called_expired else self._accepted

    @property
    def sent(self) -> str:
        """The token that was sent last."""
        return self._sent or ""

    # A token is given

    def judge(self, given: object, now: float) -> str:
        """Return what a provider gave if it may be sent, as far as can be seen here; `now` is the time of the wall clock.

        Whether a token has expired is decided by the service, since the clock here may be wrong. What it has called expired is
        not sent again. While a token is in use, one that cannot follow it is not sent either: one that was refused, one of
        another identity or service, and one that has expired while the one in use has not.

        Raises:
            TokenError: it is not a token, or must not be sent.
        """
        if not isinstance(given, str):
            raise TokenError(f"it is {type(given).__name__}, not text")
        claims = tokens.read(given)
        if self.refused is not None and given == self.refused.token:
            if self.refused.expired:
                raise TokenError("the same token again that the service called expired")
            if self.in_use is not None:
                raise TokenError("the same token again that the service refused")
        if self.holder is not None and given != self.in_use:
            tokens.check_successor(claims, self.holder, now=now)
        return given

    def replace(self, token: str) -> None:
        """Use `token` from now on. A continuation token is worth nothing to another holder."""
        if _bearer(token) != _bearer(self._latest):
            self.continuation_token = None
        self._latest = token
        self._over = (self._over & {self._accepted}) - {token}

    def is_settled(self, token: str) -> bool:
        """Return whether the service has accepted `token` and nothing came after it."""
        return token == self._accepted == self._latest

    def send(self) -> str:
        """Return the token to send now."""
        self._sent = self._latest
        return self._latest or ""

    # What becomes of it

    def expire(self, token: str) -> bool:
        """Record that the time of `token` is over; return whether it is the latest, so that another is needed."""
        if token in (self._latest, self._accepted):
            self._over.add(token)
        return token == self._latest

    def accept(self) -> list[str]:
        """Accept the token that was sent; return the finished updates. Older tokens need no answer once the latest has one."""
        self._accepted = self._sent
        self._called_expired = False
        self.holder = claims_of(self._accepted) or self.holder
        return self.updates.take_all() if self._latest == self._sent else self.updates.take(self.sent)

    def refuse(self, token: str, *, expired: bool) -> None:
        """Record that the service refused `token`; what it has called expired is not accepted from the provider again."""
        self.refused = RefusedToken(token, expired)
        if token == self._accepted:
            self._called_expired = True

    def reject(self) -> list[str]:
        """Discard the rejected token, so that it may be tried again; return the finished updates."""
        rejected, keep = self._sent, self.newer_at_hand
        self._sent = None
        if self._accepted == rejected:
            self._accepted = None
        if not keep:
            self._latest = self._accepted
        return self.updates.take_all() if rejected is None or not keep else self.updates.take(rejected)


def claims_of(token: str | None) -> tokens.Claims | None:
    """Return the claims of a token; `None` without one, and for one that cannot be read."""
    try:
        return tokens.read(token)
    except TokenError:
        return None


def _bearer(token: str | None) -> tuple[str | None, str | None] | None:
    """Return the identity and the service of a token."""
    claims = claims_of(token)
    return None if claims is None else (claims.identity, claims.service_sid)
