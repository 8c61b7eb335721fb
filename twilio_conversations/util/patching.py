"""Programs that replace Python's threads by greenlets (gevent, eventlet), and do so late.

A client that is made after the replacement works, whatever was imported before. One that was made before holds locks that would
stop the one thread in which all greenlets run; and TLS cannot work any more where it was imported before. Both are reported at
once.
"""

from __future__ import annotations

import _thread
import sys
from typing import Final

from urllib3.util.ssl_ import create_urllib3_context

from twilio_conversations.errors import UnsupportedOperationError

_CULPRITS: Final = {"gevent.monkey": "gevent", "eventlet.patcher": "eventlet"}


def kind_of_threads() -> object:
    """Return a value that is another one once the process's threads were replaced."""
    return _thread.allocate_lock


def check_kind(made_with: object) -> None:
    """Raise `UnsupportedOperationError` if threads were replaced since `kind_of_threads` gave `made_with`."""
    if made_with is not _thread.allocate_lock:
        raise UnsupportedOperationError(
            f"{_culprit() or 'something'} has patched this process after this client was made, which would stop all of it: make"
            " clients after patching (with gunicorn's gevent worker at the first request or in post_worker_init), or patch first"
        )


def check_tls() -> None:
    """Raise `UnsupportedOperationError` if TLS cannot work because `ssl` was patched after urllib3 was imported."""
    if (culprit := _culprit()) is None:
        return
    try:
        create_urllib3_context()
    except RecursionError:
        raise UnsupportedOperationError(
            f"{culprit} has patched this process after requests was imported, so no TLS works in it:"
            " patch before everything else is imported (with gunicorn: without preload_app, or at the top of gunicorn.conf.py)"
        ) from None


def _culprit() -> str | None:
    return next((name for module, name in _CULPRITS.items() if module in sys.modules), None)
