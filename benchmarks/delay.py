"""The delay proxy in a process of its own: ``python -m benchmarks.delay PORT SECONDS`` (each way)."""

from __future__ import annotations

import json
import sys

from benchmarks.support.line import DelayProxy

if __name__ == "__main__":
    with DelayProxy(("127.0.0.1", int(sys.argv[1])), delay=float(sys.argv[2])) as proxy:
        print(json.dumps({"url": proxy.url, "twilsock": proxy.twilsock}), flush=True)
        sys.stdin.read()
