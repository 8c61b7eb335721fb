"""Sockets, threads and time: everything between the pure protocol in `wire` and the models."""
