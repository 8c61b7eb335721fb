"""The io thread against a service that does what the test says, over real sockets."""

from __future__ import annotations

import threading
import time

import pytest
from websocket import ABNF

from tests.support.patience import PATIENCE
from tests.support.scripted_service import ScriptedService
from tests.support.stopwatch import within
from tests.transport.conftest import Wire, wait_until
from twilio_conversations.enums import ConnectionState
from twilio_conversations.errors import (
    ProtocolError,
    ReplyError,
    RequestTimeoutError,
    TransportUnavailableError,
)
from twilio_conversations.options import BackoffPolicy
from twilio_conversations.util import logs
from twilio_conversations.util.futures import Deadline, wait
from twilio_conversations.wire import frame
from twilio_conversations.wire.http_request import HttpRequest
from twilio_conversations.wire.packets import (
    BackoffHint,
    ClientUpdate,
    Close,
    Init,
    Notification,
    Reply,
    RestCall,
    Status,
    Unknown,
    Update,
)

GET = HttpRequest.from_url("GET", "https://h/p")
SOON = PATIENCE


def test_connects_and_answers_a_request(wire: Wire) -> None:
    """Init, one request, its answer."""
    wired = wire()
    peer = wired.up()
    future = wired.send(GET, Deadline(SOON))
    peer.answer(peer.expect(RestCall), 201, b'{"a":1}')

    reply = wait(future, Deadline(SOON), "GET")

    assert reply.http_status == Status(201, "Whatever")
    assert reply.json() == {"a": 1}
    assert wired.connection.state is ConnectionState.CONNECTED
    assert wired.connection.stats().round_trip is not None


def test_requests_wait_for_the_connection_and_keep_their_order(wire: Wire) -> None:
    """Sent before the start: first in, first out."""
    wired = wire()
    futures = [wired.send(HttpRequest.from_url("GET", f"https://h/{n}"), Deadline(SOON)) for n in range(20)]
    peer = wired.up()
    asked = [peer.expect(RestCall) for _ in futures]
    assert [f"/{n}" for n in range(20)] == [message.request.path for message in asked]
    for message in reversed(asked):
        peer.answer(message, body=message.request.path.encode())

    assert [f"/{n}".encode() for n in range(20)] == [wait(future, Deadline(SOON), "GET").body for future in futures]


def test_many_threads_at_once(wire: Wire) -> None:
    """Every caller gets its own answer."""
    wired = wire()
    peer = wired.up()
    wrong: list[object] = []

    def ask(name: str) -> None:
        for number in range(25):
            url = f"https://h/{name}/{number}"
            reply = wait(wired.send(HttpRequest.from_url("GET", url), Deadline(SOON)), Deadline(SOON), url)
            if reply.body.decode() != f"/{name}/{number}":
                wrong.append((url, reply.body))

    threads = [threading.Thread(target=ask, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for _ in range(8 * 25):
        message = peer.expect(RestCall)
        peer.answer(message, body=message.request.path.encode())
    for thread in threads:
        thread.join(SOON)

    assert not wrong


def test_notifications_are_acknowledged_and_told_in_order(wire: Wire) -> None:
    """All of one read, then the end of the batch; a large one too."""
    wired = wire()
    peer = wired.up()
    for number in range(50):
        peer.send(Notification(f"N{number}", "t", number))
    peer.send(Notification("big", "t", "x" * 2_000_000))
    for expected in [*(f"N{number}" for number in range(50)), "big"]:
        acknowledgement = peer.packet(acks=True)
        assert isinstance(acknowledgement, Reply)
        assert (expected, 200) == (acknowledgement.id, acknowledgement.status.code)
    wired.recorder.wait_for("notification", count=51)

    assert [("t", number) for number in range(50)] == wired.recorder.facts("notification")[:50]


def test_messages_in_fragments_and_control_frames_between(wire: Wire) -> None:
    """WebSocket's own business is dealt with silently."""
    wired = wire()
    peer = wired.up()
    data = Notification("N1", "t", "x").encode()
    peer.send_frame(ABNF.OPCODE_BINARY, data[:10], fin=0)
    peer.send_frame(ABNF.OPCODE_PING, b"are you there")
    peer.send_frame(ABNF.OPCODE_CONT, data[10:])

    assert (ABNF.OPCODE_PONG, b"are you there") == peer.frame()
    assert ("t", "x") == wired.recorder.wait_for("notification")


def test_a_failing_listener_harms_nothing(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """The exception is logged; the next notification comes."""
    wired = wire()
    told = wired.recorder.on_notification

    def fail_once(message_type: str, payload: object) -> None:
        told(message_type, payload)
        if payload == "bad":
            raise ValueError("handler")

    wired.recorder.on_notification = fail_once  # type: ignore[method-assign]
    peer = wired.up()
    peer.send(Notification("N1", "t", "bad"))
    peer.send(Notification("N2", "t", "good"))

    wired.recorder.wait_for("notification", lambda fact: fact[1] == "good")
    assert logs.flush(10)
    assert "a listener failed" in caplog.text


# The service refuses


@pytest.mark.row("CL33", "ER06", "ER44")
def test_init_refused_401_denies(wire: Wire) -> None:
    """Terminal; nothing is tried again; requests fail at once."""
    wired = wire()
    wired.connection.start()
    peer = wired.service.peer()
    peer.refuse(peer.packet(), 401, 20104)
    wired.recorder.wait_state(ConnectionState.DENIED)
    info = wired.recorder.wait_for("connection_error")

    assert (info.terminal, info.http_status_code, info.error_code) == (True, 401, 20104)
    assert wired.recorder.facts("token_expired")
    with pytest.raises(TransportUnavailableError):
        wait(wired.send(GET, Deadline(SOON)), Deadline(SOON), "GET")
    assert wired.service.no_peer(0.2)


@pytest.mark.parametrize("code", [429, 500])
def test_init_refused_otherwise_is_tried_again(wire: Wire, code: int) -> None:
    """What waits goes on waiting."""
    wired = wire()
    future = wired.send(GET, Deadline(SOON))
    wired.connection.start()
    peer = wired.service.peer()
    peer.refuse(peer.packet(), code)
    peer = wired.service.peer()
    peer.accept_init()
    peer.answer(peer.expect(RestCall))

    assert wait(future, Deadline(SOON), "GET").status.ok
    assert [False] == [info.terminal for info in wired.recorder.facts("connection_error")]


def test_a_hint_is_waited_out(wire: Wire) -> None:
    """Not a connection earlier than a 429 allows."""
    wired = wire()
    wired.connection.start()
    peer = wired.service.peer()
    packet = peer.packet()
    refused = time.monotonic()
    peer.refuse(packet, 429, body=b'{"backoff_policy":{"reconnect_min_ms":400}}')
    wired.service.peer()

    assert time.monotonic() - refused >= 0.39


def test_a_silent_service_is_left_after_the_init_timeout(wire: Wire) -> None:
    """And tried again."""
    wired = wire(init_timeout=0.2)
    wired.connection.start()
    wired.service.peer()
    wired.service.peer().accept_init()

    wired.recorder.wait_for("connected")


def test_an_upgrade_that_is_never_answered_is_left(wire: Wire) -> None:
    """The connect timeout covers the handshake too."""
    with ScriptedService(upgrade=False) as stuck:
        wired = wire(service=stuck, connect_timeout=0.2)
        wired.connection.start()
        stuck.peer()
        stuck.peer()

        assert not wired.recorder.wait_for("connection_error").terminal
        wired.connection.close()


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 403 Forbidden\r\n\r\n", b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\n\r\n", b"SSH-2.0-x\r\n\r\n"],
)
def test_a_refused_upgrade_is_a_socket_error(wire: Wire, answer: bytes) -> None:
    """Reported as not terminal, and tried again; a redirect is not followed."""
    with ScriptedService(upgrade=False) as service:
        wired = wire(service=service)
        wired.connection.start()
        service.peer().send_raw(answer)
        service.peer()

        assert not wired.recorder.wait_for("connection_error").terminal
        wired.connection.close()


@pytest.mark.row("CL31")
def test_nobody_listens(wire: Wire) -> None:
    """Every attempt is reported; the client goes on trying."""
    with ScriptedService() as service:
        wired = wire(service=service)
    wired.connection.start()

    assert "refused" in wired.recorder.wait_for("connection_error", count=3).message


# The line breaks


@pytest.mark.row("ER47")
def test_what_is_in_flight_fails_when_the_line_breaks(wire: Wire) -> None:
    """At once, as sent; the client reconnects with its continuation token."""
    wired = wire()
    peer = wired.up()
    future = wired.send(GET, Deadline(SOON))
    peer.expect(RestCall)
    peer.cut()
    with pytest.raises(TransportUnavailableError) as raised:
        wait(future, Deadline(SOON), "GET")
    assert raised.value.sent is True

    init = wired.service.peer().accept_init()
    assert init.continuation_token == "ct"
    wired.recorder.wait_for("connected", lambda resumed: resumed is True)
    assert wired.connection.stats().reconnects == 1


def test_a_cut_in_the_middle_of_a_frame(wire: Wire) -> None:
    """Half a frame is nothing; the frames before it were delivered."""
    wired = wire()
    peer = wired.up()
    whole = ABNF(1, 0, 0, 0, ABNF.OPCODE_BINARY, 0, Notification("N1", "t", "x" * 500).encode()).format()
    peer.send(Notification("N0", "t", "before"))
    peer.send_raw(whole[:300])
    peer.cut()
    wired.service.peer().accept_init()
    wired.recorder.wait_for("connected", count=2)

    assert [("t", "before")] == wired.recorder.facts("notification")


def test_what_came_before_the_end_is_delivered(wire: Wire) -> None:
    """A frame and the close right behind it, in one segment."""
    wired = wire()
    peer = wired.up()
    notification = ABNF(1, 0, 0, 0, ABNF.OPCODE_BINARY, 0, Notification("N1", "t", 1).encode()).format()
    peer.send_raw(notification + ABNF(1, 0, 0, 0, ABNF.OPCODE_CLOSE, 0, b"\x03\xe9").format())
    peer.cut()

    wired.recorder.wait_for("notification")
    wired.recorder.wait_for("disconnected")


def test_a_black_hole_is_found_by_pinging(wire: Wire) -> None:
    """A peer that reads nothing and says nothing is left after interval and timeout."""
    wired = wire(keepalive_interval=0.2, keepalive_timeout=0.2)
    began = time.monotonic()
    wired.up()
    wired.service.peer().accept_init()

    assert time.monotonic() - began >= 0.39
    wired.recorder.wait_for("connected", count=2)


def test_a_quiet_but_living_peer_is_kept(wire: Wire) -> None:
    """It answers the pings."""
    wired = wire(keepalive_interval=0.1, keepalive_timeout=0.5)
    peer = wired.up()
    for _ in range(3):
        opcode, payload = peer.frame()
        assert opcode == ABNF.OPCODE_PING
        peer.send_frame(ABNF.OPCODE_PONG, payload)

    assert not wired.recorder.facts("disconnected")


def test_a_connection_that_is_dead_from_its_beginning_is_noticed(wire: Wire) -> None:
    """The one before has shown that the service answers pings."""
    wired = wire(keepalive_interval=0.1, keepalive_timeout=0.3)
    wired.up().cut()
    silent = wired.service.peer()
    silent.accept_init()
    wired.recorder.wait_for("connected", count=2)
    with within(20):
        wired.service.peer().accept_init()

    wired.recorder.wait_for("connected", count=3)


@pytest.mark.parametrize("code", [308, 503])
def test_an_order_to_go_is_obeyed_at_once(wire: Wire, code: int) -> None:
    """Acknowledged, the socket closed, another opened after the hint, not after three seconds."""
    wired = wire()
    peer = wired.up()
    peer.send(Close("C1", Status(code, "OFFLOAD"), BackoffHint(50)))
    assert isinstance(peer.packet(acks=True), Reply)
    with within(2):
        wired.service.peer().accept_init()

    wired.recorder.wait_for("connected", count=2)


def test_an_answer_on_its_way_is_taken_before_going(wire: Wire) -> None:
    """The command is not sent again; what comes meanwhile is sent on the next connection."""
    wired = wire()
    peer = wired.up()
    answered = wired.send(GET, Deadline(SOON))
    call = peer.expect(RestCall)
    peer.send(Close("C1", Status(308, "OFFLOAD"), BackoffHint(50)))
    assert isinstance(peer.packet(acks=True), Reply)
    wired.recorder.wait_state(ConnectionState.RETRYING)
    later = wired.send(GET, Deadline(SOON))
    peer.answer(call, 201)
    assert wait(answered, Deadline(SOON), "GET").code == 201
    other = wired.service.peer()
    other.accept_init()
    other.answer(other.expect(RestCall))

    assert wait(later, Deadline(SOON), "GET").code == 200


@pytest.mark.row("ER07")
@pytest.mark.parametrize(
    ("code", "state"),
    [
        (401, ConnectionState.DENIED),
        (410, ConnectionState.DENIED),
        (406, ConnectionState.DISCONNECTED),
        (417, ConnectionState.DISCONNECTED),
    ],
)
def test_an_order_to_stay_away_is_final(wire: Wire, code: int, state: ConnectionState) -> None:
    """No further connection; the error is terminal."""
    wired = wire()
    wired.up().send(Close("C1", Status(code, "NO")))
    wired.recorder.wait_state(state)

    assert wired.recorder.wait_for("connection_error").terminal
    assert wired.service.no_peer(0.2)
    assert bool(wired.recorder.facts("failed")) is (code in (406, 417))


def test_bad_frames_are_survived_then_the_connection_is_replaced(wire: Wire) -> None:
    """Two are answered or passed over; the third is one too many."""
    wired = wire()
    peer = wired.up()
    peer.send_frame(ABNF.OPCODE_TEXT, b"text")
    peer.send(frame.encode({"method": "notification", "id": "N1"}))
    rejected = peer.packet(acks=True)
    assert isinstance(rejected, Reply)
    assert (rejected.id, rejected.status.code) == ("N1", 400)
    peer.send(b"TWILSOCK V2.0 1")
    wired.service.peer().accept_init()

    wired.recorder.wait_for("connected", count=2)


def test_a_text_message_is_read_like_a_binary_one(wire: Wire) -> None:
    """An init accepted, a notification, and a response, all in text messages."""
    wired = wire()
    wired.connection.start()
    peer = wired.service.peer()
    init = peer.expect(Init)
    peer.send_frame(ABNF.OPCODE_TEXT, Reply(init.id).encode())
    wired.recorder.wait_for("connected")
    future = wired.send(GET, Deadline(SOON))
    call = peer.expect(RestCall)
    peer.send_frame(ABNF.OPCODE_TEXT, Notification("N1", "t", "grüße").encode())
    peer.send_frame(ABNF.OPCODE_TEXT, Reply(call.id, http_status=Status(200), body=b"{}").encode())

    assert wait(future, Deadline(SOON), "GET").code == 200
    assert wired.recorder.facts("notification") == [("t", "grüße")]
    assert wired.recorder.facts("disconnected") == []


def test_an_oversized_frame_replaces_the_connection(wire: Wire) -> None:
    """Before it is read."""
    wired = wire(max_frame_bytes=100_000)
    wired.up().send_raw(bytes([0x82, 127]) + (200_000).to_bytes(8, "big"))
    wired.service.peer().accept_init()

    wired.recorder.wait_for("connected", count=2)


# Requests that fail alone


@pytest.mark.row("ER46")
def test_a_request_that_is_not_answered_times_out(wire: Wire) -> None:
    """Its late answer is ignored."""
    wired = wire()
    peer = wired.up()
    future = wired.send(GET, Deadline(0.1))
    message = peer.expect(RestCall)
    with pytest.raises(RequestTimeoutError) as raised:
        wait(future, Deadline(SOON), "GET")
    assert raised.value.sent is True
    peer.answer(message)
    again = wired.send(GET, Deadline(SOON))
    peer.answer(peer.expect(RestCall))

    assert wait(again, Deadline(SOON), "GET").status.ok


@pytest.mark.row("ER45")
def test_a_request_that_is_never_sent_times_out(wire: Wire) -> None:
    """And says so."""
    wired = wire()
    wired.connection.start()
    wired.service.peer()
    with pytest.raises(RequestTimeoutError) as raised:
        wait(wired.send(GET, Deadline(0.1)), Deadline(SOON), "GET")

    assert raised.value.sent is False


def test_a_refused_request_and_a_malformed_answer_fail_alone(wire: Wire) -> None:
    """The connection stands."""
    wired = wire()
    peer = wired.up()
    refused, malformed = (wired.send(GET, Deadline(SOON)) for _ in range(2))
    peer.refuse(peer.expect(RestCall), 429)
    peer.send(Reply(peer.expect(RestCall).id))

    with pytest.raises(ReplyError) as raised:
        wait(refused, Deadline(SOON), "GET")
    assert raised.value.retryable
    with pytest.raises(ProtocolError):
        wait(malformed, Deadline(SOON), "GET")
    assert wired.connection.state is ConnectionState.CONNECTED


# Other calls


def test_a_sleep_that_is_ended_early_leaves_nothing(wire: Wire) -> None:
    """Neither the future nor its timer is kept for the rest of the time, which may be endless."""
    wired = wire()
    wired.up()
    connection = wired.connection

    def kept() -> tuple[int, int]:
        return len(connection._io.pending), sum(timer.active for _, _, timer in connection.timers._heap)

    def sleep() -> tuple[int, int]:
        connection.sleep(float("inf")).settle(None)
        return kept()

    before = wait(connection.call(kept), Deadline(SOON), "looking")
    assert wait(connection.call(sleep), Deadline(SOON), "sleeping") == before


def test_call_runs_on_the_io_thread(wire: Wire) -> None:
    """Its result, or its exception, comes back; timers can be used there."""
    wired = wire()
    wired.up()
    rang = threading.Event()
    name = wait(wired.connection.call(lambda: threading.current_thread().name), Deadline(SOON), "call")
    wait(wired.connection.call(lambda: wired.connection.timers.call_later(0.01, rang.set)), Deadline(SOON), "call")

    assert name.startswith("conversations-io")
    assert rang.wait(SOON)
    with pytest.raises(ZeroDivisionError):
        wait(wired.connection.call(lambda: 1 / 0), Deadline(SOON), "call")


def test_waiting_on_the_io_thread_is_an_error_in_words(wire: Wire) -> None:
    """It would hang the client."""
    wired = wire()
    wired.up()
    failed = wired.connection.call(lambda: wait(wired.send(GET, Deadline(SOON)), Deadline(SOON), "GET /p"))

    with pytest.raises(RuntimeError, match="GET /p"):
        wait(failed, Deadline(SOON), "call")


def test_sleep_is_a_future(wire: Wire) -> None:
    """From any thread."""
    wired = wire()
    wired.up()
    began = time.monotonic()
    wait(wired.connection.run(lambda: wired.connection.sleep(0.05)), Deadline(SOON), "sleep")

    assert time.monotonic() - began >= 0.05


def test_an_end_of_the_io_thread_is_impossible_to_miss(wire: Wire) -> None:
    """State, listener and every waiter learn of it, with the cause."""
    wired = wire()
    wired.up()
    pending = wired.send(GET, Deadline(SOON))

    class Doom(BaseException):
        """Not an Exception: nothing catches it on the way."""

    def doom() -> None:
        raise Doom("the end")

    wired.connection.post(doom)
    cause = wired.recorder.wait_for("failed")
    assert isinstance(cause.__cause__, Doom)
    assert wired.connection.state is ConnectionState.ERROR
    with pytest.raises(TransportUnavailableError, match="the end"):
        wait(pending, Deadline(SOON), "GET")
    with pytest.raises(TransportUnavailableError, match="the end"):
        wait(wired.send(GET, Deadline(SOON)), Deadline(SOON), "GET")


# Tokens


def test_update_on_a_live_connection(wire: Wire) -> None:
    """One frame, same socket."""
    wired = wire()
    peer = wired.up()
    future = wired.connection.update_token("T1")
    update = peer.expect(Update)
    assert update.token == "T1"
    peer.send(Reply(update.id))

    wait(future, Deadline(SOON), "update_token")
    assert wired.service.accepted == 1


def test_update_before_the_start(wire: Wire) -> None:
    """The init carries it."""
    wired = wire()
    future = wired.connection.update_token("T1")
    wired.connection.start()
    init = wired.service.peer().accept_init()

    assert init.token == "T1"
    wait(future, Deadline(SOON), "update_token")


def test_update_after_denial(wire: Wire) -> None:
    """Connects again."""
    wired = wire()
    wired.connection.start()
    peer = wired.service.peer()
    peer.refuse(peer.packet(), 401)
    wired.recorder.wait_state(ConnectionState.DENIED)
    future = wired.connection.update_token("T1")
    assert wired.service.peer().accept_init().token == "T1"

    wait(future, Deadline(SOON), "update_token")


@pytest.mark.row("ER43")
def test_a_refused_update_fails_its_caller(wire: Wire) -> None:
    """With the service's reason."""
    wired = wire()
    peer = wired.up()
    future = wired.connection.update_token("T1")
    peer.refuse(peer.expect(Update), 401, 20107)
    with pytest.raises(ReplyError) as raised:
        wait(future, Deadline(SOON), "update_token")

    assert raised.value.code == 20107
    assert wired.service.peer().accept_init().token == "T0", "the one in use stays in use"


def test_update_wakes_a_long_back_off(wire: Wire) -> None:
    """Nobody waits out a minute with a good token in hand."""
    wired = wire(reconnect=BackoffPolicy(minimum=60))
    wired.up().cut()
    wired.recorder.wait_state(ConnectionState.RETRYING)
    future = wired.connection.update_token("T1")
    wired.service.peer().accept_init()

    wait(future, Deadline(SOON), "update_token")


@pytest.mark.row("EV12", "EV13")
def test_notices_about_the_token_are_told(wire: Wire) -> None:
    """About to expire, and expired by the answer to a single request."""
    wired = wire()
    peer = wired.up()
    peer.send(ClientUpdate("U1", "token_about_to_expire"))
    wired.recorder.wait_for("token_about_to_expire")
    wired.send(GET, Deadline(SOON))
    peer.refuse(peer.expect(RestCall), 401, 20104)

    wired.recorder.wait_for("token_expired")


def test_pings_of_the_protocol_are_acknowledged(wire: Wire) -> None:
    """Unknown methods too; without an id there is no answer."""
    peer = wire().up()
    peer.send(Unknown(None, "ping"))
    peer.send(Unknown("P1", "ping"))
    peer.send(Unknown("P2", "from the future"))

    assert ["P1", "P2"] == [packet.id for packet in (peer.packet(acks=True), peer.packet(acks=True)) if isinstance(packet, Reply)]


def test_a_flood_of_work_does_not_starve_the_socket(wire: Wire) -> None:
    """Posted calls that post again leave room for frames."""
    wired = wire()
    peer = wired.up()
    stop = threading.Event()

    def again() -> None:
        if not stop.is_set():
            wired.connection.post(again)

    wired.connection.post(again)
    peer.send(Notification("N1", "t", 1))
    wired.recorder.wait_for("notification")
    stop.set()
    wait_until(lambda: wired.connection.stats().in_flight == 0, "quiet")
