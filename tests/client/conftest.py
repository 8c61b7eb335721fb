"""Clients of a local service, closed when the test is over."""

from __future__ import annotations

from tests.support.clients import connect, line, own, pair, shared

__all__ = ["connect", "line", "own", "pair", "shared"]
