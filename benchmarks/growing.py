"""The worker of the growth rows: our client where there is much of something."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.worker import answer_lines, resident_kib
from twilio_conversations import Client, Conversation, Message

TIMEOUT = 120.0
SENDERS = 8


def open_conversation(token: str, url: str, sid: str, **_: Any) -> Mapping[str, Any]:
    """Start, and read the newest 30 messages of a conversation and all its participants."""
    used = time.process_time()
    with Client(token, endpoint=url) as client:
        conversation = client.get_conversation_by_sid(sid)
        found = len(conversation.get_messages().items)
        people = len(conversation.get_participants())
        return {"cpu": time.process_time() - used, "messages": found, "participants": people}


def walk(token: str, url: str, sid: str, **_: Any) -> Mapping[str, Any]:
    """Read all messages of a conversation, from the newest to the oldest."""
    with Client(token, endpoint=url) as client:
        conversation = client.get_conversation_by_sid(sid)
        used = time.process_time()
        count = sum(1 for _ in conversation.iter_messages())
        return {"cpu": time.process_time() - used, "messages": count, "kib": resident_kib()}


def list_all(token: str, url: str, **_: Any) -> Mapping[str, Any]:
    """Start, and list all conversations, each with its name."""
    began, used = time.monotonic(), time.process_time()
    with Client(token, endpoint=url) as client:
        found = [conversation for conversation in client.iter_conversations(timeout=TIMEOUT) if conversation.friendly_name]
        return {"seconds": time.monotonic() - began, "cpu": time.process_time() - used, "conversations": len(found)}


class Chat:
    """Many clients in this process; each sends a message into its conversation, and all wait for all messages of theirs."""

    def __init__(self) -> None:
        self._clients: list[Client] = []
        self._arrived = 0
        self._wanted = 0
        self._lock = threading.Lock()
        self._done = threading.Event()

    def open(self, tokens: Sequence[str], url: str, **_: Any) -> Mapping[str, Any]:
        """Connect a client with each token: cpu and memory of each."""
        gc.collect()
        memory, used = resident_kib(), time.process_time()
        for token in tokens:
            client = Client(token, endpoint=url)
            client.on("message_added", self._count)
            client.wait_until_ready(TIMEOUT)
            self._clients.append(client)
        gc.collect()
        count = len(tokens)
        return {"cpu": (time.process_time() - used) / count, "kib": (resident_kib() - memory) / count}

    def talk(self, sids: Sequence[str], wanted: int) -> Mapping[str, Any]:
        """Have each client send a message into its conversation; cpu of all until `wanted` events have been raised."""
        conversations = [client.get_conversation_by_sid(sid) for client, sid in zip(self._clients, sids, strict=True)]
        self._arrived, self._wanted = 0, wanted
        self._done.clear()
        used, began = time.process_time(), time.monotonic()
        threads = [threading.Thread(target=self._send, args=(conversations[part::SENDERS],)) for part in range(SENDERS)]
        for thread in threads:
            thread.start()
        if not self._done.wait(TIMEOUT):
            raise TimeoutError(f"{self._arrived} of {wanted} messages")
        for thread in threads:
            thread.join(TIMEOUT)
        return {"cpu": (time.process_time() - used) / wanted, "seconds": time.monotonic() - began}

    def close(self) -> Mapping[str, Any]:
        """Close all clients."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        return {}

    def _send(self, conversations: Sequence[Conversation]) -> None:
        for conversation in conversations:
            conversation.send_message("hello")

    def _count(self, _message: Message) -> None:
        with self._lock:
            self._arrived += 1
            if self._arrived >= self._wanted:
                self._done.set()


if __name__ == "__main__":
    chat = Chat()
    answer_lines(
        {
            "open_conversation": open_conversation,
            "walk": walk,
            "list_all": list_all,
            "chat_open": chat.open,
            "chat_talk": chat.talk,
            "chat_close": chat.close,
        }
    )
