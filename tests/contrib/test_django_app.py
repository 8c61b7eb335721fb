"""The app as a part of the package: the client does not import it, and without Django it names what is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.patience import PATIENCE

ALONE = """
import sys, twilio_conversations, twilio_conversations.server
print(sorted(name for name in sys.modules if name.startswith(("django", "twilio_conversations.contrib"))))
"""
WITHOUT = """
import sys
sys.modules["django"] = None
try:
    import twilio_conversations.contrib.django
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("program", "printed"),
    [(ALONE, "[]"), (WITHOUT, 'the Django app needs Django; install it with: pip install "twilio-conversations[django]"')],
)
def test_imports(program: str, printed: str) -> None:
    """Neither the client nor the service brings Django in."""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert result.stdout.strip() == printed
