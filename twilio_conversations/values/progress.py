"""How far transfers of media are, as it is reported to the program."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import attrs

if TYPE_CHECKING:
    from twilio_conversations.events.model_events import Ignored


@attrs.frozen
class UploadProgress:
    """How far the media of one message are.

    Attributes:
        bytes_sent: of all media together; less than before when a broken upload is begun again.
        bytes_total: of all media together; never 0, since nothing is reported of media without a byte.
        media_index: which of them is under way, from 0.
        media_count: how many there are.
    """

    bytes_sent: int
    bytes_total: int
    media_index: int
    media_count: int


OnProgress: TypeAlias = "Callable[[UploadProgress], Ignored]"
"""Receives the progress of an upload after each piece, on the uploading thread; what it raises ends the sending."""


@attrs.frozen
class DownloadProgress:
    """Progress of the download of an attachment.

    Attributes:
        bytes_received: bytes read so far; never decreases.
        bytes_total: size of the content, from the service; never 0, since empty attachments report no progress.
    """

    bytes_received: int
    bytes_total: int


OnDownloadProgress: TypeAlias = "Callable[[DownloadProgress], Ignored]"
"""Receives the progress of a download after each piece, on the reading thread; what it raises ends the download."""
