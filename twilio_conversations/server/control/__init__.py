"""What a test does to a running service: operations, their HTTP, faults and seed data."""
