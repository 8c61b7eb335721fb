"""The service of a driven client: Sync in memory, conversations in it, and REST answers that a test gives."""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from tests.sync.model_service import Answer, Pending, Service
from twilio_conversations.models.conversation import Conversation
from twilio_conversations.models.message import Message
from twilio_conversations.util.flows import Future

BASE = "http://sync.test"
MINE = f"{BASE}/v1/Users/alice/Conversations"
ROOMS = f"{BASE}/v1/Conversations"
CONFIGURATION = {
    "identity": "alice",
    "links": {
        "my_conversations": MINE,
        "conversations": ROOMS,
        "users": f"{BASE}/v1/Users",
        "typing": f"{BASE}/v1/typing",
        "messages_receipts": f"{BASE}/v1/receipts",
        "media_service": f"{BASE}/v1/Media",
    },
    "sync_objects": {"my_conversations": "alice.conversations", "my_user_info": "alice.info"},
}


def date(second: int) -> str:
    """A moment on the wire."""
    return f"2026-01-01T00:00:{second:02d}.000Z"


class Backend(Service):
    """Sync as `Service` has it, and REST answers that a test gives."""

    def __init__(self) -> None:
        super().__init__()
        self.rest: list[Pending] = []
        """Every request that is not Sync's, in order."""
        self.answers: dict[tuple[str, str], collections.deque[Any]] = {}
        self._meanwhile: list[tuple[str, str, Callable[[], object]]] = []
        self.first_items = 50
        """How many items come with a map itself."""
        self.held: set[str] = set()
        """Requests whose ``METHOD path?query`` contains one of these wait."""

    def request(self, method: str, url: str, **facts: Any) -> Future[Answer]:
        """As `Service` has it, but what is remembered of a request keeps nothing alive that came of it."""
        future = super().request(method, url, **facts)
        self.history[-1] = attrs.evolve(self.history[-1], future=Future())
        return future

    def answer(self, method: str, path: str, *answers: Any, status: int = 200) -> None:
        """Answer the next requests of that method and path with these bodies (or `Answer`s); the last one again and again."""
        path = path.removeprefix(BASE)
        self.answers[method, path] = collections.deque(one if isinstance(one, Answer) else Answer(status, one) for one in answers)

    def meanwhile(self, method: str, path: str, action: Callable[[], object]) -> None:
        """Do something once, after the service has carried out such a request and before its answer comes."""
        self._meanwhile.append((method, path.removeprefix(BASE), action))

    def happening(self, pending: Pending) -> Callable[[], object] | None:
        """What is to be done before the answer to a request comes."""
        for entry in self._meanwhile:
            if (pending.method, pending.path) == entry[:2]:
                self._meanwhile.remove(entry)
                return entry[2]
        return None

    def is_held(self, pending: Pending) -> bool:
        """Whether the test holds a request."""
        query = "&".join(f"{name}={value}" for name, value in pending.query.items())
        return any(part in f"{pending.method} {pending.path}?{query}" for part in self.held)

    def _read(self, pending: Pending) -> Answer:
        answers = self.answers.get((pending.method, pending.path))
        if answers is None and pending.path.startswith("/v3/"):
            found = super()._read(pending)
            if pending.query.get("Include") == "items" and found.code == 200:
                found.body["items"] = found.body["items"][: self.first_items]
            return found
        if answers is None:
            return Answer(404, {"code": 50350, "message": f"nobody answers {pending.method} {pending.path}"})
        answer: Answer = answers.popleft() if len(answers) > 1 else answers[0]
        return answer


class Room:
    """One conversation as the service has it."""

    def __init__(self, backend: Backend, sid: str, document: Mapping[str, Any], names: tuple[str, str, str]) -> None:
        self.backend = backend
        self.sid = sid
        self.names = names
        self.document = backend.create("document", names[0], dict(document))
        self.messages = backend.create("list", names[1])
        self.roster = backend.create("map", names[2])

    @property
    def url(self) -> str:
        return f"{ROOMS}/{self.sid}"

    def set(self, **changes: Any) -> None:
        """Change the document."""
        self.backend.set(self.document, {**self.document.data, **changes})

    def post(self, body: str, author: str | None = "bob", **fields: Any) -> int:
        """Add a message; its index."""
        number = self.messages.next_index
        data = {"sid": f"IM{number}", "author": author, "text": body, "timestamp": date(number % 60), **fields}
        index: int = self.backend.add(self.messages, data)
        return index

    def edit(self, index: int, **changes: Any) -> None:
        """Change a message."""
        self.backend.update(self.messages, index, {**self.messages.items[index]["data"], **changes})

    def unpost(self, index: int) -> None:
        """Remove a message."""
        self.backend.remove(self.messages, index)

    def add(self, sid: str, identity: str | None, **fields: Any) -> None:
        """Add a participant."""
        self.backend.add(self.roster, {"identity": identity, "type": "chat", **fields}, sid)

    def alter(self, sid: str, **changes: Any) -> None:
        """Change a participant."""
        self.backend.update(self.roster, sid, {**self.roster.items[sid]["data"], **changes})

    def drop(self, sid: str) -> None:
        """Remove a participant."""
        self.backend.remove(self.roster, sid)


# -- what tests of several files need ------------------------------------------------------------------------------------

OWN = ["alice.conversations", "alice.info"]


def of(room: Room) -> list[str]:
    """The Sync objects of a conversation."""
    return sorted(room.names)


def trouble(status: int = 500) -> Answer:
    """An answer that says no."""
    return Answer(status, {"status": status, "code": 54000, "message": "no"})


def indexes(messages: list[Message]) -> list[int]:
    """Which messages these are."""
    return [message.index for message in messages]


def sids(conversation: Conversation) -> list[str]:
    """The participants that the program is given."""
    return [one.sid for one in conversation.get_participants()]


def page(entries: list[Any], token: Any = None) -> Answer:
    """A page of the listing."""
    return Answer(200, {"conversations": entries, "meta": {"next_token": token}})
