"""Conversations in a Django site: ``"twilio_conversations.contrib.django"`` in ``INSTALLED_APPS``.

Needs the extra: ``pip install "twilio-conversations[django]"``.
"""

from __future__ import annotations

try:
    from twilio_conversations.contrib.django.clients import close_clients, create_client, get_client
except ImportError as _error:
    if (_error.name or "").partition(".")[0] != "django":
        raise
    raise ImportError(
        'the Django app needs Django; install it with: pip install "twilio-conversations[django]"', name=_error.name
    ) from _error

__all__ = ["close_clients", "create_client", "get_client"]
