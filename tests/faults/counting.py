"""Compare what was sent, what the database holds and what each client received, message by message. Pure.

- *lost*: acknowledged and not kept, or a gap in what is kept;
- *missed*: kept, and a client never saw it: counted once for each such client;
- *doubled*: the same text kept twice (each is sent once); or a client saw an index twice;
- *out of order*: a sender's messages are kept in another order than it sent them; or a client saw an index after a higher one;
- *invented*: a client saw what is not kept, or an index with another text than the kept one;
- *raised*: a send that ended with an error, *unknown* those of them whose message is kept all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import attrs

Kept = Mapping[str, Sequence[tuple[int, str]]]
"""Index and text of each message, in order, by conversation sid: what the service holds, or what one client saw."""


@attrs.frozen
class Send:
    """One call that sent a message, and what it raised."""

    conversation: str
    body: str
    error: str | None = None


@attrs.define
class Counts:
    """Number of messages and of faults of each kind, with details."""

    messages: int = 0
    lost: int = 0
    missed: int = 0
    doubled: int = 0
    out_of_order: int = 0
    invented: int = 0
    raised: int = 0
    unknown: int = 0
    details: list[str] = attrs.field(factory=list)

    @property
    def clean(self) -> bool:
        """Whether there is no fault."""
        return not (self.lost or self.missed or self.doubled or self.out_of_order or self.invented or self.raised)

    def note(self, kind: str, count: int, detail: str) -> None:
        """Add to a count, with a description of where."""
        if count:
            setattr(self, kind, getattr(self, kind) + count)
            self.details.append(f"{kind} {count}: {detail}")


def count_faults(kept: Kept, sends: Mapping[str, Sequence[Send]], seen: Mapping[str, Kept]) -> Counts:
    """Compare and count. `sends` is by sender, `seen` by client."""
    counts = Counts(messages=sum(map(len, kept.values())))
    for sid, messages in kept.items():
        bodies = Counter(body for _, body in messages)
        counts.note("doubled", _surplus(bodies), f"kept twice in {sid}: {[b for b, n in bodies.items() if n > 1][:5]}")
        missing = set(range(len(messages))) - {index for index, _ in messages}
        counts.note("lost", len(missing), f"gaps in the indexes of {sid}: {sorted(missing)[:5]}")
    for name, calls in sends.items():
        _count_sender(counts, name, calls, kept)
    for name, theirs in seen.items():
        for sid in kept.keys() | theirs.keys():
            _count_view(counts, f"{name} in {sid}", kept.get(sid, ()), theirs.get(sid, ()))
    return counts


def _count_sender(counts: Counts, name: str, calls: Sequence[Send], kept: Kept) -> None:
    place = {(sid, body): index for sid, messages in kept.items() for index, body in messages}
    acknowledged = [call for call in calls if call.error is None]
    failed = [call for call in calls if call.error is not None]
    lost = [call.body for call in acknowledged if (call.conversation, call.body) not in place]
    counts.note("lost", len(lost), f"acknowledged to {name}, not kept: {lost[:5]}")
    for sid in kept:
        mine = [place[sid, call.body] for call in acknowledged if call.conversation == sid and (sid, call.body) in place]
        counts.note("out_of_order", _descents(mine), f"what {name} sent to {sid}")
    counts.note("raised", len(failed), f"{name}: {sorted({str(call.error) for call in failed})[:5]}")
    counts.unknown += sum((call.conversation, call.body) in place for call in failed)


def _count_view(counts: Counts, who: str, kept: Sequence[tuple[int, str]], seen: Sequence[tuple[int, str]]) -> None:
    indexes = Counter(index for index, _ in seen)
    missing = {index for index, _ in kept} - indexes.keys()
    counts.note("missed", len(missing), f"never seen by {who}: {sorted(missing)[:5]}")
    counts.note("doubled", _surplus(indexes), f"seen twice by {who}: {[i for i, n in indexes.items() if n > 1][:5]}")
    counts.note("out_of_order", _descents([index for index, _ in seen]), f"seen by {who}")
    invented = set(seen) - set(kept)
    counts.note("invented", len(invented), f"seen by {who}: {sorted(invented)[:5]}")


def _surplus(counts: Counter[str] | Counter[int]) -> int:
    return sum(count - 1 for count in counts.values())


def _descents(numbers: Iterable[int]) -> int:
    return sum(later < earlier for earlier, later in pairwise(numbers))
