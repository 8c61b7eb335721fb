"""Push registrations over REST: ``/v1/registrations``, everybody's own."""

from __future__ import annotations

import attrs

from twilio_conversations.server.domain import registrations
from twilio_conversations.server.errors import ServiceError
from twilio_conversations.server.http import Caller, Request, Response
from twilio_conversations.server.store import Connection
from twilio_conversations.server.writer import Command, Transaction

PATH = ("v1", "registrations")


@attrs.frozen
class RegistrationsApi:
    """Answers what begins with `PATH`."""

    reader: Connection

    def answer(self, caller: Caller, request: Request) -> Response | Command:
        """The answer, or the command that will make it. Raises `ServiceError`."""
        match request.method, request.path[len(PATH) :]:
            case "GET", ():
                rows = self.reader.all(registrations.OF_IDENTITY, identity=caller.identity)
                return Response.json(200, {"registrations": [registrations.to_json(row) for row in rows]})
            case "GET", (id_,):
                row = self.reader.first(registrations.ONE, id=id_, identity=caller.identity)
                if row is None:
                    raise ServiceError(20404)
                return Response.json(200, registrations.to_json(row))
            case "POST", ():
                return _registration(caller, request)
            case "DELETE", ():
                return _removal(caller, request)
            case "DELETE", (id_,):
                return _removal_of(caller, id_)
        raise ServiceError(20404)


def _registration(caller: Caller, request: Request) -> Command:
    body = request.json()

    def command(tx: Transaction) -> Response:
        row = registrations.register(tx, caller.identity, body)
        return Response.json(201, registrations.to_json(row), "/" + "/".join((*PATH, row.id)))

    return command


def _removal(caller: Caller, request: Request) -> Command:
    body = request.json()

    def command(tx: Transaction) -> Response:
        registrations.remove_device(tx, caller.identity, body)
        return Response(204)

    return command


def _removal_of(caller: Caller, id_: str) -> Command:
    def command(tx: Transaction) -> Response:
        registrations.remove(tx, caller.identity, id_)
        return Response(204)

    return command
