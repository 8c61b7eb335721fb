"""What importing the package loads, and which names it promises."""

from __future__ import annotations

import importlib.metadata
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

import twilio_conversations

HEAVY = ("click", "pytest", "rich", "sqlalchemy", "starlette", "uvicorn", "websockets")


def test_client_loads_nothing_of_the_service() -> None:
    """`import twilio_conversations` loads neither the service, nor the command line, nor what those stand on."""
    code = "import sys, twilio_conversations; print(*sorted(sys.modules), sep='\\n')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = result.stdout.split()
    unwanted = (*HEAVY, "twilio_conversations.server", "twilio_conversations.cli", "twilio_conversations.testing")
    assert [name for name in loaded if name.startswith("twilio_conversations.client")] != []
    assert [name for name in loaded for root in unwanted if name == root or name.startswith(f"{root}.")] == []


def test_client_depends_on_exactly_five() -> None:
    """Without an extra, installing the package installs five libraries."""
    required = importlib.metadata.requires("twilio-conversations") or []
    plain = {re.split(r"[<>=!~ \[;]", one)[0].lower() for one in required if "extra ==" not in one}
    assert plain == {"requests", "websocket-client", "pyjwt", "attrs", "blinker"}


def test_public_names_are_sorted_and_there() -> None:
    """`__all__` is sorted, holds no name twice, and every name in it exists and is documented."""
    names = twilio_conversations.__all__
    assert list(names) == sorted(set(names))
    for name in names:
        thing = getattr(twilio_conversations, name)
        assert name.startswith("__") or getattr(thing, "__doc__", None), f"{name} has no docstring"


@pytest.mark.row("BY35")
def test_every_module_logs_under_the_package() -> None:
    """A program that configures the logger `twilio_conversations` reaches all of it; one that does not hears nothing."""
    code = "import logging, twilio_conversations; print(*logging.root.manager.loggerDict, sep='\\n')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    ours = {name for name in result.stdout.split() if name.startswith("twilio_conversations.")}
    assert {"twilio_conversations.directory", "twilio_conversations.dispatcher"} <= ours
    handlers = logging.getLogger("twilio_conversations").handlers
    assert [type(handler) for handler in handlers] == [logging.NullHandler]


def test_version_is_the_installed_one() -> None:
    """The version that the package says is the one it was installed as."""
    assert importlib.metadata.version("twilio-conversations") == twilio_conversations.__version__


def test_every_public_name_is_in_the_reference() -> None:
    """The reference has an entry for each public name, and each entry is a name that exists."""
    page = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")
    entries = set(re.findall(r"^\.\. (?:auto\w+|py:data):: (?:twilio_conversations\.)?(\w+)$", page, re.MULTILINE))
    assert entries - {"tokens"} == {name for name in twilio_conversations.__all__ if not name.startswith("__")}


def test_the_client_logs_through_safe_loggers_only() -> None:
    """A call of `logging` runs the program's filters and handlers where it stands; `util.logs` knows where that may be."""
    package = Path(twilio_conversations.__file__).parent
    allowed = {Path("__init__.py"), Path("util/logs.py"), Path("cli/commands.py")}
    users = {
        path.relative_to(package)
        for path in package.rglob("*.py")
        if re.search(r"^\s*(import logging\b|from logging\b)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {path for path in users if path.parts[0] != "server"} == allowed
