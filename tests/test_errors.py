"""The tree of errors: what each one is besides, that each survives pickling, what the system's own faults become."""

from __future__ import annotations

import builtins
import errno
import inspect
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

import twilio_conversations
from twilio_conversations import errors
from twilio_conversations.errors import (
    ArgumentTypeError,
    ConnectionErrorInfo,
    ConversationsError,
    FileAccessError,
    FileError,
    InitializationError,
    InvalidArgumentError,
    MissingFileError,
    NoDescriptorError,
    NoThreadError,
    NotPicklableError,
    RequestTooLargeError,
    UnknownEventError,
    WrongThreadError,
)
from twilio_conversations.sending.attachment import SendMediaOptions, attachment, known_size, opened
from twilio_conversations.util.os_errors import descriptor_errors, file_errors, start_thread

KINDS = sorted(
    (kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ConversationsError)),
    key=lambda kind: kind.__name__,
)
TREE = (errors.__doc__ or "").splitlines()


def made(kind: type[ConversationsError]) -> ConversationsError:
    """Return an error of that kind."""
    if kind is InitializationError:
        return InitializationError(ConnectionErrorInfo(True, "refused", 401, 20101))
    if issubclass(kind, FileError):
        return kind("no such file", errno=errno.ENOENT, filename="x")
    if issubclass(kind, RequestTooLargeError):
        return kind("too large", size=2, limit=1, sent=True)
    return kind("what happened", status=404, code=50350, body={"a": 1}, request_id="RQ1", attempts=2, sent=True)


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_survives_pickling(kind: type[ConversationsError]) -> None:
    """It arrives with its type, its text and all that it knows, also by `again`."""
    error = made(kind)
    for copy in (pickle.loads(pickle.dumps(error)), error.again()):
        assert type(copy) is kind
        assert str(copy) == str(error) != ""
        assert copy._facts() == error._facts()


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_public_and_in_the_tree(kind: type[ConversationsError]) -> None:
    """The picture of the tree names each error, with every class of Python's that it is besides."""
    assert kind.__name__ in twilio_conversations.__all__
    line = next(line for line in TREE if kind.__name__ in line.replace("─", " ").split())
    parents = [base for base in kind.__bases__ if base.__module__ == "builtins" and base is not Exception]
    for base in parents:
        assert base.__name__ in line
    python_line = set(line.partition("(")[2].partition(")")[0].replace(",", " ").split()) if "(" in line else set()
    for name in python_line & vars(builtins).keys():
        assert issubclass(kind, getattr(builtins, name))


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        (ArgumentTypeError, TypeError),
        (ArgumentTypeError, ValueError),
        (UnknownEventError, AttributeError),
        (WrongThreadError, RuntimeError),
        (NotPicklableError, TypeError),
        (FileError, OSError),
        (MissingFileError, FileNotFoundError),
        (FileAccessError, PermissionError),
        (NoThreadError, RuntimeError),
        (NoDescriptorError, OSError),
    ],
)
def test_an_error_is_what_python_would_raise(kind: type[Exception], own: type[Exception]) -> None:
    """Whoever catches Python's own class catches ours."""
    assert issubclass(kind, own)


def test_a_missing_file_is_told_with_its_name(tmp_path: Path) -> None:
    """The number of the fault and the name of the file stay; the system's error is the cause."""
    missing = tmp_path / "missing"
    for call in (known_size, lambda options: opened(options).__enter__()):
        with pytest.raises(MissingFileError, match="missing") as caught:
            call(SendMediaOptions(media=missing))
        assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(missing))
        assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (PermissionError(errno.EACCES, "no"), FileAccessError),
        (IsADirectoryError(errno.EISDIR, "a directory"), FileError),
        (ValueError("embedded null byte"), InvalidArgumentError),
        (NoThreadError("passes"), NoThreadError),
    ],
)
def test_faults_of_files_are_ours(fault: Exception, kind: type[Exception]) -> None:
    """Whatever the system or Python says of a path."""
    with pytest.raises(kind) as caught, file_errors():
        raise fault
    assert type(caught.value) is kind


def test_paths_and_files_that_cannot_be_used(tmp_path: Path) -> None:
    """A directory, a name with NUL, a file that is closed, a file that gives text."""
    with pytest.raises(FileError), opened(SendMediaOptions(media=tmp_path)):
        pass
    with pytest.raises(InvalidArgumentError, match="null"):
        known_size(SendMediaOptions(media=Path("a\0b")))
    closed = (tmp_path / "closed").open("wb")
    closed.close()
    with pytest.raises(InvalidArgumentError, match="closed"):
        known_size(attachment(closed))

    class Text:
        def read(self, size: int) -> Any:
            return "text"

    with pytest.raises(ArgumentTypeError, match="bytes"), opened(SendMediaOptions(media=Text())):  # type: ignore[arg-type]
        pass


def test_no_descriptor_and_no_thread_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process has run out of is named; other faults pass as they are."""
    with pytest.raises(NoDescriptorError, match="Too many"), descriptor_errors():
        raise OSError(errno.EMFILE, "Too many open files")
    with pytest.raises(ConnectionResetError), descriptor_errors():
        raise ConnectionResetError

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(NoThreadError, match="can't start new thread"):
        start_thread(threading.Thread())


def test_errors_carry_the_facts_and_can_be_pickled() -> None:
    """A worker process can send an error home."""
    body = {"status": 409, "code": 50353, "message": "taken", "more_info": "https://t"}
    error = errors.RestError.from_answer("POST x", 409, body, request_id="RQ1", attempts=2)
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is errors.ConflictError
    assert (again.status, again.code, again.request_id, again.attempts, again.more_info) == (409, 50353, "RQ1", 2, "https://t")
    assert "taken" in str(again)
    assert not again.retryable


@pytest.mark.parametrize("body", [None, "text", [], {"code": "x"}, {"message": None}])
def test_an_error_body_may_be_anything(body: Any) -> None:
    """A strange answer still makes a clear error."""
    assert errors.ServiceError.from_answer("GET x", 503, body).retryable
