"""State that the io thread keeps current: conversations, participants, messages, users, typing and read horizons."""
