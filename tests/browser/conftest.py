"""The service as `serve --tls` starts it, the pages of web apps, and a Chromium started with the options that it prints."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import attrs
import pytest
import requests

from tests.browser.site import Site
from tests.support import official_sdk
from tests.support.chromium import Chromium
from tests.support.patience import PATIENCE
from twilio_conversations import Client
from twilio_conversations.server.storage.credentials import load_or_create

HERE = Path(__file__).parent
WAIT = PATIENCE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a browser."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@attrs.frozen
class Setting:
    """What a web app is developed with: pages, a service, a browser that finds it under Twilio's names."""

    site: Site
    service: dict[str, object]
    browser: Chromium

    def token(self, identity: str) -> str:
        """Return a token, as the app's own backend would make it."""
        return load_or_create(Path(str(self.service["data"]))).mint(identity)

    def open(self, page: str, identity: str = "", version: str = "3.0.1") -> None:
        """Open a page; its address says who uses it, where tokens are, and which version of the official SDK it loads."""
        query = {"identity": identity, "tokens": self.service.get("tokens", ""), "sdk": version}
        self.browser.open(f"{self.site.url}/{page}?{urlencode(query)}")

    def client(self, identity: str) -> Client:
        """Return a client of ours that trusts the service's certificate."""
        session = requests.Session()
        session.verify = str(self.service["ca"])
        return Client(self.token(identity), endpoint=str(self.service["url"]), session=session)


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """All three, started once for the tests of a file."""
    official_sdk.install()
    data = tmp_path_factory.mktemp("service")
    log = data / "log"
    with Site(HERE / "pages", official_sdk.MODULES) as site, log.open("w") as errors:
        command = [sys.executable, "-m", "twilio_conversations", "serve", "--tls", "--port", "0", "--json", "--data", str(data)]
        command += ["--token-endpoint", "--allow-origin", site.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            assert process.stdout is not None
            try:
                facts = json.loads(process.stdout.readline())
                browser = Chromium([only_there(option) for option in facts["chromium"]])
                try:
                    yield Setting(site, facts, browser)
                finally:
                    browser.close()
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(WAIT)
    assert "ERROR" not in log.read_text("utf-8")


def only_there(option: str) -> str:
    """Return an option that is printed, so that the browser resolves no other name: nothing leaves this machine."""
    rules = "--host-resolver-rules="
    return f"{option}, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1" if option.startswith(rules) else option


@pytest.fixture
def bot(setting: Setting, fresh: Callable[[str], str]) -> Iterator[Client]:
    """A ready client of ours."""
    with setting.client(fresh("bot")) as client:
        client.wait_until_ready(timeout=WAIT)
        yield client
