"""Helpers for frameworks, each with an extra of its own. The client imports none of them; they use the public API only."""
