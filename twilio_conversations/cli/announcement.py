"""Output of ``serve`` when the service is ready, and the names of the credentials in sample apps."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twilio_conversations.server import LocalServer
from twilio_conversations.server.http.certificates import TWILIO_DOMAIN
from twilio_conversations.server.http.token_endpoint import PATH
from twilio_conversations.server.storage.credentials import Credentials

SAMPLE_NAMES = {
    "account_sid": ("ACCOUNT_SID",),
    "api_key_sid": ("API_KEY", "API_KEY_SID"),
    "api_key_secret": ("API_SECRET", "API_KEY_SECRET"),
    "service_sid": ("SERVICE_SID", "CONVERSATIONS_SERVICE_SID", "CHAT_SERVICE_SID"),
}
"""Names of each credential in the environment of sample apps, with ``TWILIO_`` in front or without."""
_SECRET = "api_key_secret"
PROFILE = "chromium"
"""Chromium's own directory below the data directory; it ignores the rest of its options where another window is open."""


def environment(credentials: Credentials) -> Iterator[str]:
    """Yield the lines of an ``.env`` file with the credentials, the secret included, under all names."""
    for field, names in SAMPLE_NAMES.items():
        for name in names:
            for prefix in ("", "TWILIO_"):
                yield f"{prefix}{name}={getattr(credentials, field)}"


def chromium_options(server: LocalServer, directory: Path) -> list[str]:
    """Return the options of Chromium that map Twilio's domain to the service, and trust its certificate."""
    host = server.url.removeprefix("https://").replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")
    return [
        f"--user-data-dir={directory.absolute() / PROFILE}",
        f"--host-resolver-rules=MAP *.{TWILIO_DOMAIN}:443 {host}",
        f"--ignore-certificate-errors-spki-list={server.certificate.pin}",
    ]


def facts(server: LocalServer, directory: Path, *, tls: bool = False, token_endpoint: bool = False) -> dict[str, Any]:
    """Return the addresses and identifiers for a program that starts the service; no secrets."""
    known: dict[str, Any] = {"url": server.url, "twilsock": server.twilsock, "data": str(directory)}
    known |= {field: getattr(server.credentials, field) for field in SAMPLE_NAMES if field != _SECRET}
    if tls:
        known |= {"ca": server.ca_file, "chromium": chromium_options(server, directory)}
    if token_endpoint:
        known["tokens"] = server.url + PATH
    return known


def as_json(known: dict[str, Any]) -> str:
    """Return one line of JSON, for programs."""
    return json.dumps(known)


def as_text(known: dict[str, Any]) -> Iterator[str]:
    """Yield the lines for a person."""
    data = shlex.quote(known["data"])
    yield f"Conversations service on {known['url']}"
    yield f"  websocket  {known['twilsock']}"
    yield f"  data       {known['data']}"
    yield f"  tokens     twilio-conversations token IDENTITY --data {data}"
    if "tokens" in known:
        yield f"             {known['tokens']}?identity=IDENTITY, for everybody on this machine"
    yield "  web apps   " + " ".join(f"{names[0]}={known[field]}" for field, names in SAMPLE_NAMES.items() if field in known)
    yield f"             with the secret: twilio-conversations env --data {data}"
    if "ca" in known:
        authority = shlex.quote(known["ca"])
        yield f"  trust      {authority}: the authority of the certificate; it is good for this service only"
        yield f"             REQUESTS_CA_BUNDLE={authority}, NODE_EXTRA_CA_CERTS={authority}, curl --cacert {authority}"
        yield f"  Chromium   {shlex.join(['chromium', *known['chromium'], 'http://localhost:3000'])}"
