"""Sends one message: uploads its media, posts it, and remembers what a failed sending had done already."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from twilio_conversations.sending.attachment import Content, opened
from twilio_conversations.sending.draft import Draft, MediaItem, check_sizes
from twilio_conversations.util import checks
from twilio_conversations.util.futures import Deadline
from twilio_conversations.values.configuration import ConversationLimits
from twilio_conversations.values.media import MediaData

if TYPE_CHECKING:
    from twilio_conversations.models.message import Message
    from twilio_conversations.runtime import Runtime
    from twilio_conversations.sending.uploads import UploadHandle
    from twilio_conversations.transport.media_http import Transfer
    from twilio_conversations.values.progress import OnProgress

Post = Callable[[Mapping[str, Any], tuple[MediaData, ...], str, float | None], "Message"]
"""POST a message: the request, what was uploaded for it, its mutation id, and the time limit in seconds."""


class Sender:
    """Takes drafts of one message and posts them.

    Where the same draft is sent again after a failure, what was uploaded is not uploaded again, and a message that did arrive
    is not sent twice.
    """

    def __init__(self, runtime: Runtime, post: Post) -> None:
        self._runtime = runtime
        self._post = post
        self._uploaded: list[tuple[MediaItem, MediaData]] = []
        self._attempt: tuple[Mapping[str, Any], str] | None = None

    def limits(self) -> ConversationLimits:
        """Return what a message may have."""
        return self._runtime.configuration.limits

    def send(
        self, draft: Draft, on_progress: OnProgress | None, timeout: float | None, mutation_id: str | None = None
    ) -> Message:
        """Upload the media, POST the message and return it; `timeout`, in seconds, covers everything together."""
        if not draft.items:
            return self._post_once(draft.request, (), mutation_id, timeout)
        with self._runtime.media.transfer(self._runtime.deadline(timeout), "send()") as transfer:
            return self._deliver(draft, mutation_id, transfer, on_progress)

    def send_in_background(self, draft: Draft, on_progress: OnProgress | None, timeout: float | None) -> UploadHandle:
        """As `send`, on a thread of its own; without `timeout` it may take as long as bytes are flowing."""
        from twilio_conversations.sending.uploads import UploadHandle
        from twilio_conversations.values.progress import UploadProgress

        start = UploadProgress(0, draft.known_bytes, 0, len(draft.items))
        send = functools.partial(self._deliver, draft, None)
        return UploadHandle(self._runtime, Deadline(timeout), start, send, on_progress)

    def _deliver(self, draft: Draft, mutation_id: str | None, transfer: Transfer, on_progress: OnProgress | None) -> Message:
        from twilio_conversations.sending.uploads import upload

        items = draft.items
        done, self._uploaded = _still_there(self._uploaded, items), []
        try:
            with _all_opened(items) as contents:
                check_sizes([content.size for content in contents], self.limits())
                progress = _Progress([content.size for content in contents], on_progress)
                for index in range(len(done), len(items)):
                    category, options = items[index]
                    sent = functools.partial(progress.tell, index)
                    done.append((items[index], upload(self._runtime, category, options, contents[index], transfer, sent)))
                    if not contents[index].size:
                        sent(0)  # there was no piece to report
            transfer.check()
            medias = tuple(data for _, data in done)
            request = draft.with_media([data.sid for data in medias])
            message = self._post_once(request, medias, mutation_id, transfer.deadline.remaining())
        except BaseException:
            self._uploaded = done
            raise
        return message

    def _post_once(
        self, request: Mapping[str, Any], medias: tuple[MediaData, ...], mutation_id: str | None, timeout: float | None
    ) -> Message:
        """POST; after a failure the same request goes under the same mutation id again, since it may have arrived."""
        former, self._attempt = self._attempt, None
        if mutation_id is None:
            mutation_id = former[1] if former is not None and former[0] == request else str(uuid.uuid4())
        try:
            return self._post(request, medias, mutation_id, timeout)
        except BaseException:
            self._attempt = (request, mutation_id)
            raise


def checked_progress(on_progress: OnProgress | None) -> OnProgress | None:
    """Return what receives the progress, if anything does.

    Raises:
        ArgumentTypeError: it is no function.
    """
    return None if on_progress is None else checks.function(on_progress, "on_progress")


class _Progress:
    """Sum of the progress of single uploads."""

    def __init__(self, sizes: list[int], told: OnProgress | None) -> None:
        self._sizes = sizes
        self._told = told

    def tell(self, index: int, sent: int) -> None:
        """So many bytes of that medium are gone."""
        from twilio_conversations.values.progress import UploadProgress

        total = sum(self._sizes)
        if self._told is not None and total:
            self._told(UploadProgress(sum(self._sizes[:index]) + sent, total, index, len(self._sizes)))


@contextmanager
def _all_opened(items: Iterable[MediaItem]) -> Iterator[list[Content]]:
    with ExitStack() as stack:
        yield [stack.enter_context(opened(options)) for _, options in items]


def _still_there(uploaded: list[tuple[MediaItem, MediaData]], items: Iterable[MediaItem]) -> list[tuple[MediaItem, MediaData]]:
    """Of what an earlier sending uploaded, what is still wanted: up to the first difference."""
    kept = []
    for one, item in zip(uploaded, items, strict=False):
        if one[0] != item:
            break
        kept.append(one)
    return kept
