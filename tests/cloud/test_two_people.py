"""The two-person story against Twilio itself. Runs only with credentials in the environment, and then leaves nothing behind."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.cloud.key import cloud_marks, target
from twilio_conversations import Client

WAIT = 30.0

pytestmark = cloud_marks


@pytest.fixture
def people() -> Iterator[tuple[Client, Client]]:
    """Two ready clients with identities of this run."""
    service, run = target(), uuid.uuid4().hex[:8]
    with ExitStack() as stack:
        alice, bob = (
            stack.enter_context(Client(service.token(f"{name}-{run}"), endpoints=service.options.endpoints))
            for name in ("alice", "bob")
        )
        yield alice.wait_until_ready(WAIT), bob.wait_until_ready(WAIT)


def test_two_people_talk(people: tuple[Client, Client]) -> None:
    """A message, an edit, typing, reading and a removal all arrive, with the same content on both sides."""
    alice, bob = people
    ours = alice.create_conversation(friendly_name="Zwei Leute ☃", attributes={"test": True})
    try:
        ours.join()
        with bob.events("conversation_joined", timeout=WAIT) as joined:
            ours.add(bob.identity)
            theirs = next(event.payload for event in joined if event.payload.sid == ours.sid)
        assert theirs.friendly_name == "Zwei Leute ☃"

        with bob.events("message_added", "message_updated", "message_removed", timeout=WAIT) as seen:
            sent = ours.send_message("hello ☃", attributes={"n": [1, 2]})
            added = next(seen).payload
            assert (added.body, added.author, added.attributes) == ("hello ☃", alice.identity, {"n": [1, 2]})
            assert added.sid == sent.sid
            sent.update_body("hello again")
            assert next(seen).payload.message.body == "hello again"
            sent.remove()
            assert next(seen).payload.sid == sent.sid

        with alice.events("typing_started", timeout=WAIT) as typing:
            theirs.typing()
            assert next(typing).payload.identity == bob.identity

        last = theirs.send_message("read me")
        assert ours.set_all_messages_read() == 0
        assert ours.last_read_message_index == last.index
    finally:
        ours.delete()
