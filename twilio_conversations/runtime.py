"""The bundle that models are handed: how they reach the service, the threads and each other, without knowing `Client`."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import attrs

from twilio_conversations.errors import ConversationsError, NotReadyError, RestError
from twilio_conversations.events.dispatcher import Dispatcher
from twilio_conversations.events.emitter import EventEmitter
from twilio_conversations.events.names import EventName, HandlerError
from twilio_conversations.options import Options
from twilio_conversations.sync.client import SyncClient
from twilio_conversations.transport.connection import Connection
from twilio_conversations.transport.readiness import Readiness
from twilio_conversations.transport.rest import Rest, error_body
from twilio_conversations.transport.tunnel import Tunnel
from twilio_conversations.util import logs
from twilio_conversations.util.flows import Flow, Future, flow
from twilio_conversations.util.futures import Deadline, SharedFuture, refuse_to_wait
from twilio_conversations.util.lru import Lru
from twilio_conversations.values.configuration import Configuration
from twilio_conversations.wire.backoff import Backoff
from twilio_conversations.wire.window import Lane

if TYPE_CHECKING:
    import requests

    from twilio_conversations.transport.media_http import MediaHttp
    from twilio_conversations.values.channel_metadata import ChannelMetadata
    from twilio_conversations.values.recipients import RecipientDescriptor

_log = logs.logger(__name__)
T = TypeVar("T")


class UserSource(Protocol):
    """The users of the client, as a participant looks for one."""

    def get(self, identity: str, map_name: str | None = None, /) -> Future[Any]:
        """Return the `User` with that identity, followed from now on; `map_name`, where it is known, saves a request."""


@attrs.define(eq=False, repr=False)
class Runtime:
    """Access of the models to the service, the threads and each other.

    Attributes:
        lock: held for a few assignments when state changes; never while waiting or while user code runs.
        readiness: whether the client can be used; callers wait there.
        events: the client, as the emitter of its events.
        users: where the user of a participant is found.
        recent: the latest messages, kept alive here; the registries themselves hold theirs weakly.
        channel_metadata: by message sid; `None` for a message that has none.
        recipients: by message sid, only complete answers.
    """

    options: Options
    connection: Connection
    readiness: Readiness
    tunnel: Tunnel
    rest: Rest
    sync: SyncClient
    dispatcher: Dispatcher
    events: EventEmitter
    recent: collections.deque[Any]
    channel_metadata: Lru[str, ChannelMetadata | None]
    recipients: Lru[str, tuple[RecipientDescriptor, ...]]
    lock: threading.Lock = attrs.field(factory=threading.Lock)
    users: UserSource = attrs.field(init=False)
    known_configuration: Configuration | None = None
    _pauses: list[Future[None]] = attrs.field(factory=list, init=False)
    _session: requests.Session | None = attrs.field(default=None, kw_only=True)
    _media: MediaHttp | None = attrs.field(default=None, init=False)

    @classmethod
    def assembled(
        cls,
        options: Options,
        session: requests.Session | None,
        connection: Connection,
        readiness: Readiness,
        dispatcher: Dispatcher,
        events: EventEmitter,
    ) -> Self:
        """Put together what stands between a client's connection and its models; `session` carries media."""
        tunnel = Tunnel(connection, options)
        return cls(
            options,
            connection,
            readiness,
            tunnel,
            Rest(tunnel, options),
            SyncClient(
                tunnel.request,
                connection.timers,
                options.endpoints.sync,
                congested=lambda: dispatcher.full,
                report=lambda error: dispatcher.report(HandlerError(error)),
            ),
            dispatcher,
            events,
            collections.deque(maxlen=options.max_cached_messages),
            Lru(options.channel_metadata_cache_capacity),
            Lru(options.message_recipients_cache_capacity),
            session=session,
        )

    @property
    def media(self) -> MediaHttp:
        """Requests to the media service; made at its first use."""
        if self._media is None:
            from twilio_conversations.transport.media_http import MediaHttp

            made = MediaHttp(self.options, self._session, lambda: self.connection.token)
            with self.lock:
                if self._media is None:
                    self._media = made
        return self._media

    @property
    def transfers(self) -> int:
        """Number of transfers of media under way."""
        return 0 if self._media is None else self._media.running

    def close_media(self, cause: BaseException | None) -> None:
        """Stop what is under way with the media service, after the lifetime has ended: nothing can begin any more."""
        if self._media is not None:
            self._media.close(cause)

    @property
    def configuration(self) -> Configuration:
        """Configuration from the service, read at the start.

        Raises:
            NotReadyError: it has not said anything yet.
        """
        if self.known_configuration is None:
            raise NotReadyError("the service's configuration has not arrived yet")
        return self.known_configuration

    def deadline(self, timeout: float | None) -> Deadline:
        """Return the deadline of a call: `timeout` seconds, or the client's default."""
        return Deadline(self.options.default_timeout if timeout is None else timeout)

    def await_ready(self, timeout: float | None, what: str) -> Deadline:
        """Wait until the client is ready, and return the deadline of the whole call."""
        return self.readiness.await_ready(self.deadline(timeout), what)

    def run(self, start: Callable[[], Future[T]], deadline: Deadline, what: str) -> T:
        """Start work on the io thread and wait for its result, within the deadline."""
        refuse_to_wait(what)
        return self.wait(self.connection.run(start), deadline, what)

    def run_now(self, look: Callable[[], T], deadline: Deadline, what: str) -> T:
        """Look at something that belongs to the io thread."""
        refuse_to_wait(what)
        return self.wait(self.connection.call(look), deadline, what)

    def take(self, future: Future[T], deadline: Deadline, what: str) -> T:
        """Return the result of a future of the io thread, after waiting for it if need be."""
        self.readiness.check()
        return future.result() if future.done() else self.run(lambda: future, deadline, what)

    def wait(self, future: SharedFuture[T], deadline: Deadline, what: str) -> T:
        """Wait for something that needs the connection, as long as the client can be used."""
        return self.readiness.wait(future, deadline, what)

    def get_json(self, url: str, *, lane: Lane = Lane.READ) -> Flow[Any]:
        """Return the decoded answer to a GET, resent as needed within the default time limit; for flows on the io thread."""
        answer = yield self.tunnel.request(
            "GET", url, headers={"Content-Type": "application/json"}, deadline=self.deadline(None), idempotent=True, lane=lane
        )
        if not 200 <= answer.code < 300:
            raise RestError.from_answer(f"GET {url}", answer.code, error_body(answer))
        return answer.json()

    @flow
    def insist(self, step: Callable[[], Future[T]], what: str, worth_repeating: Callable[[ConversationsError], bool]) -> Flow[T]:
        """Do a step on the io thread; after an error that may pass again, with back-off and at each new connection."""
        backoff = Backoff(self.options.reconnect)
        while True:
            try:
                result: T = yield step()
                return result
            except ConversationsError as error:
                if not worth_repeating(error):
                    raise
                _log.warning("%s was interrupted and is tried again: %s", what, error)
            yield self.pause(backoff.next_delay())

    def pause(self, seconds: float) -> Future[None]:
        """Done after a while, or with the next connection; it fails when the connection is over for good.

        While the client is denied only the next connection ends it.
        """
        pause = self.connection.sleep(seconds if self.readiness.cause is None else float("inf"))
        self._pauses.append(pause)
        pause.add_done_callback(lambda done: self._pauses.remove(done) if done in self._pauses else None)
        return pause

    def connected(self) -> None:
        """There is a new connection: whatever was interrupted need not wait any longer."""
        pauses, self._pauses = self._pauses, []
        for pause in pauses:
            pause.settle(None)

    def emit(self, payload: Any, *targets: tuple[EventEmitter, EventName]) -> None:
        """Queue one event for the handlers of each target, in this order."""
        self.dispatcher.post(targets, payload)

    def later(self, seconds: float, function: Callable[[], object]) -> None:
        """Run `function` on the io thread after a while; from any thread."""
        self.connection.post(lambda: self._schedule(seconds, function))

    def _schedule(self, seconds: float, function: Callable[[], object]) -> None:
        self.connection.timers.call_later(seconds, function)
