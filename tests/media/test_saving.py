"""Where `Media.save` writes: what Python's own `open` would write to, and a regular file only when it is complete."""

from __future__ import annotations

import os
import select
import stat
import subprocess
import sys
import tempfile
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.media.http_service import LIMIT
from tests.support.patience import LONG_PATIENCE
from twilio_conversations import Client, ClientClosedError, Conversation, InvalidArgumentError, RequestTimeoutError
from twilio_conversations.errors import ArgumentTypeError, FileAccessError, FileError
from twilio_conversations.models.media import Media
from twilio_conversations.util.saving import destination

CONTENT = bytes(range(256)) * 2000
posix = pytest.mark.skipif(os.name != "posix", reason="needs rights, links and pipes as POSIX has them")
NOBODY = 65534


@pytest.fixture
def media(room: Conversation) -> Media:
    """Something larger than a pipe holds."""
    return room.send_message(media=("a.png", CONTENT)).attached_media[0]


@pytest.fixture
def umask() -> Iterator[None]:
    """Files are made readable by everybody, unless something else is asked for."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def never(seconds: float) -> None:
    """What a regular file waits for."""
    raise AssertionError(f"a pause of {seconds}")


def save(path: Any, content: bytes = CONTENT) -> None:
    """Write as `Media.save` does."""
    with destination(path, never) as write:
        for start in range(0, len(content), 1000):
            write(content[start : start + 1000])


def mode(path: Path) -> int:
    """The rights of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@posix
@pytest.mark.parametrize("rights", [0o600, 0o640, 0o666, 0o755])
def test_a_replaced_file_keeps_its_rights(umask: None, media: Media, tmp_path: Path, rights: int) -> None:
    """It is another file, with the mode and the owner of the old one."""
    target = tmp_path / "a"
    target.touch()
    target.chmod(rights)
    if os.geteuid() == 0:
        os.chown(target, NOBODY, NOBODY)
    before = target.stat()
    media.save(target)
    after = target.stat()
    assert target.read_bytes() == CONTENT
    assert (mode(target), after.st_uid, after.st_gid) == (rights, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino


@posix
def test_a_new_file_has_the_usual_rights(umask: None, tmp_path: Path) -> None:
    """Those that `open` would give it."""
    save(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o644


@posix
def test_links_are_followed(tmp_path: Path) -> None:
    """The link stays and its target is replaced, or made where it is missing; nothing is left beside either."""
    folder, links = tmp_path / "folder", tmp_path / "links"
    folder.mkdir()
    links.mkdir()
    (folder / "old").write_bytes(b"old")
    for name in ("old", "new"):
        (links / name).symlink_to(Path("..") / "folder" / name)
        (links / f"{name}2").symlink_to(name)
        save(links / f"{name}2")
        assert (folder / name).read_bytes() == CONTENT
        assert (links / name).is_symlink()
        assert (links / f"{name}2").is_symlink()
    assert sorted(path.name for path in folder.iterdir()) == ["new", "old"]
    (links / "loop").symlink_to("loop")
    with pytest.raises(FileError):
        save(links / "loop")


@pytest.mark.parametrize("content", [b"", b"abc"])
def test_an_interrupted_download_changes_nothing(tmp_path: Path, content: bytes) -> None:
    """An old file stays as it was, a new one does not appear."""
    (tmp_path / "old").write_bytes(b"old")

    def interrupted(path: Path) -> None:
        with destination(path, never) as write:
            write(content)
            raise KeyboardInterrupt

    for name in ("old", "new"):
        with pytest.raises(KeyboardInterrupt):
            interrupted(tmp_path / name)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("old", b"old")]


@pytest.mark.parametrize("path", ["", b"a", 5, None, "a\0b"])
def test_what_is_no_path_is_said(media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Any) -> None:
    """In the parameter's own name, and before anything is asked for or written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgumentError, match=r"path|null") as raised:
        media.save(path)
    assert isinstance(raised.value, ArgumentTypeError) == (not isinstance(path, str))
    assert list(tmp_path.iterdir()) == []


def test_directories_are_refused_as_by_open(media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is there, one that the path asks for, and a path through something that is none or not there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    for path in (tmp_path, Path(), ".", "new" + os.sep, "file" + os.sep, Path("file") / "a", Path("missing") / "a"):
        with pytest.raises(OSError) as expected:
            open(path, "wb").close()
        with pytest.raises(FileError) as raised:
            media.save(path)
        assert raised.value.errno == expected.value.errno
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# What an unprivileged user may do is asked of one: nothing is forbidden to root.
AS_NOBODY = """
import os, sys
from pathlib import Path
from twilio_conversations.errors import FileAccessError
from twilio_conversations.util.saving import destination
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)

def save(path, content):
    with destination(path, None) as write:
        write(content)

folder = Path(sys.argv[1])
(folder / "protected").write_bytes(b"old")
(folder / "protected").chmod(0o400)
try:
    save(folder / "protected", b"new")
except FileAccessError:
    pass
else:
    sys.exit("a file that may not be written was replaced")
(folder / "shared").write_bytes(b"old and long")
inode = (folder / "shared").stat().st_ino
folder.chmod(0o500)
save(folder / "shared", b"new")
try:
    save(folder / "another", b"new")
except FileAccessError:
    pass
else:
    sys.exit("a file was made where none may be")
folder.chmod(0o700)
assert (folder / "shared").read_bytes() == b"new", "not written"
assert (folder / "shared").stat().st_ino == inode, "not the same file"
assert (folder / "protected").read_bytes() == b"old"
assert sorted(path.name for path in folder.iterdir()) == ["protected", "shared"]
"""


@posix
def test_rights_count_as_for_open() -> None:
    """A protected file is refused though its directory allows to replace it; one in a protected directory is written over."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o700)
        if os.geteuid() == 0:
            os.chown(name, NOBODY, NOBODY)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, name], capture_output=True, text=True, timeout=LONG_PATIENCE, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")


@posix
def test_an_open_descriptor_is_written_over(tmp_path: Path) -> None:
    """`/dev/stdout` and the like: whoever has the file open sees the content, which a new file would hide."""
    with (tmp_path / "a").open("w+b") as file:
        file.write(b"x" * 2 * len(CONTENT))
        file.flush()
        save(f"/dev/fd/{file.fileno()}")
        file.seek(0)
        assert file.read() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@posix
def test_a_device_is_written_to(media: Media) -> None:
    """It stays what it is: a terminal of the test's own, whose other side receives the content."""
    other, terminal = os.openpty()
    tty.setraw(terminal)
    name = os.ttyname(terminal)
    before = os.stat(name)
    received: list[bytes] = []

    def read() -> None:
        while sum(map(len, received)) < len(CONTENT):
            received.append(os.read(other, 5000))

    reader = started(read)
    media.save(name, timeout=LIMIT)
    reader.join(LIMIT)
    after = os.stat(name)
    os.close(terminal)
    os.close(other)
    assert b"".join(received) == CONTENT
    assert stat.S_ISCHR(after.st_mode)
    assert (after.st_ino, after.st_rdev) == (before.st_ino, before.st_rdev)


@posix
def test_a_pipe_is_written_to(media: Media, tmp_path: Path) -> None:
    """Its reader gets everything, also if it comes late and reads slowly."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    writer = started(lambda: media.save(pipe, timeout=LIMIT))
    with pipe.open("rb", buffering=0) as reader:
        while piece := reader.read(5000):
            received.append(piece)
    writer.join(LIMIT)
    assert b"".join(received) == CONTENT
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@posix
@pytest.mark.parametrize("opened", [False, True], ids=["nobody reads", "one who does not read"])
def test_waiting_for_a_reader_has_a_limit(alice: Client, media: Media, tmp_path: Path, opened: bool) -> None:
    """The call's own, or the end of the client."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK) if opened else None
    with pytest.raises(RequestTimeoutError):
        media.save(pipe, timeout=0.3)
    errors: list[Exception] = []

    def run() -> None:
        try:
            media.save(pipe, timeout=LIMIT)
        except Exception as error:
            errors.append(error)

    writer = started(run)
    alice.close()
    writer.join(LIMIT)
    assert [type(error) for error in errors] == [ClientClosedError]
    if reader is not None:
        os.close(reader)


@posix
def test_a_reader_that_goes_away_is_an_error(media: Media, tmp_path: Path) -> None:
    """As for any writer of a pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    gone = started(lambda: (wait_readable(reader), os.close(reader)))
    with pytest.raises(FileError) as raised:
        media.save(pipe, timeout=LIMIT)
    gone.join(LIMIT)
    assert not isinstance(raised.value, FileAccessError)
    assert isinstance(raised.value.__cause__, BrokenPipeError)


def started(function: Callable[[], object]) -> threading.Thread:
    """A thread that runs `function`."""
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def wait_readable(descriptor: int) -> None:
    """Wait until there is something to read."""
    assert select.select([descriptor], [], [], LIMIT)[0]
