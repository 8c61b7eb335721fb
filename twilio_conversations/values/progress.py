"""Progress of media transfers, as reported to the program."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import attrs

if TYPE_CHECKING:
    from twilio_conversations.events.handlers import Ignored


@attrs.frozen
class UploadProgress:
    """Progress of the upload of the media of one message.

    Attributes:
        bytes_sent: bytes sent of all media together; decreases when an interrupted upload is restarted.
        bytes_total: size of all media together; never 0, since empty media report no progress.
        media_index: index of the current upload, from 0.
        media_count: number of uploads.
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
