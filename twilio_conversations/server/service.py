"""The local service, composed: database, writer, caches, subscriptions and API, all used on the event loop."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

from sqlalchemy import delete

from twilio_conversations.server import auth
from twilio_conversations.server.activity import Activity
from twilio_conversations.server.api.client import ClientApi
from twilio_conversations.server.api.media_library import MediaLibrary
from twilio_conversations.server.api.media_links import MediaLinks
from twilio_conversations.server.api.registrations import RegistrationsApi
from twilio_conversations.server.api.routing import Table
from twilio_conversations.server.api.subscriptions import SubscriptionsApi
from twilio_conversations.server.api.sync import SyncApi
from twilio_conversations.server.auth import Grant
from twilio_conversations.server.calls import Caller, Request, Response
from twilio_conversations.server.domain import reachability, roles, users
from twilio_conversations.server.domain.media import KNOWN
from twilio_conversations.server.domain.timers import Timers
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.fault_orders import Fault, Kind
from twilio_conversations.server.faults import Faults
from twilio_conversations.server.http.admission import Admission, Meter
from twilio_conversations.server.http.connections import Connections
from twilio_conversations.server.http.replies import TOO_MANY
from twilio_conversations.server.http.session import Session
from twilio_conversations.server.http.traffic import Traffic
from twilio_conversations.server.settings import OF_CONNECTION, Clock, LiveSettings, Settings
from twilio_conversations.server.storage import dates
from twilio_conversations.server.storage.credentials import Credentials
from twilio_conversations.server.storage.database import DATABASE_FILE, Database
from twilio_conversations.server.storage.media_files import MediaFiles
from twilio_conversations.server.storage.tables import metadata
from twilio_conversations.server.storage.writer import MAX_MUTATION_ID, Command, Job, Mutation, Transaction, Writer
from twilio_conversations.server.sync.commits import Commits
from twilio_conversations.server.sync.objects import BoundedDict, SyncObjects
from twilio_conversations.server.sync.retention import Retention, drop_removed_objects
from twilio_conversations.server.sync.subscriptions import Subscriptions
from twilio_conversations.util import logs

_log = logs.logger(__name__)

P = ParamSpec("P")
COMMIT_TIMEOUT = 0.5
"""Seconds that a refusal waits for the commit that may have led to it; no connection is served meanwhile."""
MAX_KNOWN_USERS = 20_000
MAX_METERS = 1_000
NOT_VISIBLE = frozenset({403, 404})
"""Statuses of what is gone, or not for the caller any more."""
OBJECT = slice(5, 6)
"""Place of the conversation or user in the path of a request: ``Client/v2/Services/IS.../Conversations/CH...``."""
_EVERYTHING = [delete(table) for table in reversed(metadata.sorted_tables)]


class Service:
    """One service, used on one event loop; the writer is its only other thread."""

    def __init__(self, data_dir: Path, credentials: Credentials, settings: Settings, *, durable: bool) -> None:
        self._credentials = credentials
        self._database = Database(data_dir / DATABASE_FILE, durable=durable)
        self._reader = self._database.connect()
        self.clock, self.settings = Clock(), LiveSettings(settings)
        self._commits = Commits(asyncio.get_running_loop())
        self._writer = Writer(self._database.connect(), self.clock, self.settings, self._commits.deliver)
        self._objects = SyncObjects(self._reader, self.clock, self.settings, credentials.account_sid, credentials.service_sid)
        self._subscriptions = Subscriptions(self._reader, self._objects, self.settings, self._catch_up)
        self.connections = Connections()
        self.faults = Faults(self.connections)
        self.traffic = Traffic()
        self.activity = Activity()
        self.admission = Admission(self.settings)
        self.timers = Timers(self._reader, self.clock, self._submit)
        self._retention = Retention(self.settings, self._submit)
        self.media = MediaLibrary(
            self._reader,
            self._objects,
            MediaFiles(data_dir, durable=durable),
            MediaLinks(self.clock, credentials.api_key_secret),
            credentials.account_sid,
            credentials.service_sid,
        )
        client_api = ClientApi(
            self._reader,
            self._objects,
            self.connections,
            self.settings,
            self.media.files,
            credentials.account_sid,
            credentials.service_sid,
        )
        apis = (
            SyncApi(self._reader, self._objects, self.settings),
            SubscriptionsApi(self._subscriptions),
            RegistrationsApi(self._reader),
            client_api,
        )
        self.routes = Table(apis, {"service": credentials.service_sid})
        self._written: BoundedDict[tuple[str, ...], Meter] = BoundedDict(MAX_METERS)
        self._known_users: BoundedDict[str, None] = BoundedDict(MAX_KNOWN_USERS)
        self._commits.follow(self._objects.on_commit)  # before the subscriptions, which ask the objects for heads
        self._commits.follow(self._subscriptions.on_commit)
        self._commits.follow(self._retention.on_commit)
        self._commits.follow(self.timers.on_commit)
        self._commits.follow(self.media.on_commit)

    async def start(self) -> None:
        """Start the service. Raises errors of the database."""
        if (newest := dates.newest(self._reader)) is not None:
            self.clock.go_on_from(newest)
        self._writer.prepare(_install)
        self._writer.start()
        self.timers.watch()
        self.media.sweep()

    async def stop(self) -> None:
        """Finish submitted commands and close the database."""
        self.timers.stop()
        await asyncio.to_thread(self._writer.stop)
        self._reader.close()
        self._database.dispose()

    # -- for sessions ------------------------------------------------------------------------------------------------------

    def verify(self, token: str) -> Grant:
        """Return the grant of a token. Raises `Refusal`."""
        if self.faults.is_expired(token):
            raise Refusal(20104)
        return auth.verify(token, self._credentials)

    def authenticate(self, token: str) -> Grant:
        """Return the grant of a connection's token. Raises `Refusal`, also for faults."""
        grant = auth.verify(token, self._credentials)
        self.faults.admit(grant.identity, token)
        return grant

    def storage_id(self, identity: str) -> str:
        """Return an opaque id, the same for an identity in one data directory."""
        return hmac.new(self._credentials.api_key_secret.encode(), identity.encode(), hashlib.sha256).hexdigest()[:40]

    def admit(self, session: Session, then: Callable[[], None]) -> None:
        """Admit a verified session, unless it has ended while its user was created."""

        def enter() -> None:
            if session.is_open:
                first = self.connections.enter(session)
                session.hold(self.faults.holds(session.identity))
                if first:
                    self._publish_reachability(session.identity, lambda: then() if session.is_open else None)
                else:
                    then()

        self.ensure_user(session.identity, enter)

    def ensure_user(self, identity: str, then: Callable[[], None]) -> None:
        """Create the user if needed, then call `then`."""
        if identity in self._known_users:
            then()
            return

        def made(response: Response) -> None:
            if response.status < 300:
                self._known_users[identity] = None
            then()

        self._submit(lambda tx: _ensured(tx, identity), made)

    def leave(self, session: Session) -> None:
        """Remove a session that ended; may be called twice."""
        self._subscriptions.remove_subscriber(session)
        if session.identity and self.connections.leave(session):
            self._publish_reachability(session.identity)

    def _publish_reachability(self, identity: str, then: Callable[[], None] = lambda: None) -> None:
        """Publish that an identity is online or offline, if that is enabled, then call `then`."""
        if not self.settings.current.reachability_enabled:
            then()
            return
        online = self.connections.is_online(identity)

        def command(tx: Transaction) -> Response:
            reachability.publish(tx, identity, online=online)
            return Response(204)

        self._submit(command, lambda _response: then())

    def caught_up(self, session: Session) -> None:
        """Send the events that a slow connection has room for again."""
        self._subscriptions.resume(session)

    def request(self, session: Session, request: Request, reply: Callable[[Response], None]) -> None:
        """Answer a request that came through the tunnel, unless a fault was ordered for it."""
        fault = self.faults.met_by(session.identity, request.method, "/" + "/".join(request.path))
        if fault is None:
            self.answer(session.caller, request, reply)
        else:
            self._go_wrong(fault, session, request, reply)

    def _go_wrong(self, fault: Fault, session: Session, request: Request, reply: Callable[[Response], None]) -> None:
        match fault.kind:
            case Kind.REFUSE:
                reply(fault.refusal())
            case Kind.DELAY:
                self._after(fault.seconds, lambda: self.answer(session.caller, request, reply))()
            case Kind.LOSE_ANSWERS:
                self.answer(session.caller, request, lambda _answer: session.cut())
            case Kind.FAIL_ANSWERS:
                self.answer(session.caller, request, lambda _answer: reply(fault.refusal()))
            case _:
                self.answer(session.caller, request, self._after(fault.seconds, reply))

    def _after(self, seconds: float, action: Callable[P, object]) -> Callable[P, None]:
        """Return a function that calls `action` after a delay."""

        def ask(*args: P.args, **kwargs: P.kwargs) -> None:
            delayed = self.activity.until("request that a fault delays", functools.partial(action, *args, **kwargs))
            asyncio.get_running_loop().call_later(seconds, delayed)

        return ask

    # -- for everybody -----------------------------------------------------------------------------------------------------

    def answer(self, caller: Caller, request: Request, reply: Callable[[Response], None]) -> None:
        """Answer a request: reads at once, commands after their commit. `reply` is called once, on the loop."""
        try:
            answer = self.routes.answer(caller, request)
            mutation = None if isinstance(answer, Response) else self._mutation(caller, request)
        except Refusal as error:
            refusal = Response.error(error)
            if refusal.status in NOT_VISIBLE:
                self._catch_up()
            reply(refusal)
        except Exception:
            _log.exception("a request failed")
            reply(Response.error(Refusal(20500)))
        else:
            if not isinstance(answer, Response):
                if self._is_written_too_fast(request.path[OBJECT]):
                    reply(TOO_MANY)
                else:
                    self._submit(answer, reply, mutation)
                return
            reply(answer)
            if answer.then is not None:
                answer.then()

    def _catch_up(self) -> None:
        """Send the events of all that the reader may show already: a refusal must not overtake those that lead to it."""
        self._writer.await_publication(COMMIT_TIMEOUT)
        self._commits.catch_up()

    def _is_written_too_fast(self, of: tuple[str, ...]) -> bool:
        if not of or not self.settings.current.object_writes_per_second:
            return False
        meter = self._written.get(of)
        if meter is None:
            meter = self._written[of] = self.admission.write_meter()
        return not meter.admits()

    def _submit(self, command: Command, reply: Callable[[Response], None], mutation: Mutation | None = None) -> None:
        self._writer.submit(Job(command, self.activity.until("command", reply), mutation))

    async def execute(self, command: Command) -> Response:
        """Execute a command without a mutation id and return its response, which may be a refusal."""
        done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._submit(command, lambda response: None if done.done() else done.set_result(response))
        return await done

    async def run_due_timers(self) -> None:
        """Execute the timers that are due."""
        done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.timers.expire(done.set_result)
        await done

    async def reset(self) -> None:
        """Delete all data, faults and recorded frames, restore settings and clock, and cut all connections."""
        done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def emptied(response: Response) -> None:
            self.clock.reset()
            self.settings.reset()  # before the sessions end: with reachability enabled, each end would be published
            for session in self.connections.sessions():
                session.cut()
            self._known_users.clear()
            self._objects.clear()
            self.faults.clear()
            self.traffic.clear()
            self.timers.watch()
            done.set_result(response)

        self._submit(_empty, emptied)
        await done

    def _mutation(self, caller: Caller, request: Request) -> Mutation | None:
        mutation_id = request.headers.get("x-twilio-mutation-id")
        if not mutation_id or not self.settings.current.honour_mutation_ids:
            return None
        if len(mutation_id) > MAX_MUTATION_ID:
            raise Refusal(20001, "X-Twilio-Mutation-Id is too long")
        if self.settings.current.mutation_id_scope == OF_CONNECTION and caller.connection is not None:
            mutation_id = f"{caller.connection.number}:{mutation_id}"
        sid = self._credentials.service_sid
        return Mutation(sid, caller.identity, mutation_id, request.method, caller.addresses.api)


def _install(tx: Transaction) -> Response:
    roles.install(tx)
    drop_removed_objects(tx)
    reachability.set_all_offline(tx)
    return Response(204)


def _empty(tx: Transaction) -> Response:
    tx.media_dropped.extend(tx.values(KNOWN))
    for statement in _EVERYTHING:
        tx.execute(statement, {})
    roles.install(tx)
    return Response(204)


def _ensured(tx: Transaction, identity: str) -> Response:
    users.ensure(tx, identity)
    return Response(204)
