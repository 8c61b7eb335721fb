"""Processed events of one Sync object, although they may arrive twice, late or never."""

from __future__ import annotations

from bisect import bisect_right

MAX_GAPS = 256
"""Beyond so many, ids are plainly not contiguous; the first gap stays, since it holds the cursor back."""


class AppliedIds:
    """Every id up to `head`, except those inside `gaps`.

    `gaps` are ascending, disjoint ``(first, last)`` ranges of ids that were skipped and may still come. The *cursor*, from
    which a new subscription has to be replayed, is therefore the id before the first gap.
    """

    __slots__ = ("gaps", "head")

    def __init__(self, head: int) -> None:
        self.head: int = head
        self.gaps: list[tuple[int, int]] = []

    @property
    def cursor(self) -> int:
        """The low-water mark: all events up to here have been processed."""
        return self.gaps[0][0] - 1 if self.gaps else self.head

    def take(self, event_id: int) -> bool:
        """Take one id in; `False` if it was taken before."""
        if event_id > self.head:
            if event_id > self.head + 1:
                self.gaps.append((self.head + 1, event_id - 1))
                if len(self.gaps) > MAX_GAPS:
                    del self.gaps[1]
            self.head = event_id
            return True
        return bool(self.gaps) and self._fill(event_id)

    def _fill(self, event_id: int) -> bool:
        where = bisect_right(self.gaps, event_id, key=lambda gap: gap[0]) - 1
        if where < 0:
            return False
        first, last = self.gaps[where]
        if event_id > last:
            return False
        rest = [gap for gap in ((first, event_id - 1), (event_id + 1, last)) if gap[0] <= gap[1]]
        self.gaps[where : where + 1] = rest
        return True

    def close_up_to(self, event_id: int) -> None:
        """Nothing at or below `event_id` will come any more."""
        self.head = max(self.head, event_id)
        if self.gaps:
            self.gaps = [(max(first, event_id + 1), last) for first, last in self.gaps if last > event_id]
