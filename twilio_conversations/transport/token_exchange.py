"""Tokens between their source, the session and the program: each way what is new, reported and logged."""

from __future__ import annotations

import time
from collections.abc import Callable

from twilio_conversations.errors import ConnectionErrorInfo, TokenError
from twilio_conversations.transport.connection_log import ConnectionLog
from twilio_conversations.transport.listener import Listener, notify
from twilio_conversations.transport.timers import Timers
from twilio_conversations.transport.token_source import TokenSource
from twilio_conversations.wire.effects import Effect, TokenAboutToExpire, TokenAccepted
from twilio_conversations.wire.session import Session


class TokenExchange:
    """The tokens of one connection. A `TokenListener`; lives on the io thread."""

    def __init__(
        self, source: TokenSource, session: Session, listener: Listener, log: ConnectionLog, apply: Callable[[list[Effect]], None]
    ) -> None:
        """`apply` carries out the effects of the session."""
        self._source = source
        self._session = session
        self._listener = listener
        self._log = log
        self._apply = apply

    def start(self, timers: Timers, post: Callable[[Callable[[], object]], None], name: str) -> None:
        """Attach the source, and report the token to start with."""
        self._source.attach(self, self._session.credentials, timers, post, name)
        if self._source.initial is not None:
            self._note(self._source.initial)

    def give(self, token: str, key: str, deadline: float) -> None:
        """Use a token of the program's in place of what the provider may still return; `key` is settled with its outcome."""
        self._source.superseded()
        self._note(token)
        self._apply(self._session.update_token(token, time.monotonic(), key=key, deadline=deadline))

    # From the session

    def accepted(self, effect: TokenAccepted) -> None:
        """Plan the renewal of the accepted token, unless it was in use before."""
        self._log.token_accepted(effect.token)
        if effect.is_new:
            self._source.accepted(effect.token)

    def about_to_expire(self, _: TokenAboutToExpire) -> None:
        """Report the service's notice, and call the provider."""
        notify(self._listener.on_token_about_to_expire)
        self._source.about_to_expire()

    # From the source

    def on_token(self, token: str) -> None:
        """Use the provider's token."""
        self._note(token)
        self._apply(self._session.update_token(token, time.monotonic()))

    def on_token_refused(self, error: TokenError) -> None:
        """Go on without another token."""
        self._apply(self._session.token_refused(error, time.monotonic()))

    def on_token_problem(self, info: ConnectionErrorInfo) -> None:
        """Report that the provider failed; it is called again."""
        self._session.token_delayed(info.message)
        self._log.trouble(info, about_token=True)
        notify(self._listener.on_connection_error, info)

    def on_token_ending(self, seconds: float) -> None:
        """Log that the token expires soon, and that there is no provider."""
        self._log.token_ending(seconds)

    def on_token_over(self, token: str) -> None:
        """Stop using a token whose time has passed by the clock here."""
        if self._session.token_expired(token):
            self._source.refresh()

    def _note(self, token: str) -> None:
        """Report a token that is used from now on."""
        self._log.token_given(token)
        notify(self._listener.on_token, token)
