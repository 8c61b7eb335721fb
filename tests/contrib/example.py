"""The example site of the docs, run by the servers that sites run with."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import attrs
import requests

from tests.support.patience import PATIENCE
from tests.support.waiting import until
from twilio_conversations import Client
from twilio_conversations.server import LocalServer

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "django"
NAME, PASSWORD = "alice", "only for tests"
IDENTITY, BOT_IDENTITY = "desk", "desk-bot"


@attrs.define
class Process:
    """A running program of the site; its output is a file."""

    popen: subprocess.Popen[bytes]
    output: Path

    @property
    def text(self) -> str:
        """The output so far."""
        return self.output.read_text()

    def wait_for(self, pattern: str, count: int = 1) -> None:
        """Wait until a pattern is that often in the output."""

        def there() -> bool:
            assert self.popen.poll() is None, self.text
            return len(re.findall(pattern, self.text)) >= count

        until(there, f"{pattern} in the output")

    def end(self) -> int:
        """End the process by SIGTERM, and return its exit code."""
        self.popen.terminate()
        return self.exit_code()

    def interrupt(self) -> int:
        """End the process and its children by Ctrl-C, and return its exit code."""
        os.killpg(self.popen.pid, signal.SIGINT)
        return self.exit_code()

    def exit_code(self) -> int:
        """Return the exit code, once the process has ended; one that hangs is an error."""
        try:
            return self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"hangs at its end: {self.text}") from error


@attrs.define
class Site:
    """A copy of the example with a database that has one user, and a service."""

    folder: Path
    service: LocalServer
    environment: dict[str, str]

    @classmethod
    def create(cls, folder: Path, service: LocalServer, database: Path) -> Site:
        """Copy the example, with a database that was prepared."""
        shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3"))
        credentials = service.credentials
        facts = {
            "TWILIO_CONVERSATIONS_ENDPOINT": service.url,
            "TWILIO_ACCOUNT_SID": credentials.account_sid,
            "TWILIO_API_KEY": credentials.api_key_sid,
            "TWILIO_API_SECRET": credentials.api_key_secret,
            "TWILIO_SERVICE_SID": credentials.service_sid,
            "DATABASE": str(shutil.copy(database, folder / "db.sqlite3")),
            "HOME": str(folder),  # gunicorn writes there
            "PYTHONUNBUFFERED": "1",
        }
        return cls(folder, service, os.environ | facts)

    @contextlib.contextmanager
    def process(self, *command: str, pass_fds: tuple[int, ...] = (), **changes: str) -> Iterator[Process]:
        """Run a Python module or `manage.py` in the site's folder until the end of the block, at which nothing of it is left."""
        output = self.folder / f"{time.monotonic_ns()}.log"
        with output.open("wb") as log, self._popen(command, log, pass_fds, changes) as popen:
            try:
                yield Process(popen, output)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(popen.pid, signal.SIGKILL)

    def _popen(self, command: tuple[str, ...], log: IO[bytes], fds: tuple[int, ...], changes: dict[str, str]) -> Any:
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=self.folder,
            env=self.environment | changes,
            stdout=log,
            stderr=log,
            pass_fds=fds,
            start_new_session=True,
        )

    def client(self, identity: str) -> Client:
        """Return a client of somebody else than the site; close it."""
        return Client(self.service.token(identity), endpoint=self.service.url, default_timeout=PATIENCE)


PREPARE = f"""
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
call_command("migrate", verbosity=0, skip_checks=True)
User.objects.create_user({NAME!r}, password={PASSWORD!r})
"""


def prepare(database: Path) -> Path:
    """Make the database of the example, with one user, and return its path."""
    environment = os.environ | {"DATABASE": str(database), "DJANGO_SETTINGS_MODULE": "desk.settings"}
    command = [sys.executable, "-c", PREPARE]
    subprocess.run(command, cwd=EXAMPLE, env=environment, check=True, timeout=PATIENCE)
    return database


@attrs.define
class Visitor:
    """A browser whose user is logged in."""

    url: str
    session: requests.Session = attrs.field(factory=requests.Session)

    def log_in(self) -> None:
        """Log in; the server may be starting."""
        page = again(lambda: self.session.get(f"{self.url}/login/", timeout=PATIENCE))
        assert page.ok, page.text
        self._post("/login/", {"username": NAME, "password": PASSWORD})
        assert self.session.cookies.get("sessionid")

    def create_room(self, name: str) -> str:
        """Create a conversation and return its sid."""
        response = self._post("/", {"name": name})
        assert response.ok, response.text
        return response.url.rstrip("/").rpartition("/")[2]

    def send(self, sid: str, body: str, files: list[tuple[str, Any]] | None = None) -> bool:
        """Send a message; return `False` where the server was not there or did not answer, so that it may have been sent."""
        try:
            response = self._post(f"/rooms/{sid}/", {"body": body}, files)
        except requests.ConnectionError:
            return False
        assert response.ok, response.text
        return True

    def messages(self, sid: str) -> list[dict[str, Any]]:
        """Return the messages as the site shows them."""
        response = again(lambda: self.session.get(f"{self.url}/rooms/{sid}/messages/0/", timeout=PATIENCE))
        assert response.ok, response.text
        return list(response.json()["messages"])

    def download(self, sid: str, index: int, media_sid: str) -> requests.Response:
        """Follow the link of an attachment."""
        return self.session.get(f"{self.url}/rooms/{sid}/media/{index}/{media_sid}/", timeout=PATIENCE)

    def _post(self, path: str, data: dict[str, str], files: list[tuple[str, Any]] | None = None) -> requests.Response:
        form = {**data, "csrfmiddlewaretoken": self.session.cookies["csrftoken"]}
        return self.session.post(self.url + path, data=form, files=files, timeout=PATIENCE)


def again(call: Callable[[], requests.Response]) -> requests.Response:
    """Return the response to a request that is repeated while the server is not there."""
    responses: list[requests.Response] = []

    def answered() -> bool:
        try:
            responses.append(call())
        except requests.ConnectionError:
            return False
        return True

    until(answered, "an answer of the server")
    return responses[-1]
