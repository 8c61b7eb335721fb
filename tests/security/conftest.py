"""People who are connected to the service, as in its own tests."""

from tests.server.conftest import alice, bob, connect

__all__ = ["alice", "bob", "connect"]
