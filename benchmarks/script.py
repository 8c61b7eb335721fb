"""What a scripted service says: one identity in one conversation, and any number of messages that arrive in it.

The answers have the shapes of `docs/`'s protocol pages and hold just what a client needs, so that the official SDK and ours
both come to life on them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

IDENTITY = "listener"
CONVERSATION = "CH" + "c" * 32
SERVICE = "IS" + "0" * 32
ACCOUNT = "AC" + "0" * 32
USER = "US" + "a" * 32
AUTHOR = "MB" + "b" * 32
SELF = "MB" + "a" * 32
LIST = "ES" + "e" * 32
DOCUMENT = "ET" + "d" * 32
ROSTER = "MP" + "1" * 32
MINE = "MP" + "2" * 32
INFO = "MP" + "3" * 32
DATE = "2026-11-23T18:35:12.806Z"

Json = dict[str, Any]


def packet(header: Mapping[str, Any], payload: Any = None) -> bytes:
    """A packet of the service in one unmasked WebSocket frame."""
    body = b"" if payload is None else json.dumps(payload, separators=(",", ":")).encode()
    text = json.dumps({**header, "payload_size": len(body)}, separators=(",", ":")).encode()
    message = b"TWILSOCK V3.0 %d\r\n%s\r\n%s" % (len(text), text, body)
    size = len(message)
    head = b"\x82" + (
        bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big") if size < 65536 else b"\x7f" + size.to_bytes(8, "big")
    )
    return head + message


def reply(name: str, body: Any = None, code: int = 200, **more: Any) -> bytes:
    """The answer to the request `name`; with a body, as a tunnelled HTTP answer."""
    header: Json = {"method": "reply", "id": name, "status": {"code": 200, "status": "OK"}, **more}
    if body is not None:
        header["http_status"] = {"code": code, "status": "OK" if code < 300 else "NOT FOUND"}
        header["http_headers"] = {"content-type": "application/json"}
        header["payload_type"] = "application/json"
    return packet(header, body)


def notification(number: int, kind: str, payload: Json) -> bytes:
    """A pushed packet, in the size that a service gives it."""
    header = {"method": "notification", "id": f"RQ{number:032x}", "message_type": kind, "notification_ctx_id": "default"}
    return packet({**header, "payload_type": "application/json"}, payload)


class Script:
    """The answers of a service whose base address is `base`."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.roots: dict[str, Json] = {}
        self.items: dict[str, list[Json]] = {}
        self._add("Maps", MINE, f"{USER}.my_conversations", 1, {CONVERSATION: self._membership()})
        self._add("Maps", INFO, f"{USER}.info", 3, self._info())
        self._add(
            "Maps", ROSTER, f"{CONVERSATION}.roster", 2, {SELF: self._participant(IDENTITY), AUTHOR: self._participant("author")}
        )
        self._add("Lists", LIST, f"{CONVERSATION}.messages", 0, {})
        self._add("Documents", DOCUMENT, f"{CONVERSATION}.channel", 0, None, data=document(None))

    def _add(self, kind: str, sid: str, name: str, head: int, items: Mapping[str, Any] | None, **more: Any) -> None:
        url = f"{self.base}/v3/{kind}/{sid}"
        root: Json = {"sid": sid, "unique_name": name, "url": url, "revision": str(head), "last_event_id": head, **more}
        root |= {"date_created": DATE, "date_updated": DATE, "date_expires": None}
        if items is not None:
            root["links"] = {"items": f"{url}/Items"}
            self.items[sid] = [
                {"key": key, "url": f"{url}/Items/{key}", "revision": "1", "last_event_id": 1, "data": data}
                | {"date_created": DATE, "date_updated": DATE, "date_expires": None}
                for key, data in items.items()
            ]
        self.roots[sid] = self.roots[name] = root

    def _membership(self) -> Json:
        names = {"channel": f"{CONVERSATION}.channel", "roster": f"{CONVERSATION}.roster", "messages": f"{CONVERSATION}.messages"}
        return {**names, "status": "joined", "lastConsumedMessageIndex": None, "notificationLevel": "default"}

    def _participant(self, identity: str) -> Json:
        person: Json = {"identity": identity, "type": "chat", "attributes": "{}", "dateCreated": DATE, "dateUpdated": DATE}
        return person | {"roleSid": None, "lastConsumedMessageIndex": None, "lastConsumptionTimestamp": None}

    def _info(self) -> Json:
        reachability = {"online": False, "notifiable": False}
        return {"friendlyName": {"value": None}, "attributes": {"value": "{}"}, "reachability": reachability}

    def configuration(self) -> Json:
        """The answer to the Configuration request."""
        service = f"{self.base}/Client/v2/Services/{SERVICE}"
        options: Json = {"consumption_report_interval": "PT5S", "user_infos_to_subscribe": 100, "reachability_enabled": False}
        options |= {"http_cache_interval": "PT5S", "my_conversations_page_size": 100, "media_attachments_count_limit": 10}
        options |= {"media_attachment_size_limit_in_mb": 150, "media_attachments_total_size_limit_in_mb": 150}
        options |= {"email_histories_allowed_mime_types": ["text/plain"], "email_bodies_allowed_mime_types": ["text/plain"]}
        links = {
            "my_conversations": f"{service}/Users/{IDENTITY}/Conversations",
            "conversations": f"{service}/Conversations",
            "users": f"{service}/Users",
            "current_user": f"{service}/Users/{IDENTITY}",
            "typing": f"{self.base}/v1/typing",
            "media_service": f"{self.base}/v1/Services/{SERVICE}/Media",
            "media_set_service": f"{self.base}/v1/Services/{SERVICE}/MediaSet",
            "messages_receipts": f"{service}/Conversations/%s/Messages/%s/Receipts",
        }
        sync_objects = {"my_conversations": f"{USER}.my_conversations", "my_user_info": f"{USER}.info"}
        return {"options": options, "identity": IDENTITY, "sync_objects": sync_objects, "links": links}

    def conversation(self) -> Json:
        """The conversation as REST tells it."""
        names = {
            "conversation": f"{CONVERSATION}.channel",
            "messages": f"{CONVERSATION}.messages",
            "participants": f"{CONVERSATION}.roster",
        }
        rest: Json = {"sid": CONVERSATION, "conversation_sid": CONVERSATION, "account_sid": ACCOUNT, "chat_service_sid": SERVICE}
        rest |= {"friendly_name": "feed", "unique_name": None, "attributes": "{}", "created_by": "author", "state": "active"}
        rest |= {"date_created": DATE, "date_updated": DATE, "messages_count": 0, "participants_count": 2, "status": "joined"}
        rest |= {"notification_level": "default", "last_read_message_index": None, "unread_messages_count": None}
        return rest | {"participant_sid": SELF, "links": {}, "sync_objects": names}

    def answer(self, path: str, params: Mapping[str, Any]) -> Json | None:
        """The body of a GET; None for what is not there."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts[-1] == "Configuration":
            return self.configuration()
        if parts[0] == "v3":
            return self._sync(parts, params)
        if parts[-2:] == [IDENTITY, "Conversations"]:
            return {
                "conversations": [self.conversation()],
                "meta": {"page_size": 100, "next_token": None, "previous_token": None},
            }
        return self.conversation() if parts[-1] == CONVERSATION else None

    def _sync(self, parts: list[str], params: Mapping[str, Any]) -> Json | None:
        root = self.roots.get(parts[2])
        if root is None:
            return None
        items = self.items.get(root["sid"], [])
        if parts[3:4] == ["Items"]:
            key = params.get("Key")
            found = [item for item in items if key in (None, item["key"])]
            return {"items": found, "meta": {"previous_token": None, "next_token": None}}
        return {**root, "items": items} if params.get("Include") == "items" else root

    def head(self, sid: str) -> int:
        """The newest event id of a root."""
        return int(self.roots[sid]["last_event_id"])


def document(last: int | None) -> Json:
    """The conversation's document after the message with index `last`."""
    data: Json = {"sid": CONVERSATION, "uniqueName": None, "friendlyName": "feed", "attributes": "{}", "createdBy": "author"}
    data |= {"dateCreated": DATE, "dateUpdated": DATE, "messages": f"{CONVERSATION}.messages", "roster": f"{CONVERSATION}.roster"}
    data["state"] = {"current": "active", "dateUpdated": DATE}
    return data if last is None else data | {"lastMessage": {"index": last, "timestamp": DATE}}


def message_frames(index: int) -> bytes:
    """The two frames, about 1 KB each, by which one new message is announced."""
    number = index + 1
    data: Json = {
        "sid": f"IM{number:032x}",
        "text": f"message {index} " + "lorem ipsum " * 20,
        "author": "author",
        "memberSid": AUTHOR,
    }
    data |= {"subject": None, "contentSid": None, "attributes": '{"mood":"ok","n":[1,2]}', "timestamp": DATE, "dateUpdated": DATE}
    added: Json = {"id": number, "item_index": index, "item_data": data | {"lastUpdatedBy": None, "type": "text"}}
    added |= {"item_url": f"http://127.0.0.1/v3/Lists/{LIST}/Items/{index}", "item_revision": f"{number:x}", "date_created": DATE}
    added |= {
        "date_expires": None,
        "list_sid": LIST,
        "list_unique_name": f"{CONVERSATION}.messages",
        "list_revision": f"{number:x}",
    }
    updated: Json = {"id": number, "document_data": document(index), "date_created": DATE, "document_sid": DOCUMENT}
    updated |= {"previous_document_data": document(index - 1), "document_unique_name": f"{CONVERSATION}.channel"}
    return notification(2 * number, "com.twilio.rtd.cds.list", events("list_item_added", added)) + notification(
        2 * number + 1, "com.twilio.rtd.cds.document", events("document_updated", updated | {"document_revision": f"{number:x}"})
    )


def events(kind: str, event: Json) -> Json:
    """One event as a notification's payload."""
    return {"event_type": kind, "event_protocol_version": 4, "events": [event]}
