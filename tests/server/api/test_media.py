"""Media on the service: uploads raw and as forms, who may see them, links, ranges, and messages that carry them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
import requests

from tests.server.peer import Peer, new_mutation
from tests.support.patience import PATIENCE
from twilio_conversations.server import LocalServer
from twilio_conversations.server.api.media import content_headers
from twilio_conversations.server.storage.media_files import MediaFiles

TIMEOUT = PATIENCE
CONTENT = bytes(range(256)) * 300


@attrs.frozen
class Uploader:
    """Somebody who uses the media service with a token; `peer` is the same person's connection."""

    peer: Peer

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Twilio-Token": self.peer.server.token(self.peer.identity)}

    def post(self, data: Any = CONTENT, content_type: str | None = "image/png", **query: str) -> requests.Response:
        headers = self.headers | ({"Content-Type": content_type} if content_type else {})
        return requests.post(self.peer.link("media_service"), params=query, data=data, headers=headers, timeout=TIMEOUT)

    def upload(self, data: Any = CONTENT, content_type: str = "image/png", **query: str) -> dict[str, Any]:
        answer = self.post(data, content_type, **query)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def get(self, url: str) -> requests.Response:
        return requests.get(url, headers=self.headers, timeout=TIMEOUT)

    def describe(self, sid: str) -> requests.Response:
        return self.get(f"{self.peer.link('media_service')}/{sid}")

    def media_set(self, *sids: str) -> list[dict[str, Any]]:
        body = {"command": "get", "list": [{"media_sid": sid} for sid in sids]}
        answer = requests.post(self.peer.link("media_set_service"), json=body, headers=self.headers, timeout=TIMEOUT)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        return list(answer.json())


@pytest.fixture
def uploader(alice: Peer) -> Uploader:
    """Alice, with something to upload."""
    return Uploader(alice)


@pytest.fixture
def other(bob: Peer) -> Uploader:
    """Bob, who would like to see it."""
    return Uploader(bob)


@attrs.frozen
class Small:
    """A service of one's own, with low limits and a clock to turn, and alice in it."""

    server: LocalServer
    directory: Path
    alice: Uploader

    def files(self) -> set[str]:
        """What is on its disk."""
        return {file.name for file in self.directory.iterdir()}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    """A megabyte for each medium and for all of a message, of which there are two at most."""
    with LocalServer(tmp_path) as server:
        server.configure(
            media_attachment_size_limit_in_mb=1, media_attachments_total_size_limit_in_mb=1, media_attachments_count_limit=2
        )
        with Peer.connected(server, "alice") as peer:
            yield Small(server, tmp_path / "media", Uploader(peer))


def link_of(record: dict[str, Any]) -> str:
    """The temporary link to a medium."""
    return str(record["links"]["content_direct_temporary"])


def fetch(record: dict[str, Any], **headers: str) -> requests.Response:
    """The content behind the temporary link, asked for without a token."""
    return requests.get(link_of(record), headers=headers, timeout=TIMEOUT)


# -- uploading -------------------------------------------------------------------------------------------------------------


def test_an_upload_is_described(uploader: Uploader) -> None:
    """The answer to an upload says what was uploaded and where it is; the name is decoded as a form."""
    record = uploader.upload(Filename="p ü&1.png", Category="media")
    assert (record["filename"], record["content_type"], record["size"]) == ("p ü&1.png", "image/png", len(CONTENT))
    assert (record["author"], record["category"], record["is_multipart_upstream"]) == (uploader.peer.identity, "media", False)
    assert (record["message_sid"], record["channel_sid"]) == (None, None)
    again = uploader.get(record["url"]).json()
    assert {**again, "links": None} == {**record, "links": None}


def test_content_is_what_was_uploaded(uploader: Uploader) -> None:
    """By the temporary link without a token, and by the content link with one, the bytes come back with their type."""
    record = uploader.upload()
    for answer in (fetch(record), uploader.get(record["links"]["content"])):
        assert (answer.status_code, answer.content) == (200, CONTENT)
        assert answer.headers["content-type"] == "image/png"


def test_an_upload_without_a_length(uploader: Uploader) -> None:
    """A client may stream without saying how much is to come; a missing type is that of plain bytes."""
    answer = uploader.post((b"x" * 50_000 for _ in range(20)), None)
    assert (answer.json()["size"], answer.json()["content_type"]) == (1_000_000, "application/octet-stream")
    assert fetch(answer.json()).content == b"x" * 1_000_000


def test_an_empty_upload(uploader: Uploader) -> None:
    """Nothing is a medium too."""
    assert fetch(uploader.upload(b"")).content == b""


def test_a_form_as_browsers_send_it(uploader: Uploader) -> None:
    """From a form the first file is taken, with its own name and type; other fields are skipped."""
    answer = requests.post(
        uploader.peer.link("media_service"),
        params={"Category": "media"},
        data={"note": "not the file"},
        files=[("file", ("añb.txt", CONTENT, "text/plain")), ("second", ("c.txt", b"no", "text/csv"))],
        headers=uploader.headers,
        timeout=TIMEOUT,
    )
    record = answer.json()
    assert (record["filename"], record["content_type"], record["size"]) == ("añb.txt", "text/plain", len(CONTENT))
    assert record["is_multipart_upstream"] is True
    assert fetch(record).content == CONTENT


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"no form at all"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="n"\r\n\r\nv\r\n--b--\r\n'),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="n"; filename="f"\r\n\r\nv'),
    ],
    ids=["no boundary", "no form", "no file", "cut"],
)
def test_broken_forms(uploader: Uploader, content_type: str, body: bytes) -> None:
    """A form that is none, has no file or ends early is refused."""
    answer = uploader.post(body, content_type)
    assert (answer.status_code, answer.json()["code"]) == (400, 20001)


@pytest.mark.parametrize("content_type", ["png", "text/", "text/plain; x", "a/b" * 100, 'text/plain; a="\\"'])
def test_types_that_are_none(uploader: Uploader, content_type: str) -> None:
    """A type that could not be sent back as a header is refused."""
    assert uploader.post(content_type=content_type).json()["code"] == 50511


def test_unknown_categories_and_long_names(uploader: Uploader) -> None:
    """The category is one of three, and names are at most 256 characters."""
    assert uploader.post(Category="film").json()["code"] == 20422
    assert uploader.post(Filename="x" * 257).json()["code"] == 20422
    assert uploader.upload(Category="history")["category"] == "history"


def test_only_with_a_token(uploader: Uploader) -> None:
    """Uploads and descriptions need a good token, and the service's own sid."""
    record = uploader.upload()
    for url in (record["url"], record["links"]["content"]):
        assert requests.get(url, timeout=TIMEOUT).json()["code"] == 20101
    assert requests.post(uploader.peer.link("media_service"), data=b"x", timeout=TIMEOUT).status_code == 401
    assert uploader.get(record["url"].replace("/IS", "/IX")).json()["code"] == 20404


def test_too_large(small: Small) -> None:
    """Beyond the limit the answer is 413, said length or not, raw or form; at the limit it is fine; nothing is left behind."""
    alice, fits = small.alice, b"x" * 1024 * 1024
    kept = alice.upload(fits)
    assert alice.post(fits + b"x").json()["code"] == 20413
    assert alice.post(iter([fits, b"x" * 100_000])).status_code == 413
    url = alice.peer.link("media_service")
    form = requests.post(url, files={"f": fits + b"x"}, headers=alice.headers, timeout=TIMEOUT)
    assert form.status_code == 413
    assert requests.post(url, files={"f": fits}, headers=alice.headers, timeout=TIMEOUT).status_code == 201
    assert len(small.files()) == 2
    assert kept["sid"] in small.files()


def test_an_upload_that_breaks_off(small: Small) -> None:
    """Who goes away in the middle of an upload leaves no file."""
    address = urlsplit(small.alice.peer.link("media_service"))
    token = small.alice.headers["X-Twilio-Token"]
    head = f"POST {address.path} HTTP/1.1\r\nHost: x\r\nX-Twilio-Token: {token}\r\nContent-Length: 1000000\r\n\r\n"
    assert address.port is not None
    with socket.create_connection(("127.0.0.1", address.port), timeout=TIMEOUT) as line:
        line.sendall(head.encode() + b"x" * 600_000)
        eventually(lambda: len(small.files()) == 1)
    eventually(lambda: small.files() == set())


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what the service does on its own; there is nothing to be told by."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_killed_process_left(tmp_path: Path) -> None:
    """At the start unfinished uploads and files without a row are deleted, and everything else is kept."""
    with LocalServer(tmp_path) as server, Peer.connected(server, "alice") as peer:
        record = Uploader(peer).upload()
    (tmp_path / "media" / ".incoming-ME1").write_bytes(b"half")
    MediaFiles(tmp_path, durable=True).put(b"no row")
    with LocalServer(tmp_path) as server, Peer.connected(server, "alice") as peer:
        assert [file.name for file in (tmp_path / "media").iterdir()] == [record["sid"]]
        assert fetch(Uploader(peer).describe(record["sid"]).json()).content == CONTENT


def test_media_are_private_files(small: Small) -> None:
    """Nobody but the owner of the data directory can look at media on the disk."""
    small.alice.upload()
    assert small.directory.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in small.directory.iterdir())


# -- content ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "start", "end"), [("bytes=0-99", 0, 100), ("bytes=76700-", 76700, 76800), ("bytes=-10", 76790, 76800)]
)
def test_ranges(uploader: Uploader, wanted: str, start: int, end: int) -> None:
    """A part of the content is answered with 206 and its place."""
    answer = fetch(uploader.upload(), Range=wanted)
    assert (answer.status_code, answer.content) == (206, CONTENT[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"


def test_ranges_that_cannot_be(uploader: Uploader) -> None:
    """A part behind the end is 416."""
    assert fetch(uploader.upload(), Range="bytes=100000-").status_code == 416


def test_head_of_a_link(uploader: Uploader) -> None:
    """The headers alone can be asked for."""
    answer = requests.head(link_of(uploader.upload()), timeout=TIMEOUT)
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, str(len(CONTENT)), b"")


def test_links_are_new_each_time_and_end(small: Small) -> None:
    """A link works for its time and not a second longer; a new description has a new one."""
    record = small.alice.upload()
    small.server.advance_clock(290)
    later = small.alice.describe(record["sid"]).json()
    assert link_of(later) != link_of(record)
    assert fetch(record).status_code == 200
    small.server.advance_clock(11)
    assert (fetch(record).status_code, fetch(record).json()["code"]) == (403, 20403)
    assert fetch(later).content == CONTENT


def test_forged_links(uploader: Uploader) -> None:
    """A link for another medium, for a later end, without or with a strange signature does not work."""
    mine, another = uploader.upload(), uploader.upload()
    link = link_of(mine)
    query = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    forged = [
        link.replace(mine["sid"], another["sid"]),
        link.replace(query["Expires"], str(int(query["Expires"]) + 1)),
        link.partition("?")[0],
        link.partition("&")[0] + "&Signature=%C3%BC",
        link.replace(query["Expires"], "%C2%B2"),
        link.replace(query["Expires"], "-1"),
        link.replace(query["Expires"], "9" * 400),
    ]
    for url in forged:
        assert requests.get(url, timeout=TIMEOUT).status_code == 403, url
    assert fetch(mine).status_code == 200


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("a.png", "attachment; filename=\"a.png\"; filename*=UTF-8''a.png"),
        ("ü 1.png", "attachment; filename=\"_ 1.png\"; filename*=UTF-8''%C3%BC%201.png"),
        ('a"; x="b.html', "attachment; filename=\"a_; x=_b.html\"; filename*=UTF-8''a%22%3B%20x%3D%22b.html"),
        ("../../etc/passwd", "attachment; filename=\"passwd\"; filename*=UTF-8''passwd"),
        ("C:\\windows\\x.exe", "attachment; filename=\"x.exe\"; filename*=UTF-8''x.exe"),
        ("a\r\nSet-Cookie: x=1\x00", "attachment; filename=\"aSet-Cookie: x=1\"; filename*=UTF-8''aSet-Cookie%3A%20x%3D1"),
        ("gpj.\u202eexe", "attachment; filename=\"gpj.exe\"; filename*=UTF-8''gpj.exe"),
        ("..", "attachment"),
        ("", "attachment"),
        (None, "attachment"),
    ],
)
def test_hostile_names(filename: str | None, expected: str) -> None:
    """A name becomes a harmless one, in a header of its own, whatever is in it."""
    assert content_headers("text/html", filename)["content-disposition"] == expected


def test_content_is_never_run(uploader: Uploader) -> None:
    """A page that was uploaded comes back as a file to be saved: not shown, not guessed at, without scripts."""
    answer = fetch(uploader.upload(b"<script>alert(1)</script>", "text/html", Filename='x"\r\nEvil: 1.html'))
    assert answer.headers["content-type"] == "text/html"
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert "evil" not in answer.headers


def test_browsers_may_use_it_from_any_page(uploader: Uploader) -> None:
    """The question that browsers ask before they send a token is answered, and the answers may be read by the page."""
    ask = {"Origin": "http://app.test", "Access-Control-Request-Method": "POST"}
    ask["Access-Control-Request-Headers"] = "x-twilio-token,content-type"
    for link in ("media_service", "media_set_service"):
        answer = requests.options(uploader.peer.link(link), headers=ask, timeout=TIMEOUT)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
        assert "x-twilio-token" in answer.headers["access-control-allow-headers"]
    assert fetch(uploader.upload(), Origin="http://app.test").headers["access-control-allow-origin"] == "*"


# -- who may see what ------------------------------------------------------------------------------------------------------


def test_before_it_is_sent_only_the_uploader_sees_it(uploader: Uploader, other: Uploader) -> None:
    """To others a medium does not exist until it is sent to a conversation of theirs; strangers never see it."""
    record = uploader.upload()
    assert other.describe(record["sid"]).json()["code"] == 50507
    room = uploader.peer.room()
    message = uploader.peer.say(room, media_sids=[record["sid"]])
    assert other.describe(record["sid"]).status_code == 404
    uploader.peer.post(f"{room}/Participants", {"identity": other.peer.identity})
    seen = other.describe(record["sid"]).json()
    assert (seen["message_sid"], seen["channel_sid"]) == (message["sid"], message["conversation_sid"])
    assert fetch(seen).content == CONTENT
    uploader.peer.delete(f"{room}/Participants/{other.peer.identity}")
    assert other.describe(record["sid"]).status_code == 404


def test_media_set(uploader: Uploader, other: Uploader) -> None:
    """Several are described at once, in the order asked; what may not be seen has its own code and its sid."""
    first, second, hidden = uploader.upload(), uploader.upload(b"2"), other.upload()
    entries = uploader.media_set(second["sid"], hidden["sid"], first["sid"], "ME?")
    assert [entry["code"] for entry in entries] == [200, 404, 200, 404]
    assert [entry["media_record"]["sid"] for entry in entries] == [second["sid"], hidden["sid"], first["sid"], "ME?"]
    assert fetch(entries[0]["media_record"]).content == b"2"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"command":"get"}', b'{"command":"put","list":[]}', b'{"command":"get","list":[1]}']
)
def test_media_sets_that_are_none(uploader: Uploader, body: bytes) -> None:
    """Anything but a list of sids is refused."""
    answer = requests.post(uploader.peer.link("media_set_service"), data=body, headers=uploader.headers, timeout=TIMEOUT)
    assert answer.status_code == 400


# -- messages with media ---------------------------------------------------------------------------------------------------


def test_a_message_with_media(uploader: Uploader, other: Uploader) -> None:
    """The list item and the REST bodies show the media in the order given, each in its own spelling, before and after an edit."""
    peer = uploader.peer
    room = peer.room(other.peer.identity)
    name = peer.get(room).body["sync_objects"]["messages"]
    other.peer.follow("list", name)
    second, first = uploader.upload(b"2", "text/csv"), uploader.upload(Filename="a.png")
    sids = [first["sid"], second["sid"]]
    made = peer.post(f"{room}/Messages", {"media_sids": sids, "attributes": "{}"}).body
    assert made["body"] is None
    assert [(medium["sid"], medium["content_type"], medium["size"]) for medium in made["media"]] == [
        (first["sid"], "image/png", len(CONTENT)),
        (second["sid"], "text/csv", 1),
    ]
    expected = [
        {"sid": first["sid"], "category": "media", "filename": "a.png", "contentType": "image/png", "size": len(CONTENT)},
        {"sid": second["sid"], "category": "media", "filename": None, "contentType": "text/csv", "size": 1},
    ]
    item = other.peer.event("list_item_added").payload["events"][0]["item_data"]
    assert (item["type"], item["medias"], item["media"], item["text"]) == ("media", expected, expected[0], None)
    edited = peer.post(made["url"], {"body": "a caption"}).body
    assert edited["media"] == made["media"]
    item = other.peer.event("list_item_updated").payload["events"][0]["item_data"]
    assert (item["medias"], item["text"]) == (expected, "a caption")
    assert peer.get(made["url"]).body["media"] == made["media"]
    assert peer.say(room)["media"] is None
    assert "medias" not in peer.items("list", name)[-1]["data"]


def test_an_email(uploader: Uploader) -> None:
    """Bodies and histories are media of their own categories; alone they need no text and are not an attachment."""
    room = uploader.peer.room()
    html = uploader.upload(b"<p>", "text/html; charset=utf-8", Category="body")
    plain = uploader.upload(b"p", "text/plain", Category="body")
    history = uploader.upload(b"h", "text/plain", Category="history")
    sids = [html["sid"], plain["sid"], history["sid"]]
    made = uploader.peer.post(f"{room}/Messages", {"media_sids": sids, "subject": "Hi"}).body
    assert [medium["category"] for medium in made["media"]] == ["body", "body", "history"]
    item = uploader.peer.items("list", uploader.peer.get(room).body["sync_objects"]["messages"])[0]["data"]
    assert (item["type"], "media" in item, item["subject"]) == ("media", False, "Hi")


def test_one_message_per_medium(uploader: Uploader) -> None:
    """A medium goes with one message only; the same command again is a repetition, not a second message."""
    room, sid = uploader.peer.room(), uploader.upload()["sid"]
    mutation = new_mutation()
    assert uploader.peer.post(f"{room}/Messages", {"media_sids": [sid]}, mutation=mutation).status == 201
    assert uploader.peer.post(f"{room}/Messages", {"media_sids": [sid]}, mutation=mutation).status == 202
    again = uploader.peer.post(f"{room}/Messages", {"body": "again", "media_sids": [sid]})
    assert (again.status, again.code) == (409, 50508)


def test_media_that_cannot_be_sent(uploader: Uploader, other: Uploader) -> None:
    """Others' media, unknown ones, things that are no sids, and one sid twice are refused; no message is made."""
    room = uploader.peer.room(other.peer.identity)
    foreign, mine = other.upload()["sid"], uploader.upload()["sid"]
    refused = {
        50507: ([foreign], ["ME" + "0" * 32]),
        50506: ([""], [mine, None]),
        50510: ("ME", ["ME"], [1], [mine, mine], {"a": 1}),
    }
    for code, values in refused.items():
        for value in values:
            assert uploader.peer.post(f"{room}/Messages", {"body": "x", "media_sids": value}).code == code, value
    assert uploader.peer.get(room).body["messages_count"] == 0
    assert uploader.peer.post(f"{room}/Messages", {"media_sids": [mine]}).status == 201


def test_limits_of_a_message(small: Small) -> None:
    """Too many media, too many bytes, e-mail bodies of a strange type or twice of one type: the service counts as well."""
    alice = small.alice
    room = alice.peer.room()

    def code(*uploads: dict[str, Any]) -> int | None:
        return alice.peer.post(f"{room}/Messages", {"body": "x", "media_sids": [one["sid"] for one in uploads]}).code

    assert code(*(alice.upload(b"x") for _ in range(3))) == 20422
    assert code(*(alice.upload(b"x" * 600_000) for _ in range(2))) == 50512
    assert code(alice.upload(b"x", "text/csv", Category="body")) == 50511
    assert code(alice.upload(b"x", "image/png", Category="history")) == 50511
    assert code(*(alice.upload(b"x", "text/html", Category="body") for _ in range(2))) == 20422
    assert code(alice.upload(b"x"), alice.upload(b"x")) is None


def test_deleting_takes_the_media_along(small: Small) -> None:
    """With the message, or with the conversation, its media are gone: description, link and file."""
    alice = small.alice
    room = alice.peer.room()
    kept, first, second = alice.upload(), alice.upload(), alice.upload()
    message = alice.peer.say(room, media_sids=[first["sid"]])
    alice.peer.say(room, media_sids=[second["sid"]])
    assert alice.peer.delete(message["url"]).status == 204
    assert alice.describe(first["sid"]).status_code == fetch(first).status_code == 404
    assert small.files() == {kept["sid"], second["sid"]}
    assert alice.peer.delete(room).status == 204
    assert alice.describe(second["sid"]).status_code == 404
    assert small.files() == {kept["sid"]}


def test_abandoned_uploads(small: Small) -> None:
    """What was uploaded and not sent within a day goes when somebody uploads something; what was sent stays."""
    alice = small.alice
    sent, waiting = alice.upload(), alice.upload()
    alice.peer.say(alice.peer.room(), media_sids=[sent["sid"]])
    small.server.advance_clock(23 * 3600)
    young = alice.upload()
    assert alice.describe(waiting["sid"]).status_code == 200
    small.server.advance_clock(2 * 3600)
    newest = alice.upload()
    assert small.files() == {sent["sid"], young["sid"], newest["sid"]}
    assert alice.describe(waiting["sid"]).status_code == 404
