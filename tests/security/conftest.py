"""Fixtures of the service's tests: connected peers."""

from tests.server.conftest import alice, bob, connect

__all__ = ["alice", "bob", "connect"]
