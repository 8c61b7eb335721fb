"""Choice of uvicorn's protocols: the service's own, or uvicorn's if this version lacks what those build on.

The service's own limit what a peer may use, and save a queue and two task switches for each message. They override methods of
uvicorn's protocols that no documentation promises, so their names are checked first. Without them everything works by plain
ASGI, with uvicorn's own limits on slow and greedy peers.
"""

from __future__ import annotations

import asyncio
import dis
from collections.abc import Iterator
from importlib import import_module
from types import FunctionType

import attrs
import uvicorn

from twilio_conversations.util import logs

_log = logs.logger(__name__)

HTTP = "uvicorn.protocols.http.h11_impl", "H11Protocol"
WEBSOCKET = "uvicorn.protocols.websockets.websockets_sansio_impl", "WebSocketsSansIOProtocol"
NEEDED = {
    HTTP: (
        *("connection_made", "connection_lost", "data_received", "pause_writing", "resume_writing"),
        *("handle_websocket_upgrade", "on_response_complete"),
        *("access_log", "app_state", "config", "conn", "connections", "cycle", "flow", "loop", "transport"),
    ),
    WEBSOCKET: (
        *("connection_lost", "data_received", "pause_writing", "resume_writing"),
        *("handle_connect", "handle_cont", "handle_events", "handle_parser_exception", "handle_ping"),
        *("keepalive_timeout", "on_task_complete", "schedule_ping", "send_keepalive_ping", "send_receive_event_to_app"),
        *("app_state", "close_sent", "conn", "curr_msg_data_type", "frames", "loop", "read_paused"),
        *("response", "scope", "transport", "writable"),
    ),
    ("uvicorn.server", "Server"): ("lifespan", "server_state", "servers", "shutdown", "startup"),
}
"""The names in uvicorn that the service's own protocols override or use."""


@attrs.frozen
class Protocols:
    """The service's own protocols, and the seconds for a peer's first request."""

    http: type[asyncio.Protocol]
    websocket: type[asyncio.Protocol]
    head_time: float


def chosen() -> Protocols | None:
    """Return the service's own protocols; `None`, with a warning, if this version of uvicorn lacks something."""
    lacking = list(_lacking())
    if lacking:
        text = "uvicorn %s lacks %s: slow and greedy peers are bounded less, and events are slower"
        _log.warning(text, uvicorn.__version__, ", ".join(lacking))
        return None
    http = import_module("twilio_conversations.server.http.uvicorn_http")
    websocket = import_module("twilio_conversations.server.http.uvicorn_websocket")
    return Protocols(http.HttpProtocol, websocket.DirectSocketProtocol, http.HEAD_TIME)


def _lacking() -> Iterator[str]:
    for (module, name), needed in NEEDED.items():
        try:
            cls = getattr(import_module(module), name)
        except (ImportError, AttributeError):
            yield f"{module}.{name}"
            continue
        known = set(_names(cls))
        yield from (f"{name}.{one}" for one in needed if one not in known)


def _names(cls: type) -> Iterator[str]:
    """Yield the names of methods, and of the attributes that they set."""
    for base in cls.__mro__:
        for name, value in vars(base).items():
            yield name
            if isinstance(value, FunctionType):
                yield from (one.argval for one in dis.get_instructions(value) if one.opname == "STORE_ATTR")
