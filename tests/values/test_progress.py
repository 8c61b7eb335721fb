"""Progress of transfers, as values."""

from __future__ import annotations

from twilio_conversations.values.progress import DownloadProgress, UploadProgress


def test_progress_is_a_value() -> None:
    """Equal where all fields are."""
    assert UploadProgress(1, 2, 0, 1) == UploadProgress(1, 2, 0, 1)
    assert DownloadProgress(1, 2) != DownloadProgress(2, 2)
