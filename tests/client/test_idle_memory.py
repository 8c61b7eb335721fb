"""What one more client keeps while nothing happens, in bytes of Python's allocator: the same on every machine."""

from __future__ import annotations

import subprocess
import sys

from tests.support.clients import Fresh
from tests.support.patience import PATIENCE
from twilio_conversations.server import LocalServer

MOST_KIB = 50
"""What a client keeps in objects; its two threads come on top."""

PROGRAM = """
import gc, sys, time, tracemalloc
from twilio_conversations import Client

def connected():
    client = Client(sys.argv[1], endpoint=sys.argv[2])
    return client.wait_until_ready(60)

clients = [connected(), connected()]
gc.collect()
tracemalloc.start()
clients += [connected() for _ in range(8)]
end = time.monotonic() + 10
while True:  # threads that made the connections may still be ending
    gc.collect()
    kib = tracemalloc.get_traced_memory()[0] / 8 / 1024
    if kib <= float(sys.argv[3]) or time.monotonic() > end:
        break
    time.sleep(0.05)
print(kib)
for client in clients:
    client.close()
"""


def test_a_further_idle_client_keeps_little(service: LocalServer, fresh: Fresh) -> None:
    """What only a client in use needs is made at its first use, and what a start leaves behind is released."""
    command = [sys.executable, "-c", PROGRAM, service.token(fresh("idle")), service.url, str(MOST_KIB)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert float(result.stdout) <= MOST_KIB
