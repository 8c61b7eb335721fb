"""Installs the pinned versions of the official SDK, once, for whichever tests need them first."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import NoReturn

import filelock
import pytest

HOME = Path(__file__).parents[1] / "interop"
MODULES = HOME / "node_modules"
REQUIRED = os.environ.get("TWILIO_CONVERSATIONS_INTEROP") == "required"
WAIT_FOR_NPM = 100


def unavailable(reason: str) -> NoReturn:
    """Skip, or fail where the interop tests must run."""
    if REQUIRED:
        pytest.fail(f"the official SDK is required here, but {reason}")
    pytest.skip(reason)


def install() -> None:
    """Have npm install what the lock file names, or skip with the reason."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            unavailable(f"{program} is not installed, and the official SDK needs it")
    until = time.monotonic() + WAIT_FOR_NPM
    try:
        with filelock.FileLock(HOME / ".npm-ci.lock", timeout=WAIT_FOR_NPM):  # tests may run in several processes
            _install(until - time.monotonic())
    except (filelock.Timeout, subprocess.TimeoutExpired):
        unavailable(f"npm could not install the official SDK within {WAIT_FOR_NPM} seconds")


def _install(timeout: float) -> None:
    installed = MODULES / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= (HOME / "package-lock.json").stat().st_mtime:
        return
    # No script of a package runs: nothing here needs one.
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    result = subprocess.run(command, cwd=HOME, capture_output=True, text=True, timeout=timeout, check=False)
    if result.returncode != 0:
        unavailable(f"npm could not install the official SDK: {result.stderr.strip()[-500:]}")
