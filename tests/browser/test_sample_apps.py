"""Web apps in the manner of the sample apps: a list with unread badges, and a chat with attachments.

They fetch tokens from the service's endpoint, as they would from their backend, and a person clicks and types in them.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import WAIT, Setting
from twilio_conversations import Client, Conversation

Fresh = Callable[[str], str]
VERSIONS = pytest.mark.parametrize("version", ["3.0.1", "2.2.0"])
BADGES = "[...document.querySelectorAll('#conversations li')].map((row) => row.innerText.replace(/\\s+/g, ' ').trim())"


def picture(width: int, height: int) -> bytes:
    """Return a PNG of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x30\x60\x90" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def room_for(bot: Client, user: str, name: str) -> Conversation:
    """Return a conversation of the program's, to which a user was added."""
    room = bot.create_conversation(friendly_name=name).join()
    room.add(user)
    return room


def shows(setting: Setting, rows: list[str]) -> None:
    """Wait until the list shows these rows: names, and how many messages are unread."""
    setting.browser.until(f"JSON.stringify({BADGES}) === JSON.stringify(arguments[0])", rows)


def is_quiet(setting: Setting) -> None:
    """Check that nothing failed to load, was blocked, or went wrong in the page."""
    assert setting.browser.told() == []


@VERSIONS
def test_a_list_with_unread_badges(setting: Setting, bot: Client, fresh: Fresh, version: str) -> None:
    """Badges follow what others send, what the user reads, also after a reload, and where the user is no more."""
    user = fresh("user")
    lunch, work = (room_for(bot, user, name) for name in ("Lunch", "Work"))
    for number in range(3):
        lunch.send_message(f"{number}")
    setting.open("list.html", user, version)
    setting.browser.until("document.querySelector('#state').textContent === 'connected'")
    shows(setting, ["Lunch 3", "Work"])
    work.send_message("new")
    shows(setting, ["Work 1", "Lunch 3"])
    read = threading.Event()
    lunch.on("participant_updated", lambda change: read.set() if change.participant.last_read_message_index == 2 else None)
    setting.browser.click("#conversations li:nth-child(2) button")
    shows(setting, ["Work 1", "Lunch"])
    assert read.wait(WAIT)
    lunch.send_message("after")
    lunch.update_friendly_name("Dinner")
    shows(setting, ["Dinner 1", "Work 1"])
    setting.open("list.html", user, version)
    shows(setting, ["Dinner 1", "Work 1"])
    work.remove_participant(user)
    shows(setting, ["Dinner 1"])
    is_quiet(setting)


@VERSIONS
def test_a_chat_with_attachments(setting: Setting, bot: Client, fresh: Fresh, tmp_path: Path, version: str) -> None:
    """History, pictures, files, edits and typing come to the page; what a person types and attaches comes to the program."""
    page, user = setting.browser, fresh("user")
    room = room_for(bot, user, "Chat")
    for number in range(4):
        room.send_message(f"earlier {number}")
    room.send_message("look", media=("dot.png", picture(3, 2), "image/png"))
    setting.open("chat.html", user, version)
    bodies = "[...document.querySelectorAll('.body')].map((body) => body.textContent).join()"
    page.until(f"{bodies} === 'earlier 2,earlier 3,look'")
    page.until("document.querySelector('.message img')?.complete")
    size = "return [document.querySelector('img').naturalWidth, document.querySelector('img').naturalHeight]"
    assert page.run(size) == [3, 2]
    page.click("#earlier")
    page.until(f"{bodies} === 'earlier 0,earlier 1,earlier 2,earlier 3,look'")
    assert page.run("return document.querySelector('#earlier').hidden")

    room.typing()
    page.until("document.querySelector('#typing').textContent === arguments[0]", f"{bot.user.identity} types")
    said = room.send_message("notes", media=("notes.txt", "milk ☃".encode(), "text/plain"))
    page.until("document.querySelector('#typing').textContent === ''")
    page.until("document.querySelector('.message a')")
    fetched = "return fetch(document.querySelector('.message a').href).then((answer) => answer.text())"
    assert page.run(fetched) == "milk ☃"
    said.update_body("notes, corrected")
    page.until(f"{bodies}.endsWith('notes, corrected')")

    typed = threading.Event()
    room.on("typing_started", lambda participant: typed.set() if participant.identity == user else None)
    page.type("#text", "here you are")
    assert typed.wait(WAIT)
    file = tmp_path / "zoë's list.txt"
    file.write_text("eggs ☃", "utf-8")
    page.type("#file", str(file))
    with bot.events("message_added", timeout=WAIT) as added:
        page.click("#compose button")
        message = next(event.payload for event in added if event.payload.author == user)
    (medium,) = message.attached_media
    assert (message.body, medium.filename, medium.content_type) == ("here you are", "zoë's list.txt", "text/plain")
    assert medium.read().decode() == "eggs ☃"
    page.until(f"{bodies}.endsWith('here you are')")
    is_quiet(setting)


def test_pages_of_other_origins_get_no_token(setting: Setting) -> None:
    """A page that was not named cannot read a token, and a page that was can; a wrong identity is told to it."""
    ask = """
        return fetch(arguments[0]).then(async (answer) => [answer.status, await answer.text()], (error) => [0, String(error)]);
    """
    tokens = f"{setting.service['tokens']}?identity="
    setting.open("bare.html")
    status, token = setting.browser.run(ask, tokens + "alice")
    assert (status, token.count(".")) == (200, 2)
    status, text = setting.browser.run(ask, tokens)
    assert (status, "50204" in text) == (400, True)
    assert setting.browser.run(ask, f"{setting.service['url']}/v1/Conversations")[0] == 404
    setting.browser.open(setting.site.url.replace("localhost", "127.0.0.1") + "/bare.html?sdk=3.0.1")
    assert setting.browser.run(ask, tokens + "alice")[0] == 0
    setting.browser.told()
