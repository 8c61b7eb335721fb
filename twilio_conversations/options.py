"""What a client can be told: addresses, times (seconds), limits."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import attrs

from twilio_conversations.errors import InvalidArgumentError

ENDPOINT_VARIABLE = "TWILIO_CONVERSATIONS_ENDPOINT"
"""Environment variable that is read when neither `endpoint` nor `endpoints` is given."""


@attrs.frozen
class Endpoints:
    """Where the parts of the service are.

    Attributes:
        twilsock: WebSocket URL, the only connection besides media.
        api: base of the Conversations REST API, reached through the WebSocket.
        sync: base of the Sync API, reached through the WebSocket.
        registrations: URL of push registrations, reached through the WebSocket.
        media: base that media links without a host are joined to.
    """

    twilsock: str
    api: str
    sync: str
    registrations: str
    media: str

    @classmethod
    def for_region(cls, region: str) -> Endpoints:
        """Twilio's own addresses in a region such as ``us1``."""
        if not region or not region.replace("-", "").isalnum():
            raise InvalidArgumentError(f"not a region: {region!r}")
        return cls(
            twilsock=f"wss://tsock.{region}.twilio.com/v3/wsconnect",
            api=f"https://aim.{region}.twilio.com",
            sync=f"https://cds.{region}.twilio.com",
            registrations=f"https://ers.{region}.twilio.com/v1/registrations",
            media=f"https://mcs.{region}.twilio.com",
        )

    @classmethod
    def for_base(cls, base: str) -> Endpoints:
        """A service that answers everything at one address, such as ``http://127.0.0.1:8089``."""
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise InvalidArgumentError(f"endpoint must look like http://host:port, not {base!r}")
        base = base.rstrip("/")
        socket_base = "ws" + base.removeprefix("http")
        return cls(
            twilsock=f"{socket_base}/v3/wsconnect",
            api=base,
            sync=base,
            registrations=f"{base}/v1/registrations",
            media=base,
        )

    @classmethod
    def choose(cls, region: str | None, endpoint: str | None, endpoints: Endpoints | None) -> Endpoints:
        """The addresses from what the caller gave: at most one of the three, else the environment, else region us1."""
        if sum(value is not None for value in (region, endpoint, endpoints)) > 1:
            raise InvalidArgumentError("give one of region, endpoint and endpoints")
        if endpoints is not None:
            return endpoints
        if endpoint is None and region is None:
            endpoint = os.environ.get(ENDPOINT_VARIABLE) or None
        return cls.for_base(endpoint) if endpoint is not None else cls.for_region(region or "us1")


def _positive(_: Any, attribute: attrs.Attribute[Any], value: float) -> None:
    if not value > 0:
        raise InvalidArgumentError(f"{attribute.name} must be above zero, not {value!r}")


@attrs.frozen(kw_only=True)
class BackoffPolicy:
    """Delays between reconnects: doubled from `minimum` to `maximum`, each varied by `jitter`.

    Attributes:
        minimum: first delay, seconds.
        maximum: largest delay, seconds.
        jitter: share of the delay by which it varies in both directions, 0 to 1.
        stable_after: a connection that lasted this many seconds resets the delays.
    """

    minimum: float = attrs.field(default=1.0, validator=_positive)
    maximum: float = attrs.field(default=120.0, validator=_positive)
    jitter: float = 0.2
    stable_after: float = 5.0


@attrs.frozen(kw_only=True)
class Options:
    """Everything about one client except its token. Times are seconds, sizes are bytes.

    Attributes:
        endpoints: where the service is.
        default_timeout: limit of a call that was given none; covers queueing, flight and resends.
        connect_timeout: limit for DNS, TCP, proxy, TLS and the WebSocket upgrade.
        init_timeout: limit for the service's answer to the first frame.
        keepalive_interval: silence after which a WebSocket ping is sent.
        keepalive_timeout: further silence after which the connection is taken for dead.
        token_timeout: limit for one call of the token provider.
        token_renewal_margin: how long before its expiry the provider is asked for a new token.
        reconnect: delays between reconnects.
        max_pending_events: events waiting for handlers before live events are left with the service (see the events guide).
        max_pending_requests: calls of the program that may wait for a connection or an answer; further ones are refused. What
            the client asks for itself, and pages of messages, are not counted.
        max_frame_bytes: largest frame accepted from the service.
        typing_timeout: overrides how long one `typing()` lasts; `None` follows the service.
        user_infos_to_subscribe: overrides how many other users are followed at once; `None` follows the service.
        max_cached_messages: messages kept strongly per client beside those the program holds.
        channel_metadata_cache_capacity: messages whose channel metadata is remembered.
        message_recipients_cache_capacity: messages whose recipients are remembered.
        client_metadata: sent in the first frame, beside what the client says about itself.
    """

    endpoints: Endpoints
    default_timeout: float = attrs.field(default=30.0, validator=_positive)
    connect_timeout: float = attrs.field(default=20.0, validator=_positive)
    init_timeout: float = attrs.field(default=10.0, validator=_positive)
    keepalive_interval: float = attrs.field(default=30.0, validator=_positive)
    keepalive_timeout: float = attrs.field(default=10.0, validator=_positive)
    token_timeout: float = attrs.field(default=30.0, validator=_positive)
    token_renewal_margin: float = 180.0
    reconnect: BackoffPolicy = attrs.field(factory=BackoffPolicy)
    max_pending_events: int = attrs.field(default=10_000, validator=_positive)
    max_pending_requests: int = attrs.field(default=10_000, validator=_positive)
    max_frame_bytes: int = attrs.field(default=32 * 1024 * 1024, validator=_positive)
    typing_timeout: float | None = None
    user_infos_to_subscribe: int | None = None
    max_cached_messages: int = 1000
    channel_metadata_cache_capacity: int = 100
    message_recipients_cache_capacity: int = 1000
    client_metadata: dict[str, Any] = attrs.field(factory=dict)
