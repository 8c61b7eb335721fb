"""Where access tokens come from: one given string, or the program's provider, called on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from twilio_conversations import tokens
from twilio_conversations.errors import ConnectionErrorInfo, NoThreadError, TokenError
from twilio_conversations.options import Options
from twilio_conversations.transport.timers import Timer, Timers
from twilio_conversations.util import checks, logs
from twilio_conversations.util.futures import Role, mark_thread
from twilio_conversations.util.naming import said
from twilio_conversations.util.os_errors import start_thread
from twilio_conversations.wire.backoff import Backoff

_log = logs.logger(__name__)

NOTICE: Final = 180.0
"""Seconds before the expiry of a token at which the service gives notice of it."""


class TokenListener(Protocol):
    """What is done with what the provider says. Called on the io thread."""

    def on_token(self, token: str) -> None:
        """A new token."""

    def on_token_refused(self, error: TokenError) -> None:
        """There will be none: the provider raised `TokenError`."""

    def on_token_ending(self, seconds: float) -> None:
        """The token in use is over after that time, and there is no provider to renew it."""

    def on_token_problem(self, info: ConnectionErrorInfo) -> None:
        """The provider failed, or takes too long; it is asked again later."""

    def on_token_over(self, token: str) -> None:
        """The time of that token has passed; it was in use when it was last heard of."""


class TokenSource:
    """The token of one client.

    A provider is called one call at a time on the thread `conversations-token`. A call that raises, returns something that
    cannot be a token, or takes longer than `Options.token_timeout` has failed: that is reported, and it is tried again with
    the delays of `Options.reconnect`. An answer that comes late after all is taken. The provider says "never again" by raising
    `TokenError`. Whether a token is expired is for the service to say, since the clock here may be wrong; what it has called
    expired is not sent again. While a token is in use, one that cannot follow it (another identity's, an older one that is
    over, one that was refused) is not sent either. Everything but the constructor runs on the io thread.
    """

    def __init__(self, source: str | Callable[[], str], options: Options, *, clock: Callable[[], float] = time.time) -> None:
        """`source` is a token, or a function that returns one. `clock` is the wall clock that expiries are compared with."""
        self._provider = None if isinstance(source, str) else source
        self._given = source if isinstance(source, str) else None
        self._options = options
        self._clock = clock
        self._backoff = Backoff(options.reconnect)
        self._wanted = False  # a token is asked for, and has not come yet
        self._calling = False
        self._call = 0  # number of the latest call whose answer is wanted
        self._timeout: Timer | None = None
        self._rest: Timer | None = None  # until then the provider is left in peace
        self._renewal: Timer | None = None
        self._expiry: Timer | None = None
        self._in_use: str | None = None
        self._holder: tokens.Claims | None = None  # of the token accepted last
        self._in_use_since: float | None = None  # unless the provider has been asked since for good reason
        self._short_lived = False
        self._refused: str | None = None  # what the service refused last
        self._refused_for_good = False
        self._closed = False

    @property
    def initial(self) -> str | None:
        """The token to start with, if there is one without asking."""
        return self._given

    @property
    def refreshable(self) -> bool:
        """Whether there is a provider to ask."""
        return self._provider is not None

    @property
    def holder(self) -> tokens.Claims | None:
        """What the token says that the service accepted last; `None` before, and of one that cannot be read."""
        return self._holder

    def attach(self, listener: TokenListener, timers: Timers, post: Callable[[Callable[[], object]], None], name: str) -> None:
        """Connect to the io thread that owns this; `name` becomes part of the thread's name."""
        self._listener = listener
        self._timers = timers
        self._post = post
        self._name = name

    def refresh(self) -> None:
        """Have the provider asked, now or when it may be asked again; without a provider nothing happens."""
        self._wanted = True
        self._ask()

    def about_to_expire(self) -> None:
        """The service says so.

        It says so three minutes ahead, of a token that lives no longer than that at once, and of the next one again. Such
        short ones are renewed when half their time is over, as is planned anyway.
        """
        if not (_active(self._renewal) and self._short_lived):
            self.refresh()

    def refused(self, token: str, *, expired: bool) -> None:
        """The service refused `token`: for good when it is expired."""
        self._refused, self._refused_for_good = token, expired
        if token == self._in_use:
            self._in_use = None

    def _ask(self) -> None:
        if self._provider is None or not self._wanted or self._closed or _active(self._rest):
            return
        if self._calling:  # perhaps for ever, and superseded: whoever waits must hear of it
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
        except NoThreadError as error:  # no thread to be had now: as if it had failed
            self._on_answer(number, None, error, said(error))

    def superseded(self) -> None:
        """The program gave a token itself: what the provider still answers is not wanted, and it need not be asked again."""
        self._wanted = False
        self._call += 1
        _cancel(self._timeout)
        _cancel(self._rest)
        self._backoff.reset()

    def accepted(self, token: str) -> None:
        """The service took `token`: renew it before it expires."""
        if token == self._in_use:
            return
        self._in_use, self._in_use_since = token, time.monotonic()
        _cancel(self._renewal)
        _cancel(self._expiry)
        try:
            self._holder = tokens.read(token)
        except TokenError:
            return
        left = self._holder.life_left(self._clock())
        if left is None:
            return  # only the service's own notices count
        self._expiry = self._timers.call_later(left, lambda: self._listener.on_token_over(token))
        margin = min(self._options.token_renewal_margin, left / 2)
        self._renewal = self._timers.call_later(left - margin, lambda: self._renew(margin))
        self._short_lived = left / 2 < NOTICE

    def _renew(self, left: float) -> None:
        if self._provider is None:
            self._listener.on_token_ending(left)
        else:
            self.refresh()

    def check_clock(self) -> None:
        """The computer slept: timers stood still while the token aged, and what troubled the provider may be over."""
        self._backoff.reset()
        _cancel(self._rest)
        self._ask()
        in_use, self._in_use = self._in_use, None
        if in_use is None:
            return
        try:
            over = tokens.read(in_use).expires_at <= self._clock()
        except TokenError:
            over = False
        self.accepted(in_use)
        if over:
            self._listener.on_token_over(in_use)

    def close(self) -> None:
        """Nothing is asked or told any more. A call that is running is left to end by itself."""
        self._closed = True
        self.superseded()
        _cancel(self._renewal)
        _cancel(self._expiry)

    def _run(self, number: int) -> None:
        mark_thread(Role.TOKEN)
        assert self._provider is not None
        error: BaseException | None = None
        token: object = None
        words = ""
        try:
            token = self._provider()
            checks.ran(token, "token", self._provider)
        except BaseException as raised:  # whatever it is, the client must hear of it
            error, words = raised, said(raised)  # here: an exception of the program's says in code of the program's what it is
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

    def _on_token(self, token: object) -> None:
        try:
            if not isinstance(token, str):
                raise TokenError(f"it is {type(token).__name__}, not text")
            self._judge(token, tokens.read(token))
        except TokenError as fault:
            self._report(f"the token provider gave something unusable: {fault}")
            return
        # The same token again may serve (the clocks may differ), but renews nothing: the provider is asked once more later.
        self._wanted = token == self._in_use
        self._listener.on_token(token)

    def _judge(self, token: str, claims: tokens.Claims) -> None:
        """Raise what is wrong with a token that the provider gave, as far as it can be seen here."""
        if token == self._refused and self._refused_for_good:
            raise TokenError("the same token again that the service called expired")
        if token == self._refused and self._in_use is not None:
            raise TokenError("the same token again that the service refused")
        if self._holder is not None and token != self._in_use:
            tokens.check_successor(claims, self._holder, now=self._clock())

    def _await_answer(self) -> None:
        number = self._call
        self._timeout = self._timers.call_later(self._options.token_timeout, lambda: self._on_timeout(number))

    def _report(self, text: str) -> None:
        self._listener.on_token_problem(ConnectionErrorInfo(False, text))

    def _on_timeout(self, number: int) -> None:
        if number == self._call and self._calling:
            self._report(f"the token provider has not answered for {self._options.token_timeout:g} seconds")
            self._await_answer()


def _active(timer: Timer | None) -> bool:
    return timer is not None and timer.active


def _cancel(timer: Timer | None) -> None:
    if timer is not None:
        timer.cancel()
