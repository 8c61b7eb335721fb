"""How long a test waits for what must come. Nothing is measured by it: a busy machine takes longer, and that is no fault."""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 60.0
"""Seconds after which something that never comes is given up."""
LONG_PATIENCE: Final = 300.0
"""Seconds for a whole program, or for thousands of messages."""
