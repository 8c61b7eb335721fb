"""Large media pass through, piece by piece: measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.patience import LONG_PATIENCE
from twilio_conversations.server import LocalServer

SIZE = 150 * 1024 * 1024
A_FEW_MEGABYTES = 4 * 1024 * 1024

PROGRAM = """
import sys
from pathlib import Path
from twilio_conversations import Client

def peak():
    facts = Path("/proc/self/status").read_text().splitlines()
    return next(int(fact.split()[1]) for fact in facts if fact.startswith("VmHWM:")) * 1024

token, endpoint, source, target = sys.argv[1:]
with Client(token, endpoint=endpoint) as client:
    room = client.create_conversation().join()
    room.send_message(media=b"x" * 100_000).attached_media[0].save(target)
    before = peak()
    message = room.send_message(media=Path(source), timeout=300)
    sent = peak()
    message.attached_media[0].save(target, timeout=300)
    print(sent - before, peak() - sent)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_150_megabytes_cost_a_few(service: LocalServer, fresh: Callable[[str], str], tmp_path: Path) -> None:
    """Neither sending nor saving a file of that size takes more than a few megabytes at any time."""
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        for number in range(SIZE // 65536):
            file.write(number.to_bytes(4, "big") * 16384)
    command = [sys.executable, "-c", PROGRAM, service.token(fresh("alice")), service.url, str(source), str(target)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=LONG_PATIENCE, check=False)
    assert result.returncode == 0, result.stderr
    sending, saving = map(int, result.stdout.split())
    assert sending < A_FEW_MEGABYTES
    assert saving < A_FEW_MEGABYTES
    with source.open("rb") as one, target.open("rb") as other:
        while piece := one.read(1024 * 1024):
            assert other.read(1024 * 1024) == piece
        assert other.read() == b""
