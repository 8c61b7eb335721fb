"""What can be attached, and that its bytes come out as they went in, as often as they are asked for."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.patience import PATIENCE
from twilio_conversations import InvalidArgumentError, SendMediaOptions
from twilio_conversations.sending.attachment import CHUNK, attachment, attachments, known_size, opened

pytestmark = pytest.mark.row("BY26", "CI21", "CI22", "CI23", "CI24", "CI25")
CONTENT = bytes(range(256)) * 1000


def content_of(options: SendMediaOptions) -> tuple[int, bytes, bytes]:
    """The size, and the bytes as they come at the first and at the second reading."""
    with opened(options) as content:
        return content.size, b"".join(content.chunks()), b"".join(content.chunks())


class OneWay(io.RawIOBase):
    """A file that cannot be rewound, such as a socket or a pipe."""

    def __init__(self, content: bytes) -> None:
        self._inner = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._inner.readinto(buffer)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the content."""
    file = tmp_path / "p ü&1.png"
    file.write_bytes(CONTENT)
    return file


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO, OneWay])
def test_content_can_be_read_again(kind: Any) -> None:
    """Bytes of any kind and files that can, or cannot, be rewound are read twice with the same result."""
    assert content_of(attachment(kind(CONTENT))) == (len(CONTENT), CONTENT, CONTENT)


@pytest.mark.row("BY26", "CI22", "CI23", "CI24")
def test_a_path_gives_name_and_type(path: Path) -> None:
    """The name of the file is what the others see, and tells its type."""
    options = attachment(path)
    assert (options.filename, options.content_type) == ("p ü&1.png", "image/png")
    assert content_of(options) == (len(CONTENT), CONTENT, CONTENT)
    assert known_size(options) == len(CONTENT)


def test_an_open_file_is_read_from_where_it_stands(path: Path) -> None:
    """What was read of it before is not sent; it has the name of the file, without its folder."""
    with path.open("rb") as file:
        file.read(1000)
        options = attachment(file)
        assert known_size(options) == len(CONTENT) - 1000
        assert content_of(options)[1] == CONTENT[1000:]
        assert options.filename == "p ü&1.png"


def test_a_pipe_can_be_attached() -> None:
    """It is copied to disk first, since its size has to be known; before that the size is unknown."""
    reading, writing = os.pipe()
    with open(reading, "rb") as out, open(writing, "wb") as into:
        threading.Thread(target=lambda: (into.write(CONTENT), into.close())).start()
        options = attachment(out)
        assert known_size(options) is None
        assert content_of(options)[1] == CONTENT


@pytest.mark.row("CI22")
def test_types_are_guessed_and_said_ones_stay() -> None:
    """From the name; without one, text is text and bytes are bytes."""
    assert attachment(("a.csv", b"1,2")).content_type == "text/csv"
    assert attachment(("a.csv", b"1,2", "text/plain; charset=utf-8")).content_type == "text/plain; charset=utf-8"
    assert attachment(b"1").content_type == "application/octet-stream"
    text = attachment(SendMediaOptions(media="ü"))
    assert (text.content_type, content_of(text)[1]) == ("text/plain", "ü".encode())


@pytest.mark.row("CI21", "CI25")
def test_one_or_several() -> None:
    """A single attachment need not be put in a list, whatever its kind; options are copied."""
    assert [one.filename for one in attachments([("a", b"1"), ("b", b"2")])] == ["a", "b"]
    assert attachments(()) == []
    given_options = SendMediaOptions(media=b"1", content_type="a/b")
    for single in (b"1", Path("x"), io.BytesIO(b"1"), ("a", b"1"), given_options):
        (found,) = attachments(single)
        assert found is not given_options


@pytest.mark.parametrize(
    "wrong",
    [
        "photo.png",
        SendMediaOptions(),
        SendMediaOptions(media=b"1", content_type=""),
        SendMediaOptions(media=b"1", content_type="image/png\r\nX: 1"),
        SendMediaOptions(media=b"1", filename=5),  # type: ignore[arg-type]
        io.StringIO("text"),
        ("name", None),
        5,
    ],
    ids=lambda wrong: "StringIO" if isinstance(wrong, io.StringIO) else repr(wrong),
)
@pytest.mark.row("ER01", "ER18", "MB08")
def test_what_cannot_be_attached(wrong: Any) -> None:
    """Nothing, text that may be a path, files open for text, and types that are none are refused at once."""
    with pytest.raises(InvalidArgumentError):
        attachment(wrong)


def test_an_empty_file_has_no_bytes(tmp_path: Path) -> None:
    """Whatever it is; a file that is read to its end, or beyond it, has none left."""
    (tmp_path / "empty").touch()
    beyond = io.BytesIO(b"1")
    beyond.seek(10)
    for empty in (b"", bytearray(), tmp_path / "empty", io.BytesIO(), OneWay(b""), beyond, SendMediaOptions(media="")):
        assert content_of(attachment(empty)) == (0, b"", b"")  # type: ignore[arg-type]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_file_that_does_not_know_its_size() -> None:
    """Files of the kernel say that they are empty: what can be read of them is sent."""
    size, first, second = content_of(attachment(Path("/proc/self/limits")))
    assert size == len(first) > 0
    assert first == second


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_the_path_of_a_pipe(tmp_path: Path) -> None:
    """A named pipe cannot be rewound either: it is copied."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(CONTENT))
    writer.start()
    assert content_of(attachment(path))[1] == CONTENT
    writer.join(PATIENCE)


def test_a_file_that_shrinks_is_an_error(path: Path) -> None:
    """Fewer bytes than were promised are not sent as if that were all."""
    with opened(attachment(path)) as content:
        os.truncate(path, 10)
        with pytest.raises(OSError, match="ended after 10"):
            list(content.chunks())


@given(st.binary(min_size=1, max_size=4 * CHUNK), st.integers(0, CHUNK))
def test_any_content_from_any_place(content: bytes, start: int) -> None:
    """No piece is lost, doubled or larger than it may be."""
    file = io.BytesIO(content)
    file.seek(min(start, len(content) - 1))
    wanted = content[file.tell() :]
    with opened(attachment(file)) as found:
        pieces = list(found.chunks())
    assert b"".join(pieces) == wanted
    assert max(map(len, pieces)) <= CHUNK
