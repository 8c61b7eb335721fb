"""Fate of requests as effects: written, answered, cut off, too late or too large."""

from __future__ import annotations

from twilio_conversations.errors import ProtocolError, RequestTooLargeError
from twilio_conversations.wire.effects import Effect, Send, Settle
from twilio_conversations.wire.failures import Cause, cut_off, outcome_of, timed_out
from twilio_conversations.wire.frame_limit import MESSAGE_TOO_BIG, FrameLimit
from twilio_conversations.wire.inflight import Requests, Submission
from twilio_conversations.wire.packets import Reply


class RequestFlow:
    """The requests of one client, over all its sockets.

    Attributes:
        requests: those that are queued or written.
        round_trip: seconds between the latest answered request and its answer.
    """

    def __init__(self) -> None:
        self.requests: Requests = Requests()
        self.round_trip: float | None = None
        self._frame_limit = FrameLimit()

    def may_write(self, request: Submission) -> bool:
        """Return whether a request may be written to an open connection now."""
        return self.requests.may_write(request) and self.refusal(request) is None

    def refusal(self, request: Submission) -> RequestTooLargeError | None:
        """Return the error of a request that is too large for the service."""
        return self._frame_limit.refusal(len(request.data), sent=False)

    def flush(self, now: float) -> list[Effect]:
        """Write the queued requests that may be written."""
        effects: list[Effect] = []
        for request in self.requests.flush(now):
            if (error := self.refusal(request)) is not None:
                self.requests.forget(request.id)
                effects.append(Settle(request.id, error))
            else:
                effects.append(Send(request.data))
        return effects

    def answer(self, reply: Reply, now: float) -> list[Effect]:
        """Settle the request that a reply answers; return nothing if there is none."""
        written_at = self.requests.answered(reply, now)
        if written_at is None:
            return []
        self.round_trip = now - written_at
        return [Settle(reply.id, outcome_of(reply))]

    def answer_bad(self, id_: str, error: ProtocolError) -> list[Effect]:
        """Fail the request that a malformed reply answers; return nothing if there is none."""
        if not self.requests.has_written(id_):
            return []
        self.requests.forget(id_)
        return [Settle(id_, ProtocolError(f"a malformed answer: {error}", sent=True))]

    def expire(self, now: float, trouble: str | None) -> list[Effect]:
        """Fail the requests whose time limit has passed; `trouble` is what keeps the connection away."""
        return [Settle(id_, timed_out(written=written, trouble=trouble)) for id_, written in self.requests.take_expired(now)]

    def cut(self, cause: Cause, *, closed: bool) -> list[Effect]:
        """Fail the written requests, since their socket has ended; `closed` when the program closed the client."""
        sizes = self.requests.take_written()
        if cause.close_code == MESSAGE_TOO_BIG and sizes:
            self._frame_limit.learn(cause.message, max(sizes.values()))
        return [
            Settle(id_, self._frame_limit.refusal(size, sent=True) or cut_off(cause, closed=closed))
            for id_, size in sizes.items()
        ]
