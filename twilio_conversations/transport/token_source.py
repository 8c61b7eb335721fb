"""Source of access tokens: one given string, or the program's provider, called on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from twilio_conversations.errors import ConnectionErrorInfo, NoThreadError, TokenError
from twilio_conversations.options import Options
from twilio_conversations.transport.timers import Timer, Timers
from twilio_conversations.util import checks, logs
from twilio_conversations.util.futures import Role, mark_thread
from twilio_conversations.util.naming import said
from twilio_conversations.util.os_errors import start_thread
from twilio_conversations.wire.backoff import Backoff
from twilio_conversations.wire.credentials import Credentials, claims_of

_log = logs.logger(__name__)

NOTICE: Final = 180.0
"""Seconds before the expiry of a token at which the service gives notice of it."""


class TokenListener(Protocol):
    """Callbacks of a token source. Called on the io thread."""

    def on_token(self, token: str) -> None:
        """Use a new token."""

    def on_token_refused(self, error: TokenError) -> None:
        """Go on without another token: the provider raised `TokenError`."""

    def on_token_ending(self, seconds: float) -> None:
        """Report that the token in use expires after that time, and that there is no provider to renew it."""

    def on_token_problem(self, info: ConnectionErrorInfo) -> None:
        """Report that the provider failed, or takes too long; it is called again later."""

    def on_token_over(self, token: str) -> None:
        """Stop using this token: its time has passed by the clock here."""


class TokenSource:
    """The source of one client's tokens: calls the provider in time, and reports what it returns.

    A provider is called one call at a time on the thread `conversations-token`. A call that raises, returns something that
    cannot be a token, or takes longer than `Options.token_timeout` has failed: the failure is reported, and the call repeated
    with the delays of `Options.reconnect`. A late answer is accepted. The provider raises `TokenError` for "never again".
    Whether a token may be sent is judged by `Credentials`. Everything but the constructor runs on the io thread.
    """

    def __init__(self, source: str | Callable[[], str], options: Options, *, clock: Callable[[], float] = time.time) -> None:
        """Make a source that nobody uses yet.

        Args:
            source: a token, or a function that returns one.
            options: time limit, delays and the margin of renewal.
            clock: the wall clock that expiries are compared with.
        """
        self._provider = None if isinstance(source, str) else source
        self._given = source if isinstance(source, str) else None
        self._options = options
        self._clock = clock
        self._backoff = Backoff(options.reconnect)
        self._wanted = False  # a token is asked for, and has not come yet
        self._calling = False
        self._call = 0  # number of the latest call whose answer is wanted
        self._timeout: Timer | None = None
        self._rest: Timer | None = None  # until then the provider is not called
        self._renewal: Timer | None = None
        self._expiry: Timer | None = None
        self._in_use_since: float | None = None  # unless the provider has been asked since for good reason
        self._short_lived = False
        self._closed = False

    @property
    def initial(self) -> str | None:
        """The token to start with; `None` if the provider must be called first."""
        return self._given

    @property
    def refreshable(self) -> bool:
        """Whether there is a provider to call."""
        return self._provider is not None

    def attach(
        self,
        listener: TokenListener,
        credentials: Credentials,
        timers: Timers,
        post: Callable[[Callable[[], object]], None],
        name: str,
    ) -> None:
        """Connect to the io thread that owns this.

        Args:
            listener: receives the tokens and the reports.
            credentials: what is known of tokens; to be looked at only.
            timers: those of the io thread.
            post: runs a function on the io thread.
            name: becomes part of the names of threads.
        """
        self._listener = listener
        self._credentials = credentials
        self._timers = timers
        self._post = post
        self._name = name

    # When the provider is called

    def refresh(self) -> None:
        """Call the provider, now or when it may be called again; without a provider nothing happens."""
        self._wanted = True
        self._ask()

    def about_to_expire(self) -> None:
        """Renew the token after the service's notice of its expiry.

        The notice comes three minutes ahead. For a token that lives no longer than that it comes at once, and for the next one
        again: such short ones are renewed when half their time is over, as is planned anyway.
        """
        if not (_active(self._renewal) and self._short_lived):
            self.refresh()

    def superseded(self) -> None:
        """Discard what the provider still returns, since the program gave a token itself; it need not be called again."""
        self._wanted = False
        self._call += 1
        _cancel(self._timeout)
        _cancel(self._rest)
        self._backoff.reset()

    def accepted(self, token: str) -> None:
        """Plan the renewal of `token`, which the service has accepted and which was not in use before."""
        self._in_use_since = time.monotonic()
        _cancel(self._renewal)
        _cancel(self._expiry)
        claims = claims_of(token)
        left = None if claims is None else claims.life_left(self._clock())
        if left is None:
            return  # only the service's own notices count
        self._expiry = self._timers.call_later(left, lambda: self._listener.on_token_over(token))
        margin = min(self._options.token_renewal_margin, left / 2)
        self._renewal = self._timers.call_later(left - margin, lambda: self._renew(margin))
        self._short_lived = left / 2 < NOTICE

    def check_clock(self) -> None:
        """Plan again after the computer slept: timers stood still while the token aged, and the provider may work again."""
        self._backoff.reset()
        _cancel(self._rest)
        self._ask()
        token = self._credentials.in_use
        if token is None:
            return
        self.accepted(token)
        claims = claims_of(token)
        if claims is not None and claims.expires_at is not None and claims.expires_at <= self._clock():
            self._listener.on_token_over(token)

    def close(self) -> None:
        """Report nothing any more, and call nobody. A call that is running is left to end by itself."""
        self._closed = True
        self.superseded()
        _cancel(self._renewal)
        _cancel(self._expiry)

    def _renew(self, left: float) -> None:
        if self._provider is None:
            self._listener.on_token_ending(left)
        else:
            self.refresh()

    # One call at a time

    def _ask(self) -> None:
        if self._provider is None or not self._wanted or self._closed or _active(self._rest):
            return
        if self._calling:  # perhaps for ever, and superseded: its silence must be reported
            if not _active(self._timeout):
                self._await_answer()
            return
        self._call += 1
        self._calling = True
        if self._in_use_since is not None and time.monotonic() - self._in_use_since >= self._options.reconnect.stable_after:
            self._in_use_since = None
            self._backoff.reset()
        self._await_answer()
        number = self._call
        thread = threading.Thread(target=self._run, args=(number,), name=f"conversations-token-{self._name}", daemon=True)
        try:
            start_thread(thread)
        except NoThreadError as error:  # as if the call had failed
            self._on_answer(number, None, error, said(error))

    def _run(self, number: int) -> None:
        mark_thread(Role.TOKEN)
        assert self._provider is not None
        error: BaseException | None = None
        token: object = None
        words = ""
        try:
            token = self._provider()
            checks.ran(token, "token", self._provider)
        except BaseException as raised:  # whatever it is, the client must report it
            error, words = raised, said(raised)  # here: the text of the program's exception is made by the program's code
        self._post(lambda: self._on_answer(number, token, error, words))

    def _on_answer(self, number: int, token: object, error: BaseException | None, words: str = "") -> None:
        self._calling = False
        if number != self._call or self._closed:
            self._ask()
            return
        _cancel(self._timeout)
        # However it went: should it be needed again soon, then not at once.
        self._rest = self._timers.call_later(self._backoff.next_delay(), self._ask)
        if isinstance(error, TokenError):
            self._wanted = False
            self._listener.on_token_refused(error)
        elif error is not None:
            _log.debug("the token provider failed", exc_info=error)
            self._report(f"the token provider failed: {words}")
        else:
            self._on_token(token)

    def _on_token(self, given: object) -> None:
        try:
            token = self._credentials.judge(given, self._clock())
        except TokenError as fault:
            self._report(f"the token provider gave something unusable: {fault}")
            return
        # The same token again may serve (the clocks may differ), but renews nothing: the provider is called once more later.
        self._wanted = token == self._credentials.in_use
        self._listener.on_token(token)

    def _await_answer(self) -> None:
        number = self._call
        self._timeout = self._timers.call_later(self._options.token_timeout, lambda: self._on_timeout(number))

    def _on_timeout(self, number: int) -> None:
        if number == self._call and self._calling:
            self._report(f"the token provider has not answered for {self._options.token_timeout:g} seconds")
            self._await_answer()

    def _report(self, text: str) -> None:
        self._listener.on_token_problem(ConnectionErrorInfo(False, text))


def _active(timer: Timer | None) -> bool:
    return timer is not None and timer.active


def _cancel(timer: Timer | None) -> None:
    if timer is not None:
        timer.cancel()
