"""``manage.py conversations_bot``: a process that handles events."""

from __future__ import annotations

import contextlib
import signal
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from types import FrameType, ModuleType
from typing import Any, Final, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import autoreload
from django.utils.module_loading import import_string

from twilio_conversations import InitializationError
from twilio_conversations.contrib.django.clients import create_client
from twilio_conversations.contrib.django.connections import fresh_connections
from twilio_conversations.contrib.django.signals import relay

CALL_TIMEOUT: Final = 30.0
"""Seconds of a call: nobody's browser waits for a bot."""


class _Stopped(BaseException):
    """SIGTERM arrived."""


class Command(BaseCommand):
    """Run a bot, a function that registers handlers, or receivers of Django's signals."""

    help = (
        "Handle events of conversations until SIGTERM or Ctrl-C. HANDLERS is the dotted path of a bot (with run and stop), of a "
        "function that registers handlers on the client it is given, or of a module with receivers of Django's signals."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        parser.add_argument("handlers", help="dotted path, such as shop.bot.bot")
        parser.add_argument("--identity", default="bot", help="identity of the client (bot); a Bot has its own")
        parser.add_argument(
            "--noreload", action="store_false", dest="use_reloader", help="do not restart when a file changes, as with DEBUG"
        )

    def handle(self, *_: object, **options: Any) -> None:
        """Run until the end, under the autoreloader while the site is being developed."""
        if options["use_reloader"] and settings.DEBUG:
            autoreload.run_with_reloader(self._run, options["handlers"], options["identity"])
        else:
            self._run(options["handlers"], options["identity"])

    def _run(self, path: str, identity: str) -> None:
        autoreload.raise_last_exception()
        found = _found(path)
        try:
            if hasattr(found, "run") and hasattr(found, "stop"):
                found.run()
            else:
                self._handle_events(found, identity)
        except InitializationError as error:
            raise CommandError(f"the client was rejected: {error}") from error

    def _handle_events(self, register: Any, identity: str) -> None:
        arguments = {"auto_connect": False, "default_timeout": CALL_TIMEOUT, "handler_context": fresh_connections}
        with _until_stopped(), create_client(identity, **arguments) as client:
            relay(client)
            if not isinstance(register, ModuleType):
                register(client)
            client.on("initialized", lambda: self.stdout.write(f"handling events of {identity}"))
            client.connect().wait()
        self.stdout.write("stopped")


def _found(path: str) -> Any:
    """Return what a dotted path names: a module, or something in one."""
    try:
        is_module = find_spec(path) is not None
    except ImportError:
        is_module = False
    try:
        found = import_module(path) if is_module else import_string(path)
    except ImportError as error:
        raise CommandError(f"{path} cannot be imported: {error}") from error
    if not isinstance(found, ModuleType) and not callable(found) and not hasattr(found, "run"):
        raise CommandError(f"{path} is no bot, no function and no module: {found!r}")
    return found


@contextlib.contextmanager
def _until_stopped() -> Iterator[None]:
    """End the block at the first SIGTERM or Ctrl-C. Under the autoreloader its own main thread ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the client is being closed then, which has a limit
        raise _Stopped

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except (_Stopped, KeyboardInterrupt):
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
