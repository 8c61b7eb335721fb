"""Plain foundations: nothing here knows what a conversation is."""
