"""Read horizon of the bot in one conversation: how far its messages were handed over, kept by the service."""

from __future__ import annotations

from twilio_conversations.models.conversation import Conversation


class Horizon:
    """Moves the horizon behind messages that were handed over, in the turns of its conversation."""

    def __init__(self, conversation: Conversation, identity: str) -> None:
        self._conversation = conversation
        self._identity = identity
        self._kept: int | None = None
        self._done: int | None = None
        self._owed = False

    def start(self) -> int | None:
        """Return the index above which messages are to be handed over; `None` for all.

        Where the horizon was never set these are the messages since the bot became a participant.
        """
        self._kept = self._conversation.last_read_message_index
        return self._kept if self._kept is not None else self._newest_before_joining()

    def _newest_before_joining(self) -> int | None:
        me = self._conversation.get_participant_by_identity(self._identity).date_created
        if me is None:
            return None
        older = (one for one in self._conversation.iter_messages() if one.date_created is not None and one.date_created < me)
        return next((one.index for one in older), None)

    def finished(self, index: int | None) -> None:
        """Note that a handler has finished, and messages up to `index`; `keep_finished` must follow before the next begins."""
        self._done, self._owed = index, True

    def keep_finished(self) -> None:
        """Move the horizon if a handler has finished since it was moved.

        Raises:
            ConversationsError: it could not be moved; to be called again.
        """
        if self._owed:
            self._keep()

    def keep(self, index: int | None) -> None:
        """Move the horizon to `index`: nothing is left to hand over, and no handler runs."""
        self._done = index
        self._keep()

    def _keep(self) -> None:
        """Move the horizon; where somebody else has moved it meanwhile it is read first, so that it never goes back."""
        if self._done is not None and (self._kept is None or self._done > self._kept):
            if self._conversation.last_read_message_index == self._kept:
                self._conversation.update_last_read_message_index(self._done)
            else:
                self._conversation.advance_last_read_message_index(self._done)
            self._kept = self._done
        self._owed = False
