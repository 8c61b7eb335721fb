"""From an open connection to `initialized`: a flow on the io thread, so that it blocks no thread.

It runs once per client, when the service first accepts the connection; what a lost connection or a busy service interrupts
is tried again. The listing of conversations starts here too, but `initialized` does not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twilio_conversations.errors import (
    ClientClosedError,
    ConnectionErrorInfo,
    ConversationsError,
    ProtocolError,
    TransportUnavailableError,
)
from twilio_conversations.events.names import HandlerError
from twilio_conversations.util import logs, urls
from twilio_conversations.util.flows import Flow, Future, flow, gather
from twilio_conversations.values.configuration import Configuration

if TYPE_CHECKING:
    from collections.abc import Callable

    from twilio_conversations.runtime import Runtime
    from twilio_conversations.state.conversations import Conversations
    from twilio_conversations.state.users import Users
    from twilio_conversations.util.futures import Deadline

_log = logs.logger(__name__)


class Startup:
    """Start of a client; it runs once and reports its result."""

    def __init__(
        self,
        runtime: Runtime,
        users: Users,
        conversations: Conversations,
        ready: Callable[[], None],
        failed: Callable[[ConnectionErrorInfo], None],
    ) -> None:
        """`ready` and `failed` are called on the io thread; after a failure `begin` may be called again."""
        self._runtime = runtime
        self._users = users
        self._conversations = conversations
        self._ready = ready
        self._failed = failed
        self._running = False

    def begin(self) -> None:
        """Start, unless that was done before."""
        if not self._running:
            self._running = True
            self._run()

    @flow
    def _run(self) -> Flow[None]:
        """Load the configuration, then the current user and the list of conversations in parallel."""
        try:
            if self._runtime.known_configuration is None:
                yield self._insist(self._configure, "reading the configuration")
            users = self._insist_on_own(self._users.open, "subscribing to the current user")
            yield gather([users, self._insist_on_own(self._conversations.open, "subscribing to the conversations")])
        except ClientClosedError:
            return
        except ConversationsError as error:
            _log.error("the client cannot start: %s", error)
            self._running = False
            self._failed(ConnectionErrorInfo(True, str(error), error.status, error.code))
            return
        self._load()
        self._ready()

    @flow
    def _configure(self) -> Flow[None]:
        url = urls.join(self._runtime.options.endpoints.api, "Client", "v2", "Configuration")
        self._runtime.known_configuration = Configuration.parse((yield from self._runtime.get_json(url)))

    @flow
    def _load(self) -> Flow[None]:
        """Load the list of conversations."""
        try:
            yield self._runtime.insist(self._conversations.load, "listing the conversations", _may_pass_with_a_token)
        except ConversationsError as error:
            self._conversations.listed.fail(error)
            if not isinstance(error, ClientClosedError):
                _log.error("the conversations cannot be listed: %s", error)
                self._runtime.dispatcher.report(HandlerError(error))

    def _insist(self, step: Callable[[], Future[None]], what: str) -> Future[None]:
        """Do a step; what passes by itself is waited for, and the step repeated."""
        return self._runtime.insist(step, what, _worth_repeating)

    def _insist_on_own(self, step: Callable[[], Future[None]], what: str) -> Future[None]:
        """Subscribe to an object of the current user's, which may not exist yet for a new user: it is waited for."""
        deadline = self._runtime.deadline(None)
        return self._runtime.insist(step, what, lambda error: _worth_repeating(error) or _may_come(error, deadline))


def _may_come(error: ConversationsError, deadline: Deadline) -> bool:
    """Return whether an object that is not there may still be made."""
    return error.status == 404 and not deadline.passed


def _may_pass_with_a_token(error: ConversationsError) -> bool:
    """Return whether the start may succeed with another token, as the client may be denied meanwhile."""
    return isinstance(error, TransportUnavailableError) or _worth_repeating(error)


def _worth_repeating(error: ConversationsError) -> bool:
    """Cuts, time limits and a busy or broken service pass; a refusal or a strange answer does not."""
    if isinstance(error, ProtocolError | ClientClosedError):
        return False
    return error.status is None or error.status == 429 or error.status >= 500
