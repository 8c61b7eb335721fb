"""A REST call as it is carried in a frame: a URL taken apart, headers, and a body."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

from twilio_conversations.errors import InvalidArgumentError, ProtocolError
from twilio_conversations.util.checks import shown
from twilio_conversations.util.values import value

JSON_TYPE = "application/json"


@value
class HttpRequest:
    """A REST call to be carried in a frame. `path` and `params` are percent-encoded, as on the wire."""

    method: str
    host: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""

    @classmethod
    def from_url(cls, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> HttpRequest:
        """Take a complete URL apart without decoding or re-encoding anything.

        Raises:
            InvalidArgumentError: not an absolute http(s) URL.
        """
        parts = _split_url(url)
        params = tuple((name, value) for name, _, value in (pair.partition("=") for pair in parts[2].split("&") if pair))
        return cls(method, parts[0], parts[1], params, headers or {}, body)

    @property
    def content_type(self) -> str:
        """The request's own content type, else JSON."""
        if (usual := self.headers.get("Content-Type")) is not None:
            return usual
        return next((value for name, value in self.headers.items() if name.lower() == "content-type"), JSON_TYPE)

    def to_json(self) -> dict[str, Any]:
        """Return the wire's ``http_request``; a repeated parameter becomes an array."""
        params: dict[str, Any] = {}
        for name, item in self.params:
            known = params.get(name)
            params[name] = item if known is None else [*known, item] if isinstance(known, list) else [known, item]
        return {
            "host": self.host,
            "path": self.path,
            "method": self.method,
            "params": params,
            "headers": dict(self.headers),
        }

    @classmethod
    def parse(cls, value: Any, body: bytes) -> HttpRequest:
        """Read an ``http_request``; values may be arrays. Raises `ProtocolError`."""
        if not isinstance(value, dict):
            raise ProtocolError("a request without http_request")
        method, host, path = value.get("method"), value.get("host", ""), value.get("path")
        if not isinstance(method, str) or not isinstance(host, str) or not isinstance(path, str) or path[:1] != "/":
            raise ProtocolError("http_request without method, host or path")
        params = tuple(_pairs(value.get("params")))
        headers = dict(_pairs(value.get("headers")))
        return cls(method, host, path, params, headers, body)


@functools.lru_cache(maxsize=256)
def _split_url(url: str) -> tuple[str, str, str]:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidArgumentError(f"not a URL: {shown(url)}") from error
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InvalidArgumentError(f"not an absolute http(s) URL: {shown(url)}")
    return parts.netloc, parts.path or "/", parts.query


def _pairs(value: Any) -> list[tuple[str, str]]:
    if value is None:
        return []
    if not isinstance(value, dict):
        raise ProtocolError("headers and params must be objects")
    pairs = []
    for name, item in value.items():
        for text in item if isinstance(item, list) else [item]:
            if not isinstance(text, str):
                raise ProtocolError("headers and params must hold text")
            pairs.append((name, text))
    return pairs
