"""The object that a program makes: a client, its start, its life and what it hands to the service for itself."""
