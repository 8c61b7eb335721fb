"""A call that another one overtakes: its thread stops inside a named function until something else has happened."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import CodeType, FrameType
from typing import Any, TypeVar

from tests.support.patience import PATIENCE

Result = TypeVar("Result")


def delayed(where: CodeType, call: Callable[[], Result], meanwhile: Callable[[], None], *, after: bool = False) -> Result:
    """Return what a call returns whose thread, on entering `where` for the first time (or leaving it), waits for `meanwhile`."""
    there, go_on = threading.Event(), threading.Event()
    kind = "return" if after else "call"

    def pause(frame: FrameType, event: str, _argument: Any) -> None:
        if event == kind and frame.f_code is where:
            there.set()
            assert go_on.wait(PATIENCE)

    def late() -> Result:
        sys.setprofile(pause)
        try:
            return call()
        finally:
            sys.setprofile(None)

    with ThreadPoolExecutor() as elsewhere:
        calling = elsewhere.submit(late)
        try:
            assert there.wait(PATIENCE)
            meanwhile()
        finally:
            go_on.set()
        return calling.result(PATIENCE)
