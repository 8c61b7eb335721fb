"""The command ``serve``, as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import requests

from tests.server.peer import TIMEOUT


def test_serve_with_a_seed(tmp_path: Path) -> None:
    """The service is filled at its first start, and goes on with that at its second; its key opens the control plane."""
    seed, data = tmp_path / "seed.json", tmp_path / "data"
    seed.write_text(json.dumps({"settings": {"index_gap": 4}, "conversations": [{"unique_name": "lunch"}]}), "utf-8")
    command = [sys.executable, "-m", "twilio_conversations.cli", "serve", "--port", "0", "--json"]
    for _ in range(2):
        with subprocess.Popen([*command, "--data", str(data), "--seed", str(seed)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            key = json.loads((data / "credentials.json").read_text("utf-8"))
            auth = (key["api_key_sid"], key["api_key_secret"])
            settings = requests.get(f"{url}/_local/config", auth=auth, timeout=TIMEOUT).json()
            body = {"conversation": "lunch", "bindings": {}}
            found = requests.post(f"{url}/_local/conversation", json=body, auth=auth, timeout=TIMEOUT)
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT) == 0
        assert settings["index_gap"] == 4
        assert found.json()["state"] == "active"


def test_serve_with_a_wrong_seed(tmp_path: Path) -> None:
    """What is wrong with the file is said, and nothing is served."""
    seed = tmp_path / "seed.json"
    seed.write_text('{"conversation": []}', "utf-8")
    command = [sys.executable, "-m", "twilio_conversations.cli", "serve", "--port", "0", "--data", str(tmp_path / "data")]
    result = subprocess.run([*command, "--seed", str(seed)], capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 1
    assert "unknown in a seed: conversation" in result.stderr
