"""One run of the probe: the checks that wait beside the others, each within its time limit, and the removal of what was made."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from twilio_conversations.probe.checks import CHECKS
from twilio_conversations.probe.findings import Check, Finding, Only
from twilio_conversations.probe.outcomes import in_words
from twilio_conversations.probe.stage import Remains, Stage
from twilio_conversations.probe.target import Pace, Target
from twilio_conversations.util.futures import Deadline

_STOPPING: Final = 15.0
"""Seconds in which interrupted checks end: an answer that is under way is waited for, as it names what was made."""


class Probe:
    """A run against one service.

    Attributes:
        checks: those that will be run.
        findings: by name, of the checks that have ended.
        remains: what could not be removed.
        on_finding: called for each finding, from several threads.
    """

    def __init__(
        self,
        target: Target,
        pace: Pace | None = None,
        *,
        options: Iterable[Only] = (),
        checks: Iterable[Check] = CHECKS,
        on_finding: Callable[[Finding], object] = lambda _: None,
    ) -> None:
        """Choose the checks; nothing is asked yet.

        Args:
            target: the service.
            pace: durations of the checks that wait.
            options: the options that some checks need.
            checks: all of them by default.
            on_finding: receives each finding.
        """
        chosen = {None, *options}
        self.checks: tuple[Check, ...] = tuple(check for check in checks if check.only in chosen)
        self.findings: dict[str, Finding] = {}
        self.remains: Remains = Remains()
        self.on_finding: Callable[[Finding], object] = on_finding
        self._target = target
        self._pace = pace or Pace()
        self._stage = Stage(target, self._pace)

    @property
    def target(self) -> Target:
        """The service."""
        return self._target

    @property
    def ordered(self) -> list[Finding]:
        """Findings in the order of the checks."""
        return [self.findings[check.name] for check in self.checks if check.name in self.findings]

    def run(self, limit: float = 60.0) -> list[Finding]:
        """Run the checks, remove what was made, and return the findings.

        Raises:
            ConversationsError: the service cannot be reached within `limit` seconds, or refuses the key.
            KeyboardInterrupt: the run was interrupted; what was made has been removed.
        """
        threads: list[threading.Thread] = []
        try:
            self._stage.host(Deadline(limit)).configuration(Deadline(limit))
            beside = [check for check in self.checks if check.waits is not None]
            threads += [threading.Thread(target=self._settle_all, args=([check],), daemon=True) for check in beside]
            one_by_one = [check for check in self.checks if check.waits is None]
            threads.append(threading.Thread(target=self._settle_all, args=(one_by_one,), daemon=True))
            for thread in threads:
                thread.start()
            for thread in threads:
                _join(thread, None)
        finally:
            self._end(threads)
        return self.ordered

    def _end(self, threads: list[threading.Thread]) -> None:
        """Stop what still runs, and remove what was made."""
        self._stage.stop.set()
        deadline = Deadline(_STOPPING)
        for thread in threads:
            _join(thread, deadline)
        self.remains = self._stage.remove_all()

    def _settle_all(self, checks: Iterable[Check]) -> None:
        """Run checks one after another."""
        for check in checks:
            if not self._stage.stop.is_set():
                self._settle(check)

    def _settle(self, check: Check) -> None:
        """Run one check; whatever it raises, the others go on."""
        began = time.monotonic()
        limit = check.limit + (getattr(self._pace, check.waits) if check.waits else 0.0)
        try:
            seen = check.look(self._stage, Deadline(limit))
            finding = Finding.of(check, seen, time.monotonic() - began)
        except Exception as error:
            finding = Finding.unsettled(check, in_words(error), time.monotonic() - began)
        self.findings[check.name] = finding
        self.on_finding(finding)


def _join(thread: threading.Thread, deadline: Deadline | None) -> None:
    """Wait for a thread, in short pieces, so that Ctrl-C is noticed at once."""
    while thread.ident is not None and thread.is_alive() and not (deadline is not None and deadline.passed):
        thread.join(0.2)
