"""Many connections that cost their process little, so that a row measures the service: the worker of the service's rows.

Frames are cut and not read: the only thing looked for is the id that an acknowledgement repeats. What is sent is masked with
zeros, which changes nothing.
"""

from __future__ import annotations

import re
import selectors
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from benchmarks.bare import Bare, subscribe
from benchmarks.worker import answer_lines

ID = re.compile(rb'"id": ?"([^"]+)"')
MESSAGE, LIVE, REPLY = b"list_item_added", b"com.twilio.rtd.cds.", b'"method":"reply"'
BINARY, PING, PONG = 0x2, 0x9, 0xA
SILENCE = 60.0
"""Seconds without a frame after which something is wrong."""


class Member:
    """One connection: the bytes of an unfinished frame, and what came."""

    def __init__(self, bare: Bare) -> None:
        self.bare = bare
        self.messages = self.deliveries = self.replies = 0
        self._rest = b""

    def fileno(self) -> int:
        """The socket's, for a selector."""
        return int(self.bare.socket.fileno())

    def read(self) -> None:
        """Take what is there, and acknowledge all of it in one send."""
        self._rest += self.bare.socket.recv(1 << 18)
        answers, done = [], 0
        for opcode, start, stop in frames_in(self._rest):
            frame, done = self._rest[start:stop], stop
            if opcode == PING:
                answers.append(masked(PONG, frame))
            elif REPLY in frame[:400]:
                self.replies += 1
            elif (name := ID.search(frame)) is not None:
                self.deliveries += LIVE in frame
                self.messages += MESSAGE in frame
                answers.append(acknowledgement(name[1]))
        self._rest = self._rest[done:]
        if answers:
            self.bare.socket.sendall(b"".join(answers))


def frames_in(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Opcodes of the complete frames, and where their payloads begin and end; a service's frames have no mask."""
    at = 0
    while len(data) >= at + 2:
        opcode, size, start = data[at] & 0x0F, data[at + 1], at + 2
        if size >= 126:
            start += 2 if size == 126 else 8
            size = int.from_bytes(data[at + 2 : start], "big")
        if len(data) < start or len(data) < start + size:
            return
        at = start + size
        yield opcode, start, at


def acknowledgement(name: bytes) -> bytes:
    """The frame that says: received."""
    text = b'{"id":"%s","method":"reply","payload_size":0,"payload_type":"application/json","status":{"code":200,"status":"OK"}}'
    head = text % name
    packet = b"TWILSOCK V3.0 %d\r\n%s\r\n" % (len(head), head)
    return masked(BINARY, packet)


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame."""
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + size + b"\0\0\0\0" + payload


class Crowd:
    """The members that are connected."""

    def __init__(self) -> None:
        self.members: list[Member] = []

    def connect(self, twilsock: str, tokens: Sequence[str], **_: Any) -> Mapping[str, Any]:
        """Connect somebody with each token."""
        self.members += [Member(Bare(twilsock, token)) for token in tokens]
        return {"connected": len(self.members)}

    def leave(self) -> Mapping[str, Any]:
        """End all connections."""
        for member in self.members:
            member.bare.close()
        self.members.clear()
        return {}

    def follow(self, sid: str) -> Mapping[str, Any]:
        """Have everybody subscribe to a conversation's messages and document."""
        for member in self.members:
            subscribe(member.bare, sid)
        return {}

    def collect(self, messages: int) -> Mapping[str, Any]:
        """Acknowledge until everybody has so many messages, and the service has read the acknowledgements."""
        self._until(lambda member: member.messages >= messages)
        deliveries = sum(member.deliveries for member in self.members)
        for member in self.members:  # requests are answered in order: the reply shows that what went before was read
            member.bare.post("end", "GET", "/Client/v2/Configuration")
        self._until(lambda member: member.replies > 0)
        answer = {"finished": time.monotonic(), "deliveries": deliveries}
        for member in self.members:
            member.messages = member.deliveries = member.replies = 0
        return answer

    def send(self, sid: str, count: int) -> Mapping[str, Any]:
        """Have all members send `count` messages, each after the answer to its own last one; seconds for all."""
        path = f"{conversations_path(self.members[0].bare)}/{sid}/Messages"
        sent = min(count, len(self.members))
        open_ = count

        def answered(member: Member) -> bool:
            nonlocal sent, open_
            if member.replies:
                member.replies, open_ = 0, open_ - 1
                if sent < count:
                    sent += 1
                    say(member, path)
            return open_ <= 0

        began = time.monotonic()
        for member in self.members[:sent]:
            say(member, path)
        self._until(answered, everybody=False)
        return {"seconds": time.monotonic() - began}

    def _until(self, done: Callable[[Member], bool], *, everybody: bool = True) -> None:
        """Read until `done` of each member, or of any of them."""
        with selectors.DefaultSelector() as selector:
            for member in self.members:
                selector.register(member, selectors.EVENT_READ, member)
                if not member.bare.socket.drained:
                    member.read()
            waiting = {member for member in self.members if not done(member)} if everybody else set(self.members)
            while waiting:
                ready = selector.select(SILENCE)
                if not ready:
                    raise TimeoutError(f"{len(waiting)} members wait")
                for key, _ in ready:
                    member = key.data
                    member.read()
                    if done(member):
                        waiting.discard(member)
                        if not everybody:
                            return


def say(member: Member, path: str) -> None:
    """Send a message, without waiting for the answer."""
    member.bare.post("message", "POST", path, {"body": "one of many", "attributes": "{}"})


def conversations_path(bare: Bare) -> str:
    """The path of the conversations."""
    return str(urlsplit(bare.get("/Client/v2/Configuration")["links"]["conversations"]).path)


if __name__ == "__main__":
    crowd = Crowd()
    answer_lines(
        {"connect": crowd.connect, "leave": crowd.leave, "follow": crowd.follow, "collect": crowd.collect, "send": crowd.send}
    )
