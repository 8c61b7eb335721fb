"""Hypothesis strategies: hostile values, and requests made of correct ones by altering them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import attrs
from hypothesis import strategies as st

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")

TEXTS = (
    "",
    " ",
    ".",
    "..",
    "../../etc/passwd",
    "..\\..\\windows",
    "%2e%2e%2f",
    "a/b",
    "a\x00b",
    "a\r\nX-Evil: 1",
    "'; DROP TABLE messages; --",
    '" OR ""="',
    "100%_\\",
    "\u202egnp.exe",
    "\ufeff",
    "e\u0301\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "x" * 257,
    "☃" * 20_000,
    "[" * 5_000,
    "1e999",
    "-1",
    "0" * 400,
    "CH" + "0" * 32,
    "US" + "f" * 32,
)
"""Text that means something to somebody: a file system, a database, a header, a template, a terminal."""

VALUES: tuple[Any, ...] = (None, True, False, 0, -1, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, [], {}, [[]], {"a": {"b": [None]}})
"""JSON of every kind."""

RAW = (
    b"",
    b"null",
    b"[]",
    b"7",
    b'"text"',
    b"{",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"attributes":NaN}',
    b'{"body":Infinity,"last_read_message_index":-Infinity}',
    b'{"body":"a","body":{"body":1}}',
    b'{"last_read_message_index":' + b"9" * 5_000 + b"}",
    b'{"friendly_name":"\\ud800"}',
    b'{"\\udfff":1}',
    b"ChannelSid=%ff&ChannelSid=%00",
    b"&" * 5_000,
)
"""Bodies that are no JSON object, or a strange one."""

texts = st.sampled_from(TEXTS) | st.text(max_size=20)
values = (
    st.sampled_from(VALUES)
    | texts
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    )
)


@attrs.frozen
class Attack:
    """One request. `path` and `query` are percent-encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@attrs.frozen
class Template:
    """A right request: `path` holds names in braces, `body` and `query` right values."""

    method: str
    path: str
    body: Mapping[str, Any] = attrs.field(factory=dict)
    query: Mapping[str, str] = attrs.field(factory=dict)


def _rarely(draw: st.DrawFn, times: int) -> bool:
    """Once in so many times; what is simpler is what is right."""
    return draw(st.integers(1, times)) == times


@st.composite
def attacks(draw: st.DrawFn, templates: tuple[Template, ...], names: Mapping[str, tuple[str, ...]]) -> Attack:
    """A request that is nearly right; `names` says what may stand for a name in a path."""
    template = draw(st.sampled_from(templates))
    method = draw(st.sampled_from(METHODS)) if _rarely(draw, 10) else template.method
    parts = template.path.split("/")
    spoiled_part = draw(st.integers(1, len(parts) - 1)) if _rarely(draw, 5) else -1
    path = "/".join(
        quote(draw(texts)[:500], safe="") if number == spoiled_part else _filled(draw, part, names)
        for number, part in enumerate(parts)
    )
    if _rarely(draw, 16):
        path += draw(st.sampled_from(["/", "//", "/..", "/%2e%2e", "/Items", "?", "/%00", "/" * 200, ";x", "/%"]))
    query = {**template.query, **{name: draw(texts) for name in template.query if _rarely(draw, 3)}}
    return Attack(method, path, _encoded(query), draw(_headers), draw(bodies(template.body)))


def _filled(draw: st.DrawFn, part: str, names: Mapping[str, tuple[str, ...]]) -> str:
    """A segment as it stands, with the name in braces replaced."""
    before, brace, rest = part.partition("{")
    if not brace:
        return part
    name, _, after = rest.partition("}")
    return before + quote(draw(st.sampled_from(names[name])), safe="") + after


def _encoded(query: Mapping[str, str]) -> str:
    return "&".join(f"{name}={quote(value[:500], safe='')}" for name, value in query.items())


_headers = st.fixed_dictionaries(
    {},
    optional={
        "X-Twilio-Mutation-Id": st.uuids().map(str) | st.sampled_from(["m", "x" * 5_000, "'; --"]),
        "Content-Type": st.sampled_from(["application/json", "text/plain", "multipart/form-data; boundary=x", "a/b;" * 50]),
        "Range": st.sampled_from(["bytes=0-0", "bytes=9-1", "bytes=" + "0-0," * 200, "x"]),
        "If-None-Match": st.just("*"),
    },
)


@st.composite
def bodies(draw: st.DrawFn, right: Mapping[str, Any]) -> bytes:
    """The right body, one with some fields spoiled, or none at all."""
    if _rarely(draw, 6):
        return draw(st.sampled_from(RAW))
    return json.dumps(draw(spoiled(dict(right)))).encode()


@st.composite
def spoiled(draw: st.DrawFn, right: Any) -> Any:
    """A JSON value of the same shape with some places replaced, removed or added."""
    if isinstance(right, dict):
        result = {}
        for name, value in right.items():
            if _rarely(draw, 12):
                result[name] = draw(values)
            elif not _rarely(draw, 12):
                result[name] = draw(spoiled(value))
        if _rarely(draw, 10):
            result[draw(st.text(max_size=10))] = draw(values)
        return result
    if isinstance(right, list):
        return [draw(spoiled(value)) for value in right] * draw(st.sampled_from([1, 0, 2]))
    return draw(values) if _rarely(draw, 12) else right
