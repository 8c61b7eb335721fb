"""A service under attack: its routes, requests over plain HTTP and through the tunnel, and the checks afterwards."""

from __future__ import annotations

import http.client
import json
import logging
import sqlite3
import time
from pathlib import Path
from typing import Any

import requests

from tests.security.hostile import Attack, Template
from tests.server.peer import TIMEOUT, Peer, new_id
from twilio_conversations.server import LocalServer
from twilio_conversations.server.storage.database import DATABASE_FILE
from twilio_conversations.util import logs
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import Close, Reply, RestCall

SERVICE = "/Client/v2/Services/{service}"
ROOM, USER, MEDIA = f"{SERVICE}/Conversations/{{room}}", f"{SERVICE}/Users/{{user}}", "/v1/Services/{service}/Media"
_BINDING = {"address": "a@example.com", "proxy_address": "b@example.com", "name": "n", "level": "to"}
_MESSAGE = {"body": "b", "author": "a", "attributes": "{}", "subject": "s", "media_sids": ["ME" + "0" * 32]}
_CONTENT = {"content_sid": "HX" + "0" * 32, "content_variables": '{"a":"b"}'}
_PAGE = {"PageSize": "2", "PageToken": "-"}
_ITEMS = {**_PAGE, "Order": "asc", "From": "0", "Bounds": "inclusive", "Index": "0", "Key": "k"}
_SUBSCRIPTION = {"object_sid": "MP" + "0" * 32, "object_type": "map", "last_event_id": 0}

TEMPLATES = (
    Template("GET", "/Client/v2/Configuration"),
    Template("GET", "/Client/v2/ContentTemplates", query=_PAGE),
    Template("POST", "/v1/Instances/{service}/Typing", {"ChannelSid": "CH"}),
    Template("GET", f"{USER}/Conversations", query=_PAGE),
    Template("GET", f"{USER}/Conversations/{{room}}"),
    Template("POST", f"{USER}/Conversations/{{room}}", {"last_read_message_index": 0, "notification_level": "muted"}),
    Template("GET", USER),
    Template("POST", USER, {"friendly_name": "f", "attributes": "{}"}),
    Template("GET", ROOM),
    Template("POST", f"{SERVICE}/Conversations", {"friendly_name": "f", "unique_name": "u", "attributes": "{}"}),
    Template("POST", ROOM, {"friendly_name": "f", "unique_name": "u", "attributes": "{}"}),
    Template("DELETE", ROOM),
    Template("GET", f"{ROOM}/MessageRecipients", query={**_PAGE, "MessageSid": "IM"}),
    Template("POST", f"{ROOM}/Participants", {"identity": "somebody", "attributes": "{}"}),
    Template("POST", f"{ROOM}/Participants", {"messaging_binding": _BINDING, "attributes": "{}"}),
    Template("GET", f"{ROOM}/Participants/{{participant}}"),
    Template("POST", f"{ROOM}/Participants/{{participant}}", {"attributes": "{}", "role_sid": "RL"}),
    Template("DELETE", f"{ROOM}/Participants/{{participant}}"),
    Template("POST", f"{ROOM}/Messages", _MESSAGE),
    Template("POST", f"{ROOM}/Messages", {**_MESSAGE, **_CONTENT}),
    Template("GET", f"{ROOM}/Messages/{{message}}"),
    Template("POST", f"{ROOM}/Messages/{{message}}", {"body": "b", "attributes": "{}"}),
    Template("DELETE", f"{ROOM}/Messages/{{message}}"),
    Template("GET", f"{ROOM}/Messages/{{message}}/Receipts", query=_PAGE),
    Template("GET", f"{ROOM}/Messages/{{message}}/ChannelMetadata"),
    Template("GET", "/v1/registrations"),
    Template("GET", "/v1/registrations/{registration}"),
    Template(
        "POST",
        "/v1/registrations",
        {"channel_type": "fcm", "version": "3", "message_types": ["a"], "data": {"registration_id": "r"}},
        {"productId": "ip_messaging"},
    ),
    Template("DELETE", "/v1/registrations", {"binding_type": "fcm", "address": "r"}),
    Template("DELETE", "/v1/registrations/{registration}"),
    *(Template("GET", f"/v3/{kind}/{{object}}", query={"Include": "items"}) for kind in ("Documents", "Lists", "Maps")),
    *(Template("GET", f"/v3/{kind}/{{object}}/Items", query=_ITEMS) for kind in ("Lists", "Maps")),
    Template("GET", "/v3/Lists/{object}/Items/{index}"),
    Template("GET", "/v3/Maps/{object}/Items/{room}"),
    Template("GET", "/v3/Lists/{object}/Context"),
    Template(
        "POST",
        "/v4/Subscriptions",
        {"event_protocol_version": 4, "action": "establish", "correlation_id": 1, "requests": [_SUBSCRIPTION]},
    ),
    Template("POST", MEDIA, {"not": "json"}, {"Category": "media", "Filename": "f.txt"}),
    Template("POST", f"{MEDIA}Set", {"command": "get", "list": [{"media_sid": "ME" + "0" * 32}]}),
    Template("GET", f"{MEDIA}/{{medium}}"),
    Template("GET", f"{MEDIA}/{{medium}}/Content"),
    Template("GET", "/media/{medium}", query={"Expires": "1", "Signature": "s"}),
    Template("GET", "/_local/health"),
    Template("POST", "/_local/reset"),
    Template("GET", "/_local/traffic"),
)
"""Every route that a client can reach, and the control plane, to which it has no key."""


class Traces(logging.Handler):
    """Collector of errors and tracebacks that are logged."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.found.append(logging.Formatter().format(record))

    def all(self) -> list[str]:
        """Return what was collected, once the log is flushed."""
        assert logs.flush(30)
        return self.found


class Target:
    """A service with a victim, whose room mallory is not in, and mallory, who attacks."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server = LocalServer(directory)
        self.traces = Traces()

    def __enter__(self) -> Target:
        self.server.start()
        logging.getLogger().addHandler(self.traces)
        self.token = self.server.token("mallory")
        self.mallory: Peer | None = None
        with Peer.connected(self.server, "victim") as victim:
            self.room = victim.room("friend", unique_name="theirs", attributes='{"keep":"me"}')
            self.messages = [victim.say(self.room, text) for text in ("one", "two")]
            self.objects = tuple(victim.configuration["sync_objects"].values())
        self.service_sid = self.room.split("/")[6]
        self.renew()
        self.before = self.kept()
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self.traces)
        self.hang_up()
        self.server.stop()

    def hang_up(self) -> None:
        """End mallory's connection; the next frame opens another."""
        if self.mallory is not None:
            self.mallory.close()
            self.mallory = None

    def renew(self) -> None:
        """Create what mallory attacks. Objects of mallory's come first and most often, then those of the victim."""
        with Peer.connected(self.server, "mallory") as mallory:
            room = mallory.room("accomplice")
            url, headers = mallory.link("media_service"), {"X-Twilio-Token": self.token}
            medium = requests.post(url, data=b"x" * 100, headers=headers, timeout=TIMEOUT).json()
            message = mallory.say(room, media_sids=[medium["sid"]])
            registration = {"channel_type": "fcm", "message_types": ["a"], "data": {"registration_id": "r"}}
            registered = mallory.post("/v1/registrations", registration).body["id"]
            own_objects = tuple(mallory.configuration["sync_objects"].values())
        theirs, mine = self.room.rsplit("/", 1)[1], room.rsplit("/", 1)[1]
        objects = tuple(f"{sid}.{kind}" for sid in (mine, theirs) for kind in ("channel", "messages", "roster"))
        self.names = {
            "service": (self.service_sid, self.service_sid, self.service_sid, "IS" + "0" * 32),
            "room": (mine, mine, mine, theirs, "theirs", "CH" + "0" * 32),
            "user": ("mallory", "mallory", "victim", "nobody"),
            "message": (message["sid"], message["sid"], self.messages[0]["sid"]),
            "participant": (message["participant_sid"], "mallory", "accomplice", "victim"),
            "registration": (registered, "0" * 32),
            "object": objects + own_objects + self.objects,
            "index": ("0", "1", "-1"),
            "medium": (medium["sid"], "ME" + "0" * 32),
        }

    # -- doors -------------------------------------------------------------------------------------------------------------

    def over_http(self, attack: Attack) -> tuple[int, bytes, str]:
        """Send it as plain HTTP with mallory's token: status, body and content type."""
        address = self.server.url.removeprefix("http://")
        line = http.client.HTTPConnection(address, timeout=TIMEOUT)
        try:
            target = attack.path + (f"?{attack.query}" if attack.query else "")
            line.request(attack.method, target, attack.body, {**attack.headers, "X-Twilio-Token": self.token})
            answer = line.getresponse()
            return answer.status, answer.read(), answer.headers.get("Content-Type", "")
        finally:
            line.close()

    def through_the_tunnel(self, attack: Attack) -> tuple[int, bytes, str]:
        """Send it in a frame of mallory's connection, which has to stay."""
        params = tuple((name, value) for name, _, value in (pair.partition("=") for pair in attack.query.split("&") if pair))
        packet = RestCall(new_id(), HttpRequest(attack.method, "h", attack.path, params, attack.headers, attack.body))
        if self.mallory is None:
            self.mallory = Peer.connected(self.server, "mallory")
        self.mallory.send(packet)
        reply = self.mallory.expect(lambda found: isinstance(found, Close) or getattr(found, "id", None) == packet.id)
        assert isinstance(reply, Reply), reply
        assert reply.status.ok, reply.status
        assert reply.http_status is not None
        self.mallory.inbox.clear()
        return reply.http_status.code, reply.body, "application/json"

    # -- what has to hold --------------------------------------------------------------------------------------------------

    def check(self, attack: Attack, door: str) -> int:
        """Send it by a door; check that the answer is in time, no failure of the service, and that errors have Twilio's form.

        (That a part of a file cannot be had is said by HTTP itself.)
        """
        began = time.monotonic()
        send = self.over_http if door == "http" else self.through_the_tunnel
        status, body, content_type = send(attack)
        assert time.monotonic() - began < TIMEOUT
        assert status < 500, (status, body)
        if status >= 400 and not ("Range" in attack.headers and content_type.startswith("text/plain")):
            assert content_type.startswith("application/json"), (status, body, content_type)
            error = json.loads(body)
            assert error["status"] == status
            assert type(error["code"]) is int
            assert error["message"]
            assert error["more_info"].endswith(f"/{error['code']}")
            assert self.token.encode() not in body
        if attack.method == "DELETE" and status == 204:
            self.renew()
        assert self.traces.all() == []
        return status

    def kept(self) -> dict[str, Any]:
        """Return everything of the victim's, as the service returns it."""
        sid = self.room.rsplit("/", 1)[1]
        with Peer.connected(self.server, "victim") as victim:
            return {
                "room": victim.get(self.room).body,
                "user": victim.get(f"{victim.link('users')}/victim").body,
                "messages": victim.items("list", f"{sid}.messages"),
                "roster": victim.items("map", f"{sid}.roster"),
            }

    def verify(self) -> None:
        """Check that nothing of the victim's has changed, and that the service and the database are healthy."""
        assert self.kept() == self.before
        assert requests.get(f"{self.server.url}/_local/health", timeout=TIMEOUT).json()["status"] == "ok"
        database = sqlite3.connect(self.directory / DATABASE_FILE)
        try:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        finally:
            database.close()
        assert self.traces.all() == []
