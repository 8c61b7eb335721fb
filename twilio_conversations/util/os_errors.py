"""Faults that the operating system reports, raised as errors of this package."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from twilio_conversations.errors import ConversationsError, FileError, InvalidArgumentError, NoDescriptorError, NoThreadError

_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE})


@contextmanager
def file_errors() -> Iterator[None]:
    """Raise an `OSError` of the block as a `FileError`; a `ConversationsError` passes as it is.

    Raises:
        InvalidArgumentError: it is not a valid path (the text is Python's), or the file object is closed.
        MissingFileError: there is no such file.
        FileAccessError: the system does not allow it.
        FileError: anything else that keeps a file from being read or written.
    """
    try:
        yield
    except ConversationsError:
        raise
    except OSError as error:
        raise FileError.of(error) from error
    except ValueError as error:
        raise InvalidArgumentError(f"the file cannot be used: {error}") from error


@contextmanager
def descriptor_errors() -> Iterator[None]:
    """Raise an `OSError` of the block that means "too many open files" as a `NoDescriptorError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_DESCRIPTOR:
            raise
        raise NoDescriptorError(f"the system gives no further descriptor: {error}") from error


def start_thread(thread: threading.Thread) -> None:
    """Start a thread.

    Raises:
        NoThreadError: the system gives none.
    """
    try:
        thread.start()
    except RuntimeError as error:
        raise NoThreadError(f"the system gives no further thread: {error}") from error
