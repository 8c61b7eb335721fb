"""Effects of the session: values that the owner of the socket, the clock and the listeners executes, in order.

Besides these, a `packets.Notification` (deliver it, then acknowledge its id, if it has one) and an `errors.ConnectionErrorInfo`
(report it) are effects too.
"""

from __future__ import annotations

import attrs

from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import ConnectionErrorInfo, ConversationsError
from twilio_conversations.util.values import value
from twilio_conversations.wire.packets import Notification, Reply


@attrs.frozen
class OpenSocket:
    """Open a socket; whatever comes of it is reported with this generation."""

    generation: int


@attrs.frozen
class CloseSocket:
    """Write what was sent before, then close the socket; nothing more is wanted from it."""

    generation: int


@value
class Send:
    """Write one frame as a binary message to the open socket."""

    data: bytes = attrs.field(repr=False)


@attrs.frozen
class RetryScheduled:
    """The next socket is opened after this delay, unless something ends the wait; `cause` is the reason in words."""

    seconds: float
    cause: str


@attrs.frozen
class StateChanged:
    """The public connection state has changed."""

    state: ConnectionState


@attrs.frozen
class Connected:
    """The service accepted an init; `resumed` when an earlier connection of this client had been up."""

    resumed: bool


@attrs.frozen
class Disconnected:
    """A connection that had been up is over."""


@value
class Settle:
    """A request (by its id) or a token update (by its key) is over."""

    key: str
    outcome: Reply | ConversationsError | None


@attrs.frozen
class TokenAccepted:
    """The service accepted this token; `is_new` unless it was in use already."""

    token: str = attrs.field(repr=False)
    is_new: bool


@attrs.frozen
class TokenWanted:
    """Nothing goes on without another token from the provider."""


@attrs.frozen
class TokenExpired:
    """The service called the token in use expired."""


@attrs.frozen
class TokenAboutToExpire:
    """The service reports that the token will expire soon."""


@attrs.frozen
class Failed:
    """The connection is given up for good."""

    error: ConversationsError


Effect = (
    OpenSocket
    | CloseSocket
    | Send
    | RetryScheduled
    | StateChanged
    | Connected
    | Disconnected
    | Settle
    | TokenAccepted
    | TokenWanted
    | TokenExpired
    | TokenAboutToExpire
    | Failed
    | Notification
    | ConnectionErrorInfo
)
