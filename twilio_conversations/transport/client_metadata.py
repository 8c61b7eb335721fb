"""Description of the client for the service: what runs it, and its version."""

from __future__ import annotations

import platform
import struct
from collections.abc import Mapping
from typing import Any

from twilio_conversations._version import __version__


def client_metadata(added: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of the first frame; `added` is the program's, and comes last."""
    return {
        "ver": __version__,
        "env": platform.python_implementation(),
        "envv": platform.python_version(),
        "os": platform.system() or "unknown",
        "osv": platform.release() or "unknown",
        "osa": 8 * struct.calcsize("P"),
        "type": "conversations",
        "sdk": "Python",
        "sdkv": __version__,
        **added,
    }
