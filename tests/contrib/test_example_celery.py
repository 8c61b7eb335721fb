"""A Celery worker that sends messages: its processes are forked, and its end loses no task."""

from __future__ import annotations

import json
from pathlib import Path

from celery import Celery

from tests.contrib.example import IDENTITY, Site
from tests.contrib.traffic import connections
from tests.support.waiting import until

WORKER = "-m", "celery", "--app", "desk.celery", "worker", "--concurrency", "2", "--loglevel", "INFO"
QUIET = "--without-gossip", "--without-mingle", "--without-heartbeat"


def test_a_worker_over_restarts(example: Site, tmp_path: Path) -> None:
    """Each task sends its message once; each process has one connection at most, and closes it at the end."""
    (queue := tmp_path / "queue").mkdir()
    options = {"data_folder_in": str(queue), "data_folder_out": str(queue), "control_folder": str(tmp_path / "control")}
    example.environment |= {"BROKER": "filesystem://", "BROKER_OPTIONS": json.dumps(options)}
    app = Celery(broker="filesystem://")
    app.conf.broker_transport_options = options
    with example.client("bob") as bob, app:
        room = bob.create_conversation().join()
        room.add(IDENTITY)
        for turn in range(2):
            for number in range(4):
                app.send_task("desk.celery.announce", (room.sid, f"{turn}-{number}"))
            with example.process(*WORKER, *QUIET) as process:
                process.wait_for("celery@.* ready")
                enough = 2 if turn == 0 else 8
                until(lambda enough=enough: room.get_messages_count() >= enough, f"{enough} messages")
                assert process.end() == 0, process.text
                assert "Traceback" not in process.text
        sent = [str(message.body) for message in room.get_messages(100)]
        assert sorted(sent) == [f"{turn}-{number}" for turn in range(2) for number in range(4)]
        assert 1 <= len(connections(example.service, IDENTITY)) <= 4
        until(lambda: all(connections(example.service, IDENTITY).values()), "every connection is closed")
