"""Other users of the same machine: what the service leaves on disk, and what it shows of itself."""

from __future__ import annotations

import json
import logging
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from tests.server.peer import TIMEOUT, Peer
from tests.support.patience import PATIENCE
from tests.support.service_process import COMMAND
from twilio_conversations.cli.commands import group, serve
from twilio_conversations.server import LocalServer
from twilio_conversations.server.storage.credentials import FILE_NAME

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's here")


@pytest.fixture(params=[0o022, 0], ids=["umask 022", "umask 0"])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """An ordinary umask, and one that keeps nothing from anybody."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def rights(directory: Path) -> dict[str, int]:
    """What others may do with each file below a directory, and with itself."""
    files = [directory, *directory.rglob("*")]
    return {file.name: stat.S_IMODE(file.stat().st_mode) & 0o077 for file in files}


def upload(server: LocalServer) -> None:
    """Somebody uploads something and says something, so that there is a file of each kind."""
    with Peer.connected(server, "alice") as alice:
        headers = {"X-Twilio-Token": server.token("alice")}
        assert requests.post(alice.link("media_service"), data=b"x", headers=headers, timeout=TIMEOUT).status_code == 201
        alice.say(alice.room())


@pytest.mark.usefixtures("_umask")
def test_others_may_read_nothing(tmp_path: Path) -> None:
    """Directories are 0700 and files 0600, the database, its log and the media too, also when the umask would allow more."""
    data = tmp_path / "a" / "data"
    with LocalServer(data) as server:
        upload(server)
        found = rights(data)
    assert {"data", "media", FILE_NAME, "conversations.sqlite3", "conversations.sqlite3-wal", "service.lock"} <= set(found)
    assert set(found.values()) == {0}


def test_what_was_open_to_others_is_closed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Files with wider rights lose them at the start; that the secrets could be read is said, without saying the secrets."""
    data = tmp_path / "data"
    with LocalServer(data) as server:
        upload(server)
    for path in (data / "media", data / FILE_NAME, data / "conversations.sqlite3", data / "service.lock"):
        path.chmod(path.stat().st_mode | 0o077)
    with caplog.at_level(logging.WARNING), LocalServer(data) as server:
        secret = server.api_key[1]
        assert set(rights(data).values()) == {0}
    assert f"others could read the secrets in {data / FILE_NAME}" in caplog.text
    assert secret not in caplog.text


def test_files_in_a_directory_that_others_may_read(tmp_path: Path) -> None:
    """A data directory of one's own may be open to readers; what the service puts there is not."""
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    with LocalServer(data) as server:
        upload(server)
        found = rights(data)
    assert found.pop("data") == 0o055
    assert set(found.values()) == {0}


def test_a_directory_that_others_may_write_to(tmp_path: Path) -> None:
    """Where others could exchange the secrets nothing is begun, and the command says so in one line."""
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o1777)
    with pytest.raises(PermissionError, match="others may write"):
        LocalServer(data).start()
    result = CliRunner().invoke(group, ["token", "alice", "--data", str(data)])
    assert result.exit_code == 1
    assert result.output == f"Error: others may write to the data directory {data}; choose another one, or chmod o-w it\n"
    assert list(data.iterdir()) == []


AS_SOMEBODY = """
import os, pathlib, sys
from twilio_conversations.server.storage import permissions

os.seteuid(54321)
try:
    permissions.data_directory(pathlib.Path(sys.argv[1]))
except PermissionError as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else() -> None:
    """A directory that another user owns is refused to everybody but root."""
    with tempfile.TemporaryDirectory() as home:  # pytest's own are hidden from other users
        data = Path(home) / "data"
        data.mkdir()
        os.chown(data, 12345, 12345)
        Path(home).chmod(0o755)
        command = [sys.executable, "-c", AS_SOMEBODY, str(data)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ended.returncode, "belongs to another user" in ended.stderr) == (1, True), ended.stderr


def test_a_link_as_the_data_directory(tmp_path: Path) -> None:
    """A symbolic link is followed: it is the user's own way of saying where; the rights that count are the target's."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir(mode=0o700)
    link.symlink_to(real)
    with LocalServer(link) as server:
        assert server.token("alice")
        assert set(rights(real).values()) == {0}
    real.chmod(0o777)
    with pytest.raises(PermissionError):
        LocalServer(link).start()


@pytest.mark.parametrize("name", ["..", "a/../../b", "%2e%2e"])
def test_a_data_directory_is_what_its_name_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """`--data` is a path like any other, for whoever may run the command: nothing is decoded, nothing is put elsewhere."""
    start = tmp_path / "start" / "a"
    start.mkdir(parents=True)
    monkeypatch.chdir(start)
    Path(name).mkdir(parents=True, exist_ok=True)
    assert CliRunner().invoke(group, ["token", "alice", "--data", name]).exit_code == 0
    assert [path.parent.resolve() for path in tmp_path.rglob(FILE_NAME)] == [(start / name).resolve()]


def test_the_command_shows_no_secret_and_warns_of_others(tmp_path: Path) -> None:
    """Arguments, which others see, and output hold no secret; an address that is not loopback is warned about."""
    command = [COMMAND, "serve", "--json", "--port", "0", "--host", "0.0.0.0", "--data", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        announced = process.stdout.readline()
        arguments = Path(f"/proc/{process.pid}/cmdline")
        seen = arguments.read_bytes().decode() if arguments.exists() else ""
        process.terminate()
        output, errors = process.communicate(timeout=30)
    secret = json.loads((tmp_path / FILE_NAME).read_text())["api_key_secret"]
    assert secret not in announced + seen + output + errors
    assert "WARNING twilio_conversations.server.local: listening on 0.0.0.0" in errors


def test_loopback_unless_told_otherwise(tmp_path: Path) -> None:
    """Without an address the service, and the command, listen on loopback only."""
    defaults = {option.name: option.default for option in serve.params}
    assert defaults["host"] == "127.0.0.1"
    with LocalServer(tmp_path) as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        with pytest.raises(OSError):
            socket.create_connection((own_address(), server.port), timeout=TIMEOUT).close()


def own_address() -> str:
    """An address of this machine that is not the one listened on."""
    return "127.0.0.2" if sys.platform.startswith("linux") else socket.gethostbyname(socket.gethostname())
