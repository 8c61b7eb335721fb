"""URLs built whole: every segment and value is percent-encoded here and nowhere else."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote, urlsplit

from twilio_conversations.errors import InvalidArgumentError, ProtocolError
from twilio_conversations.util import checks

DOTS: Final = frozenset({".", ".."})
"""Names that a path spells as "here" and "one up"."""


def segment(value: str) -> str:
    """Percent-encode one path segment, leaving nothing that could mean more than itself.

    A name of dots is written ``%2E``, so that joining URLs does not resolve it. Some HTTP libraries and proxies decode that and
    resolve it nevertheless: what would be destructive one level up names its object by sid (`Participants.url_of`).

    Raises:
        InvalidArgumentError: the value is empty or holds characters that UTF-8 cannot carry.
    """
    if not value:
        raise InvalidArgumentError("an empty name cannot be part of a resource path")
    if value in DOTS:
        return value.replace(".", "%2E")
    return value if _is_plain(value) else _value(value)


_is_plain = re.compile(r"[A-Za-z0-9_.~-]+").fullmatch
"""Whether nothing of a text is to be encoded; nearly every name is so, and encoding costs several times as much."""


def _value(value: str | int) -> str:
    try:
        return quote(str(value), safe="")
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"{checks.shown(value)} is not valid Unicode text") from error


@functools.lru_cache(maxsize=256)
def join(base: str, *segments: str) -> str:
    """`base` followed by the encoded `segments`; those used last are remembered, as a program writes to few resources."""
    return "/".join([base.rstrip("/"), *(segment(part) for part in segments)])


def link(value: Any, what: str) -> str:
    """Return a link of the service's, if it can be one: absolute, of HTTP, with a host and a port that can be.

    Raises:
        ProtocolError: it cannot; the text calls it `what` and shows no query, which may be a signature.
    """
    text = value if isinstance(value, str) else ""
    shown = checks.shown(text.partition("?")[0] if text else value)
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isprintable() or " " in text or "\\" in text:
        raise ProtocolError(f"{what} is no URL: {shown}")
    return text


def with_query(url: str, pairs: Iterable[tuple[str, str | int | None]]) -> str:
    """`url` with the pairs appended as a query; pairs of `None` are left out, a space becomes ``%20``."""
    text = "&".join(f"{quote(name, safe='')}={_value(value)}" for name, value in pairs if value is not None)
    if not text:
        return url
    return f"{url}{'&' if '?' in url else '?'}{text}"
