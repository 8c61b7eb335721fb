"""Log of a client's connection: one line for each event, which names the cause and never a token."""

from __future__ import annotations

import re
from typing import Final

from twilio_conversations.errors import ConnectionErrorInfo
from twilio_conversations.util import logs
from twilio_conversations.wire.credentials import claims_of

_log = logs.logger("twilio_conversations.connection")

LONGEST_CAUSE: Final = 500
"""Characters of foreign text that go into one line."""

_MANY: Final = 32
_REFUSALS: Final = frozenset({401, 403, 410})
_TOKEN: Final = re.compile(r"eyJ[\w-]+(?:\.[\w-]*){2,}")


class ConnectionLog:
    """Logs the events of one connection.

    The cause of its end is an ERROR. The first report of a trouble is a WARNING; its repetitions are DEBUG, since the INFO line
    about the next attempt names the cause. A trouble is over with the next connection, one with tokens when another is accepted.
    """

    def __init__(self, name: str, peer: str) -> None:
        """`name` is the client's among those of the process, `peer` the service's address."""
        self._who = f"client {name}"
        self._name = name
        self._peer = peer
        self._known: dict[str, bool] = {}  # what was reported already -> whether it is about tokens
        self._accepted: str | None = None

    def token_given(self, token: str) -> None:
        """Name the identity of this token in the lines from now on."""
        if (claims := claims_of(token)) is not None and claims.identity is not None:
            self._who = f"client {self._name} ({claims.identity!r})"

    def token_accepted(self, token: str) -> None:
        """Forget the troubles of before, since the service has accepted a token."""
        if token != self._accepted:
            self._accepted = token
            self._known.clear()

    def token_ending(self, seconds: float) -> None:
        """Log that the token in use expires soon, and that there is no provider."""
        _log.warning(
            "%s: the token ends in %.0f seconds; give Client a function that returns tokens instead of one token, "
            "or call update_token() in time",
            self._who,
            seconds,
        )

    def connected(self, resumed: bool) -> None:
        """Log that the service accepted the client."""
        _log.info("%s: %s to %s", self._who, "connected again" if resumed else "connected", self._peer)
        self._known = {message: about_token for message, about_token in self._known.items() if about_token}

    def retrying(self, seconds: float, cause: str) -> None:
        """Log the delay of the next attempt to connect, and its cause."""
        _log.info("%s: connecting again in %.1f s, since: %s", self._who, seconds, one_line(cause))

    def trouble(self, info: ConnectionErrorInfo, *, about_token: bool = False) -> None:
        """Log a failure to connect or to authorise."""
        cause = one_line(info.message) + _codes(info)
        if info.terminal:
            _log.error("%s: given up: %s", self._who, cause)
            return
        repeated = cause in self._known
        if len(self._known) >= _MANY:
            self._known.clear()
        self._known[cause] = about_token or info.http_status_code in _REFUSALS
        write = _log.debug if repeated else _log.warning
        write("%s: %s", self._who, cause)


def one_line(text: str) -> str:
    """Return foreign text fit for a line of a log: without line breaks and tokens, and cut to `LONGEST_CAUSE`."""
    plain = "".join(letter if letter.isprintable() else " " for letter in _TOKEN.sub("(a token)", text))
    words = " ".join(plain.split())
    return words if len(words) <= LONGEST_CAUSE else f"{words[:LONGEST_CAUSE]}..."


def _codes(info: ConnectionErrorInfo) -> str:
    known = {"status": info.http_status_code, "code": info.error_code}
    text = ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)
    return f" ({text})" if text else ""
