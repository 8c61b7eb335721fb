"""Interpretation of the bytes: pure, without sockets, threads and clock."""
