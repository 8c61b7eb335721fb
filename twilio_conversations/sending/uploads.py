"""Uploads: a handle for those that run in the background, and the thread these run on."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from twilio_conversations.enums import MediaCategory
from twilio_conversations.errors import OperationCancelledError, ProtocolError, TransportUnavailableError
from twilio_conversations.models.media_links import media_url
from twilio_conversations.sending.attachment import Content, SendMediaOptions
from twilio_conversations.transport.media_http import Transfer
from twilio_conversations.util import checks, urls
from twilio_conversations.util.futures import Deadline, SharedFuture, wait
from twilio_conversations.util.naming import shown
from twilio_conversations.util.os_errors import start_thread
from twilio_conversations.values.media import MediaData
from twilio_conversations.values.progress import OnProgress, UploadProgress

if TYPE_CHECKING:
    from twilio_conversations.events.handlers import Ignored
    from twilio_conversations.models.message import Message
    from twilio_conversations.runtime import Runtime

_numbers = itertools.count(1)


class UploadHandle:
    """A message that is being sent in the background; made by `UnsentMessage.send_in_background`."""

    def __init__(
        self,
        runtime: Runtime,
        deadline: Deadline,
        progress: UploadProgress,
        send: Callable[[Transfer, OnProgress], Message],
        on_progress: OnProgress | None,
    ) -> None:
        """Run `send` on a thread of its own."""
        self._runtime = runtime
        self._progress = progress
        self._future: SharedFuture[Message] = SharedFuture()
        self._transfer = Transfer(deadline, lambda error: self._future.fail(error))
        self._start(send, on_progress)

    @property
    def progress(self) -> UploadProgress:
        """Progress of the upload."""
        return self._progress

    def result(self, timeout: float | None = None) -> Message:
        """Wait until the message was sent and return it; `timeout` is in seconds, `None` for no limit.

        Raises:
            RequestTimeoutError: it was not sent in that time; sending continues.
            OperationCancelledError: `cancel` was called.
            ConversationsError: it could not be sent.
        """
        return wait(self._future, Deadline(timeout), "UploadHandle.result()")

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error of sending, `None` if it was sent; wait as `result` does.

        Raises:
            RequestTimeoutError: sending has not ended in that time.
        """
        try:
            self.result(timeout)
        except Exception as error:
            if self._future.done() and self._future.exception() is error:
                return error
            raise
        return None

    def cancel(self) -> bool:
        """Cancel the upload; return whether it was still possible.

        A message whose request is already under way is not cancelled.
        """
        if self._future.done():
            return False
        error = OperationCancelledError("the sending was cancelled")
        self._transfer.stop(error)
        return self._future.exception() is error

    def done(self) -> bool:
        """Return whether sending has ended, with or without success."""
        return self._future.done()

    def cancelled(self) -> bool:
        """Return whether sending was cancelled."""
        return self._future.done() and isinstance(self._future.exception(), OperationCancelledError)

    def add_done_callback(self, function: Callable[[UploadHandle], Ignored]) -> None:
        """Call ``function(handle)`` on the events thread when sending has ended, soon if it already has."""
        checks.function(function, "a callback")
        self._future.add_done_callback(lambda _: self._runtime.dispatcher.call(function, self))

    def _start(self, send: Callable[[Transfer, OnProgress], Message], on_progress: OnProgress | None) -> None:
        self._runtime.media.begin(self._transfer, "sending in the background")

        def note(progress: UploadProgress) -> None:
            self._progress = progress
            if on_progress is not None:
                on_progress(progress)

        def run() -> None:
            try:
                self._future.settle(send(self._transfer, note))
            except Exception as error:
                self._future.fail(error)
            except BaseException as error:  # it must not end the one who waits for the result
                ended = TransportUnavailableError(f"the uploading thread ended: {shown(error)}")
                ended.__cause__ = error
                self._future.fail(ended)
            finally:
                self._runtime.media.end(self._transfer)

        try:
            start_thread(threading.Thread(target=run, name=f"conversations-upload-{next(_numbers)}", daemon=True))
        except BaseException:
            self._runtime.media.end(self._transfer)
            raise

    def __repr__(self) -> str:
        state = "cancelled" if self.cancelled() else "done" if self.done() else "running"
        return f"<UploadHandle {state} {self._progress.bytes_sent}/{self._progress.bytes_total}>"


def upload(
    runtime: Runtime,
    category: MediaCategory,
    options: SendMediaOptions,
    content: Content,
    transfer: Transfer,
    on_sent: Callable[[int], object],
) -> MediaData:
    """Upload one attachment (``POST {media}?Category=...&Filename=...``), streamed.

    Raises:
        MediaError: the service refused it.
        TransportUnavailableError: the connection broke, and again.
    """
    url = urls.with_query(media_url(runtime), [("Category", category.value), ("Filename", options.filename)])
    answer = runtime.media.upload(url, options.content_type or "", content, transfer, on_sent)
    found = MediaData.parse(answer)
    if found is None:
        raise ProtocolError("the answer to an upload has no sid", body=answer)
    # The service's fields are used; missing ones are known here.
    return attrs.evolve(
        found,
        category=category,
        filename=found.filename or options.filename,
        content_type=found.content_type or options.content_type or "",
        size=found.size or content.size,
    )
