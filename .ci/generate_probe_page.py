"""The reports in docs/guides/probe.md, from runs of the command against the local service in two settings.

Written by `python .ci/generate_probe_page.py`; `--check` compares, apart from dates, durations and the version.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from twilio_conversations.server import LocalServer

PAGE = Path(__file__).parents[1] / "docs" / "guides" / "probe.md"
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "contrary": {
        "honour_mutation_ids": False,
        "included_items": 20,
        "journal_limit": 20,
        "conversations_page_size": 50,
        "links_left_out": ["typing", "messages_receipts"],
        "websocket_pings": False,
        "own_map_delay": 2,
    },
}
VARYING = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC|twilio-conversations \d[^ ]*\d|every \d+ s|\d+ users")


def between(name: str) -> re.Pattern[str]:
    """Return the pattern of a report on the page, with the markers around it."""
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end of {name} -->)", re.DOTALL)


def report(name: str) -> str:
    """Return the report of the command against a service with the settings of that name, as part of a page."""
    with tempfile.TemporaryDirectory() as directory, LocalServer(directory, settings=SETTINGS[name]) as server:
        command = [sys.executable, "-m", "twilio_conversations", "probe", "--endpoint", server.url, "--data", directory]
        printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
    _, _, below_its_heading = printed.strip().partition("\n")
    return f"\n{below_its_heading.strip()}\n\n"


def page() -> str:
    """Return the page with new reports."""
    text = PAGE.read_text(encoding="utf-8")
    with ThreadPoolExecutor() as pool:
        for name, new in zip(SETTINGS, pool.map(report, SETTINGS), strict=True):
            text = between(name).sub(lambda _, new=new: new, text)
            settings = f"\n```json\n{json.dumps(SETTINGS[name], indent=2)}\n```\n\n"
            text = between(f"settings of {name}").sub(lambda _, settings=settings: settings, text)
    return text


if __name__ == "__main__":
    if sys.argv[1:] != ["--check"]:
        PAGE.write_text(page(), encoding="utf-8")
    elif VARYING.sub("", PAGE.read_text(encoding="utf-8")) != VARYING.sub("", page()):
        sys.exit("docs/guides/probe.md is not what the command reports: run python .ci/generate_probe_page.py")
