"""``serve`` and ``token``, and ``demo`` from its own module."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from pathlib import Path

import click
from rich.console import Console

from twilio_conversations.server import DataDirectoryInUseError, LocalServer
from twilio_conversations.server.credentials import default_data_dir, load_or_create

_data_option = click.option(
    "--data",
    "data_dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help=f"Directory of the service's data and secrets. Default: {default_data_dir()}",
)


@click.group()
@click.version_option(package_name="twilio-conversations")
def group() -> None:
    """A local Twilio Conversations service to develop and test against."""


@group.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8089, show_default=True, help="Port; 0 picks a free one.")
@_data_option
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
@click.option("--durable", is_flag=True, help="Survive the loss of power, not only the end of the process.")
@click.option("--seed", type=click.Path(exists=True, path_type=Path), help="JSON or YAML file: settings, and data if empty.")
def serve(host: str, port: int, data_dir: Path | None, as_json: bool, durable: bool, seed: Path | None) -> None:
    """Run the service until interrupted."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    directory = data_dir or default_data_dir()
    try:
        server = LocalServer(directory, port, host, durable=durable).start()
    except (DataDirectoryInUseError, OSError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error
    try:
        _fill(server, seed)
        _announce(server, directory, as_json)
        while not stop.wait(0.5) and server.is_running:
            pass
    finally:
        server.stop()


def _fill(server: LocalServer, seed: Path | None) -> None:
    if seed is not None:
        try:
            server.seed(seed, if_empty=True)
        except (OSError, ValueError) as error:
            raise click.ClickException(str(error)) from error


def _announce(server: LocalServer, directory: Path, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"url": server.url, "twilsock": server.twilsock, "data": str(directory)}))
    else:
        click.echo(f"Conversations service on {server.url}")
        click.echo(f"  websocket  {server.twilsock}")
        click.echo(f"  data       {directory}")
        click.echo("  tokens     twilio-conversations token IDENTITY")
    sys.stdout.flush()


@group.command()
@click.argument("identity")
@click.option("--ttl", default=3600.0, show_default=True, help="Seconds until it expires; negative: expired already.")
@_data_option
def token(identity: str, ttl: float, data_dir: Path | None) -> None:
    """Print an access token for IDENTITY."""
    if not identity:
        raise click.UsageError("IDENTITY must not be empty")
    try:
        credentials = load_or_create(data_dir or default_data_dir())
    except OSError as error:
        raise click.ClickException(str(error)) from error
    click.echo(credentials.mint(identity, ttl))


@group.command()
def demo() -> None:
    """Let two people talk over a service inside this process, and print what happened."""
    from twilio_conversations.cli.demo import run

    run(Console())
