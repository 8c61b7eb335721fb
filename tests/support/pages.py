"""The fenced blocks of a Markdown page: which language, from which line, and what the words above ask a reader to do with it.

No more than the standard library is needed, so that `.ci/follow` can start from nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_FENCE = re.compile(r"^```(\S*)\s*$")
_SKIP = re.compile(r"^<!-- snippet: skip because (\S.{9,}) -->$")
_SAVE = re.compile(r"\b([Ss]ave this as|[Aa]dd this at the end of) `([^`]+)`:$")
_TERMINAL = re.compile(r"\b[Ii]n a (second|third|fourth) terminal, which stays busy\b")


class Block(NamedTuple):
    """A fenced block: its language, the line its text begins on (from 1), its lines, and the paragraph above, as one line."""

    language: str
    line: int
    lines: tuple[str, ...]
    above: str

    @property
    def text(self) -> str:
        """The block's lines as the contents of a file."""
        return "".join(line + "\n" for line in self.lines)

    @property
    def skipped(self) -> bool:
        """Whether it is left out, for a reason that is given."""
        return bool(_SKIP.match(self.above))

    @property
    def file(self) -> str | None:
        """Name of the file that it is saved as, or added to."""
        found = _SAVE.search(self.above)
        return found[2] if found else None

    @property
    def is_added(self) -> bool:
        """Whether it is added at the end of its file."""
        found = _SAVE.search(self.above)
        return found is not None and found[1].lower().startswith("add")

    @property
    def terminal(self) -> str:
        """Terminal of its commands: the first one, or another one that stays busy."""
        found = _TERMINAL.search(self.above)
        return found[1] if found else "first"


def blocks_of(text: str) -> list[Block]:
    """Return the fenced blocks of a Markdown page, in order."""
    found: list[Block] = []
    lines: list[str] = []
    above: list[str] = []
    language, start, was_blank = None, 0, False
    for number, line in enumerate(text.splitlines(), start=1):
        fence = _FENCE.match(line)
        if language is None:
            if fence:
                language, start, lines = fence.group(1), number + 1, []
            elif line.strip():
                above = [line] if was_blank else [*above, line]
            was_blank = not line.strip()
        elif line.rstrip() == "```":
            found.append(Block(language, start, tuple(lines), " ".join(above)))
            language, above = None, []
        else:
            lines.append(line)
    return found


def program(blocks: list[Block]) -> str:
    """Return the page's Python blocks as one program whose line numbers are those of the page."""
    lines: list[str] = []
    for block in blocks:
        if block.language == "python" and not block.skipped:
            lines += [""] * (block.line - 1 - len(lines)) + list(block.lines)
    return "\n".join(lines) + "\n"


def printed(blocks: list[Block]) -> str:
    """Return what the page's program prints, by its output blocks."""
    return "".join(block.text for block in blocks if block.language == "output")
