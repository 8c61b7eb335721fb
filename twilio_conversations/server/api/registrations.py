"""Push registrations of the caller over REST: ``/v1/registrations``."""

from __future__ import annotations

from typing import ClassVar

import attrs

from twilio_conversations.server.api.routing import Route
from twilio_conversations.server.calls import Caller, Request, Response
from twilio_conversations.server.domain import registrations
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.database import Connection
from twilio_conversations.server.storage.writer import Command, Transaction

PATH = "/v1/registrations"


@attrs.frozen
class RegistrationsApi:
    """The API below `PATH`."""

    reader: Connection

    def _all(self, caller: Caller, _request: Request) -> Response:
        rows = self.reader.all(registrations.OF_IDENTITY, identity=caller.identity)
        return Response.json(200, {"registrations": [registrations.record(row) for row in rows]})

    def _one(self, caller: Caller, _request: Request, id_: str) -> Response:
        row = self.reader.first(registrations.ONE, id=id_, identity=caller.identity)
        if row is None:
            raise Refusal(20404)
        return Response.json(200, registrations.record(row))

    def _register(self, caller: Caller, request: Request) -> Command:
        body = request.json()

        def command(tx: Transaction) -> Response:
            row = registrations.register(tx, caller.identity, body)
            return Response.json(201, registrations.record(row), f"{PATH}/{row.id}")

        return command

    def _remove_device(self, caller: Caller, request: Request) -> Command:
        body = request.json()

        def command(tx: Transaction) -> Response:
            registrations.remove_device(tx, caller.identity, body)
            return Response(204)

        return command

    def _remove(self, caller: Caller, _request: Request, id_: str) -> Command:
        def command(tx: Transaction) -> Response:
            registrations.remove(tx, caller.identity, id_)
            return Response(204)

        return command

    ROUTES: ClassVar[tuple[Route, ...]] = (
        Route("GET", PATH, _all),
        Route("POST", PATH, _register),
        Route("DELETE", PATH, _remove_device),
        Route("GET", PATH + "/{registration}", _one),
        Route("DELETE", PATH + "/{registration}", _remove),
    )
