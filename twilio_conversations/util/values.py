"""Classes of values that are made for every event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from attrs import frozen as value
else:
    value = attrs.define(unsafe_hash=True)
    """Decorator of such a class: frozen for type checkers, which find each assignment to one of its attributes.

    At run time it is not: attrs makes an object of a frozen class four times slower, as it has to get round its own refusal.
    """

__all__ = ["value"]
