"""Requests of clients, route by route: Conversations, Sync, registrations and media, and the bodies of the answers."""
