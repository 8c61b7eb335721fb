"""The official JavaScript SDK, steered from Python: see driver.js for the other half and the line protocol."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from tests.support.patience import PATIENCE

HERE = Path(__file__).parent
WAIT = PATIENCE
"""How long one wait may last, in seconds; what is waited for normally takes milliseconds."""


class OfficialError(Exception):
    """The SDK's promise was rejected; `status` and `code` as the SDK's error has them."""

    def __init__(self, message: str, status: int | None, code: int | None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@attrs.frozen
class Seen:
    """One event as the application saw it: its place in this client's history, its name and a picture of its argument."""

    position: int
    name: str
    data: Any


class History:
    """What a client's application has seen, in order; to be asked from a test, filled from another thread."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self._events: list[Seen] = []
        self._changed = threading.Condition()
        self._listeners: list[Callable[[str, Any], None]] = []

    def listen(self, listener: Callable[[str, Any], None]) -> None:
        """Call `listener` with name and data of each event from now on too."""
        self._listeners.append(listener)

    def mark(self) -> int:
        """Return the present end of the history, for `since`."""
        with self._changed:
            return len(self._events)

    def events(self, name: str | None = None, *, since: int = 0) -> list[Seen]:
        """Return the events of one name, or all, from a mark on."""
        with self._changed:
            return [seen for seen in self._events[since:] if name in (None, seen.name)]

    def wait_event(
        self,
        name: str,
        predicate: Callable[[Any], bool] = lambda data: True,
        *,
        since: int = 0,
        timeout: float = WAIT,
    ) -> Any:
        """Return the data of the first matching event at or after a mark, waiting for it if need be."""
        matches: list[Any] = []

        def found() -> bool:
            matches[:] = [seen.data for seen in self._events[since:] if seen.name == name and predicate(seen.data)]
            return bool(matches)

        with self._changed:
            if not self._changed.wait_for(found, timeout):
                history = [(seen.name, seen.data) for seen in self._events[since:]]
                raise AssertionError(f"{self.identity}: no {name} within {timeout} s; saw {history}")
        return matches[0]

    def receive(self, name: str, data: Any) -> None:
        """Record an event; called by whoever hears it."""
        with self._changed:
            self._events.append(Seen(len(self._events), name, data))
            self._changed.notify_all()
        for listener in self._listeners:
            listener(name, data)


@attrs.frozen
class Problem:
    """A promise of the SDK's that was rejected with nobody listening: by which client, and with what."""

    client: str | None
    error: Any


@attrs.define(eq=False)
class Target:
    """Something of an official client that can be looked at and called: a conversation, a message, ..."""

    client: Official
    address: dict[str, Any]

    def call(self, method: str, *args: Any, timeout: float = WAIT) -> Any:
        """Call a method of the SDK and return a picture of what its promise resolves to."""
        return self.client.ask("call", timeout=timeout, on=self.address, method=method, args=args)

    def chain(self, *calls: Sequence[Any], timeout: float = WAIT) -> Any:
        """Call methods, given as (name, arguments...), each on the result of the one before; a picture of the last result."""
        return self.client.ask("chain", timeout=timeout, on=self.address, calls=calls)

    def look(self) -> Any:
        """Return the fields that an application can read."""
        return self.client.ask("look", on=self.address)


class Official(History):
    """One client of the official SDK. `call` is for methods of the client itself."""

    def __init__(self, driver: Driver, name: str, identity: str) -> None:
        super().__init__(identity)
        self._driver = driver
        self._name = name

    def ask(self, command: str, *, timeout: float = WAIT, **parameters: Any) -> Any:
        """Send one request to the driver and wait for its answer."""
        return self._driver.ask(self._name, command, timeout=timeout, **parameters)

    def call(self, method: str, *args: Any, timeout: float = WAIT) -> Any:
        """Call a method of the client."""
        return Target(self, {}).call(method, *args, timeout=timeout)

    def conversation(self, sid: str) -> Target:
        """Return the handle of a conversation."""
        return Target(self, {"conversation": sid})

    def message(self, sid: str, index: int) -> Target:
        """Return the handle of a message of a conversation."""
        return Target(self, {"conversation": sid, "message": index})

    def media(self, sid: str, index: int, number: int = 0) -> Target:
        """Return the handle of a message's attachment."""
        return Target(self, {"conversation": sid, "message": index, "media": number})

    def participant(self, sid: str, identity: str) -> Target:
        """Return the handle of a participant of a conversation."""
        return Target(self, {"conversation": sid, "participant": identity})

    def user(self, identity: str) -> Target:
        """Return the handle of a user."""
        return Target(self, {"user": identity})

    def page(self, number: int) -> Target:
        """Return the handle of a page that a call returned."""
        return Target(self, {"page": number})

    def cut(self) -> None:
        """Break the connection without a word; the SDK will come back by itself."""
        self.ask("cut")

    def set_offline(self, value: bool) -> None:
        """Break the connection and refuse new ones, or allow them again."""
        self.ask("setOffline", value=value)

    def state(self) -> dict[str, Any]:
        """Return the connection state, the number of sockets opened so far and the SDK's version."""
        state: dict[str, Any] = self.ask("state")
        return state


class Driver:
    """One Node process with one version of the SDK, serving any number of clients."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.problems: list[Problem] = []
        self._names = itertools.count(1)
        self._ids = itertools.count(1)
        self._clients: dict[str, Official] = {}
        self._answers: dict[int, dict[str, Any]] = {}
        self._writing = threading.Lock()
        self._changed = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            ["node", str(HERE / "driver.js"), package],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read, name=f"driver-{package}", daemon=True)
        self._reader.start()

    def connect(self, identity: str, token: str, url: str, options: dict[str, Any] | None = None) -> Official:
        """Make a client and wait until it is initialized."""
        official = self.start(identity, token, url, options)
        official.wait_event("initialized")
        return official

    def start(self, identity: str, token: str, url: str, options: dict[str, Any] | None = None) -> Official:
        """Make a client without waiting for it."""
        name = f"{identity}#{next(self._names)}"
        official = Official(self, name, identity)
        with self._changed:
            self._clients[name] = official
        self.ask(name, "start", token=token, url=url, options=options or {})
        return official

    def problems_of(self, officials: Sequence[Official]) -> list[Problem]:
        """The problems of these clients, and those that are nobody's. A client that was shut down with a request in flight
        says so half a minute later; that is no problem of whoever runs then."""
        names = {None, *(official._name for official in officials)}
        return [problem for problem in self.problems if problem.client in names]

    def shutdown(self, officials: Sequence[Official]) -> None:
        """Shut clients down and forget them."""
        for official in officials:
            name = official._name
            try:
                self.ask(name, "shutdown", timeout=5.0)
            except (AssertionError, OfficialError):
                pass  # a client that never started refuses to stop; the process is going to end anyway
            self.ask(name, "forget")

    def ask(self, client: str, command: str, *, timeout: float = WAIT, **parameters: Any) -> Any:
        """Send a request and wait for the answer; raises OfficialError if the promise was rejected."""
        number = next(self._ids)
        line = json.dumps({"id": number, "client": client, "do": command, **parameters})
        with self._writing:
            assert self._process.stdin is not None
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        with self._changed:
            self._changed.wait_for(lambda: number in self._answers or self._ended, timeout)
            answer = self._answers.pop(number, None)
            fate = "Node ended" if self._ended else f"no answer within {timeout} s"
        if answer is None:
            raise AssertionError(f"{client}: {command} {parameters.get('method', '')}: {fate}")  # arguments may be tokens
        if "error" in answer:
            raise OfficialError(**answer["error"])
        return answer["result"]

    def close(self) -> None:
        """End the process: politely by the end of its input, by force after three seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(3.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(3.0)
        self._reader.join(3.0)
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._take(json.loads(line))
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        with self._changed:
            if "id" in message:
                self._answers[message["id"]] = message
                self._changed.notify_all()
                return
            official = self._clients.get(message["client"])
        if message["event"] == "unhandledRejection":
            self.problems.append(Problem(message["client"], message["data"]))
        elif official is not None:
            official.receive(message["event"], message["data"])


def binary(data: bytes) -> dict[str, str]:
    """Return bytes as the driver takes them in arguments: they arrive as a Buffer."""
    return {"$bytes": base64.b64encode(data).decode()}


def eventually(condition: Callable[[], Any], what: str, timeout: float = WAIT) -> Any:
    """Return the first true result of a condition that no event announces, looking every 20 ms."""
    end = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < end, f"not within {timeout} s: {what}"
        time.sleep(0.02)
    return result
