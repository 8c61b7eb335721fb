"""A headless Chromium, steered through chromedriver's own HTTP interface (W3C WebDriver).

The commands that the tests need are a dozen lines; the client library made for it wants newer versions of other packages than
the lowest ones that the tests also run with.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
import requests

from tests.support.patience import PATIENCE

REQUIRED = os.environ.get("TWILIO_CONVERSATIONS_BROWSER") == "required"
WAIT = PATIENCE
"""How long one wait may last, in seconds."""
QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Nothing but the page itself goes to the network."""
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_BINARIES = ("chromium", "chromium-browser", "google-chrome")


def unavailable(reason: str) -> NoReturn:
    """Skip, or fail where the browser tests must run."""
    if REQUIRED:
        pytest.fail(f"a browser is required here, but {reason}")
    pytest.skip(reason)


_AT_REST: Final = """new Promise((done) => {
    const place = () => JSON.stringify(document.querySelector(arguments[0])?.getBoundingClientRect());
    const before = place();
    setTimeout(() => done(place() === before), 100);
})"""


class Chromium:
    """One browser with one window; `options` are added to those that keep it quiet."""

    def __init__(self, options: Iterable[str]) -> None:
        binary = next(filter(None, map(shutil.which, _BINARIES)), None)
        if binary is None or shutil.which("chromedriver") is None:
            unavailable("chromium and chromedriver are not installed (Debian: chromium, chromium-driver)")
        self._http = requests.Session()
        self._http.trust_env = False
        command = ["chromedriver", "--port=0"]
        self._driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            self._base = f"http://127.0.0.1:{self._port()}/session"
            choice = {"binary": binary, "args": [*QUIET, *options]}
            wanted = {"browserName": "chrome", "goog:chromeOptions": choice, "goog:loggingPrefs": {"browser": "ALL"}}
            made = self._send("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        except BaseException:
            self._end()
            raise
        self._base += f"/{made['sessionId']}"

    def close(self) -> None:
        """End the browser and its driver."""
        try:
            self._send("DELETE", "")
        finally:
            self._end()

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is loaded."""
        self._send("POST", "/url", {"url": url})

    def show_as(self, width: int, height: int) -> None:
        """Lay pages out as on a screen of that many CSS pixels; a narrow one is a phone's."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._send("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": screen})

    def run(self, script: str, *args: Any) -> Any:
        """Return what the body of a function returns, or its promise."""
        return self._send("POST", "/execute/sync", {"script": script, "args": args})

    def until(self, condition: str, *args: Any) -> Any:
        """Return the first true value of an expression, looking every 50 ms; `args` are its ``arguments``."""
        end = time.monotonic() + WAIT
        while not (value := self.run(f"return {condition}", *args)):
            if time.monotonic() > end:
                raise AssertionError(f"not within {WAIT:.0f} s: {condition} {args}; {self.told()}; the page: {self._text()}")
            time.sleep(0.05)
        return value

    def click(self, selector: str) -> None:
        """Click on an element as a person does, once it stays where it is: a click on what moves may miss."""
        self.until(_AT_REST, selector)
        self._send("POST", f"/element/{self._find(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Type text into a field, or a file's path into a file field."""
        self._send("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def told(self) -> list[str]:
        """Return what the browser's console has said since the last time: of the page, of requests that failed."""
        return [entry["message"] for entry in self._send("POST", "/se/log", {"type": "browser"})]

    def picture(self, file: Path) -> None:
        """Save what is to be seen as a PNG."""
        file.write_bytes(base64.b64decode(self._send("GET", "/screenshot")))

    def _find(self, selector: str) -> str:
        found: str = self._send("POST", "/element", {"using": "css selector", "value": selector})[_ELEMENT]
        return found

    def _text(self) -> str:
        return str(self.run("return document.body.innerText"))[:500]

    def _port(self) -> str:
        assert self._driver.stdout is not None
        for line in self._driver.stdout:
            if found := re.search(r"started successfully on port (\d+)", line):
                return found[1]
        raise AssertionError("chromedriver ended without a word")

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, self._base + path, json=body, timeout=60)
        value = answer.json()["value"]
        if answer.status_code != 200:
            raise AssertionError(f"{path}: {value['error']}: {value['message']}")
        return value

    def _end(self) -> None:
        self._http.close()
        self._driver.terminate()
        try:
            self._driver.wait(10)
        except subprocess.TimeoutExpired:
            self._driver.kill()
            self._driver.wait()
        assert self._driver.stdout is not None
        self._driver.stdout.close()
