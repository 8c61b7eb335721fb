"""Acknowledgements of one read: the frames that each of them would be, put together at once."""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from websocket import ABNF, frame_buffer

from twilio_conversations.transport import acknowledgements
from twilio_conversations.wire import packets

plain = st.from_regex(r"[A-Za-z0-9_-]{1,70}", fullmatch=True)
alike = st.integers(1, 400).flatmap(
    lambda size: st.lists(st.text("aZ09_-", min_size=size, max_size=size), min_size=1, max_size=5)
)
of_any_kind = st.lists(plain | st.text(min_size=1, max_size=8) | st.sampled_from(["%s", 'a"b', "ü", "\ud800", "0"]), min_size=1)


def unmasked(data: bytes) -> list[tuple[int, int, bytes]]:
    """The frames in `data`, as websocket-client reads them."""
    rest = memoryview(data)
    found = []

    def take(size: int) -> bytes:
        nonlocal rest
        part, rest = bytes(rest[:size]), rest[size:]
        return part

    frames = frame_buffer(take, True)
    while rest:
        frame = frames.recv_frame()
        assert frame.mask_value == 1
        found.append((frame.fin, frame.opcode, bytes(frame.data)))  # type: ignore[arg-type]
    return found


@given(alike | of_any_kind)
def test_each_is_an_ordinary_acknowledgement(ids: list[str]) -> None:
    """Whatever the ids are, the service reads the packets that it would read one by one."""
    expected = [(1, ABNF.OPCODE_BINARY, packets.acknowledgement(id_)) for id_ in ids]

    assert expected == unmasked(acknowledgements.frames(ids))


def test_each_frame_has_a_key_of_its_own() -> None:
    """A key that was used twice could be foreseen."""
    ids = [f"RQ{number:032x}" for number in range(100)]
    data = acknowledgements.frames(ids)
    size = len(data) // len(ids)
    keys = {data[at + 4 : at + 8] for at in range(0, len(data), size)}

    assert len(keys) == len(ids)


def test_an_acknowledgement_more_is_hardly_a_call_more() -> None:
    """Each event has two of them: what is done for each id is to draw a key."""
    acknowledgements.frames(["a"])  # the template is made
    calls = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        acknowledgements.frames(["a"] * 200)
    finally:
        sys.setprofile(None)

    assert calls < 4 * 200  # a key is two calls, and one more when it is drawn, at most 256 at once
