"""The media of the service: access to them, their descriptions and their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from twilio_conversations.server.api.media_links import MediaLinks
from twilio_conversations.server.calls import Caller
from twilio_conversations.server.domain import media as rules
from twilio_conversations.server.domain.conversations import document
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.database import Connection
from twilio_conversations.server.storage.media_files import MediaFiles
from twilio_conversations.server.storage.rows import Media
from twilio_conversations.server.storage.writer import Commit
from twilio_conversations.server.sync.objects import SyncObjects
from twilio_conversations.server.sync.projection import DOCUMENT


@attrs.frozen
class MediaLibrary:
    """The media of the service, on the event loop."""

    reader: Connection
    objects: SyncObjects
    files: MediaFiles
    links: MediaLinks
    account_sid: str
    service_sid: str

    def on_commit(self, commit: Commit) -> None:
        """Delete the files of deleted media."""
        self.files.remove(commit.media_dropped)

    def sweep(self) -> None:
        """Delete files without a row. Called before the first upload."""
        self.files.sweep(set(self.reader.values(rules.KNOWN)))

    def visible(self, caller: Caller, sid: str) -> Media:
        """Return a row: for its uploader until it is sent, then for readers of the conversation. Raises 50507."""
        row = self.reader.first(rules.BY_SID, sid=sid)
        if row is None or not self._may_read(caller, row):
            raise Refusal(50507)
        return row

    def _may_read(self, caller: Caller, row: Media) -> bool:
        if row.conversation_sid is None:
            return bool(row.author == caller.identity)
        try:
            self.objects.open(caller, DOCUMENT, document(row.conversation_sid))
        except Refusal:
            return False
        return True

    def linked(self, sid: str, expires: str, signature: str) -> Media:
        """Return the row of a temporary link. Raises 20403 or, when it has been deleted, 50507."""
        self.links.check(sid, expires, signature)
        row = self.reader.first(rules.BY_SID, sid=sid)
        if row is None:
            raise Refusal(50507)
        return row

    def path(self, row: Media) -> Path:
        """Return the path of the file."""
        return self.files.path(row.sid)

    def record(self, row: Media, base_url: str) -> dict[str, Any]:
        """Return an attachment as JSON, with a new temporary link."""
        url = f"{base_url}/v1/Services/{self.service_sid}/Media/{row.sid}"
        return {
            "sid": row.sid,
            "account_sid": self.account_sid,
            "service_sid": self.service_sid,
            "channel_sid": row.conversation_sid,
            "message_sid": row.message_sid,
            "author": row.author,
            "date_created": row.date_created,
            "date_upload_updated": row.date_created,
            "date_updated": row.date_updated,
            "size": row.size,
            "content_type": row.content_type,
            "filename": row.filename,
            "category": row.category,
            "is_multipart_upstream": bool(row.multipart),
            "url": url,
            "links": {"content": f"{url}/Content", "content_direct_temporary": self.links.make(base_url, row.sid)},
        }
