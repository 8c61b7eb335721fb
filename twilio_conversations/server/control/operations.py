"""Operations of tests on a running service, on JSON: `LocalServer` has a method and HTTP a resource for each.

========================  =========================================================================================
POST ``reset``            empty the service
POST ``seed``             fill it (`twilio_conversations.server.control.seed`); return the created objects
GET, POST ``clock``       the service's time; advance it by ``{"advance": seconds}``
GET, POST, DELETE ``faults``  pending faults (`twilio_conversations.server.fault_orders`)
GET, DELETE ``traffic``   the recorded frames, of ``{"identity": ...}`` or of all
GET, POST ``config``      the settings (`twilio_conversations.server.settings.Settings`)
POST ``conversation``     change what clients cannot: ``{"conversation", "state", "timers", "bindings"}``
POST ``receive``          create an incoming message: ``{"address", "proxy_address", "body", "media", ...}``
GET ``sent``              the outgoing messages, to ``{"address": ...}`` or to all
POST ``delivery``         set the delivery status: ``{"message_sid", "status", "error_code", "address"}``
GET ``activity``          what is under way (`twilio_conversations.server.activity`)
GET ``registrations``     the devices for push notifications, of ``{"identity": ...}`` or of all
========================  =========================================================================================

Over HTTP a body is at most 1 MB; the methods have no such limit.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import Any, ClassVar

import attrs

from twilio_conversations.server.api.representation import Links
from twilio_conversations.server.calls import Response
from twilio_conversations.server.control import seed
from twilio_conversations.server.domain import channels, registrations, states
from twilio_conversations.server.domain.media import Attachment
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.fault_orders import Fault
from twilio_conversations.server.service import Service
from twilio_conversations.server.storage.database import timestamp
from twilio_conversations.server.storage.writer import Transaction
from twilio_conversations.server.text import is_text

Json = dict[str, Any]


@attrs.frozen
class Control:
    """Execution of operations, on the event loop."""

    service: Service
    links: Links

    async def perform(self, method: str, operation: str, body: Json) -> Any:
        """Execute an operation and return its JSON. Raises `Refusal`."""
        perform = self.OPERATIONS.get((method, operation))
        if perform is None:
            raise Refusal(20404)
        outcome = perform(self, body)
        return await outcome if isawaitable(outcome) else outcome

    async def _reset(self, _body: Json) -> Json:
        await self.service.reset()
        return {}

    def _config(self, _body: Json) -> Json:
        return attrs.asdict(self.service.settings.current)

    def _configure(self, body: Json) -> Json:
        self.service.settings.current = self.service.settings.current.changed(body)
        return attrs.asdict(self.service.settings.current)

    async def _run(self, command: Callable[[Transaction], Any]) -> Any:
        """Execute a command and return its result. Raises `Refusal`."""
        outcome: list[Any] = []

        def run(tx: Transaction) -> Response:
            try:
                outcome[:] = [command(tx)]
            except Refusal as error:
                outcome[:] = [error]
                raise
            return Response(204)

        response = await self.service.execute(run)
        if outcome and isinstance(outcome[0], Refusal):
            raise outcome[0]
        if response.status >= 400:
            raise Refusal(20500)
        return outcome[0]

    async def _seed(self, body: Json) -> Any:
        data = {name: value for name, value in body.items() if name not in ("settings", "if_empty")}
        if_empty = body.get("if_empty") is True
        before = self.service.settings.current
        settings = body.get("settings") or {}
        try:
            if not isinstance(settings, dict):
                raise Refusal(20422, "'settings' must be an object")
            self.service.settings.current = before.changed(settings)
        except Refusal as error:
            raise seed.SeedError.at(("settings",), error) from error
        try:
            return await self._run(lambda tx: seed.apply(tx, data, if_empty=if_empty))
        except Refusal:
            self.service.settings.current = before
            raise

    def _clock(self, _body: Json) -> Json:
        return {"now": timestamp(self.service.clock.now())}

    async def _advance(self, body: Json) -> Json:
        seconds = body.get("advance")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not abs(seconds) < 1e12:
            raise Refusal(20001, "'advance' must be a number of seconds")
        self.service.clock.advance(seconds)
        await self.service.run_due_timers()
        return self._clock(body)

    def _faults(self, _body: Json) -> Json:
        return {"faults": self.service.faults.to_json()}

    def _order_fault(self, body: Json) -> Json:
        self.service.faults.order(Fault.parse(body))
        return self._faults(body)

    def _clear_faults(self, body: Json) -> Json:
        self.service.faults.clear()
        return self._faults(body)

    def _traffic(self, body: Json) -> Json:
        return {"frames": self.service.traffic.frames(body.get("identity"))}

    def _forget_traffic(self, body: Json) -> Json:
        self.service.traffic.clear()
        return self._traffic(body)

    def _activity(self, _body: Json) -> Json:
        return self.service.activity.to_json(self.service.traffic.count)

    async def _sent(self, body: Json) -> Json:
        rows = await self._run(lambda tx: tx.all(channels.SENT))
        address = body.get("address")
        return {"sent": [row._asdict() for row in rows if address in (None, row.address)]}

    async def _deliver(self, body: Json) -> Json:
        return self.links.message(await self._run(lambda tx: channels.deliver(tx, body)))

    async def _registrations(self, body: Json) -> Json:
        rows = await self._run(lambda tx: tx.all(registrations.ALL))
        identity = body.get("identity")
        return {"registrations": [registrations.record(row) for row in rows if identity in (None, row.identity)]}

    async def _conversation(self, body: Json) -> Any:
        changes = {name: value for name, value in body.items() if name != "conversation"}
        unknown = set(changes) - {"state", "timers", "bindings"}
        if unknown:
            raise Refusal(20422, f"unknown: {', '.join(sorted(unknown))}")
        row = await self._run(lambda tx: states.administer(tx, str(body.get("conversation")), changes))
        dates = {"date_inactive": row.date_inactive, "date_closed": row.date_closed}
        return {"sid": row.sid, "state": row.state, "timers": dates}

    async def _receive(self, body: Json) -> Any:
        """Add an incoming message. Files are written before the rows, so that no row is ever without its file."""
        items = body.get("media") or []
        if not isinstance(items, list):
            raise Refusal(20422, "'media' must be a list")
        kept = []
        try:
            attachments = []
            for item in items:
                data, content_type, filename, category = _attachment(item)
                incoming = self.service.media.files.put(data)
                kept.append(incoming)
                attachments.append(Attachment(incoming.sid, incoming.size, content_type, filename, category))
            return self.links.message(await self._run(lambda tx: channels.receive(tx, body, attachments)))
        except BaseException:
            for incoming in kept:
                incoming.discard()
            raise

    OPERATIONS: ClassVar[Mapping[tuple[str, str], Callable[[Control, Json], Any]]] = {
        ("POST", "reset"): _reset,
        ("POST", "seed"): _seed,
        ("GET", "clock"): _clock,
        ("POST", "clock"): _advance,
        ("GET", "faults"): _faults,
        ("POST", "faults"): _order_fault,
        ("DELETE", "faults"): _clear_faults,
        ("GET", "traffic"): _traffic,
        ("DELETE", "traffic"): _forget_traffic,
        ("GET", "activity"): _activity,
        ("GET", "config"): _config,
        ("POST", "config"): _configure,
        ("POST", "conversation"): _conversation,
        ("POST", "receive"): _receive,
        ("GET", "sent"): _sent,
        ("POST", "delivery"): _deliver,
        ("GET", "registrations"): _registrations,
    }


def _attachment(item: Any) -> tuple[bytes, str, str | None, str]:
    """Return an attachment of an incoming message: ``{"content" (base64), "content_type", "filename", "category"}``."""
    if not isinstance(item, dict) or not is_text(item.get("content_type")):
        raise Refusal(20422, "a medium needs a 'content_type' and 'content'")
    filename, category = item.get("filename"), item.get("category", "media")
    if not (filename is None or is_text(filename)) or not is_text(category):
        raise Refusal(20422, "the 'filename' and 'category' of a medium are text")
    try:
        data = base64.b64decode(item.get("content", ""), validate=True)
    except (TypeError, ValueError) as error:
        raise Refusal(20422, "the 'content' of a medium is base64") from error
    return data, item["content_type"], filename, category
