"""Forms in pieces: what comes out does not depend on where the network cut them."""

from __future__ import annotations

import contextlib
import itertools

from hypothesis import given
from hypothesis import strategies as st

from twilio_conversations.server.api.media_upload import Form
from twilio_conversations.server.errors import Refusal

BOUNDARY = b"----edge"
TYPE = f"multipart/form-data; boundary={BOUNDARY.decode()}"


def body_of(content: bytes) -> bytes:
    """A form with a field, the file and another file."""
    parts = (
        b'Content-Disposition: form-data; name="note"\r\n\r\nfile?',
        b'content-disposition: form-data; name="f"; filename="a;b.bin"\r\nContent-Type: image/png\r\n\r\n' + content,
        b'Content-Disposition: form-data; name="g"; filename="other"\r\n\r\nnot this one',
    )
    return b"".join(b"--" + BOUNDARY + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + BOUNDARY + b"--\r\n"


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data, cut at some places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


contents = (
    st.lists(st.sampled_from([b"\r\n", b"--", b"----edg", BOUNDARY, b"\r\n--", b"x", b"\0"]))
    .map(b"".join)
    .filter(lambda content: b"\r\n--" + BOUNDARY not in content and not content.startswith(b"--" + BOUNDARY))
)


@given(contents, st.lists(st.integers(0, 10_000), max_size=20))
def test_the_file_comes_out_whole(content: bytes, cuts: list[int]) -> None:
    """Wherever the form is cut, and however much the content looks like a boundary, it comes out byte for byte."""
    form = Form(TYPE)
    taken = b"".join(form.feed(piece) for piece in pieces(body_of(content), cuts))
    assert taken == content
    assert form.finish() == ("image/png", "a;b.bin")


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_nonsense_is_refused(data: bytes, cuts: list[int]) -> None:
    """What is no form ends in a refusal, never in another error."""
    form = Form(TYPE)
    with contextlib.suppress(Refusal):
        for piece in pieces(data, cuts):
            form.feed(piece)
        form.finish()
        raise AssertionError(f"taken for a form: {data!r}")
