"""``python -m twilio_conversations``: the same as the console script."""

from twilio_conversations.cli import main

main()
