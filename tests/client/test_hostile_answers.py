"""Numbers, texts and nesting without bounds in anything that the service says: a value or a `ConversationsError`, and the client
goes on; no event is lost for one odd field."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.hostile_answers import RAW, Spoiler, spoiled_service
from tests.support.patience import PATIENCE
from twilio_conversations import (
    Client,
    ConnectionState,
    ConversationsError,
    Media,
    Participant,
)
from twilio_conversations.models.base import Model
from twilio_conversations.server import LocalServer

TIMEOUT = PATIENCE
QUICK = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
raws = st.sampled_from(sorted(RAW))
places = st.integers(0, 199)


class Errors(logging.Handler):
    """Keeps what is logged as an error: an exception that no call could report."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, with its traceback."""
        self.seen.append(logging.Formatter().format(record))


class Scene:
    """Two people in a conversation with a message that has a medium, and a spoiler between them and the service."""

    def __init__(self, alice: Client, bob: Client, spoiler: Spoiler, errors: Errors) -> None:
        self.alice, self.bob, self.spoiler, self.errors = alice, bob, spoiler, errors
        self.room = alice.create_conversation(unique_name="room").join()
        self.room.add("bob")
        self.message = self.room.send_message("first", media=("a.txt", b"content", "text/plain"))
        self.bobs = bob.get_conversation_by_sid(self.room.sid)

    @property
    def media(self) -> Media:
        """The medium of the first message."""
        return self.message.attached_media[0]

    @property
    def her(self) -> Participant:
        """Alice in the conversation."""
        return self.room.get_participant_by_identity("alice")


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """One service and two clients for all examples: they have to live through them."""
    errors = Errors()
    logging.getLogger("twilio_conversations").addHandler(errors)
    with (
        pytest.MonkeyPatch.context() as patch,
        LocalServer() as server,
        Client(server.token("alice"), endpoint=server.url) as alice,
        Client(server.token("bob"), endpoint=server.url) as bob,
    ):
        bob.wait_until_ready(TIMEOUT)
        yield Scene(alice, bob, spoiled_service(patch), errors)
    logging.getLogger("twilio_conversations").removeHandler(errors)


def look(value: Any) -> None:
    """Look at everything that a value shows."""
    repr(value)
    if isinstance(value, Model | Media):
        for name in dir(type(value)):
            if isinstance(getattr(type(value), name), property) and not name.startswith("_"):
                getattr(value, name)
        json.dumps(value.to_dict())
    elif hasattr(value, "items") and isinstance(value.items, list):
        for item in value.items:
            look(item)
    elif isinstance(value, list | tuple):
        for item in value:
            look(item)


names = (f"n{number}" for number in itertools.count())
CALLS: dict[str, Callable[[Scene], Any]] = {
    "create": lambda s: s.alice.create_conversation(timeout=3),
    "peek": lambda s: s.alice.peek_conversation_by_sid(s.room.sid, timeout=3),
    "by name": lambda s: s.alice.get_conversation_by_unique_name("room", timeout=3),
    "user": lambda s: s.alice.get_user("bob", timeout=3),
    "send": lambda s: s.room.send_message("x", timeout=3),
    "pages": lambda s: s.room.get_messages(5, timeout=3),
    "count": lambda s: s.room.get_messages_count(timeout=3),
    "people": lambda s: s.room.get_participants_count(timeout=3),
    "unread": lambda s: s.room.get_unread_messages_count(timeout=3),
    "recipients": lambda s: s.room.get_message_recipients(timeout=3),
    "read": lambda s: s.room.update_last_read_message_index(0, timeout=3),
    "advance": lambda s: s.room.advance_last_read_message_index(1, timeout=3),
    "typing": lambda s: s.room.typing(timeout=3),
    "rename": lambda s: s.room.update_friendly_name("x", timeout=3),
    "attributes": lambda s: s.room.update_attributes({"a": 1}, timeout=3),
    "level": lambda s: s.room.set_user_notification_level("muted", timeout=3),
    "add": lambda s: s.room.add(next(names), timeout=3),
    "sms": lambda s: s.room.add_non_chat_participant("+15550100", f"+1555{next(names)[1:]:0>4}", timeout=3),
    "edit": lambda s: s.message.update_body("x", timeout=3),
    "receipts": lambda s: s.message.get_detailed_delivery_receipts(timeout=3),
    "own recipients": lambda s: s.message.get_message_recipients(timeout=3),
    "refresh room": lambda s: s.room.refresh(timeout=3),
    "refresh message": lambda s: s.message.refresh(timeout=3),
    "refresh person": lambda s: s.her.refresh(timeout=3),
    "refresh user": lambda s: s.alice.user.refresh(timeout=3),
    "user's name": lambda s: s.alice.user.update_friendly_name("x", timeout=3),
}
MEDIA_CALLS: dict[str, Callable[[Scene], Any]] = {
    "read": lambda s: s.media.read(timeout=3),
    "link": lambda s: s.media.get_content_temporary_url(timeout=3),
    "links": lambda s: s.alice.get_temporary_content_urls_for_media_sids([s.media.sid], timeout=3),
    "upload": lambda s: s.room.send_message(media=b"x", timeout=3),
}


def survived(scene: Scene) -> None:
    """Check that the client is as before: connected, answering, with no error that nobody was told."""
    assert scene.room.get_messages_count(timeout=TIMEOUT) >= 1
    assert scene.alice.connection_state is ConnectionState.CONNECTED
    assert scene.errors.seen == []


@QUICK
@given(st.sampled_from(sorted(CALLS)), places, raws)
def test_an_answer_gives_a_value_or_an_error_of_ours(scene: Scene, call: str, place: int, raw: str) -> None:
    """Wherever the odd value is in the answer."""
    with scene.spoiler.armed("answer", place, RAW[raw]):
        try:
            result = CALLS[call](scene)
        except ConversationsError as error:
            result = error
    look(result)
    for known in (scene.room, scene.message, scene.alice.user):
        look(known)
    survived(scene)


@settings(QUICK, max_examples=40)
@given(st.sampled_from(sorted(MEDIA_CALLS)), places, raws)
def test_a_medium_gives_a_value_or_an_error_of_ours(scene: Scene, call: str, place: int, raw: str) -> None:
    """Links that are none, and every other field of a record."""
    with scene.spoiler.armed("record", place, RAW[raw]):
        try:
            result = MEDIA_CALLS[call](scene)
        except ConversationsError as error:
            result = error
    look(result)
    survived(scene)


@settings(QUICK, max_examples=50)
@given(places, raws)
def test_no_event_is_lost_for_an_odd_field(scene: Scene, place: int, raw: str) -> None:
    """Whatever else a message holds, its event comes, and so does the next one."""
    with scene.bob.events("message_added", timeout=TIMEOUT) as added:
        with scene.spoiler.armed("notification", place, RAW[raw], only="item_data"):
            odd = scene.room.send_message("odd")
            names_it = {"sid", "index"}
            seen = next(added).payload if not names_it & {path[-1] for path in scene.spoiler.spoiled} else None
        good = scene.room.send_message("good")
        while (latest := next(added).payload).index < good.index:
            pass
    assert (latest.index, latest.body) == (good.index, "good")
    if seen is not None:
        assert seen.index == odd.index
        look(seen)
    survived(scene)


@settings(QUICK, max_examples=40)
@given(places, raws)
def test_an_odd_notification_ends_nothing(scene: Scene, place: int, raw: str) -> None:
    """Wherever the odd value is: later events come, in order."""
    with scene.bob.events("message_added", timeout=TIMEOUT) as added:
        with scene.spoiler.armed("notification", place, RAW[raw]):
            scene.room.send_message("odd")
            scene.room.update_attributes({"odd": place})
        good = scene.room.send_message("good")
        while (latest := next(added).payload).index < good.index:
            pass
    assert (latest.index, latest.body) == (good.index, "good")
    look(scene.bobs)
    survived(scene)
