"""``twilio-conversations probe``: the key from the environment, the progress on the screen, the report in files."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from twilio_conversations.cli.announcement import SAMPLE_NAMES
from twilio_conversations.errors import InvalidArgumentError
from twilio_conversations.probe import Finding, Probe, as_json, as_markdown

PREFIX = "TWILIO_"


def key_of(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the credentials in the environment, under any of the names that sample apps use.

    Raises:
        InvalidArgumentError: one of them is missing; the text has its names.
    """
    found: dict[str, str] = {}
    for field, names in SAMPLE_NAMES.items():
        known = [environment[PREFIX + name] for name in names if environment.get(PREFIX + name)]
        if not known:
            raise InvalidArgumentError(f"the environment lacks {' or '.join(PREFIX + name for name in names)}")
        found[field] = known[0]
    return found


class Display:
    """Progress of a run: a bar on a terminal, a line for each finding elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        columns = (
            TextColumn("probing"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        self._progress = Progress(*columns, console=console)
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def begin(self, count: int) -> None:
        """Receive the number of checks."""
        self._progress.update(self._task, total=count)

    def add(self, finding: Finding) -> None:
        """Receive a finding."""
        with self._lock:
            self._console.print(f"{finding.name}: {finding.seen}", markup=False, highlight=False, soft_wrap=True)
            self._progress.advance(self._task)


def run(probe: Probe, console: Console, *, markdown: Path | None, json: Path | None) -> None:
    """Run a probe and write its report; what was settled before an interruption is in it."""
    with Display(console) as display:
        display.begin(len(probe.checks))
        probe.on_finding = display.add
        try:
            probe.run()
        finally:
            if probe.findings:
                _write(probe, as_markdown, markdown)
                _write(probe, as_json, json)


def _write(probe: Probe, form: Callable[[Probe], str], path: Path | None) -> None:
    if path is not None:
        path.write_text(form(probe), encoding="utf-8")
