"""Addresses of the service in links: those by which the client reaches it.

They follow the request: its ``Host``, its scheme, and the headers of a trusted proxy about both. A public URL replaces them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import attrs
from starlette.requests import HTTPConnection

from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.util import logs

_log = logs.logger(__name__)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"(?:[A-Za-z0-9.\-_]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_TWILIO = re.compile(r"(?:tsock|aim|cds|mcs|ers)\.(?P<region>[a-z0-9-]{2,20})\.twilio\.com(?P<port>:[0-9]{1,5})?", re.IGNORECASE)
_NOT_TRUSTED = (
    "a proxy at %s forwards requests and is not trusted, so links begin with %s://; --trust-proxy (trusted_proxies) believes it, "
    "--public-url (public_url) settles the address"
)
_SCHEMES = {"http": "http", "ws": "http", "https": "https", "wss": "https"}


@attrs.frozen
class Addresses:
    """Base URLs of the REST API, of Sync objects and of media."""

    api: str
    sync: str
    media: str

    @classmethod
    def at(cls, base: str) -> Addresses:
        """Return the addresses with one base URL for everything."""
        return cls(base, base, base)

    @classmethod
    def seen_as(cls, scheme: str, host: str) -> Addresses:
        """Return the addresses for a client that uses this host; Twilio's own host names have one per part of the service."""
        twilio = _TWILIO.fullmatch(host)
        if twilio is None:
            return cls.at(f"{scheme}://{host}")
        tail = f"{twilio['region'].lower()}.twilio.com{twilio['port'] or ''}"
        return cls(*(f"{scheme}://{part}.{tail}" for part in ("aim", "cds", "mcs")))


class AddressBook:
    """The addresses of each request.

    Args:
        own: the service's address, for clients that send no ``Host``.
        public_url: the address to use in place of the request's.
        trusted: networks of reverse proxies whose ``X-Forwarded-Proto`` and ``X-Forwarded-Host`` count.
    """

    def __init__(self, own: str, public_url: str | None = None, trusted: Iterable[Network] = ()) -> None:
        self._settled = None if public_url is None else Addresses.at(public_url)
        self._own = Addresses.at(own)
        self._trusted = tuple(trusted)
        self._warned = False

    @property
    def default(self) -> Addresses:
        """The addresses without a request."""
        return self._settled or self._own

    def seen_by(self, client: HTTPConnection) -> Addresses:
        """Return the addresses for the sender of a request."""
        if self._settled is not None:
            return self._settled
        scheme, host = client.scope["scheme"], client.headers.get("host", "")
        forwarded = [_first(client, "x-forwarded-proto"), _first(client, "x-forwarded-host")]
        if any(forwarded):
            if self._trusts(client):
                scheme, host = forwarded[0] or scheme, forwarded[1] or host
            else:
                self._warn(client)
        if not _HOST.fullmatch(host):
            return self._own
        return Addresses.seen_as(_SCHEMES.get(scheme.lower(), "http"), host)

    def _trusts(self, client: HTTPConnection) -> bool:
        peer = peer_address(client)
        return peer is not None and any(peer in network for network in self._trusted)

    def _warn(self, client: HTTPConnection) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(_NOT_TRUSTED, peer_address(client), client.scope["scheme"])


def peer_address(client: HTTPConnection) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address at the other end of the connection, which may be that of a proxy; `None` if unknown."""
    if client.client is None:
        return None
    try:
        address = ipaddress.ip_address(client.client.host)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def public_base(url: str) -> str:
    """Return a public URL without its trailing slash.

    Raises:
        InvalidArgumentError: it is not ``http(s)://host[:port]``. A path cannot be: requests in the tunnel would carry it.
    """
    scheme, _, rest = url.partition("://")
    host = rest.removesuffix("/")
    try:
        valid = scheme.lower() in ("http", "https") and bool(_HOST.fullmatch(host)) and urlsplit(url).port != 0
    except ValueError:
        valid = False
    if not valid:
        raise InvalidArgumentError(f"the public URL must be like https://chat.example.com, without a path, not {url!r}")
    return f"{scheme.lower()}://{host}"


def trusted_network(text: str) -> Network:
    """Return the network of an address such as ``127.0.0.1`` or ``10.0.0.0/8``.

    Raises:
        InvalidArgumentError: it is neither.
    """
    try:
        return ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise InvalidArgumentError(f"a trusted proxy is an IP address or a network such as 10.0.0.0/8, not {text!r}") from error


def _first(client: HTTPConnection, header: str) -> str:
    """Return the first value of a header, that of the outermost proxy."""
    return client.headers.get(header, "").partition(",")[0].strip()
