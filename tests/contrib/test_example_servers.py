"""The example under the servers that sites run with: restarts lose nothing, connections are single, and attachments come back."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial

import attrs
import pytest

from tests.contrib.example import IDENTITY, NAME, Process, Site, Visitor
from tests.contrib.traffic import connections
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tests.support.waiting import until

GUNICORN = {
    "sync": ["--worker-class", "sync"],
    "sync-preload": ["--worker-class", "sync", "--preload"],
    "gthread": ["--worker-class", "gthread", "--threads", "4"],
    "gthread-preload": ["--worker-class", "gthread", "--threads", "4", "--preload"],
    "gevent": ["--worker-class", "gevent"],
    "gevent-preload": ["--config", "gunicorn_gevent.py"],
}
"""Options of gunicorn by the names of the tests."""
FAILURES = re.compile(r"Traceback|\[CRITICAL\]|\[ERROR\]|WORKER TIMEOUT")


@attrs.frozen
class Server:
    """A running web server: its address, how it restarts its workers, and how often they were started so far."""

    process: Process
    url: str
    restart: Callable[[], None]
    starts: Callable[[], int]
    stop: Callable[[], int]


@contextlib.contextmanager
def gunicorn(site: Site, options: list[str]) -> Iterator[Server]:
    """Run gunicorn; SIGHUP replaces its workers while it goes on to accept requests."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        command = ["-m", "gunicorn", "desk.wsgi", "--bind", f"fd://{listener.fileno()}", "--workers", "2", *options]
        with site.process(*command, pass_fds=(listener.fileno(),), DEBUG="0") as process:

            def starts() -> int:
                return process.text.count("Booting worker with pid")

            def restart() -> None:
                before = starts()
                process.popen.send_signal(signal.SIGHUP)
                process.wait_for("Booting worker with pid", before + 2)
                process.wait_for("Worker exiting", before)

            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            yield Server(process, url, restart, starts, process.end)


@contextlib.contextmanager
def runserver(site: Site) -> Iterator[Server]:
    """Run Django's own server; it restarts when a file changes, and Ctrl-C in its terminal ends it."""
    port = free_port()
    with site.process("manage.py", "runserver", f"127.0.0.1:{port}") as process:

        def starts() -> int:
            return process.text.count("Starting development server")

        def restart() -> None:
            with (site.folder / "desk" / "views.py").open("a") as file:
                file.write("# changed\n")
            process.wait_for("Starting development server", starts() + 1)

        process.wait_for("Starting development server")
        yield Server(process, f"http://127.0.0.1:{port}", restart, starts, process.interrupt)


SERVERS: dict[str, Callable[[Site], contextlib.AbstractContextManager[Server]]] = {
    "runserver": runserver,
    **{name: partial(gunicorn, options=options) for name, options in GUNICORN.items()},
}


def send_all(visitor: Visitor, sid: str, bodies: list[str]) -> list[str]:
    """Send messages from four threads at once, and return those that the site has confirmed."""
    confirmed: list[str] = []
    queue = iter(bodies)
    lock = threading.Lock()

    def work() -> None:
        mine = Visitor(visitor.url)
        mine.session.cookies.update(visitor.session.cookies)
        while True:
            with lock:
                body = next(queue, None)
            if body is None:
                return
            if mine.send(sid, body):
                confirmed.append(body)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return confirmed


@pytest.mark.parametrize("name", SERVERS)
def test_restarts_lose_nothing(example: Site, name: str) -> None:
    """Each confirmed message is there once; each worker has one connection at most; all are closed at the end."""
    with SERVERS[name](example) as server:
        visitor = Visitor(server.url)
        visitor.log_in()
        sid = visitor.create_room("Orders")
        confirmed = send_all(visitor, sid, [f"before {n}" for n in range(8)])
        assert len(confirmed) == 8
        restarting = threading.Thread(target=server.restart)
        restarting.start()
        confirmed += send_all(visitor, sid, [f"during {n}" for n in range(8)])
        restarting.join(PATIENCE)
        confirmed += send_all(visitor, sid, [f"after {n}" for n in range(8)])
        shown = [message["body"] for message in visitor.messages(sid)]
        assert sorted(set(shown)) == sorted(shown)
        assert set(confirmed) <= set(shown)
        assert {f"after {n}" for n in range(8)} <= set(shown)
        assert 1 <= len(connections(example.service, IDENTITY)) <= server.starts()
        assert server.stop() == 0, server.process.text
        assert not FAILURES.search(server.process.text), server.process.text
        until(lambda: all(connections(example.service, IDENTITY).values()), "every connection is closed")


ATTACHMENTS = [
    ("Rechnung März.txt", "Fünf Äpfel\n".encode(), "text/plain"),
    ("photo.png", bytes(range(256)) * 12_000, "image/png"),  # larger than what Django keeps in memory
]
"""Name, content and type."""


@pytest.mark.parametrize("name", ["runserver", "gthread", "gevent"])
def test_attachments_come_back(example: Site, name: str) -> None:
    """Files that a visitor uploads are shown with their names, and their links lead to the same bytes; other links to nothing."""
    with SERVERS[name](example) as server:
        visitor = Visitor(server.url)
        visitor.log_in()
        sid = visitor.create_room("Invoices")
        assert visitor.send(sid, "two files", [("files", attachment) for attachment in ATTACHMENTS])
        (message,) = visitor.messages(sid)
        assert message["from"] == NAME
        assert message["body"] == "two files"
        assert [file["name"] for file in message["files"]] == [filename for filename, _, _ in ATTACHMENTS]
        for file, (_, content, content_type) in zip(message["files"], ATTACHMENTS, strict=True):
            response = visitor.download(sid, message["index"], file["sid"])
            assert response.content == content
            assert response.headers["Content-Type"].partition(";")[0] == content_type
        assert visitor.download(sid, message["index"], "ME" + 32 * "0").status_code == 404
        stranger = Visitor(server.url).download(sid, message["index"], message["files"][0]["sid"])
        assert "/login/" in stranger.url
        assert server.stop() == 0, server.process.text
        assert not FAILURES.search(server.process.text), server.process.text
