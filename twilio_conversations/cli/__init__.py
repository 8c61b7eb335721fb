"""The command ``twilio-conversations``. Needs the extra ``twilio-conversations[server]``."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the console script; name what to install when the extra is missing."""
    _print_anything()
    try:
        from twilio_conversations.cli.commands import group
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("click", "cryptography", "sqlalchemy", "starlette", "uvicorn", "websockets"):
            raise
        sys.exit(f'twilio-conversations needs {missing}; install it with: pip install "twilio-conversations[server]"')
    group(prog_name="twilio-conversations")


def _print_anything() -> None:
    """Show what the terminal's encoding lacks as ``?``, instead of ending over it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
