"""Conversations as a program asks for them: created, by sid, by unique name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from twilio_conversations.errors import ForbiddenError, RestError, RestNotFoundError
from twilio_conversations.transport.commands import CommandKind
from twilio_conversations.util import urls
from twilio_conversations.util.json import Attributes, parse_time

if TYPE_CHECKING:
    from twilio_conversations.models.conversation import Conversation
    from twilio_conversations.runtime import Runtime
    from twilio_conversations.state.conversations import Conversations
    from twilio_conversations.util.futures import Deadline

_CLOCKS_DIFFER: Final = dt.timedelta(minutes=5)
"""Difference allowed between this machine's clock and the service's."""


class Lookup:
    """Finds conversations by REST, and returns each once it is followed. `what` names the call in errors."""

    def __init__(self, runtime: Runtime, conversations: Conversations) -> None:
        self._runtime = runtime
        self._conversations = conversations

    def create(self, body: dict[str, str], deadline: Deadline, what: str) -> Conversation:
        """Create a conversation (``POST .../Conversations``)."""
        url = self._runtime.configuration.conversations_url
        named = CommandKind.CREATE_NAMED if body.get("unique_name") else CommandKind.CREATE
        since = dt.datetime.now(dt.UTC) - _CLOCKS_DIFFER

        def made(refusal: RestError) -> Any:
            found = self._runtime.rest.get(urls.join(url, body["unique_name"]), timeout=deadline.remaining())
            if not self._is_made_by(found, body, since):
                raise refusal
            return found

        return self._learn(self._runtime.rest.post(url, body, named, timeout=deadline.remaining(), done=made), deadline, what)

    def _is_made_by(self, found: Any, body: Mapping[str, str], since: dt.datetime) -> bool:
        """Return whether a conversation was created by the current user, with the fields of `body`, since that time."""
        made_at = parse_time(found.get("date_created"))
        return (
            found.get("created_by") == self._runtime.configuration.identity
            and made_at is not None
            and made_at >= since
            and (found.get("friendly_name") or "") == body.get("friendly_name", "")
            and Attributes(found.get("attributes")) == Attributes(body["attributes"])
        )

    def by_sid(self, sid: str, deadline: Deadline, what: str) -> Conversation:
        """Return a conversation of the current user, else any that is visible."""
        conversations = self._conversations
        if conversations.known(sid) is None:
            self._runtime.take(conversations.listed, deadline, what)
        if (known := conversations.known(sid)) is not None and not known.is_left_by_command:
            return self._runtime.take(known.ready, deadline, what)
        try:
            return self.own(sid, deadline, what)
        except (RestNotFoundError, ForbiddenError):  # a service may refuse with either who is no participant
            return self.any(sid, deadline, what)

    def own(self, key: str, deadline: Deadline, what: str) -> Conversation:
        """Return a conversation of the current user, by sid or unique name, even if Sync has not reported it yet."""
        url = urls.join(self._runtime.configuration.my_conversations_url, key)
        return self._learn(self._runtime.rest.get(url, timeout=deadline.remaining()), deadline, what)

    def any(self, key: str, deadline: Deadline, what: str) -> Conversation:
        """Return a conversation, by sid or unique name, in which this identity need not participate."""
        url = urls.join(self._runtime.configuration.conversations_url, key)
        return self._learn(self._runtime.rest.get(url, timeout=deadline.remaining()), deadline, what)

    def joined(self, deadline: Deadline, what: str) -> list[Conversation]:
        """Those that this identity participates in, by sid, once the list is complete."""
        self._runtime.take(self._conversations.listed, deadline, what)
        return self._runtime.run_now(self._conversations.joined, deadline, "the list")

    def _learn(self, answer: Any, deadline: Deadline, what: str) -> Conversation:
        """Return the live conversation of a REST answer, once it is subscribed to."""
        return self._runtime.run(lambda: self._conversations.learn(answer).ready, deadline, what)
