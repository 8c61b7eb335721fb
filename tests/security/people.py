"""The callers of the matrix, the conversation whose access is tested, and requests over plain HTTP and through the tunnel."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import attrs
import requests

from tests.security.matrix import PEOPLE
from tests.server.peer import TIMEOUT, Peer
from twilio_conversations.server import InboundMedia, LocalServer
from twilio_conversations.wire.packets import Notification

HTTP, TUNNEL = "http", "tunnel"
DOORS = (HTTP, TUNNEL)
SECRET = "hush"
"""Value of every field of the conversation that only participants may see."""
ADDRESS = "+15550100"
"""Telephone number of a non-chat participant; the same text is the identity of `phone`."""
LOST = f"CH{0:032x}"
_DATABASE = "conversations.sqlite3"
_numbers = itertools.count(1)


@attrs.frozen
class Reply:
    """A reply: its status, Twilio's error code, and its text and body."""

    status: int
    code: int | None
    text: str
    body: Any


def identity(who: str) -> str:
    """Return the identity of a caller."""
    return ADDRESS if who == "phone" else who


class People:
    """A service with all callers connected, and a conversation, whose objects are in `things`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server = LocalServer(directory)
        self.http = requests.Session()
        self.things: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.peers: dict[str, Peer] = {}
        self._everywhere: dict[str, str] = {}
        self._version: int | None = None
        self._kept: dict[str, list[Any]] = {}

    def __enter__(self) -> People:
        with ExitStack() as stack:
            stack.enter_context(self.server)
            stack.callback(self.http.close)
            self._database = stack.enter_context(closing(sqlite3.connect(self.directory / _DATABASE)))
            self._gather(stack)
            self._end = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    def _gather(self, stack: ExitStack) -> None:
        self.tokens = {who: self.server.token(identity(who)) for who in PEOPLE}
        self.server.seed(
            {
                "roles": [{"friendly_name": "nothing", "permissions": []}],
                "users": [{"identity": "boss", "role": "service admin"}],
                "conversations": [{"unique_name": "elsewhere", "created_by": "keeper", "participants": [{"identity": "other"}]}],
            }
        )
        for who in PEOPLE:
            self.peers[who] = stack.enter_context(Peer.connected(self.server, identity(who)))
        configuration = self.peers["member"].configuration
        elsewhere = self.peers["other"].get(configuration["links"]["conversations"] + "/elsewhere").body
        self._everywhere = {who: identity(who) for who in PEOPLE}
        self._everywhere |= {"service": elsewhere["chat_service_sid"], "account": elsewhere["account_sid"]}
        self._everywhere |= {"elsewhere": elsewhere["sid"], "lost": LOST}
        self._everywhere["user"] = configuration["sync_objects"]["my_user_info"].partition(".")[0]
        self.things = self._with_media(self.room(with_former=True))

    # -- the room ----------------------------------------------------------------------------------------------------------

    def room(self, *, with_former: bool = False) -> dict[str, str]:
        """Create a conversation of `owner`'s, and return its objects by name."""
        number = next(_numbers)
        people = [("admin", "channel admin"), ("member", "channel user"), ("bare", "nothing")]
        people += [("former", "channel user")] if with_former else []
        outside = {"address": ADDRESS, "proxy_address": f"+1555{number:05}"}
        made = self.server.seed(
            {
                "conversations": [
                    {
                        "unique_name": f"room-{number}",
                        "friendly_name": SECRET,
                        "attributes": {"secret": SECRET},
                        "created_by": "owner",
                        "participants": [
                            *({"identity": who, "role": role, "attributes": {"x": SECRET}} for who, role in people),
                            {"messaging_binding": outside},
                        ],
                        "messages": [
                            {"author": "member", "body": f"{SECRET} of member", "attributes": {"x": SECRET}},
                            {"author": "bare", "body": f"{SECRET} of bare"},
                            {"author": ADDRESS, "body": SECRET, "channel_metadata": {"type": "sms", "data": {"x": SECRET}}},
                        ],
                    }
                ]
            }
        )["conversations"][0]
        things = {"room": made["sid"], "name": made["unique_name"], "proxy": outside["proxy_address"]}
        seats = [*(who for who, _ in people), "phone"]
        things |= {f"as_{who}": sid for who, sid in zip(seats, made["participants"], strict=True)}
        things |= {f"of_{who}": sid for who, sid in zip(("member", "bare", "phone"), made["messages"], strict=True)}
        return self._everywhere | things

    def _with_media(self, things: dict[str, str]) -> dict[str, str]:
        """Add media and a push registration of `member`'s, and remove `former`, who had sent a picture."""
        things["unsent"] = self.upload("member", things)
        room = self.peers["member"].link("conversations") + "/" + things["room"]
        for who in ("member", "former"):
            things["sent" if who == "member" else f"by_{who}"] = sid = self.upload(who, things)
            assert self.peers[who].post(f"{room}/Messages", {"media_sids": [sid]}).status == 201
        picture = InboundMedia(SECRET.encode(), "text/plain", f"{SECRET}.txt")
        received = self.server.receive(ADDRESS, things["proxy"], media=[picture])
        things["by_phone"] = received["media"][0]["sid"]
        self._register(things)
        assert self.peers["admin"].delete(f"{room}/Participants/former").status == 204
        return things

    def another_room(self, what: tuple[str, ...] = ()) -> dict[str, str]:
        """Create a conversation for a request that changes it; if needed, with a registration and an attachment of `member`'s."""
        things = self.room()
        if "registration" in "".join(what):
            self._register(things)
        if "media" in what:
            things["unsent"] = self.upload("member", things)
        return things

    def _register(self, things: dict[str, str]) -> None:
        things["device"] = f"{SECRET}-{next(_numbers)}"
        device = {"channel_type": "fcm", "message_types": [], "data": {"registration_id": things["device"]}}
        things["registration"] = self.peers["member"].post("/v1/registrations", device).body["id"]

    def upload(self, who: str, things: dict[str, str]) -> str:
        """Upload an attachment; return its sid."""
        answer = self.ask(HTTP, who, "POST", f"/v1/Services/{things['service']}/Media", SECRET.encode())
        return str(answer.body["sid"])

    # -- asking ------------------------------------------------------------------------------------------------------------

    def ask(self, door: str, who: str, method: str, path: str, body: Any = None) -> Reply:
        """Send a request, with a body of JSON, bytes, or form text."""
        if door == HTTP:
            return self.ask_with({"X-Twilio-Token": self.tokens[who]}, method, path, body)
        form = body if isinstance(body, str) else None
        answer = self.peers[who].request(method, path, None if form else body, form=form)
        return Reply(answer.status, answer.code, json.dumps(answer.body), answer.body)

    def ask_with(self, headers: dict[str, str], method: str, path: str, body: Any = None) -> Reply:
        """Send a request over HTTP with these headers."""
        data = body if isinstance(body, bytes | str) else None if body is None else json.dumps(body)
        kinds: dict[type, str] = {str: "application/x-www-form-urlencoded", bytes: "text/plain"}
        headers = {**headers, "Content-Type": kinds.get(type(body), "application/json")}
        answer = self.http.request(method, self.server.url + path, data=data, headers=headers, timeout=TIMEOUT)
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        said = answer.json() if is_json and answer.content else None
        code = said.get("code") if isinstance(said, dict) else None
        return Reply(answer.status_code, code, answer.text + str(answer.headers), said)

    # -- Sync --------------------------------------------------------------------------------------------------------------

    def root(self, who: str, collection: str, name: str, things: dict[str, str] | None = None) -> dict[str, Any]:
        """Return the root of a Sync object, by its name in the tables."""
        return self.peers[who].open(self.kind(collection), name.format_map(things or self.things))

    def items(self, who: str, collection: str, name: str) -> list[dict[str, Any]]:
        """Return the items of a Sync object; none for a document."""
        root = self.root(who, collection, name)
        return list(self.peers[who].page(root)["items"]) if "links" in root else []

    def follow(self, who: str, collection: str, name: str) -> None:
        """Subscribe to a Sync object."""
        self.peers[who].follow(self.kind(collection), name.format_map(self.things))

    @staticmethod
    def kind(collection: str) -> str:
        """Return the kind of object that is in a collection."""
        return collection.lower().removesuffix("s")

    def change_all(self, things: dict[str, str]) -> None:
        """Change every Sync object of a conversation and of `member`'s."""
        admin, member = self.peers["admin"], self.peers["member"]
        room = admin.link("conversations") + "/" + things["room"]
        admin.say(room, "news")
        assert member.post(f"{room}/Participants/{things['as_member']}", {"attributes": "{}"}).status == 200
        assert member.post(f"{member.link('my_conversations')}/{things['room']}", {"last_read_message_index": 0}).status == 200
        assert member.post(member.link("current_user"), {"friendly_name": "Renamed"}).status == 200

    # -- looking -----------------------------------------------------------------------------------------------------------

    def kept(self) -> dict[str, list[Any]]:
        """Return the content of the database, table by table; read again only when SQLite reports a change."""
        (version,) = self._database.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            names = [name for (name,) in self._database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            self._kept = {name: list(self._database.execute(f'SELECT * FROM "{name}"')) for name in names}
            self._version = version
        return self._kept

    def objects(self) -> list[tuple[str, str]]:
        """Return names and kinds of all Sync objects."""
        return list(self._database.execute("SELECT unique_name, kind FROM sync_entities"))

    def notifications(self) -> dict[str, list[Notification]]:
        """Return the notifications of every caller since the last call."""
        return {who: found for who, peer in self.peers.items() if (found := peer.barrier())}

    def secrets(self) -> Iterator[str]:
        """Yield the values that a refusal must not contain, unless the request itself named them."""
        yield SECRET
        yield from (value for name, value in self.things.items() if name not in {"service", "account", *PEOPLE})
