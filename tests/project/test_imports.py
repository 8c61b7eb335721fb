"""What importing the package loads, and which names it promises."""

from __future__ import annotations

import ast
import importlib.metadata
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

import twilio_conversations
from tests.support.clients import Fresh
from tests.support.patience import PATIENCE
from twilio_conversations.server import LocalServer

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "twilio_conversations"
HEAVY = ("click", "pytest", "rich", "sqlalchemy", "starlette", "uvicorn", "websockets")


def test_client_loads_nothing_of_the_service() -> None:
    """`import twilio_conversations` loads neither the service, nor the command line, nor what those stand on."""
    code = "import sys, twilio_conversations; print(*sorted(sys.modules), sep='\\n')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True)
    loaded = result.stdout.split()
    unwanted = (*HEAVY, *(f"twilio_conversations.{name}" for name in ("bot", "cli", "server", "testing")))
    assert [name for name in loaded if name.startswith("twilio_conversations.client.client")] != []
    assert [name for name in loaded for root in unwanted if name == root or name.startswith(f"{root}.")] == []


MOST_MODULES = 141
"""Modules of ours that a program which sends text loads: a third of what such a short program takes is their import."""

SENDING = """
import sys
from twilio_conversations import Client
before = set(sys.modules)
with Client(sys.argv[1], endpoint=sys.argv[2]) as client:
    conversation = client.create_conversation()
    conversation.join()
    assert conversation.send_message("hello").body == "hello"
print(*(name for name in before if name.startswith("twilio_conversations")))
print(*(name for name in set(sys.modules) - before if name.startswith(("twilio_conversations", "jwt", "cryptography"))))
"""


def test_a_program_that_sends_text_loads_what_it_needs(service: LocalServer, fresh: Fresh) -> None:
    """Media, templates, push, receipts and the minting of tokens are imported by what uses them."""
    command = [sys.executable, "-c", SENDING, service.token(fresh("alice")), service.url]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    imported, later, _ = result.stdout.split("\n")
    assert len(imported.split()) <= MOST_MODULES
    assert later == ""


def test_names_on_demand_are_there_like_all_others() -> None:
    """`dir`, `*` and attributes have them; a name that does not exist is an `AttributeError`."""
    module, names = "twilio_conversations", twilio_conversations.__all__
    code = (
        f"import {module}, sys; assert {{*{names!r}}} <= {{*dir({module})}}; assert '{module}.values.push' not in sys.modules;"
        f" from {module} import *; assert all(name in globals() for name in {names!r});"
        f" assert {module}.PushNotification is {module}.values.push.PushNotification"
    )
    subprocess.run([sys.executable, "-c", code], timeout=PATIENCE, check=True)
    with pytest.raises(AttributeError, match="no attribute 'PushNotifications'"):
        _ = twilio_conversations.PushNotifications  # type: ignore[attr-defined]


def test_names_on_demand_are_those_that_type_checkers_see() -> None:
    """The table has the imports that are written for type checkers."""
    source = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    typing_only = next(node for node in source.body if isinstance(node, ast.If))
    seen = {
        str(node.module): tuple(one.name for one in node.names) for node in typing_only.body if isinstance(node, ast.ImportFrom)
    }
    assert seen == twilio_conversations._ON_DEMAND


FIVE = {"attrs", "blinker", "pyjwt", "requests", "websocket-client"}


def required(distribution: str, extra: str | None = None) -> set[str]:
    """What a distribution declares to need, without an extra or for this one."""
    marked = re.compile(r"extra\s*==\s*['\"]([\w.-]+)")
    names = set()
    for line in importlib.metadata.requires(distribution) or []:
        found = marked.search(line)
        if (found[1] if found else None) == extra:
            names.add(re.split(r"[<>=!~ \[;(]", line)[0].lower())
    return names


def imported(*folders: str) -> set[str]:
    """The distributions that modules below these paths import."""
    homes = importlib.metadata.packages_distributions()
    names = set()
    for folder in folders:
        for path in sorted(PACKAGE.rglob(folder)):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    names.add(str(node.module).partition(".")[0])
    return {home.lower() for name in names for home in homes.get(name, [])} - {"twilio-conversations"}


def test_client_depends_on_exactly_five() -> None:
    """Without an extra, installing the package installs five libraries and what these bring; of that only floors are declared."""
    declared = required("twilio-conversations")
    assert declared >= FIVE
    assert declared - FIVE <= set().union(*(required(name) for name in FIVE))


def test_what_is_imported_is_declared() -> None:
    """A library that another one happens to bring has no floor of ours until it is named: it may be too old."""
    client = required("twilio-conversations")
    service = client | required("twilio-conversations", "server")
    theirs = imported("server/**/*.py", "cli/**/*.py")
    django = client | required("twilio-conversations", "django")
    plugin = required("twilio-conversations", "testing")
    everything = imported("**/*.py")
    assert imported("contrib/django/**/*.py") <= django
    assert imported("testing/**/*.py") <= service | plugin
    assert everything <= service | django | plugin
    assert everything - theirs - (django - client) - (plugin - client) <= client
    assert client <= everything, "declared and not used"


def test_the_lowest_versions_are_those_of_setup_cfg() -> None:
    """What `.ci/run` installs to try the floors: each requirement, at its floor."""
    result = subprocess.run([sys.executable, ROOT / ".ci/lowest"], capture_output=True, text=True, timeout=PATIENCE, check=True)
    pins = dict(line.split("==") for line in result.stdout.split())
    assert pins.keys() == required("twilio-conversations") | required("twilio-conversations", "server")
    lines = (ROOT / "setup.cfg").read_text("utf-8")
    assert all(f"{name}>={version}\n" in lines for name, version in pins.items())


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
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True)
    ours = {name for name in result.stdout.split() if name.startswith("twilio_conversations.")}
    assert {"twilio_conversations.state.conversations", "twilio_conversations.events.dispatcher"} <= ours
    handlers = logging.getLogger("twilio_conversations").handlers
    assert [type(handler) for handler in handlers] == [logging.NullHandler]


def test_benchmarks_need_no_tests() -> None:
    """Tests use what benchmarks have (`benchmarks/support/`, for one), never the other way round."""
    modules = sorted((ROOT / "benchmarks").rglob("*.py"))
    assert [path.name for path in modules if re.search(r"^\s*(from|import) tests\b", path.read_text("utf-8"), re.MULTILINE)] == []
    assert len(modules) > 10


def test_version_is_the_installed_one() -> None:
    """The version that the package says is the one it was installed as."""
    assert importlib.metadata.version("twilio-conversations") == twilio_conversations.__version__


def test_every_public_name_is_in_the_reference() -> None:
    """The reference has an entry for each public name, and each entry is a name that exists."""
    page = (Path(__file__).parents[2] / "docs" / "reference.md").read_text(encoding="utf-8")
    entries = set(re.findall(r"^\.\. (?:auto\w+|py:data):: (?:twilio_conversations\.)?(\w+)$", page, re.MULTILINE))
    assert entries - {"tokens"} == {name for name in twilio_conversations.__all__ if not name.startswith("__")}


def test_everything_logs_through_safe_loggers_only() -> None:
    """A call of `logging` runs the program's filters and handlers where it stands; `util.logs` knows where that may be."""
    package = Path(twilio_conversations.__file__).parent
    filters = Path("transport/link_secrecy.py")  # filters what others log, and logs nothing
    calls = r"\.(debug|info|warning|error|exception|critical|log)\("
    assert not re.search(calls, (package / filters).read_text(encoding="utf-8"))
    allowed = {Path("__init__.py"), Path("util/logs.py"), Path("cli/commands.py"), Path("bot/running.py"), filters}
    users = {
        path.relative_to(package)
        for path in package.rglob("*.py")
        if re.search(r"^\s*(import logging\b|from logging\b)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert users == allowed


def test_the_inside_of_a_model_is_reached_where_it_is_known() -> None:
    """`_live` is public to the events, the models and `state/` only; ruff's rule about private attributes leaves it out."""
    reaches = re.compile(r"(?<!\bself)\._live\b")
    users = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py") if reaches.search(path.read_text("utf-8"))}
    assert users == {"events", "models", "state"}


@pytest.mark.parametrize("config", ["pyproject.toml", ".ci/circles.toml"])
def test_the_import_contracts_hold(config: str) -> None:
    """Imports run one way, and no two modules need each other, not even for the names of types."""
    tool = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([tool, "--no-cache", config], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert result.returncode == 0, result.stdout
