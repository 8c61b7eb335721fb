"""Checks: the connection itself, its pings, and the service's configuration."""

from __future__ import annotations

from typing import Any, Final

from twilio_conversations.probe.bare_socket import BareSocket
from twilio_conversations.probe.findings import Check
from twilio_conversations.probe.line import accepted
from twilio_conversations.probe.outcomes import Meaning, Seen, Unsettled
from twilio_conversations.probe.stage import Stage
from twilio_conversations.transport import ws_codec
from twilio_conversations.util import urls
from twilio_conversations.util.futures import Deadline
from twilio_conversations.values.links import LINKS, ServiceLinks
from twilio_conversations.wire import greeting
from twilio_conversations.wire.credentials import Credentials
from twilio_conversations.wire.decoding import decode
from twilio_conversations.wire.packets import Reply, Unknown

_TYPES: Final = {ws_codec.BINARY: "binary", ws_codec.TEXT: "text"}


def _greeted(stage: Stage, deadline: Deadline) -> BareSocket:
    """Return a socket that has sent an init of the host's."""
    socket = BareSocket(stage.target.options, deadline, stage.stop)
    socket.greet(Credentials(stage.target.token(stage.identity("idle")), refreshable=False))
    return socket


def _frames(stage: Stage, deadline: Deadline) -> Seen:
    with _greeted(stage, deadline) as socket:
        for frame in socket.frames(deadline):
            if frame.opcode in _TYPES:
                reply = decode(frame.payload)
                if not isinstance(reply, Reply) or not reply.ok:
                    raise Unsettled("the init was refused")
                given = reply.fields.get("capabilities")
                confirmed = [name for name in greeting.CAPABILITIES if isinstance(given, list) and name in given]
                words = f"{_TYPES[frame.opcode]} messages; capabilities confirmed: {', '.join(confirmed) or 'none'}"
                return Seen(_TYPES[frame.opcode], words)
    raise Unsettled("no answer to the init")


def _no_init(stage: Stage, deadline: Deadline) -> Seen:
    with BareSocket(stage.target.options, deadline, stage.stop) as socket:
        for frame in socket.frames(deadline):
            if frame.opcode == ws_codec.CLOSE:
                code, reason = int.from_bytes(frame.payload[:2], "big"), frame.payload[2:].decode(errors="replace")
                usual = (code, reason) == (1000, "no-init-from-client")
                return Seen("1000" if usual else "otherwise", f"closed with {code}{f' {reason}' if usual else ''}")
    if deadline.passed:
        return Seen("open", "the connection was left open")
    return Seen("otherwise", "the connection ended without a close frame")


def _pings(stage: Stage, deadline: Deadline) -> Seen:
    until = Deadline(min(stage.pace.idle, deadline.remaining() or 0.0))
    pings: list[float] = []
    with _greeted(stage, deadline) as socket:
        for frame in socket.frames(until):
            if frame.opcode in _TYPES:
                packet = decode(frame.payload)
                if isinstance(packet, Unknown) and packet.method == "ping":
                    pings.append(frame.at)
                    if len(pings) > 1:
                        break
    if len(pings) < 2:
        return Seen("none", f"{'one ping' if pings else 'no ping'} in {stage.pace.idle:g} s")
    interval = pings[1] - pings[0]
    return Seen("often" if interval <= stage.pace.silence else "rarely", f"a ping every {interval:.0f} s")


def _pongs(stage: Stage, deadline: Deadline) -> Seen:
    with _greeted(stage, deadline) as socket:
        until = Deadline(min(stage.pace.pong, deadline.remaining() or 0.0))
        socket.send(ws_codec.PING, b"probe")
        if any(frame.opcode == ws_codec.PONG for frame in socket.frames(until)):
            return Seen("answered", "a WebSocket ping was answered by a pong")
    if not until.passed:
        raise Unsettled("the connection ended first")
    return Seen("ignored", f"no pong in {stage.pace.pong:g} s")


def _links(stage: Stage, deadline: Deadline) -> Seen:
    body, configuration = stage.host(deadline).configuration(deadline)
    given = body.get("links")
    missing = [name for name in LINKS if not (given or {}).get(name)]
    if not missing:
        return Seen("all", "all links are there")
    derived: ServiceLinks = configuration.links
    lost = [name for name in missing if name in derived.faults]
    words = f"missing: {', '.join(missing)}" + (f"; not to be derived: {', '.join(lost)}" if lost else "")
    return Seen("lost" if lost else "derived", words)


def _address(link: str) -> Any:
    """Return the function of a check whether a link of the configuration works."""

    def look(stage: Stage, deadline: Deadline) -> Seen:
        room, host = stage.room(deadline), stage.host(deadline)
        _, configuration = host.configuration(deadline)
        if link == "typing":
            answer = host.send("POST", configuration.typing_url, {"ChannelSid": room.sid}, deadline=deadline, form=True)
        else:
            sid = host.do("POST", room.messages, {"body": "read"}, deadline=deadline)["sid"]
            url = configuration.receipts_url.replace("%s", room.sid, 1).replace("%s", sid, 1)
            answer = host.send("GET", url, deadline=deadline)
        return Seen("works" if answer.ok else "refused", f"answered {answer.code}")

    return look


def _page_size(stage: Stage, deadline: Deadline) -> Seen:
    stage.room(deadline)
    host = stage.host(deadline)
    url = host.configuration(deadline)[1].my_conversations_url
    answer = host.send("GET", urls.with_query(url, [("PageSize", 100)]), deadline=deadline)
    if answer.code == 400:
        accepted(host.send("GET", url, deadline=deadline), "listing without PageSize")
        return Seen("refused", "PageSize=100 is refused (400), the same without it accepted")
    accepted(answer, "listing")
    return Seen("accepted", "PageSize=100 is accepted")


def _own_map(stage: Stage, deadline: Deadline) -> Seen:
    """Look for the map of a user who did not exist before."""
    name = stage.newcomer()
    with stage.line(name) as line:
        _, configuration = line.ready(deadline).configuration(deadline)
        own = configuration.my_conversations_map
        form = (
            "its name is the identity with .channels"
            if own == f"{stage.identity(name)}.channels"
            else "its name has another form"
        )
        url = urls.join(stage.target.options.endpoints.sync, "v3", "Maps", own)
        late = False
        while not deadline.passed:
            answer = line.send("GET", url, deadline=deadline)
            if answer.ok:
                return Seen("late" if late else "there", f"{'there after a while' if late else 'there at once'}; {form}")
            if answer.code != 404:
                raise Unsettled(f"answered {answer.code}")
            late = True
            stage.pause(0.25)
    return Seen("missing", f"not there within the time limit; {form}")


CHECKS: Final = (
    Check(
        name="frames",
        question="Of which type are the service's WebSocket messages?",
        look=_frames,
        outcomes={"binary": Meaning("as the client sends them"), "text": Meaning("the client reads them like binary ones")},
    ),
    Check(
        name="no-init",
        question="What happens to a connection that sends no init?",
        look=_no_init,
        outcomes={
            "1000": Meaning("as seen before; the client always sends an init"),
            "otherwise": Meaning("the client always sends an init, so it does not matter"),
            "open": Meaning("the client always sends an init, so it does not matter"),
        },
        limit=45.0,
        waits="pong",
    ),
    Check(
        name="pings",
        question="How often does the service send pings on an idle connection?",
        look=_pings,
        outcomes={
            "often": Meaning("an idle connection is known to be alive"),
            "rarely": Meaning("the client sends WebSocket pings of its own; it reconnects where those are ignored, too"),
            "none": Meaning("the client sends WebSocket pings of its own; it reconnects where those are ignored, too"),
        },
        limit=20.0,
        waits="idle",
    ),
    Check(
        name="pongs",
        question="Are WebSocket pings of a client answered?",
        look=_pongs,
        outcomes={
            "answered": Meaning("the client finds out within seconds whether a silent connection is alive"),
            "ignored": Meaning("the service's own pings have to come often enough for the client"),
        },
        limit=20.0,
        waits="pong",
    ),
    Check(
        name="links",
        question="Are all links there in the configuration?",
        look=_links,
        outcomes={
            "all": Meaning("nothing has to be derived"),
            "derived": Meaning("the client derives them from the others"),
            "lost": Meaning("only the calls that need them fail", right=True),
        },
    ),
    *(
        Check(
            name=f"{link}-address",
            question=f"Does the address for {link} work?",
            look=_address(link),
            outcomes={
                "works": Meaning("the client uses the right address"),
                "refused": Meaning("the client's call fails", right=False),
            },
        )
        for link in ("typing", "receipts")
    ),
    Check(
        name="page-size",
        question="Does the listing of conversations accept PageSize=100?",
        look=_page_size,
        outcomes={
            "accepted": Meaning("the client asks for it"),
            "refused": Meaning("the client asks again without it"),
        },
    ),
    Check(
        name="own-map",
        question="Is a new user's map of conversations there at once?",
        look=_own_map,
        outcomes={
            "there": Meaning("the first start needs no patience"),
            "late": Meaning("the client waits for it within its time limit"),
            "missing": Meaning("the client does not start for new users", right=False),
        },
    ),
)
