"""Content templates of the service, and messages made from them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.support.patience import PATIENCE
from twilio_conversations import Client, ContentDataText, ContentTemplateVariable, MediaError, RestError
from twilio_conversations.server import LocalServer


@pytest.fixture
def crowded() -> Iterator[LocalServer]:
    """A service with more templates than fit on a page."""
    with LocalServer() as server:
        content = {"variables": {"name": "you"}, "variants": {"twilio/text": {"body": "Hi {{name}}"}}}
        server.seed({"templates": [{"friendly_name": f"t{number:03}", **content} for number in range(101)]})
        yield server


@pytest.mark.row("CL28")
def test_all_pages_are_read_and_remembered(crowded: LocalServer) -> None:
    """However many there are; those who ask at once, or soon after, share one reading."""
    with Client(crowded.token("alice"), endpoint=crowded.url) as client:
        client.wait_until_ready(PATIENCE)
        crowded.forget_traffic()
        threads = [threading.Thread(target=client.get_content_templates) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        templates = client.get_content_templates()
        asked = [frame for frame in crowded.traffic("alice") if "ContentTemplates" in str(frame["header"])]
    assert sorted(template.friendly_name for template in templates) == [f"t{n:03}" for n in range(101)]
    assert templates[0].variables == (ContentTemplateVariable("name", "you"),)
    assert isinstance(templates[0].variants["twilio/text"], ContentDataText)
    assert len(asked) == 2


@pytest.mark.row("CL28")
def test_a_failed_reading_is_not_remembered(crowded: LocalServer) -> None:
    """The next call asks again."""
    with Client(crowded.token("alice"), endpoint=crowded.url) as client:
        client.wait_until_ready(PATIENCE)
        crowded.faults.refuse(1, status=400, path="ContentTemplates")
        with pytest.raises(RestError):
            client.get_content_templates()
        assert len(client.get_content_templates()) == 101


@pytest.mark.row("ME31", "ER32")
def test_a_message_from_a_template_carries_its_content(crowded: LocalServer) -> None:
    """It is read from the message; an ordinary message has none, and what cannot be fetched is an error."""
    with Client(crowded.token("alice"), endpoint=crowded.url) as client:
        room = client.wait_until_ready(PATIENCE).create_conversation().join()
        template = client.get_content_templates()[0]
        message = room.send_message(content_sid=template.sid, content_variables={"name": "Ada"})
        assert message.content_sid == template.sid
        assert room.send_message("x").get_content_data() is None
        crowded.faults.refuse(1, status=404, path="Media")
        with pytest.raises(MediaError):
            message.get_content_data()
        crowded.faults.clear()
        content = message.get_content_data()
        assert isinstance(content, ContentDataText)
        assert content.body == "Hi Ada"
