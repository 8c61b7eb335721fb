"""WebSocket messages from bytes: however they are cut, and whatever they are."""

from __future__ import annotations

import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websocket import ABNF, WebSocketException, continuous_frame, frame_buffer

from twilio_conversations.errors import ProtocolError
from twilio_conversations.transport import ws_codec as stream
from twilio_conversations.transport.ws_codec import BINARY, CLOSE, PING, PONG, TEXT, Stream, WsMessage

LIMIT = 100_000


def frame(opcode: int, payload: bytes, fin: int = 1) -> bytes:
    """One frame as the service sends it."""
    return ABNF(fin, 0, 0, 0, opcode, 0, payload).format()


def fragmented(opcode: int, payload: bytes, cuts: list[int]) -> bytes:
    """One message in several frames, with a ping between any two of them."""
    edges = [0, *sorted(cut % (len(payload) + 1) for cut in cuts), len(payload)]
    parts = [payload[start:end] for start, end in itertools.pairwise(edges)]
    frames = [
        frame(opcode if number == 0 else ABNF.OPCODE_CONT, part, int(number == len(parts) - 1))
        for number, part in enumerate(parts)
    ]
    return frame(PING, b"p").join(frames)


messages = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([BINARY, TEXT]), st.binary(max_size=400) | st.binary(min_size=65_530, max_size=65_540)),
        st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125)),
        st.tuples(st.just(CLOSE), st.binary(max_size=20).map(lambda reason: b"\x03\xe8" + reason)),
    ),
    max_size=6,
)


def feed(data: bytes, cuts: list[int], limit: int = LIMIT) -> list[WsMessage]:
    """The messages in `data` when it comes cut at those places."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    receiver = Stream(limit)
    return [message for start, end in itertools.pairwise(edges) for message in receiver.feed(data[start:end])]


@given(messages, st.lists(st.integers(0, 10**6), max_size=30))
def test_any_cut_gives_the_same_messages(expected: list[WsMessage], cuts: list[int]) -> None:
    """Where the network cuts the bytes changes nothing."""
    data = b"".join(frame(opcode, payload) for opcode, payload in expected)

    assert expected == feed(data, cuts)


@given(messages)
def test_one_byte_at_a_time(expected: list[WsMessage]) -> None:
    """The slowest peer is understood too."""
    expected = [(opcode, payload[:300]) for opcode, payload in expected]
    data = b"".join(frame(opcode, payload) for opcode, payload in expected)

    assert expected == feed(data, list(range(len(data))))


@st.composite
def any_frames(draw: st.DrawFn) -> bytes:
    """Whole frames, most of them as they should be, with lengths spelled in any way."""
    first = draw(st.sampled_from([0x82, 0x82, 0x81, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88]) | st.integers(0, 255))
    payload = draw(st.binary(max_size=140) | st.sampled_from([b"\x03\xe8", b"\x03\xed", b"\x13\x87late", b"x" * 70_000]))
    size = len(payload)
    spellings = [bytes([127]) + size.to_bytes(8, "big")]
    if size < 1 << 16:
        spellings.append(bytes([126]) + size.to_bytes(2, "big"))
    if size < 126:
        spellings += [bytes([size])] * 5
    length = draw(st.sampled_from(spellings))
    if draw(st.integers(0, 30)) == 0:
        key = draw(st.binary(min_size=4, max_size=4))
        return bytes([first, length[0] | 0x80]) + length[1:] + key + payload
    return bytes([first]) + length + payload


def by_the_library(data: bytes) -> tuple[list[WsMessage], bool]:
    """The messages that websocket-client reads from whole frames, and whether the bytes break a rule, ours included."""
    rest, found, fragments = io.BytesIO(data), list[WsMessage](), continuous_frame(False, True)
    frames = frame_buffer(rest.read, True)
    while rest.tell() < len(data):
        try:
            read = frames.recv_frame()
            if read.mask_value or (read.opcode >= 8 and (not read.fin or len(read.data) > 125)):
                return found, True
            if read.opcode >= 8:
                found.append((read.opcode, bytes(read.data)))  # type: ignore[arg-type]
                continue
            fragments.validate(read)
            fragments.add(read)
            if fragments.is_fire(read):
                opcode, whole = fragments.extract(read)
                found.append((opcode, whole.data))
        except WebSocketException:
            return found, True
    return found, False


@given(st.lists(any_frames(), max_size=8).map(b"".join), st.lists(st.integers(0, 10**6), max_size=10))
def test_any_frames_read_as_by_websocket_client(data: bytes, cuts: list[int]) -> None:
    """The parser of our own gives the same messages, and refuses what the library refuses."""
    expected, is_bad = by_the_library(data)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    receiver, received = Stream(10**6), list[WsMessage]()
    try:
        for start, end in itertools.pairwise(edges):
            received.extend(receiver.feed(data[start:end]))  # extends one by one
        raised = False
    except ProtocolError:
        raised = True

    assert (expected, is_bad) == (received, raised)


@given(
    st.sampled_from([BINARY, PONG]),
    st.binary(max_size=300) | st.sampled_from([b"x" * 125, b"x" * 126, b"x" * 65_535, b"x" * 65_536]),
)
def test_frames_are_built_as_by_websocket_client(opcode: int, payload: bytes) -> None:
    """But for the key, which is new each time."""
    built = stream.build(opcode, payload)
    size = {126: 4, 127: 10}.get(built[1] & 0x7F, 2)
    expected = ABNF.create_frame(payload, opcode)
    expected.get_mask_key = lambda _: built[size : size + 4]

    assert expected.format() == built


@given(st.binary(max_size=300), st.lists(st.integers(0, 10**6), max_size=5), st.lists(st.integers(0, 10**6), max_size=20))
def test_fragments_are_put_together(payload: bytes, fragments: list[int], cuts: list[int]) -> None:
    """Control frames may come between them."""
    data = fragmented(BINARY, payload, fragments) + frame(BINARY, b"next")

    received = feed(data, cuts)

    assert [(BINARY, payload), (BINARY, b"next")] == [message for message in received if message[0] == BINARY]
    assert len(fragments) == received.count((PING, b"p"))


@given(st.binary(max_size=2000), st.lists(st.integers(0, 10**6), max_size=10))
def test_foreign_bytes_raise_nothing_but_protocol_errors(data: bytes, cuts: list[int]) -> None:
    """Anything else would end the io thread."""
    try:
        feed(data, cuts)
    except ProtocolError:
        pass


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ABNF(1, 1, 0, 0, BINARY, 0, b"x").format(), id="compressed, which was not agreed"),
        pytest.param(ABNF(1, 0, 0, 0, BINARY, 1, b"x").format(), id="masked"),
        pytest.param(bytes([0x83, 0]), id="unknown opcode"),
        pytest.param(frame(PING, b"x" * 126), id="long ping"),
        pytest.param(bytes([0x09, 0]), id="fragmented ping"),
        pytest.param(frame(ABNF.OPCODE_CONT, b"x"), id="continuation of nothing"),
        pytest.param(frame(BINARY, b"x", 0) + frame(BINARY, b"x"), id="message inside a message"),
        pytest.param(frame(CLOSE, b"\x03"), id="half a close code"),
        pytest.param(frame(CLOSE, b"\x00\x00"), id="impossible close code"),
    ],
)
def test_violations_come_after_the_good_messages(data: bytes) -> None:
    """What arrived before is delivered first."""
    received = Stream(LIMIT).feed(frame(BINARY, b"good") + data)

    assert (BINARY, b"good") == next(received)
    with pytest.raises(ProtocolError):
        list(received)


def test_an_oversized_frame_is_refused_before_it_is_buffered() -> None:
    """Its length alone is enough."""
    with pytest.raises(ProtocolError, match="over the limit"):
        list(Stream(1000).feed(bytes([0x82, 127]) + (1 << 40).to_bytes(8, "big")))


def test_fragments_count_together_against_the_limit() -> None:
    """A message cannot be smuggled in piece by piece, and the next one has the whole limit again."""
    receiver = Stream(1000)
    whole = frame(BINARY, b"x" * 600, 0) + frame(ABNF.OPCODE_CONT, b"x" * 400)
    assert [(BINARY, b"x" * 1000)] == list(receiver.feed(whole))
    assert [(BINARY, b"x" * 1000)] == list(receiver.feed(whole))
    with pytest.raises(ProtocolError, match="over the limit"):
        list(receiver.feed(frame(BINARY, b"x" * 600, 0) + frame(ABNF.OPCODE_CONT, b"x" * 401)))


def test_built_frames_are_masked_and_whole() -> None:
    """As a client must send them."""
    built = stream.build(BINARY, b"hello")

    assert built[0] == 0x82
    assert built[1] == 0x80 | 5
    assert b"hello" == ABNF.mask(built[2:6], built[6:])
