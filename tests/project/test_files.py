"""The project's own files: commands that others rely on, and nothing that belongs to one machine only."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.patience import LONG_PATIENCE, PATIENCE

ROOT = Path(__file__).parents[2]


def readme_command(section: str) -> str:
    """Return the first console command below a heading of the README, as .ci/run finds it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    below = text.partition(f"\n## {section}\n")[2]
    found = re.search(r"^\$ (.+)$", below, re.MULTILINE)
    assert found, f"the README has no command under {section!r}"
    return found.group(1)


@pytest.mark.parametrize(
    ("section", "end"),
    [("Try it", "twilio-conversations demo"), ("Test it", ".venv/bin/pytest -n 4 --dist loadfile")],
    ids=["demo", "tests"],
)
def test_readme_has_the_two_commands(section: str, end: str) -> None:
    """Each of the README's two commands is one line that starts from nothing and ends with the thing itself."""
    command = readme_command(section)
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    assert command.endswith(end)
    assert section in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_lock_file_names_no_registry() -> None:
    """The lock file of the official SDK pins versions and hashes and leaves the registry to the machine."""
    text = (ROOT / "tests" / "interop" / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    assert [name for name, facts in packages.items() if "resolved" in facts] == []
    assert [name for name, facts in packages.items() if name and "integrity" not in facts] == []
    assert "registry" not in text
    versions = {name: facts.get("version") for name, facts in packages.items()}
    for version in ("3.0.1", "2.7.0", "2.6.5", "2.2.0"):
        assert versions[f"node_modules/conversations-{version}"] == version


def own_files() -> list[Path]:
    """Return the project's own files: what git tracks, or in a mere copy all that no tool made."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if listed.returncode == 0 and listed.stdout:
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    made = re.compile(r"(^|/)(\.venv[^/]*|node_modules|__pycache__|\.[a-z_]+_cache|\.hypothesis|_build|build|[^/]+\.egg-info)/")
    return [path for path in ROOT.rglob("*") if path.is_file() and not made.search(path.relative_to(ROOT).as_posix())]


def test_no_registry_and_no_home_in_own_files() -> None:
    """No file of the project names a package registry or a path of somebody's machine."""
    forbidden = re.compile("|".join(["regis" + "try.npm", "files.python" + "hosted", "/ho" + "me/", "/ro" + "ot/"]))
    files = own_files()
    assert ROOT / "setup.cfg" in files
    assert [path for path in files if forbidden.search(path.read_text(encoding="utf-8", errors="replace"))] == []


def build(folder: Path, umask: int) -> list[Path]:
    """Build sdist and wheel from a copy of the sources, made with this umask; return both."""
    copy = folder / "copy"  # building writes beside the sources
    copy.mkdir(parents=True)
    for file in own_files():
        name = file.relative_to(ROOT)
        if name.parts[0] == "twilio_conversations" or name.name in SOURCES:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy / name)
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(copy)]
    subprocess.run(command, capture_output=True, text=True, timeout=LONG_PATIENCE, check=True, umask=umask)
    return sorted(path for path in folder.iterdir() if path.is_file())


SOURCES = ("setup.cfg", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Wheel and sdist."""
    return sorted(build(tmp_path_factory.mktemp("first"), 0o022), key=lambda path: path.suffix, reverse=True)


@pytest.mark.slow
def test_two_builds_are_alike(first: list[Path], tmp_path: Path) -> None:
    """Made at another time, in another folder and with another umask, wheel and sdist have the same bytes."""
    second = sorted(build(tmp_path, 0o077), key=lambda path: path.suffix, reverse=True)
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.suffix for path in first] == [".whl", ".gz"]
    for one, other in zip(first, second, strict=True):
        assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest(), one.name


@pytest.mark.slow
def test_wheel_holds_the_package_and_its_marker(first: list[Path]) -> None:
    """A built wheel holds every module, `py.typed` and the licence, and no tests; the sdist neither."""
    wheel, sdist = first
    with tarfile.open(sdist) as source:
        assert not [name for name in source.getnames() if "/tests" in name or "/docs" in name]
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(archive.read(name).decode() for name in names if name.endswith("METADATA"))
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "twilio_conversations").rglob("*.py")}
    assert modules <= names
    assert "twilio_conversations/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith("tests") for name in names)
    assert "License-Expression: MIT" in metadata
