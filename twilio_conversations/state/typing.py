"""Typing in one conversation: notices that are sent, and notices that are received."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from twilio_conversations.errors import ConversationsError, RestError
from twilio_conversations.events.names import ClientEvent, ConversationEvent, ParticipantEvent
from twilio_conversations.util import logs, urls
from twilio_conversations.util.flows import Flow, Future, flow
from twilio_conversations.util.futures import refuse_to_wait

if TYPE_CHECKING:
    from twilio_conversations.models.conversation_parts import LiveConversation
    from twilio_conversations.models.participant import Participant

_log = logs.logger(__name__)
DEFAULT_SECONDS = 5.0
"""How long one notice lasts when the service does not say."""
LONGEST_SECONDS = 3600.0
"""Nobody types for longer without saying so again, whatever the service says."""


def duration(told: Any, otherwise: float) -> float:
    """Return the seconds for which typing lasts as the service has it, or `otherwise` when that makes no sense."""
    valid = isinstance(told, int | float) and not isinstance(told, bool) and 0 < told < LONGEST_SECONDS
    return float(told) if valid else otherwise


class TypingIndicator:
    """Sends at most one notice per window, and ends what others started after their time."""

    def __init__(self, live: LiveConversation, with_identity: Callable[[str], Participant | None]) -> None:
        """`with_identity` finds a participant."""
        self._conversation = live.conversation
        self._runtime = live.runtime
        self._with_identity = with_identity
        self._window_ends = 0.0
        self._timers: dict[str, Any] = {}

    def send(self, timeout: float | None) -> None:
        """Send a notice (``POST {typing}``); inside the window of the last notice nothing is sent."""
        refuse_to_wait("typing()")
        if time.monotonic() < self._window_ends:
            return
        answer = self._runtime.rest.post_form(
            self._runtime.configuration.typing_url, {"ChannelSid": self._conversation.sid}, timeout=timeout
        )
        self._told(answer)

    def _told(self, answer: Any) -> None:
        """Note that a notice was accepted: none is sent until its time is over."""
        seconds = duration(answer.get("typing_timeout") if isinstance(answer, dict) else None, DEFAULT_SECONDS)
        self._window_ends = time.monotonic() + (self._runtime.options.typing_timeout or seconds)

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """Send notices until the block is over, from the io thread: it neither waits nor fails."""
        refuse_to_wait("typing_indicator()")
        over = threading.Event()
        self._runtime.connection.post(lambda: self._repeat(over))
        try:
            yield
        finally:
            over.set()

    # -- on the io thread ---------------------------------------------------------------------------------------------

    @flow
    def _repeat(self, over: threading.Event) -> Flow[None]:
        while not over.is_set():
            if time.monotonic() >= self._window_ends:
                try:
                    yield from self._send_from_io_thread()
                except ConversationsError as error:
                    _log.info("%r: could not send the typing notification: %s", self._conversation, error)
                    self._window_ends = time.monotonic() + DEFAULT_SECONDS
            pause: Future[None] = Future()
            delay = max(0.0, self._window_ends - time.monotonic())
            self._runtime.connection.timers.call_later(delay, functools.partial(pause.settle, None))
            yield pause

    def _send_from_io_thread(self) -> Flow[None]:
        url = self._runtime.configuration.typing_url
        answer = yield self._runtime.tunnel.request(
            "POST",
            url,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=f"ChannelSid={urls.segment(self._conversation.sid)}".encode(),
            deadline=self._runtime.deadline(DEFAULT_SECONDS),
        )
        if not 200 <= answer.code < 300:
            raise RestError.from_answer(f"POST {url}", answer.code, None)
        self._told(answer.json())

    def received(self, identity: str, seconds: float) -> None:
        """Note that somebody types; announced when it starts, not when it goes on."""
        participant = self._with_identity(identity)
        if participant is None:
            return
        if not participant.is_typing and self._runtime.dispatcher.full:
            return  # handlers are far behind: by the time they would receive it, it is over
        override = self._runtime.options.typing_timeout
        self._stop_timer(identity)
        timers = self._runtime.connection.timers
        lasts = seconds if override is None else override + 1.0
        self._timers[identity] = timers.call_later(lasts, lambda: self.ended(identity))
        if not participant.is_typing:
            participant.is_typing = True
            self._emit(
                participant,
                ParticipantEvent.TYPING_STARTED,
                ConversationEvent.TYPING_STARTED,
                ClientEvent.TYPING_STARTED,
            )

    def ended(self, identity: str) -> None:
        """Note that somebody does not type any more: time is up, a message came, or the participant is gone."""
        if not self._stop_timer(identity):
            return
        participant = self._with_identity(identity)
        if participant is not None and participant.is_typing:
            participant.is_typing = False
            self._emit(participant, ParticipantEvent.TYPING_ENDED, ConversationEvent.TYPING_ENDED, ClientEvent.TYPING_ENDED)

    def clear(self) -> None:
        """Forget who types, as the conversation was left: nobody types here any more."""
        for identity in list(self._timers):
            self.ended(identity)

    def _stop_timer(self, identity: str) -> bool:
        timer = self._timers.pop(identity, None)
        if timer is not None:
            timer.cancel()
        return timer is not None

    def _emit(
        self, participant: Participant, own: ParticipantEvent, conversations: ConversationEvent, clients: ClientEvent
    ) -> None:
        self._runtime.emit(participant, (participant, own), (self._conversation, conversations), (self._runtime.events, clients))
