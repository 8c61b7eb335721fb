"""The official SDK's own bundle in a bare page, given a token and nothing else, with a client of ours on the other side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import attrs
import pytest

from tests.browser.conftest import WAIT, Setting
from tests.support.chromium import Chromium
from twilio_conversations import Client, Conversation, Message

Fresh = Callable[[str], str]
VERSIONS = ("3.0.1", "2.7.0", "2.6.5", "2.2.0")

START = """
window.client = new Twilio.Conversations.Client(arguments[0]);
window.seen = [];
for (const name of ["initialized", "initFailed", "connectionError", "conversationJoined", "messageAdded",
                    "typingStarted", "typingEnded"])
  client.on(name, (what) => {
    window.seen.push(name);
    if (name === "conversationJoined") window.room = what;
    if (name === "messageAdded") window.message = what;
    if (name === "connectionError") window.trouble = what;
  });
return Twilio.Conversations.Client.version;
"""


@attrs.frozen
class Together:
    """A room with two in it: a page in a browser, and a program."""

    page: Chromium
    bot: Client
    room: Conversation
    user: str

    def sent_by_page(self, script: str) -> Message:
        """Return the message that the page sends, as the program sees it."""
        with self.bot.events("message_added", timeout=WAIT) as added:
            self.page.run(script)
            return next(event.payload for event in added if event.payload.author == self.user)


@pytest.fixture(params=VERSIONS)
def together(request: pytest.FixtureRequest, setting: Setting, bot: Client, fresh: Fresh) -> Iterator[Together]:
    """A page with each version of the SDK in turn, whose user the program has added to a room."""
    page, user = setting.browser, fresh("page")
    setting.open("bare.html", version=request.param)
    assert page.run(START, setting.token(user)) == request.param
    page.until("seen.includes('initialized') || seen.includes('initFailed')")
    assert page.run("return seen.filter((name) => name.startsWith('init'))") == ["initialized"]
    room = bot.create_conversation().join()
    room.add(user)
    page.until("window.room && room.sid === arguments[0]", room.sid)
    yield Together(page, bot, room, user)
    assert page.run("return window.trouble ? window.trouble.message : null") is None
    page.run("return client.shutdown()")
    assert page.told() == [], "nothing failed to load, and nothing was blocked"


def test_text_both_ways(together: Together) -> None:
    """A message of the program comes to the page with its text and attributes, and the page's to the program."""
    page, room = together.page, together.room
    room.send_message("héllo ☃ 😀", attributes={"n": 1})
    page.until("window.message && message.body === arguments[0] && message.attributes.n === 1", "héllo ☃ 😀")
    message = together.sent_by_page("return room.sendMessage('from the page ✏️', {answer: true})")
    assert (message.index, message.body, message.attributes) == (1, "from the page ✏️", {"answer": True})


def test_an_attachment_both_ways(together: Together) -> None:
    """A file of the program is fetched by the page from its link, and one of the page by the program."""
    page, room = together.page, together.room
    room.send_message(media=("notes.txt", "milk ☃".encode(), "text/plain"))
    page.until("window.message && message.attachedMedia && message.attachedMedia.length === 1")
    link = page.run("return message.attachedMedia[0].getContentTemporaryUrl()")
    assert link.startswith("https://mcs.us1.twilio.com/")
    assert page.run("return fetch(arguments[0]).then((answer) => answer.text())", link) == "milk ☃"
    message = together.sent_by_page("""
        const media = new Blob(["eggs ☃"], {type: "text/plain"});
        return room.prepareMessage().setBody("list").addMedia({contentType: "text/plain", filename: "list.txt", media})
          .build().send();
    """)
    (medium,) = message.attached_media
    assert (message.body, medium.filename, medium.content_type) == ("list", "list.txt", "text/plain")
    assert medium.read().decode() == "eggs ☃"


def test_typing_both_ways(together: Together) -> None:
    """Each sees the other begin to type; a message ends it."""
    page, room = together.page, together.room
    room.typing()
    page.until("seen.includes('typingStarted')")
    room.send_message("done")
    page.until("seen.includes('typingEnded')")
    started, ended = threading.Event(), threading.Event()
    room.on("typing_started", lambda participant: started.set() if participant.identity == together.user else None)
    room.on("typing_ended", lambda participant: ended.set() if participant.identity == together.user else None)
    page.run("return room.typing()")
    assert started.wait(WAIT)
    page.run("return room.sendMessage('done too')")
    assert ended.wait(WAIT)
