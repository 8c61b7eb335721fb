"""The project's own files: commands that others rely on, and nothing that belongs to one machine only."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
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


@pytest.mark.slow
def test_wheel_holds_the_package_and_its_marker(tmp_path: Path) -> None:
    """A built wheel holds every module, `py.typed` and the licence, and no tests."""
    copy = tmp_path / "copy"  # building writes beside the sources
    shutil.copytree(ROOT / "twilio_conversations", copy / "twilio_conversations", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(copy)]
    subprocess.run(build, capture_output=True, text=True, timeout=LONG_PATIENCE, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(archive.read(name).decode() for name in names if name.endswith("METADATA"))
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "twilio_conversations").rglob("*.py")}
    assert modules <= names
    assert "twilio_conversations/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith("tests") for name in names)
    assert "License-Expression: MIT" in metadata
