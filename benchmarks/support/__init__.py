"""What the benchmarks and the tests share.

relay.py        carries bytes between clients and a service; tests override what else happens to them
line.py         how bytes travel: latency, jitter, bandwidth
observer.py     reads the frames that pass
"""
