"""Contrary settings of the local service, drawn at random: those of a service with other properties than the client would like.

Nobody outside knows which of them Twilio's service has, so what the client promises holds with each of them, and with all.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from twilio_conversations.server.settings import LINKS, Settings

Choices = Mapping[str, tuple[Any, ...]]
"""The contrary values of each setting."""

IDS_IGNORED: Final[Mapping[str, Any]] = MappingProxyType({"honour_mutation_ids": False})

CONTRARY: Final[Choices] = MappingProxyType(
    {
        "honour_mutation_ids": (False,),
        "mutation_id_scope": ("connection",),
        "mutation_id_lifetime": (0, 1),
        "journal_limit": (0, 1, 2, 5, 20),
        "replay_order": ("live_first",),
        "included_items": (0, 1, 2),
        "requests_per_second": (20, 50),
        "requests_refused_by": ("tunnel",),
        "object_writes_per_second": (1, 5),
        "own_map_delay": (1,),
        "links_left_out": (*((link,) for link in LINKS), LINKS[1:], LINKS[:-1]),
        "conversations_page_size": (1, 2, 10),
        "frame_type": ("text",),
        "websocket_pings": (False,),
        "ping_interval": (0, 0.2, 1),
    }
)
AT_START: Final = frozenset({"own_map_delay", "links_left_out", "conversations_page_size", "included_items"})
"""Settings that matter when a client starts."""


def draw_settings(
    chance: random.Random, *, share: float, choices: Choices = CONTRARY, without: Collection[str] = ()
) -> dict[str, Any]:
    """Return contrary values of some settings: each is drawn with a probability of `share`."""
    drawn = {}
    for name, values in choices.items():
        is_drawn, value = chance.random() < share, chance.choice(values)
        if is_drawn and name not in without:
            drawn[name] = value
    return drawn


def defaults(names: Iterable[str] = CONTRARY) -> dict[str, Any]:
    """Return the values of these settings in a service that was not told any."""
    usual = Settings()
    return {name: getattr(usual, name) for name in names}
