"""Tasks: `celery --app desk.celery worker`. The environment names the broker."""

import json
import os

import django
from celery import Celery
from celery.signals import worker_process_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "desk.settings")
django.setup()

from django.conf import settings  # noqa: E402

from twilio_conversations.contrib.django import close_clients, get_client  # noqa: E402

app = Celery("desk", broker=os.environ.get("BROKER", "memory://"))
app.conf.broker_transport_options = json.loads(os.environ.get("BROKER_OPTIONS", "{}"))
app.conf.task_acks_late = True


@app.task
def announce(sid, body):
    """Send a message of the site."""
    get_client(settings.DESK_IDENTITY).get_conversation_by_sid(sid).send_message(body)


@worker_process_shutdown.connect
def close(**_):
    """Close the clients of a worker process, which ends without Python's exit functions."""
    close_clients()
