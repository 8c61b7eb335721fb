"""The service's start, and its end when the data directory goes away: one sentence for each reason."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path

import pytest

from tests.server.peer import Peer
from tests.support.patience import PATIENCE
from twilio_conversations import ConversationsError, InvalidArgumentError
from twilio_conversations.server import (
    AddressError,
    DataDirectoryError,
    DataDirectoryInUseError,
    DataDirectoryPermissionError,
    LocalServer,
    LocalServerError,
)
from twilio_conversations.server.storage.credentials import load_or_create
from twilio_conversations.server.storage.database import DATABASE_FILE, LOCK_FILE
from twilio_conversations.server.storage.schema import VERSION
from twilio_conversations.util import logs

TIMEOUT = PATIENCE
CLI = (sys.executable, "-m", "twilio_conversations")


def serve(data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command, which is expected to end by itself."""
    command = [*CLI, "serve", "--port", "0", "--json", "--data", str(data), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A data directory that a service has used."""
    data = tmp_path / "data"
    with LocalServer(data):
        pass
    return data


def credentials(**changes: object) -> Callable[[Path], None]:
    """Changes values of the credentials."""

    def change(data: Path) -> None:
        path = data / "credentials.json"
        path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), "utf-8")

    return change


def content(name: str, text: bytes) -> Callable[[Path], None]:
    """Replaces a file."""

    def change(data: Path) -> None:
        (data / name).write_bytes(text)

    return change


def newer(data: Path) -> None:
    """Say that a later version of this package has written the database."""
    with contextlib.closing(sqlite3.connect(data / DATABASE_FILE)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")


def foreign(data: Path) -> None:
    """Put another program's database there."""
    (data / DATABASE_FILE).unlink()
    with contextlib.closing(sqlite3.connect(data / DATABASE_FILE)) as connection:
        connection.execute("CREATE TABLE places (name TEXT)")


def scratched(data: Path) -> None:
    """Write rubbish over the middle of the database, where its header does not show it."""
    path = data / DATABASE_FILE
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 8192)


DAMAGES = {
    "empty credentials": (content("credentials.json", b""), "credentials.json is damaged"),
    "credentials that are no JSON": (content("credentials.json", b"\xff{"), "credentials.json is damaged"),
    "credentials that are no object": (content("credentials.json", b"[1]"), "credentials.json is damaged"),
    "credentials without a secret": (credentials(api_key_secret=None), "without api_key_secret"),
    "newer credentials": (credentials(rotated_at="2031"), "newer version of twilio-conversations (it has rotated_at)"),
    "a damaged lock": (content(LOCK_FILE, b"garbage" * 100), f"{LOCK_FILE} is damaged; delete it"),
    "a damaged database": (content(DATABASE_FILE, b"garbage" * 1000), f"{DATABASE_FILE} is damaged (file is not a database)"),
    "a scratched database": (scratched, f"{DATABASE_FILE} is damaged ("),
    "a newer database": (newer, f"newer version of twilio-conversations (schema {VERSION + 1}"),
    "a foreign database": (foreign, "is the database of another program"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_wrong_with_the_data(used: Path, name: str) -> None:
    """The server raises what the command prints: one line that names the file; nothing was changed by trying."""
    change, text = DAMAGES[name]
    change(used)
    before = {path.name: path.read_bytes() for path in used.iterdir() if path.is_file()}
    with pytest.raises(DataDirectoryError) as caught:
        LocalServer(used).start()
    assert text in str(caught.value)
    result = serve(used)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"Error: {caught.value}\n"
    after = {path.name: path.read_bytes() for path in used.iterdir() if path.is_file()}
    assert {name: after[name] for name in ("credentials.json", DATABASE_FILE)} == {
        name: before[name] for name in ("credentials.json", DATABASE_FILE)
    }


def test_a_start_that_failed_can_be_repeated(used: Path) -> None:
    """Once the reason is gone, the same server starts; the failed start has left neither lock nor thread."""
    good = (used / DATABASE_FILE).read_bytes()
    threads = set(threading.enumerate())
    server = LocalServer(used)
    (used / DATABASE_FILE).write_bytes(b"garbage" * 1000)
    with pytest.raises(DataDirectoryError):
        server.start()
    assert not server.is_running
    assert set(threading.enumerate()) <= threads
    (used / DATABASE_FILE).write_bytes(good)
    with server:
        assert server.now().tzinfo is UTC


def test_an_older_database_is_migrated(used: Path) -> None:
    """A database of before there were versions gets what it lacks, and its version is recorded."""
    with contextlib.closing(sqlite3.connect(used / DATABASE_FILE)) as connection:
        connection.execute("ALTER TABLE messages DROP COLUMN subject")
        connection.execute("PRAGMA user_version = 0")
    with LocalServer(used) as server:
        server.seed({"conversations": [{"messages": [{"body": "hello", "subject": "greeting"}]}]})
    with contextlib.closing(sqlite3.connect(used / DATABASE_FILE)) as connection:
        assert connection.execute("SELECT subject FROM messages").fetchall() == [("greeting",)]
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    """A file is no directory, nor can one be made below it."""
    file = tmp_path / "file"
    file.write_text("")
    for path in (file, file / "below"):
        with pytest.raises(DataDirectoryError, match="is no directory; choose another one"):
            LocalServer(path).start()


AS_SOMEBODY = """
import os, pathlib, sys
from twilio_conversations import ConversationsError
from twilio_conversations.server import LocalServer

with LocalServer():  # what is imported late is imported now: the code may lie where others cannot read
    pass
if os.geteuid() == 0:
    os.chown(sys.argv[1], 54321, 54321)
    for path in pathlib.Path(sys.argv[1]).rglob("*"):
        os.chown(path, 54321, 54321)
    os.seteuid(54321)
try:
    LocalServer(sys.argv[1]).start()
except ConversationsError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.fixture
def lent() -> Iterator[Path]:
    """A directory that every user can reach; pytest's own are hidden from others."""
    import tempfile

    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        data = Path(home) / "data"
        yield data
        if data.exists():
            data.chmod(0o700)


@pytest.mark.skipif(os.name != "posix", reason="rights are inherited there")
@pytest.mark.parametrize("locked", ["directory", "database", "credentials.json"])
def test_no_right_to_write(lent: Path, locked: str) -> None:
    """A directory or file without the right to write is named, by an error that is a `PermissionError` too."""
    if locked == "directory":
        lent.mkdir()
        lent.chmod(0o500)
    else:
        with LocalServer(lent):
            pass
        (lent / (DATABASE_FILE if locked == "database" else locked)).chmod(0o400 if locked == "database" else 0o000)
    command = [sys.executable, "-c", AS_SOMEBODY, str(lent)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert ended.returncode == 1
    line, *more = ended.stderr.splitlines()
    assert more == [], ended.stderr
    assert line.startswith("DataDirectoryPermissionError: ")
    assert "cannot be written" in line
    assert str(lent) in line


def test_the_disk_is_full(tmp_path: Path) -> None:
    """A full disk is called full, by the command as by the server, and not in use; so it is while the service runs."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    try:
        data = disk / "data"
        data.mkdir(0o700)
        load_or_create(data)
        with (disk / "fill").open("wb", buffering=0) as fill, contextlib.suppress(OSError):
            while True:
                fill.write(b"x" * 4096)
        with pytest.raises(DataDirectoryError, match=r"the disk of .* is full") as caught:
            LocalServer(data).start()
        assert not isinstance(caught.value, DataDirectoryInUseError)
        result = serve(data)
        assert (result.returncode, result.stderr.count("\n")) == (1, 1)
        assert "is full; make room" in result.stderr
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_the_address_is_in_use() -> None:
    """Host and port are named, by an error that is an `OSError` too."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressError, match=f"cannot listen on 127.0.0.1:{port}: the port is in use") as caught:
            LocalServer(port=port).start()
    assert isinstance(caught.value, OSError)
    with pytest.raises(AddressError, match=r"cannot listen on 192\.0\.2\.1:0: this machine has no such address"):
        LocalServer(host="192.0.2.1").start()
    with pytest.raises(AddressError, match=r"cannot listen on a b:0"):
        LocalServer(host="a b").start()


@pytest.mark.parametrize("port", [-1, 65536, 10**30, True, "80", None])
def test_ports_are_checked(port: object) -> None:
    """A port is a number from 0 to 65535."""
    with pytest.raises(InvalidArgumentError, match="port must be a number from 0 to 65535"):
        LocalServer(port=port).start()  # type: ignore[arg-type]


def test_errors_of_the_server_are_of_this_package(used: Path) -> None:
    """Whoever catches `ConversationsError` catches them, with Python's own class as a second base."""
    assert issubclass(LocalServerError, ConversationsError)
    assert issubclass(LocalServerError, RuntimeError)
    assert issubclass(DataDirectoryPermissionError, PermissionError)
    with pytest.raises(LocalServerError, match="start the service first"):
        LocalServer(used).token("alice")
    with pytest.raises(LocalServerError, match="start the service first"):
        LocalServer(used).now()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_directory_that_goes_away_ends_the_service(used: Path, caplog: pytest.LogCaptureFixture, replaced: bool) -> None:
    """Without its directory the service would lose what it is told: it ends, with one line that says why."""
    server = LocalServer(used).start()
    caplog.set_level(logging.WARNING)
    thread = server._thread
    assert thread is not None
    shutil.move(used, used.with_name("elsewhere"))
    if replaced:
        with LocalServer(used):
            pass
    thread.join(TIMEOUT)
    assert not server.is_running
    assert isinstance(server.failure, DataDirectoryError)
    with pytest.raises(DataDirectoryError, match=f"{used} was removed or replaced"):
        server.now()
    assert logs.flush(TIMEOUT)
    assert [record.getMessage() for record in caplog.records] == [str(server.failure)]
    server.stop()
    assert server.failure is None


def test_a_directory_that_goes_away_ends_the_command(used: Path) -> None:
    """The command ends with the same line, and not as if all were well."""
    command = [*CLI, "serve", "--port", "0", "--json", "--data", str(used)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["data"] == str(used)
        shutil.rmtree(used)
        _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert errors.count("\n") == 1
    assert f"the data directory {used} was removed or replaced" in errors


def test_the_disk_is_full_while_the_service_runs(caplog: pytest.LogCaptureFixture) -> None:
    """A command that cannot be kept is answered with the reason, which is logged in one line; reading goes on."""
    with LocalServer() as server, Peer.connected(server, "alice") as alice:
        room = alice.room()
        assert server._app is not None
        cursor = server._app.service._writer._connection._cursor  # SQLite's own limit stands for the disk's
        cursor.execute("PRAGMA max_page_count = 1")
        cursor.fetchall()
        answers = [alice.post(f"{room}/Messages", {"body": "x" * 30_000}) for _ in range(20)]
        refused = next(answer for answer in answers if answer.status == 500)
        assert f"the disk of {DATABASE_FILE} is full" in refused.body["message"]
        assert alice.get("/Client/v2/Configuration").status == 200
    assert all(record.exc_info is None for record in caplog.records)
    assert any("a command was rolled back: the disk of" in record.getMessage() for record in caplog.records)
