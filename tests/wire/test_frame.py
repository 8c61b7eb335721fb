"""The frame codec: what it writes, what it accepts, and that nothing but `ProtocolError` ever leaves it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations.errors import ProtocolError
from twilio_conversations.wire import frame

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
headers = st.dictionaries(st.text().filter(lambda name: name != "payload_size"), json_values, max_size=6)


def raw(header: bytes, payload: bytes = b"", *, size: bytes | None = None, line_end: bytes = b"\r\n") -> bytes:
    """A frame put together by hand, so that its parts can be wrong."""
    return b"TWILSOCK V3.0 " + (size or str(len(header)).encode()) + b"\r\n" + header + line_end + payload


@given(headers, st.binary(max_size=200))
def test_every_frame_survives_the_round_trip(header: dict[str, object], payload: bytes) -> None:
    """Whatever is encoded is decoded to the same header and the same bytes."""
    expected = header | {"payload_size": len(payload)}, payload

    assert expected == frame.decode(frame.encode(header, payload))


@given(st.binary(max_size=300))
def test_foreign_bytes_are_a_protocol_error(data: bytes) -> None:
    """Bytes that nobody meant as a frame are refused in one way only."""
    with pytest.raises(ProtocolError):
        frame.decode(data)


@given(headers, st.binary(max_size=60), st.data())
def test_damaged_frames_never_raise_anything_else(header: dict[str, object], payload: bytes, data: st.DataObject) -> None:
    """A frame with a byte changed, dropped or added is read or refused, never a crash."""
    good = frame.encode(header, payload)
    at = data.draw(st.integers(0, len(good) - 1))
    damaged = good[:at] + data.draw(st.binary(max_size=3)) + good[at + data.draw(st.integers(0, 2)) :]
    try:
        frame.decode(damaged)
    except ProtocolError:
        pass


def test_sizes_are_bytes_not_characters() -> None:
    """The sizes of a frame count UTF-8 bytes."""
    payload = '{"k":"é✓"}'.encode()
    data = frame.encode({"who": "zoë"}, payload)
    head_size = int(data.split(b"\r\n")[0].split()[-1])

    assert len('{"who":"zoë","payload_size":13}'.encode()) == head_size
    assert payload == frame.decode(data + b"\r\n")[1]


def test_a_frame_without_payload_may_lack_the_last_line_end() -> None:
    """The line end after the header is optional when nothing follows."""
    assert {"method": "x"} == frame.decode(raw(b'{"method":"x"}', line_end=b""))[0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"TWILSOCK V3.0 ",
        b"TWILSOCK V2.0 2\r\n{}\r\n",
        b"twilsock V3.0 2\r\n{}\r\n",
        raw(b"{}", size=b"-2"),
        raw(b"{}", size=b"2x"),
        raw(b"{}", size=b"99999999999999"),
        raw(b"{}", size=b"9"),
        raw(b"null"),
        raw(b"[]"),
        raw(b"{"),
        raw(b'{"a":"\xff"}'),
        raw(b'{"payload_size":5}', b"1234"),
        raw(b'{"payload_size":-1}'),
        raw(b'{"payload_size":1.5}', b"12"),
        raw(b'{"payload_size":true}', b"1"),
        raw(b'{"payload_size":"1"}', b"1"),
        raw(b'{"payload_size":2}', b"{}", line_end=b"\n\n"),
        raw(b'{"payload_size":2}', b"{}", line_end=b""),
        raw(b"[" * 100_000),
    ],
)
def test_each_malformed_frame_is_refused(data: bytes) -> None:
    """The malformed inputs of the protocol's own table have one answer."""
    with pytest.raises(ProtocolError):
        frame.decode(data)


def test_a_frame_over_the_limit_is_refused_unread() -> None:
    """The size cap applies before anything is parsed."""
    data = frame.encode({}, b"x" * 100)

    with pytest.raises(ProtocolError, match="over the limit"):
        frame.decode(data, max_bytes=len(data) - 1)
    assert b"x" * 100 == frame.decode(data, max_bytes=len(data))[1]


@given(json_values)
def test_json_is_read_like_the_standard_reader_reads_it(value: object) -> None:
    """The fast reader and the ordinary one agree, with white space and without."""
    compact = frame.json_bytes(value)

    assert json.loads(compact) == frame.parse_json(compact)
    assert json.loads(compact) == frame.parse_json(b" \r\n" + compact + b"\n ")


@pytest.mark.parametrize("data", [b"", b" ", b"{} {}", b"nul", b"\xff", b"1 2"])
def test_malformed_json_is_a_protocol_error(data: bytes) -> None:
    """The fast reader is as strict as the ordinary one."""
    with pytest.raises(ProtocolError):
        frame.parse_json(data)


def test_a_lone_surrogate_is_escaped() -> None:
    """Text that UTF-8 cannot carry goes out as a JSON escape."""
    assert b'"\\ud800"' == frame.json_bytes("\ud800")
