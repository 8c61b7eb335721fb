"""Follows a page as a reader does who copies and pastes, and compares what is printed with what the page shows.

- A block below "Save this as `NAME`:" or "Add this at the end of `NAME`:" is a file.
- The ``$`` lines of a console block are run by bash, which keeps its variables from block to block; each has to succeed. The
  lines below one are its output, in which ``...`` stands for anything. Without such lines it may print what it likes.
- A block below "In a second terminal, which stays busy" is run beside the others; its output is awaited. At the end of the page
  it gets Ctrl-C, last terminal first, and has to end with 0.
- Other Python blocks are one program, which the page's environment runs; ``output`` blocks are what it prints.

No more than the standard library is needed, so that `.ci/follow` can start from nothing.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

from tests.support.pages import Block, blocks_of, printed, program

_OTHERS: Final = ("TWILIO_", "PYTEST_", "PYTHON", "DJANGO_", "VIRTUAL_ENV", "COV_")
"""Beginnings of variables that a reader's environment has not."""
_KILLED: Final = 30.0
"""Seconds that the system has to remove what was killed."""


class DeviationError(AssertionError):
    """A page does not do what it describes."""


def follow(page: Path, folder: Path, replacements: Mapping[str, str], patience: float) -> None:
    """Follow a page in a folder.

    Args:
        page: the Markdown file.
        folder: where its commands run, and its files are saved.
        replacements: texts of the page that are replaced by others; each of them is in it.
        patience: seconds for each of its commands.

    Raises:
        DeviationError: a command failed, or something else was printed; its text begins with page and line.
    """
    text = page.read_text(encoding="utf-8")
    for old, new in replacements.items():
        if old not in text:
            raise DeviationError(f"{page.name}: has no {old!r} that could be replaced")
        text = text.replace(old, new)
    blocks = [block for block in blocks_of(text) if not block.skipped]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
    environment["PYTHONUNBUFFERED"] = "1"  # in a terminal a line is seen at once
    with ExitStack() as running:
        first = running.enter_context(terminal(["bash"], folder, environment))
        busy: list[tuple[Block, Terminal]] = []
        for block in blocks:
            with located(page, block.line):
                if block.file:
                    save(block, folder)
                elif block.language == "console" and block.terminal == "first":
                    for command, output in commands_of(block):
                        first.run(command, output, patience)
                elif block.language == "console":
                    commands = "\n".join(command for command, _ in commands_of(block))
                    other = running.enter_context(terminal(["bash", "-e", "-c", commands], folder, environment))
                    busy.append((block, other))
                    other.expect("".join(output for _, output in commands_of(block)), patience)
        for block, other in reversed(busy):
            with located(page, block.line):
                other.end(signal.SIGINT, patience)
    pieces = [block for block in blocks if not block.file]
    if program(pieces).strip():
        with located(page, next(block.line for block in pieces if block.language == "python")):
            run_program(pieces, folder, environment, patience)


@contextmanager
def located(page: Path, line: int) -> Iterator[None]:
    """Put page and line in front of what goes wrong there."""
    try:
        yield
    except DeviationError as error:
        raise DeviationError(f"{page.name}:{line}: {error}") from None


def save(block: Block, folder: Path) -> None:
    """Save a block as a file, or add it to one that is there."""
    path = folder / str(block.file)
    if block.is_added and not path.is_file():
        raise DeviationError(f"there is no {block.file} to which something could be added")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a" if block.is_added else "w", encoding="utf-8") as file:
        file.write(block.text)


def commands_of(block: Block) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with its output as the page shows it."""
    parts = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)
    if parts[0]:
        raise DeviationError(f"does not begin with a command: {parts[0]!r}")
    return list(zip(parts[1::2], parts[2::2], strict=True))


def as_shown(output: str) -> str:
    """Return the regular expression of an output as a page shows it."""
    return "(?s:" + re.escape(output.rstrip("\n")).replace(re.escape("..."), ".*") + ")"


class Terminal:
    """A process of bash, and everything that it and its commands print."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._output = ""
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(_opened(process.stdout),), daemon=True)
        self._reader.start()

    def run(self, command: str, output: str, patience: float) -> None:
        """Run a command to its end, which has to be a good one; compare what it prints."""
        mark = uuid.uuid4().hex
        begin = len(self._output)
        shell = _opened(self._process.stdin)
        shell.write(f"{{ {command}\n}} </dev/null\nprintf '\\n%s %s\\n' {mark} $?\n")
        shell.flush()
        found = self._wait_for(rf"\n{mark} (\d+)\n", patience)
        text = self._output[begin:]
        if found is None:
            raise DeviationError(f"`{command}` did not end within {patience:.0f} s:\n{text}")
        text = text.partition(f"\n{mark} ")[0].rstrip("\n")
        if found[1] != "0":
            raise DeviationError(f"`{command}` failed with {found[1]}:\n{text}")
        if output and not re.fullmatch(as_shown(output), text):
            raise DeviationError(f"`{command}` did not print\n{output}but\n{text}")

    def expect(self, output: str, patience: float) -> None:
        """Wait until something has been printed."""
        if self._wait_for(as_shown(output), patience) is None:
            raise DeviationError(f"did not print\n{output}but\n{self._output}")

    def end(self, by: signal.Signals, patience: float) -> None:
        """Send a signal to everything in it, as Ctrl-C does, and wait for a good end."""
        os.killpg(self._process.pid, by)
        try:
            code = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            raise DeviationError(f"did not end by {by.name} within {patience:.0f} s:\n{self._output}") from None
        if code != 0:
            raise DeviationError(f"ended by {by.name} with {code}:\n{self._output}")

    def close(self) -> None:
        """End everything that is still running in it."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait(_KILLED)
        self._reader.join(_KILLED)
        _opened(self._process.stdin).close()
        _opened(self._process.stdout).close()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            with self._changed:
                self._output += line
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _wait_for(self, pattern: str, patience: float) -> re.Match[str] | None:
        """Return where the pattern was printed, or `None` when the time is up or everything has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or re.search(pattern, self._output), patience)
            return re.search(pattern, self._output)


@contextmanager
def terminal(command: list[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Start a terminal, and close it at the end."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    opened = Terminal(process)
    try:
        yield opened
    finally:
        opened.close()


def _opened(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def run_program(blocks: list[Block], folder: Path, environment: Mapping[str, str], patience: float) -> None:
    """Run the page's own program outside of the folder, so that nothing but the environment in it has the package."""
    with tempfile.TemporaryDirectory() as outside, terminal(["bash"], Path(outside), environment) as shell:
        Path(outside, "program.py").write_text(program(blocks), encoding="utf-8")
        shell.run(f"'{folder}/.venv/bin/python' program.py 2>log || {{ cat log; false; }}", printed(blocks), patience)
