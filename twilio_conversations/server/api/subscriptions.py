"""Subscription requests: ``POST /v4/Subscriptions``, which official clients call a poke."""

from __future__ import annotations

from typing import ClassVar

import attrs

from twilio_conversations.server.api.routing import Route
from twilio_conversations.server.calls import Caller, Request, Response
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.sync.notifications import Poke
from twilio_conversations.server.sync.subscriptions import Subscriptions
from twilio_conversations.server.text import is_text

MAX_POKE = 1_000
"""Most requests in one poke; the answer to a poke reports it to the client."""


@attrs.frozen
class SubscriptionsApi:
    """Check of subscription requests for `Subscriptions`."""

    subscriptions: Subscriptions

    def _poke(self, caller: Caller, request: Request) -> Response:
        """Answer, then execute the request: official clients stall when events overtake the answer.

        Raises `Refusal`, also for a caller without a connection.
        """
        if caller.connection is None:
            raise Refusal(20404)
        body = request.json()
        requests = body.get("requests")
        if body.get("action") not in ("establish", "cancel") or not isinstance(requests, list) or len(requests) > MAX_POKE:
            raise Refusal(20001, "Not a subscription request")
        if not all(isinstance(item, dict) and is_text(item.get("object_sid")) for item in requests):
            raise Refusal(20001, "A subscription request without object_sid")
        poke = Poke(caller.connection, body.get("correlation_id"), requests)
        carry_out = self.subscriptions.cancel if body["action"] == "cancel" else self.subscriptions.establish
        answer = {"estimated_delivery_in_ms": 10_000, "max_batch_size": MAX_POKE, "ttl_in_s": 86_400}
        return attrs.evolve(
            Response.json(202, answer), content_type="application/json;charset=utf-8", then=lambda: carry_out(poke)
        )

    ROUTES: ClassVar[tuple[Route, ...]] = (Route("POST", "/v4/Subscriptions", _poke),)
