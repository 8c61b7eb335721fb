"""What models show besides what is changed in them, and what look-ups that find nothing say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import Connect
from tests.support.event_log import EventLog
from tests.support.patience import PATIENCE
from twilio_conversations import (
    BackoffPolicy,
    Client,
    ClientClosedError,
    Conversation,
    ConversationLimits,
    Endpoints,
    InvalidArgumentError,
    NotFoundError,
    PageUnavailableError,
    RestError,
)
from twilio_conversations.server import LocalServer

Pair = tuple[Conversation, Conversation]
SID = "0" * 32


@pytest.mark.row("CV06", "CV07", "CV14", "CV20")
def test_what_a_conversation_shows(pair: Pair) -> None:
    """Dates are aware and never before the creation; limits are those of the service; both ways to the attributes agree."""
    conversation, bobs = pair
    for one in pair:
        assert one.date_created is not None
        assert one.date_updated is not None
        assert one.date_created.utcoffset() is not None
        assert one.date_created <= one.date_updated
        assert isinstance(one.limits, ConversationLimits)
        assert one.limits.media_attachments_count_limit > 0
    assert bobs.limits == conversation.limits
    conversation.update_attributes({"a": [1]})
    assert conversation.get_attributes() == conversation.attributes == {"a": [1]}
    conversation.get_attributes()["a"].append(2)
    assert conversation.get_attributes() == {"a": [1]}


@pytest.mark.row("ME06", "ME08", "ME10", "ME11", "ME13")
def test_what_a_message_shows(pair: Pair) -> None:
    """Kind, dates and editor, before and after an edit."""
    message = pair[0].send_message("plain")
    assert (message.type, message.content_sid, message.last_updated_by) == ("text", None, None)
    assert message.date_created is not None
    message.update_body("edited")
    assert message.date_updated is not None
    assert message.date_created <= message.date_updated


@pytest.mark.row("PA05", "PA06", "PA09", "PA10", "PA11", "PA12", "PA15")
def test_what_a_participant_shows(pair: Pair, fresh: Any) -> None:
    """Kind, role, dates and horizon; `remove` is the conversation's own."""
    conversation, _ = pair
    carol = conversation.add(fresh("carol"))
    assert carol.type == "chat"
    assert carol.role_sid.startswith("RL")
    assert carol.date_created is not None
    assert carol.date_updated is not None
    assert (carol.last_read_message_index, carol.last_read_timestamp) == (None, None)
    carol.remove()
    assert carol not in conversation.get_participants()


@pytest.mark.row("CV24", "ER11", "ER12", "ER13", "ER14", "JD07", "ME22")
def test_look_ups_that_find_nothing(pair: Pair) -> None:
    """Each says so with the same kind of error, which is a `LookupError` too; `None` is never the answer."""
    conversation, bobs = pair
    look_ups: tuple[Callable[[], object], ...] = (
        lambda: conversation.get_participant_by_sid("MB" + SID),
        lambda: conversation.get_participant_by_identity("nobody"),
    )
    for look_up in look_ups:
        with pytest.raises(NotFoundError) as caught:
            look_up()
        assert isinstance(caught.value, LookupError)
    conversation.send_message("mine")
    event_log = EventLog(bobs, "participant_left")
    message = bobs.get_messages().items[0]
    bobs.get_participants()
    conversation.leave()
    event_log.wait("participant_left")
    with pytest.raises(NotFoundError, match=conversation.created_by):
        message.get_participant()
    with pytest.raises(NotFoundError):
        conversation.get_unread_messages_count()


@pytest.mark.row("ER26", "ER27")
def test_pages_that_are_not_there(pair: Pair) -> None:
    """Beyond the last and before the first there is an error, not an empty page."""
    page = pair[0].get_messages()
    assert (page.has_next_page, page.has_prev_page) == (False, False)
    with pytest.raises(PageUnavailableError):
        page.next_page()
    with pytest.raises(PageUnavailableError):
        page.prev_page()


@pytest.mark.row("CV23", "CV26", "JD03")
def test_counts_are_never_old(pair: Pair, fresh: Any) -> None:
    """No answer is kept: each count is the service's own of that moment."""
    conversation, bobs = pair
    for number in range(1, 4):
        conversation.send_message("x")
        assert bobs.get_messages_count() == number
        conversation.add(fresh("guest"))
        assert bobs.get_participants_count() == 2 + number


@pytest.mark.row("CO11")
@pytest.mark.parametrize(("seconds", "sent_again"), [(60.0, False), (1e-6, True)], ids=["silent", "over"])
def test_typing_is_silent_for_as_long_as_asked(connect: Connect, fresh: Any, seconds: float, sent_again: bool) -> None:
    """Within `typing_timeout` a further call sends nothing; that shows where sending would be refused."""
    conversation = connect(fresh("alice"), typing_timeout=seconds).create_conversation().join()
    conversation.typing()
    conversation.delete()
    if sent_again:
        with pytest.raises(RestError):
            conversation.typing()
    else:
        conversation.typing()


@pytest.mark.row("JD09")
def test_a_typing_notice_that_failed_counts_as_none(connect: Connect, fresh: Any) -> None:
    """What was refused does not silence the next call."""
    conversation = connect(fresh("alice")).create_conversation().join()
    conversation.delete()
    for _ in range(2):
        with pytest.raises(RestError):
            conversation.typing()


@pytest.mark.row("CC05")
def test_restricted_access_is_asked_for(connect: Connect, own: LocalServer) -> None:
    """`access` goes with the creation, if it is given."""
    alice = connect("alice", token=own.token("alice"), endpoint=own.url)
    alice.create_conversation(friendly_name="open")
    alice.create_conversation(friendly_name="closed", access="restricted")
    sent = [frame["payload"] for frame in own.traffic("alice") if frame["direction"] == "in"]
    bodies = [body for body in sent if isinstance(body, dict) and "friendly_name" in body]
    assert [body.get("access") for body in bodies] == [None, "restricted"]


@pytest.mark.row("BY25", "CO05", "CO21", "CO26", "CO31", "CO32", "CO33", "CO34")
def test_addresses(service: LocalServer) -> None:
    """A region names Twilio's own; each can be given by itself; more than one way at once is an error."""
    endpoints = Endpoints.for_region("ie1")
    assert endpoints.twilsock == "wss://tsock.ie1.twilio.com/v3/wsconnect"
    assert endpoints.api == "https://aim.ie1.twilio.com"
    assert endpoints.sync == "https://cds.ie1.twilio.com"
    assert endpoints.registrations == "https://ers.ie1.twilio.com/v1/registrations"
    assert endpoints.media == "https://mcs.ie1.twilio.com"
    with Client(service.token("alice"), region="ie1", auto_connect=False) as client:
        assert client._core.runtime.options.endpoints == endpoints
    with pytest.raises(InvalidArgumentError):
        Client(service.token("alice"), region="ie1", endpoints=endpoints)


@pytest.mark.row("CO01", "CO22")
def test_a_client_says_what_it_is(own: LocalServer) -> None:
    """The service is told the program's own words beside those of the package."""
    with Client(own.token("alice"), endpoint=own.url, client_metadata={"app": "test"}) as client:
        client.wait_until_ready(PATIENCE)
        first = next(frame for frame in own.traffic("alice") if frame["direction"] == "in")
    assert first["header"]["method"] == "init"
    told = first["payload"]["metadata"] if first["payload"] else first["header"]["metadata"]
    assert told["app"] == "test"
    assert "sdk" in told


@pytest.mark.row("CO29")
def test_a_reconnect_policy_is_followed(service: LocalServer, fresh: Any) -> None:
    """Six attempts within the patience of a test; with the default delays they would take half a minute."""
    policy = BackoffPolicy(minimum=0.01, maximum=0.02)
    with Client(service.token(fresh("alice")), endpoint="http://127.0.0.1:9", reconnect=policy) as client:
        event_log = EventLog(client, "connection_error")
        event_log.wait("connection_error", lambda _: len(event_log.entries) > 5)


@pytest.mark.row("ER08", "ER51")
def test_closed_objects_say_so(connect: Connect, fresh: Any) -> None:
    """A conversation of a client that was closed fails like the client."""
    client = connect(fresh("alice"))
    conversation = client.create_conversation().join()
    client.close()
    with pytest.raises(ClientClosedError):
        conversation.send_message("too late")
    with pytest.raises(ClientClosedError):
        conversation.get_messages()


@pytest.mark.row("BY36", "BY38")
def test_a_readable_name(pair: Pair) -> None:
    """What a log shows of a model tells which it is; the package says that it is typed."""
    conversation, _ = pair
    message = conversation.send_message("x")
    assert conversation.sid in repr(conversation)
    assert message.sid in repr(message)
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import importlib.resources as r; print(r.files('twilio_conversations').joinpath('py.typed').is_file())",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert found.stdout.strip() == "True"
    assert {conversation: 1}[conversation] == 1
