"""Frames of a session, with the fields that the cloud sends: replies to `init` and to requests, pings and refusals."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from typing import Any

import attrs

from twilio_conversations.server.calls import Response
from twilio_conversations.server.errors import Refusal, reason
from twilio_conversations.server.settings import SERVICE, TUNNEL
from twilio_conversations.wire import frame, packets
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import Close, Init, Reply, RestCall, Status

NOT_ACCEPTABLE = 51214
TUNNEL_TOO_MANY = 51202
TOO_MANY = attrs.evolve(Response.error(Refusal(20429)), headers={"retry-after": "1"})
"""Response of the service to what arrives too fast."""
TOO_MANY_REQUESTS = {
    SERVICE: TOO_MANY,
    TUNNEL: Response(429, tunnel_code=TUNNEL_TOO_MANY),
}
"""Responses to requests that arrive too fast, by the setting `requests_refused_by`."""
_PROXY_HEADERS = {
    "server": "envoy",
    "strict-transport-security": "max-age=31536000",
    "vary": "Accept-Encoding",
    "x-envoy-upstream-service-time": "1",
    "x-shenanigans": "none",
}


def new_id() -> str:
    """Return an id for a frame of the service's."""
    return f"TM{uuid.uuid4().hex}"


def welcome(init: Init, capabilities: Iterable[str], storage_id: str) -> bytes:
    """Return the reply to an accepted `init`. The continuation token is the storage id, since nothing else is continued."""
    known = init.continuation_token == storage_id
    token: dict[str, Any] = {"reissued": not known}
    if init.continuation_token is None:
        token |= {"reissue_reason": "MISSING", "reissue_message": "Continuation token is not provided"}
    elif not known:
        token |= {"reissue_reason": "DIFFERENT_IDENTITY", "reissue_message": "Continuation token is of a different identity"}
    registrations = [{"notification_ctx_id": str(uuid.uuid4()), **registration} for registration in init.registrations]
    fields = {
        "capabilities": list(capabilities),
        "continuation_token": storage_id,
        "continuation_token_status": token,
        "offline_storage": {packets.PRODUCT: {"storage_id": storage_id}},
        "init_registrations": registrations,
    }
    return Reply(init.id, fields=fields).encode()


def answer(call: RestCall, response: Response) -> bytes:
    """Return the reply to a request, with the headers that a proxy of the cloud adds."""
    if response.tunnel_code is not None:
        text = reason(response.status).replace(" ", "_")
        return Reply(call.id, Status(response.status, text, error_code=response.tunnel_code)).encode()
    headers = {
        "content-type": response.content_type,
        "content-length": str(len(response.body)),
        "date": _http_date(int(time.time())),
        "twilio-request-id": _request_id(call.request),
        **_PROXY_HEADERS,
        **response.headers,
    }
    status = Status(response.status, reason(response.status))
    kind = response.content_type if response.body else None
    return Reply(call.id, packets.OK, status, headers, response.body, kind).encode()


def ping() -> bytes:
    """Return a ping, which clients acknowledge."""
    return frame.encode({"method": "ping", "id": new_id()})


def not_acceptable(error: Exception) -> Close:
    """Return the `close` for a message that is not a frame."""
    return Close(new_id(), Status(406, "NOT_ACCEPTABLE_MESSAGE", f"Not acceptable message: {error}"[:200], NOT_ACCEPTABLE))


@lru_cache(maxsize=1)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _request_id(request: HttpRequest) -> str:
    """Return the client's own id of the request, else a new one."""
    given = next((value for name, value in request.headers.items() if name.lower() == "twilio-request-id"), "")
    return given[:64] or f"RQ{uuid.uuid4().hex}"
