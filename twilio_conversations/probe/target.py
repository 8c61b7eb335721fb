"""The service that is probed, the key that opens it, and the pace of the probe."""

from __future__ import annotations

from typing import Final, Self

import attrs

from twilio_conversations.options import BackoffPolicy, Endpoints, Options
from twilio_conversations.tokens import mint

TOKEN_LIFE: Final = 3 * 3600.0
"""Seconds; longer than a patient run."""
_EDGES: Final = {"us1": "", "ie1": "dublin.ie1.", "au1": "sydney.au1."}
"""Region -> what the host of the public REST API has in front of the domain, as Twilio documents it."""


@attrs.frozen(kw_only=True)
class Pace:
    """Durations of the checks that wait, in seconds.

    Attributes:
        apart: between two attempts that are to be some time apart.
        far_apart: the same, for patient ones.
        idle: how long an idle connection is watched at most.
        silence: seconds without a frame after which the official native client takes a connection for dead.
        pong: how long the answer to a WebSocket ping is waited for.
        changes: number of quick changes of one object.
        roster: number of participants of the large conversation.
    """

    apart: float = 60.0
    far_apart: float = 1800.0
    idle: float = 100.0
    silence: float = 45.0
    pong: float = 10.0
    changes: int = 120
    roster: int = 60


@attrs.frozen(kw_only=True)
class Target:
    """Addresses and key of a service.

    Attributes:
        where: description for the report, without a host's name.
        region: of Twilio's; `None` for other services.
        users_api: public REST resource of the users, by which they can be removed; `None` if the service has none.
    """

    options: Options
    where: str
    region: str | None
    users_api: str | None
    account_sid: str
    api_key_sid: str
    service_sid: str
    api_key_secret: str = attrs.field(repr=False)

    @classmethod
    def of(cls, key: dict[str, str], *, region: str | None = None, endpoint: str | None = None) -> Self:
        """Return the service in one of Twilio's regions, or at an address of its own; `key` has the four credentials.

        An address has precedence over a region.
        """
        # Silence is watched by the probe itself: no ping of the connection's own.
        quiet = {"keepalive_interval": 600.0, "reconnect": BackoffPolicy(minimum=0.5, maximum=10.0)}
        options = Options.of(Endpoints.choose(None if endpoint else region, endpoint, None), quiet)
        if endpoint:
            return cls(options=options, where="a service at an address of its own", region=None, users_api=None, **key)
        name = region or "us1"
        users = f"https://conversations.{_EDGES.get(name, name + '.')}twilio.com/v1/Services/{key['service_sid']}/Users"
        return cls(options=options, where=f"Twilio, region {name}", region=name, users_api=users, **key)

    def token(self, identity: str, ttl: float = TOKEN_LIFE) -> str:
        """Return a token for a user, valid for `ttl` seconds."""
        return mint(
            identity,
            account_sid=self.account_sid,
            api_key_sid=self.api_key_sid,
            api_key_secret=self.api_key_secret,
            service_sid=self.service_sid,
            ttl=ttl,
            region=self.region if self.region != "us1" else None,
        )
