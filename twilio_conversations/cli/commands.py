"""``serve``, ``token`` and ``env``; ``demo`` and ``probe`` have their own modules."""

from __future__ import annotations

import json
import logging
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import attrs
import click
from rich.console import Console

from twilio_conversations.cli import announcement
from twilio_conversations.errors import ConversationsError, InvalidArgumentError
from twilio_conversations.options import ENDPOINT_VARIABLE
from twilio_conversations.server import DataDirectoryError, LocalServer
from twilio_conversations.server.storage.credentials import Credentials, default_data_dir, load_or_create
from twilio_conversations.server.text import is_text

_data_option = click.option(
    "--data",
    "data_dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_data_dir,
    show_default="the platform's place for a user's data",
    help="Directory of the service's data and secrets.",
)


class Group(click.Group):
    """Commands whose errors are one line on stderr, and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except ConversationsError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Group, help="A local Twilio Conversations service to develop and test against.")
@click.version_option(package_name="twilio-conversations")
def group() -> None:
    """Hold the commands."""


@group.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8089, show_default=True, help="Port; 0 picks a free one.")
@_data_option
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
@click.option("--durable", is_flag=True, help="Survive the loss of power, not only the end of the process.")
@click.option("--seed", type=click.Path(exists=True, path_type=Path), help="JSON or YAML file: settings, and data if empty.")
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="Setting of the service, with a value in JSON; the guide of the local service lists them. May be repeated.",
)
@click.option("--tls", is_flag=True, help="Speak HTTPS and WSS, with a certificate that is kept in the data directory.")
@click.option("--public-url", metavar="URL", help="How clients reach the service, if not as their requests say.")
@click.option(
    "--trust-proxy",
    "trusted_proxies",
    metavar="ADDRESS",
    multiple=True,
    help="Front whose X-Forwarded-Proto and -Host count, such as 127.0.0.1 or 10.0.0.0/8. May be repeated.",
)
@click.option("--token-endpoint", is_flag=True, help="Give tokens to every program on this machine: /_local/token?identity=")
@click.option(
    "--allow-origin",
    "allowed_origins",
    metavar="ORIGIN",
    multiple=True,
    help="Page that may ask for tokens, such as http://localhost:3000. May be repeated.",
)
def serve(data_dir: Path, as_json: bool, seed: Path | None, settings: tuple[str, ...], **options: Any) -> None:
    """Run the service until interrupted."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        server = LocalServer(data_dir, settings=dict(_setting(text) for text in settings), **options)
    except InvalidArgumentError as error:
        raise click.UsageError(str(error)) from error
    with server:
        if seed is not None:
            server.seed(seed, if_empty=True)
        known = announcement.facts(server, data_dir, tls=options["tls"], token_endpoint=options["token_endpoint"])
        click.echo(announcement.as_json(known) if as_json else "\n".join(announcement.as_text(known)))
        sys.stdout.flush()
        while not stop.wait(0.5) and server.is_running:
            pass
        failure = server.failure
    if failure is not None:
        sys.exit(1)  # the reason is in the log


def _setting(text: str) -> tuple[str, Any]:
    """Return name and value of a setting; what is no JSON is text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--set needs NAME=VALUE, not {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


@group.command()
@click.argument("identity")
@click.option("--ttl", default=3600.0, show_default=True, help="Seconds until it expires; negative: expired already.")
@_data_option
def token(identity: str, ttl: float, data_dir: Path) -> None:
    """Print an access token for IDENTITY."""
    if not is_text(identity) or not identity:
        raise click.UsageError("IDENTITY must be text, and not empty")
    click.echo(_credentials(data_dir).mint(identity, ttl))


@group.command()
@_data_option
def env(data_dir: Path) -> None:
    """Print the credentials, the secret included, under the names that sample apps read from their environment."""
    for line in announcement.environment(_credentials(data_dir)):
        click.echo(line)


def _credentials(data_dir: Path) -> Credentials:
    """Return the credentials of a directory that exists: new ones would be valid for no service."""
    if not data_dir.is_dir():
        raise DataDirectoryError(
            f"there is no data directory {data_dir}; name the one that the service uses, or start the service first:"
            f" twilio-conversations serve --data {shlex.quote(str(data_dir))}"
        )
    return load_or_create(data_dir)


@group.command()
def demo() -> None:
    """Let two people talk over a service inside this process, and print what happened."""
    from twilio_conversations.cli.demo import run

    run(Console())


@group.command()
@click.option("--region", metavar="NAME", envvar="TWILIO_REGION", help="Twilio's region of the key; us1 by default.")
@click.option("--endpoint", metavar="URL", envvar=ENDPOINT_VARIABLE, help="Another service, such as a local one.")
@click.option(
    "--data",
    "data_dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of a local service, whose key is used; otherwise the key is in the environment.",
)
@click.option(
    "--markdown", type=click.Path(dir_okay=False, path_type=Path), help="File for the report; standard output by default."
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="File for the report in JSON.")
@click.option("--patient", is_flag=True, help="Also repeat mutation ids after half an hour.")
@click.option("--limits", is_flag=True, help="Also send bursts, to see how limits are answered.")
def probe(
    region: str | None,
    endpoint: str | None,
    data_dir: Path | None,
    markdown: Path | None,
    json_file: Path | None,
    patient: bool,
    limits: bool,
) -> None:
    """Settle the open questions about a service, and report whether the client is right with the answers.

    Makes users and conversations of its own, and removes them, also when it is interrupted. It touches nothing else.
    """
    from twilio_conversations.cli import probe as command
    from twilio_conversations.probe import Only, Probe, Target, as_markdown

    key = command.key_of() if data_dir is None else attrs.asdict(_credentials(data_dir))
    target = Target.of(key, region=region, endpoint=endpoint)
    wanted: dict[Only, bool] = {"patient": patient, "limits": limits}
    chosen = Probe(target, options=[name for name, given in wanted.items() if given])
    console = Console(stderr=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        command.run(chosen, console, markdown=markdown, json=json_file)
    except KeyboardInterrupt:
        left = chosen.remains.conversations
        rest = f"{left} conversations called 'probe' may remain" if left else "its conversations have been removed"
        raise click.ClickException(f"the probe was interrupted; {rest}") from None
    if markdown is None:
        click.echo(as_markdown(chosen))
