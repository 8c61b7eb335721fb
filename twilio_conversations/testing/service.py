"""The service of a test run: the local one, or another at an address of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, Self

import attrs

from twilio_conversations.events.names import HandlerError
from twilio_conversations.options import Endpoints
from twilio_conversations.server import LocalServer
from twilio_conversations.server.control.methods import Controls

_CHANGING: Final = {"faults": "faults", "config": "config", "seed": "config"}
"""Operation -> what has to be restored after it."""


class ControlPlane(Protocol):
    """Executes an operation (`twilio_conversations.server.control.operations`) and returns its JSON."""

    def __call__(self, method: str, operation: str, body: dict[str, Any], /) -> Any:
        """Raise `InvalidArgumentError` for one that is invalid; skip the test if there is no control plane."""


@attrs.define(eq=False, repr=False)
class Service(Controls):
    """The service of a test run, with its control plane: `faults`, `advance_clock`, `configure`, `receive`, ...

    Faults end and settings are restored at the end of each test; the clock only moves ahead. A service without a control plane,
    such as the cloud, skips tests that use it.

    Attributes:
        url: the `endpoint` of clients; `None` for the cloud. The environment has it too, for the clients of the program itself.
        endpoints: the addresses of the service.
        handler_errors: what event handlers have raised in the test that is running.
    """

    url: str | None
    endpoints: Endpoints
    _mint: Callable[[str, float], str]
    _control: ControlPlane = attrs.field(repr=False)
    handler_errors: list[HandlerError] = attrs.field(factory=list, init=False)
    _changed: set[str] = attrs.field(factory=set, init=False)
    _settings: dict[str, Any] | None = attrs.field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, server: LocalServer) -> Self:
        """Return the service that a local server is."""
        return cls(server.url, Endpoints.choose(None, server.url, None), server.token, server.perform)

    def __repr__(self) -> str:
        return f"<Service {self.url or 'in the cloud'}>"

    def token(self, identity: str, ttl: float = 3600) -> str:
        """Return an access token for `identity`, valid for `ttl` seconds."""
        return self._mint(identity, ttl)

    def perform(self, method: str, operation: str, body: dict[str, Any]) -> Any:
        """Execute an operation of the control plane and return its JSON."""
        subject = _CHANGING.get(operation) if method != "GET" else None
        if subject == "config" and self._settings is None:
            self._settings = self._control("GET", "config", {})
        outcome = self._control(method, operation, body)
        if subject is not None:
            self._changed.add(subject)
        return outcome

    def restore(self) -> None:
        """End faults, and set the settings back to what they were before the test."""
        changed, self._changed = self._changed, set()
        if "faults" in changed:
            self._control("DELETE", "faults", {})
        if "config" in changed:
            self._control("POST", "config", self._settings or {})
