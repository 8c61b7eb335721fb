"""``python -m twilio_conversations.cli``: the same as the console script."""

from twilio_conversations.cli import main

main()
