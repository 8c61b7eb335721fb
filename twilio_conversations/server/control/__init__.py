"""The control plane of tests: operations on a running service, their HTTP, faults and seed data."""
