"""Conversations as a program asks for them: created, by sid, by unique name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_conversations.errors import RestNotFoundError
from twilio_conversations.util import urls

if TYPE_CHECKING:
    from twilio_conversations.models.conversation import Conversation
    from twilio_conversations.runtime import Runtime
    from twilio_conversations.state.conversations import Conversations
    from twilio_conversations.util.futures import Deadline


class Lookup:
    """Finds conversations by REST, and returns each once it is followed. `what` names the call in errors."""

    def __init__(self, runtime: Runtime, conversations: Conversations) -> None:
        self._runtime = runtime
        self._conversations = conversations

    def create(self, body: dict[str, str], deadline: Deadline, what: str) -> Conversation:
        """Create a conversation (``POST .../Conversations``)."""
        url = self._runtime.configuration.conversations_url
        return self._learn(self._runtime.rest.post(url, body, timeout=deadline.remaining()), deadline, what)

    def by_sid(self, sid: str, deadline: Deadline, what: str) -> Conversation:
        """Return a conversation of the current user, else any that is visible."""
        conversations = self._conversations
        if conversations.known(sid) is None:
            self._runtime.wait(conversations.listed, deadline, what)
        if (known := conversations.known(sid)) is not None:
            return self._runtime.wait(known.ready, deadline, what)
        try:
            return self.own(sid, deadline, what)
        except RestNotFoundError:
            return self.any(sid, deadline, what)

    def own(self, key: str, deadline: Deadline, what: str) -> Conversation:
        """Return a conversation of the current user, by sid or unique name, even if Sync has not reported it yet."""
        url = urls.join(self._runtime.configuration.my_conversations_url, key)
        return self._learn(self._runtime.rest.get(url, timeout=deadline.remaining()), deadline, what)

    def any(self, sid: str, deadline: Deadline, what: str) -> Conversation:
        """Return a conversation in which this identity need not participate (``GET .../Conversations/{sid}``)."""
        url = urls.join(self._runtime.configuration.conversations_url, sid)
        return self._learn(self._runtime.rest.get(url, timeout=deadline.remaining()), deadline, what)

    def joined(self, deadline: Deadline, what: str) -> list[Conversation]:
        """Those that this identity participates in, by sid, once the list is complete."""
        self._runtime.wait(self._conversations.listed, deadline, what)
        return self._runtime.run_now(self._conversations.joined, deadline, "the list")

    def _learn(self, answer: Any, deadline: Deadline, what: str) -> Conversation:
        """Return the live conversation of a REST answer, once it is subscribed to."""
        return self._runtime.run(lambda: self._conversations.learn(answer).ready, deadline, what)
