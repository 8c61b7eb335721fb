"""Acknowledgements of many packets as frames: one text for all of them, and one mask. Pure.

Every event is acknowledged, and all acknowledgements of one read leave together, so that nothing but the id is done for each.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Final

import attrs

from twilio_conversations.transport import ws_codec
from twilio_conversations.transport.ws_codec import BINARY, KEY_SIZE
from twilio_conversations.wire import packets

_LONGEST: Final = 64
"""Ids up to this length share a template; a service has one length or two."""

_are_plain = re.compile(r"[A-Za-z0-9_-]+").fullmatch


def frames(ids: Sequence[str]) -> bytes:
    """Return the frames that acknowledge these ids, in order, each masked by a key of its own."""
    sizes = set(map(len, ids))
    if len(sizes) == 1 and (size := sizes.pop()) <= _LONGEST and _are_plain("".join(ids)):
        return _alike(size).frames(ids)
    return b"".join([ws_codec.build(BINARY, packets.acknowledgement(id_)) for id_ in ids])


@attrs.frozen
class _Template:
    """Frames that acknowledge plain ids of one length.

    Attributes:
        text: of one frame before masking, with ``%s`` for the id and zeros for the key; a character is a byte.
        head: zeros for the part of a frame before the key, which is not masked.
        masked: length of the rest: the key, which is masked to itself, and the payload.
    """

    text: str
    head: bytes
    masked: int

    def frames(self, ids: Sequence[str]) -> bytes:
        plain = (self.text * len(ids) % tuple(ids)).encode("latin-1")
        head, masked, key = self.head, self.masked, ws_codec.mask_key
        repeats = masked // KEY_SIZE + 1
        mask = b"".join([head + (key() * repeats)[:masked] for _ in ids])
        return ws_codec.xored(plain, mask)


@functools.lru_cache(maxsize=_LONGEST)
def _alike(size: int) -> _Template:
    """Return the template for plain ids of that length."""
    id_ = "0" * size
    packet = packets.acknowledgement(id_)
    head = ws_codec.head(BINARY, len(packet))
    before, quoted, after = (head + bytes(KEY_SIZE) + packet).decode("latin-1").replace("%", "%%").partition(f'"{id_}"')
    return _Template(before + quoted.replace(id_, "%s") + after, bytes(len(head)), KEY_SIZE + len(packet))
