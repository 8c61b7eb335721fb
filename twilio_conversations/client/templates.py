"""The content templates of the service, read page after page and remembered for a moment. Runs on the io thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from twilio_conversations.models.pages import RestPart
from twilio_conversations.util import urls
from twilio_conversations.util.flows import Flow, Future, flow
from twilio_conversations.values.content_templates import ContentTemplate
from twilio_conversations.wire.window import Lane

if TYPE_CHECKING:
    from twilio_conversations.runtime import Runtime

_FRESH_SECONDS = 5.0
_PAGE_SIZE = 100


class Templates:
    """Reads them once for all who ask within some seconds."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._read: Future[tuple[ContentTemplate, ...]] | None = None
        self._until = 0.0

    def get(self) -> Future[tuple[ContentTemplate, ...]]:
        """Return all templates (``GET /Client/v2/ContentTemplates``)."""
        read = self._read
        if read is None or (read.done() and (read.exception() is not None or time.monotonic() >= self._until)):
            read = self._read = self._read_all()
        return read

    @flow
    def _read_all(self) -> Flow[tuple[ContentTemplate, ...]]:
        url = urls.join(self._runtime.options.endpoints.api, "Client", "v2", "ContentTemplates")
        found: list[ContentTemplate] = []
        token: str | None = None
        while True:
            page = urls.with_query(url, [("PageSize", _PAGE_SIZE), ("PageToken", token)])
            body = yield from self._runtime.get_json(page, lane=Lane.COMMAND)
            part: RestPart[ContentTemplate] = RestPart.parse(body, "templates", ContentTemplate.parse)
            found += part.items
            if part.next_token in (None, token):
                self._until = time.monotonic() + _FRESH_SECONDS
                return tuple(found)
            token = part.next_token
