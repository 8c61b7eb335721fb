"""Sync: the domain's changes as replicated objects; their subscriptions, commits and retention."""
