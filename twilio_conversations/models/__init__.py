"""The objects that a program holds: conversations, messages, participants, users, media and pages of them."""
