"""The two-person story against Twilio itself. Runs only with credentials in the environment, and then leaves nothing behind:
`TWILIO_ACCOUNT_SID`, `TWILIO_API_KEY_SID`, `TWILIO_API_KEY_SECRET` and `TWILIO_CHAT_SERVICE_SID`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from twilio_conversations import Client
from twilio_conversations.tokens import mint

NEEDED = ("TWILIO_ACCOUNT_SID", "TWILIO_API_KEY_SID", "TWILIO_API_KEY_SECRET", "TWILIO_CHAT_SERVICE_SID")
MISSING = [name for name in NEEDED if not os.environ.get(name)]
WAIT = 30.0

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(MISSING), reason=f"talks to Twilio: {', '.join(MISSING)} not in the environment"),
]


def token_for(identity: str) -> str:
    """Return a token for ten minutes."""
    return mint(
        identity,
        account_sid=os.environ["TWILIO_ACCOUNT_SID"],
        api_key_sid=os.environ["TWILIO_API_KEY_SID"],
        api_key_secret=os.environ["TWILIO_API_KEY_SECRET"],
        service_sid=os.environ["TWILIO_CHAT_SERVICE_SID"],
        ttl=600,
    )


@pytest.fixture
def people() -> Iterator[tuple[Client, Client]]:
    """Two ready clients with identities of this run, in Twilio's region us1 or the one in TWILIO_REGION."""
    run = uuid.uuid4().hex[:8]
    region = os.environ.get("TWILIO_REGION", "us1")
    with ExitStack() as stack:
        alice, bob = (
            stack.enter_context(Client(token_for(f"{name}-{run}"), region=region)).wait_until_ready(timeout=WAIT)
            for name in ("alice", "bob")
        )
        yield alice, bob


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
