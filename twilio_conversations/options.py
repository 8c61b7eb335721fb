"""Options of a client: addresses, times in seconds, limits."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, TypedDict, get_args

import attrs

from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.util import checks
from twilio_conversations.util.addresses import address
from twilio_conversations.util.json import dumps

ENDPOINT_VARIABLE = "TWILIO_CONVERSATIONS_ENDPOINT"
"""Environment variable that is read when neither `endpoint` nor `endpoints` is given."""

LONGEST = 366 * 86400.0
"""The largest time that an option may have, seconds: what never ends is a mistake or `None`."""

Resend = Literal["look", "always", "never"]
"""Treatment of a command whose response was lost."""

HandlerContext = Callable[[], AbstractContextManager[object]]
"""Function that returns what is entered around each call of a handler."""

_WEB = ("http", "https")


def _websocket_url(value: str) -> str:
    return address(value, "twilsock of the endpoints", ("ws", "wss"))


def _web_url(value: str) -> str:
    return address(value, "an address of the endpoints", _WEB)


@attrs.frozen
class Endpoints:
    """Addresses of the parts of the service.

    Attributes:
        twilsock: WebSocket URL, the only connection besides media.
        api: base of the Conversations REST API, reached through the WebSocket.
        sync: base of the Sync API, reached through the WebSocket.
        registrations: URL of push registrations, reached through the WebSocket.
        media: base that media links without a host are joined to.
    """

    twilsock: str = attrs.field(converter=_websocket_url)
    api: str = attrs.field(converter=_web_url)
    sync: str = attrs.field(converter=_web_url)
    registrations: str = attrs.field(converter=_web_url)
    media: str = attrs.field(converter=_web_url)

    @classmethod
    def for_region(cls, region: str) -> Endpoints:
        """Return Twilio's addresses in a region such as ``us1``."""
        name = checks.filled(region, "region").lower()
        if not name.isascii() or not name.replace("-", "").isalnum():
            raise InvalidArgumentError(f"not a region: {checks.shown(region)}")
        return cls(
            twilsock=f"wss://tsock.{name}.twilio.com/v3/wsconnect",
            api=f"https://aim.{name}.twilio.com",
            sync=f"https://cds.{name}.twilio.com",
            registrations=f"https://ers.{name}.twilio.com/v1/registrations",
            media=f"https://mcs.{name}.twilio.com",
        )

    @classmethod
    def for_base(cls, base: str, name: str = "endpoint") -> Endpoints:
        """Return the addresses of a service at one base URL, such as ``http://127.0.0.1:8089``.

        Raises:
            InvalidArgumentError: the URL is invalid; the text has its `name` and the reason.
        """
        base = address(base, name, _WEB)
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
        """Return the addresses for the given arguments: at most one of the three, else the environment, else region us1."""
        if sum(value is not None for value in (region, endpoint, endpoints)) > 1:
            raise InvalidArgumentError("give one of region, endpoint and endpoints")
        if endpoints is not None:
            return checks.instance(cls, endpoints, "endpoints")
        if endpoint is not None:
            return cls.for_base(endpoint)
        named = os.environ.get(ENDPOINT_VARIABLE) if region is None else None
        if named:
            return cls.for_base(named, f"the environment variable {ENDPOINT_VARIABLE}")
        return cls.for_region("us1" if region is None else region)


def _duration(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not 0 < checks.seconds(value, attribute.name) <= LONGEST:
        raise InvalidArgumentError(f"{attribute.name} must be above zero seconds and at most a year, not {checks.shown(value)}")


def _pause(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not 0 <= checks.seconds(value, attribute.name) <= LONGEST:
        raise InvalidArgumentError(f"{attribute.name} must be zero seconds to a year, not {checks.shown(value)}")


def _share(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not 0 <= checks.seconds(value, attribute.name) <= 1:
        raise InvalidArgumentError(f"{attribute.name} must be from 0 to 1, not {checks.shown(value)}")


def _of(kind: type[Any]) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    return lambda _, attribute, value: checks.instance(kind, value, attribute.name)


def _amount(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    checks.positive(value, attribute.name)


def _capacity(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    checks.index(value, attribute.name)


def _resend(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value not in (choices := get_args(Resend)):
        raise InvalidArgumentError(f"{attribute.name} must be one of {', '.join(map(repr, choices))}, not {checks.shown(value)}")


def _function(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    checks.function(value, attribute.name)


def _metadata(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    dumps(checks.instance(dict, value, attribute.name), attribute.name)


@attrs.frozen(kw_only=True)
class BackoffPolicy:
    """Delays between reconnects: doubled from `minimum` to `maximum`, each varied by `jitter`.

    Attributes:
        minimum: first delay, seconds.
        maximum: largest delay, seconds.
        jitter: share of the delay by which it varies in both directions, 0 to 1.
        stable_after: a connection that lasted this many seconds resets the delays.
    """

    minimum: float = attrs.field(default=1.0, validator=_duration)
    maximum: float = attrs.field(default=120.0, validator=_duration)
    jitter: float = attrs.field(default=0.2, validator=_share)
    stable_after: float = attrs.field(default=5.0, validator=_pause)


@attrs.frozen(kw_only=True)
class Options:
    """Options of a client, except its token. Times are in seconds, sizes in bytes.

    Attributes:
        endpoints: addresses of the service.
        default_timeout: time limit of calls without `timeout`; covers queueing, the request and resends.
        connect_timeout: limit for DNS, TCP, proxy, TLS and the WebSocket upgrade.
        init_timeout: limit for the service's answer to the first frame.
        keepalive_interval: silence after which a WebSocket ping is sent.
        keepalive_timeout: further silence after which the connection is closed. Silence of a service that has never answered a
            ping is tolerated for 60 seconds, since its own pings show that the connection works.
        token_timeout: limit for one call of the token function.
        token_renewal_margin: time before the expiry at which the token function is called for a new token.
        reconnect: delays between reconnects.
        resend: treatment of a command whose response was lost. ``"look"``: it is sent again, a message only if it is not found
            in the conversation; ``"always"``: it is sent again, and the service recognises the mutation id; ``"never"``: the
            call raises an error whose `sent` is true.
        max_pending_events: events waiting for handlers before live events are left with the service (see the events guide).
        max_pending_requests: calls of the program that may wait for a connection or a response; further ones raise an error.
            Requests of the client itself, and pages of messages, are not counted.
        handler_context: a function that returns a context manager, entered around each call of a handler, on its thread: to
            close old database connections, or to set what the handler's log records carry. What it raises is reported as
            raised by the handler.
        max_frame_bytes: largest frame accepted from the service.
        typing_timeout: duration of one `typing()`; `None` uses the service's value.
        user_infos_to_subscribe: largest number of other subscribed users; `None` uses the service's value.
        max_cached_messages: cached messages per client beside those that the program references.
        channel_metadata_cache_capacity: messages whose channel metadata is cached.
        message_recipients_cache_capacity: messages whose recipients are cached.
        client_metadata: sent in the first frame, beside the client's own metadata.
    """

    endpoints: Endpoints = attrs.field(validator=_of(Endpoints))
    default_timeout: float = attrs.field(default=30.0, validator=_duration)
    connect_timeout: float = attrs.field(default=20.0, validator=_duration)
    init_timeout: float = attrs.field(default=10.0, validator=_duration)
    keepalive_interval: float = attrs.field(default=30.0, validator=_duration)
    keepalive_timeout: float = attrs.field(default=10.0, validator=_duration)
    token_timeout: float = attrs.field(default=30.0, validator=_duration)
    token_renewal_margin: float = attrs.field(default=180.0, validator=_pause)
    reconnect: BackoffPolicy = attrs.field(factory=BackoffPolicy, validator=_of(BackoffPolicy))
    resend: Resend = attrs.field(default="look", validator=_resend)
    max_pending_events: int = attrs.field(default=10_000, validator=_amount)
    max_pending_requests: int = attrs.field(default=10_000, validator=_amount)
    handler_context: HandlerContext | None = attrs.field(default=None, validator=attrs.validators.optional(_function))
    max_frame_bytes: int = attrs.field(default=32 * 1024 * 1024, validator=_amount)
    typing_timeout: float | None = attrs.field(default=None, validator=attrs.validators.optional(_duration))
    user_infos_to_subscribe: int | None = attrs.field(default=None, validator=attrs.validators.optional(_amount))
    max_cached_messages: int = attrs.field(default=1000, validator=_capacity)
    channel_metadata_cache_capacity: int = attrs.field(default=100, validator=_capacity)
    message_recipients_cache_capacity: int = attrs.field(default=1000, validator=_capacity)
    client_metadata: dict[str, Any] = attrs.field(factory=dict, validator=_metadata)

    @classmethod
    def of(cls, endpoints: Endpoints, given: Mapping[str, Any]) -> Options:
        """Return options from keyword arguments.

        Raises:
            InvalidArgumentError: there is no such option, or its value is invalid.
        """
        known = {field.name for field in attrs.fields(cls)} - {"endpoints"}
        unknown = sorted(given.keys() - known)
        if unknown:
            raise InvalidArgumentError(f"unknown option {unknown[0]!r}; there are: {', '.join(sorted(known))}")
        return cls(endpoints=endpoints, **given)


class OptionFields(TypedDict, total=False):
    """The fields of `Options` that `Client` takes by name; a test holds the two against each other."""

    default_timeout: float
    connect_timeout: float
    init_timeout: float
    keepalive_interval: float
    keepalive_timeout: float
    token_timeout: float
    token_renewal_margin: float
    reconnect: BackoffPolicy
    resend: Resend
    max_pending_events: int
    max_pending_requests: int
    handler_context: HandlerContext | None
    max_frame_bytes: int
    typing_timeout: float | None
    user_infos_to_subscribe: int | None
    max_cached_messages: int
    channel_metadata_cache_capacity: int
    message_recipients_cache_capacity: int
    client_metadata: dict[str, Any]
