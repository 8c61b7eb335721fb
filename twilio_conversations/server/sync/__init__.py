"""Sync: what the domain does, as replicated objects; their subscriptions, commits and retention."""
