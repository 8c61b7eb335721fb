"""The tutorial can be followed, and its deployment does what the text promises.

`.ci/follow` follows it in an environment of its own; here the environment of the tests takes the place of the installation, and
free ports that of the page's.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.following import DeviationError, follow, terminal
from tests.support.pages import blocks_of
from tests.support.patience import LONG_PATIENCE, PATIENCE
from tests.support.ports import free_port
from twilio_conversations.server import LocalServer

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
TEXT = TUTORIAL.read_text(encoding="utf-8")
BLOCKS = blocks_of(TEXT)
FILES = {str(block.file): block.text for block in BLOCKS if block.file}
COMMANDS = [line[2:] for block in BLOCKS if block.language == "console" for line in block.lines if line.startswith("$ ")]
HOME = "/opt/parcel-desk"


class Unit(configparser.ConfigParser):
    """The systemd unit of the tutorial: names keep their case, and values their percent signs."""

    def __init__(self) -> None:
        super().__init__(interpolation=None)
        self.read_string(FILES["parcel-desk.service"])

    def optionxform(self, optionstr: str) -> str:
        """Return a name as it is."""
        return optionstr


def replacements() -> dict[str, str]:
    """Return what takes the place of the installation and the ports."""
    return {
        "python3 -m venv .venv": f"ln -s {sys.prefix} .venv",
        ".venv/bin/pip install --quiet 'twilio-conversations[testing,django]'": "true",
        "8089": str(free_port()),
        "8000": str(free_port()),
    }


def test_only_the_tutorial_is_followed() -> None:
    """No other page has files to save, so that no page's code is left out of all tests."""
    pages = [page for page in (ROOT / "docs").rglob("*.md") if any(block.file for block in blocks_of(page.read_text("utf-8")))]
    assert pages == [TUTORIAL]
    assert not any(block.language in ("python", "output") and not block.file for block in BLOCKS)


@pytest.mark.slow
def test_it_can_be_followed(tmp_path: Path) -> None:
    """Service, bot, customer, test of the bot, site that sends, test of the site: all do what the page shows."""
    follow(TUTORIAL, tmp_path, replacements(), LONG_PATIENCE)


@pytest.mark.slow
def test_a_broken_snippet_is_noticed(tmp_path: Path) -> None:
    """Where the bot answers otherwise than the page shows, following it fails at the command that shows it."""
    broken = {'"4711": "is on its way"': '"4711": "is lost"'}
    with pytest.raises(DeviationError, match=r"(?s)tutorial.md:\d+: `.venv/bin/python alice.py .*but\n.*Parcel 4711 is lost"):
        follow(TUTORIAL, tmp_path, replacements() | broken, LONG_PATIENCE)


@pytest.fixture
def deployed(service: LocalServer, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """The folder of the deployed bot, and its environment."""
    for name in ("access.py", "desk_bot.py"):
        (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    known = service.credentials
    return tmp_path, {
        "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
        "TWILIO_ACCOUNT_SID": known.account_sid,
        "TWILIO_API_KEY": known.api_key_sid,
        "TWILIO_API_SECRET": known.api_key_secret,
        "TWILIO_CONVERSATIONS_SERVICE_SID": known.service_sid,
        "TWILIO_CONVERSATIONS_ENDPOINT": service.url,
    }


def command_of_unit() -> list[str]:
    """Return the command that systemd starts."""
    return shlex.split(Unit()["Service"]["ExecStart"])


def command_of_image() -> list[str]:
    """Return the command that a container starts, without a shell."""
    (exec_form,) = re.findall(r"^CMD (\[.*\])$", FILES["Dockerfile"], re.MULTILINE)
    words: list[str] = json.loads(exec_form)
    return words


@pytest.mark.parametrize("command", [command_of_unit, command_of_image])
def test_stopped_by_sigterm(deployed: tuple[Path, dict[str, str]], command: Callable[[], list[str]]) -> None:
    """The process itself receives SIGTERM, and ends with 0: systemd does not start it again."""
    folder, environment = deployed
    with terminal([word.replace(HOME, str(folder)) for word in command()], folder, environment) as running:
        running.expect("connected to", PATIENCE)
        running.end(signal.SIGTERM, PATIENCE)


def test_refused(deployed: tuple[Path, dict[str, str]]) -> None:
    """A key that the service refuses is in the log and ends nothing."""
    folder, environment = deployed
    wrong = environment | {"TWILIO_API_SECRET": "of-another-key-of-another-account"}
    with terminal([sys.executable, "desk_bot.py"], folder, wrong) as running:
        running.expect("Invalid Access Token signature", PATIENCE)
        running.end(signal.SIGTERM, PATIENCE)


def test_unit() -> None:
    """The unit has what the text explains, and names only what the commands install."""
    service = Unit()["Service"]
    assert (service["Type"], service["Restart"], service["DynamicUser"]) == ("exec", "on-failure", "yes")
    assert int(service["TimeoutStopSec"]) > 30
    assert "KillSignal" not in service
    assert "Environment" not in service
    assert f"sudo install --mode 600 desk.env {service['EnvironmentFile']}" in COMMANDS
    assert service["WorkingDirectory"] == HOME
    assert f"sudo install -D --mode 644 --target-directory {HOME} access.py desk_bot.py requirements.txt" in COMMANDS
    assert f"sudo python3 -m venv {HOME}/.venv" in COMMANDS
    assert service["ExecStart"].startswith(f"{HOME}/.venv/bin/python ")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """systemd knows each key and each value, and rates the exposure as low."""
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / ".venv").symlink_to(sys.prefix)
    unit = tmp_path / "parcel-desk.service"
    unit.write_text(FILES["parcel-desk.service"].replace(HOME, f"{tmp_path}/opt"), encoding="utf-8")
    for command in (["verify"], ["security", "--offline=yes", "--no-pager", "--threshold=30"]):
        result = subprocess.run(
            ["systemd-analyze", *command, str(unit)], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert (result.returncode, result.stderr) == (0, ""), result.stdout


def test_dockerfile() -> None:
    """A slim image, packages by hash, no secret, no root, and Python itself as process 1."""
    instructions = [line.split(maxsplit=1) for line in FILES["Dockerfile"].splitlines()]
    assert [name for name, _ in instructions] == ["FROM", "WORKDIR", "COPY", "RUN", "COPY", "USER", "CMD"]
    image, _, _, run, copied, user, command = (value for _, value in instructions)
    assert re.fullmatch(r"python:3\.\d+-slim", image)
    assert "--require-hashes" in run
    assert copied == "access.py desk_bot.py ./"
    assert int(user) > 0
    assert json.loads(command) == ["python", "desk_bot.py"]


@pytest.mark.skipif(not shutil.which("docker"), reason="docker is not installed")
@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("docker ")])
def test_docker_knows_the_options(line: str) -> None:
    """Each option of a docker command is one that docker has."""
    _, command, *words = shlex.split(line)
    known = subprocess.run(["docker", command, "--help"], capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    options = [word for word in words if word.startswith("--")]
    assert [option for option in options if not re.search(rf"{option}\b", known)] == []
