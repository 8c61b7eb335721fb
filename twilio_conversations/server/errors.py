"""Refusals, with Twilio's codes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

CATALOGUE: dict[int, tuple[int, str]] = {
    20001: (400, "Bad request"),
    20003: (401, "Authentication error - invalid username or password"),
    20004: (405, "Method not allowed"),
    20101: (401, "Invalid Access Token"),
    20102: (401, "Invalid Access Token header"),
    20103: (401, "Invalid Access Token issuer/subject"),
    20104: (401, "Access Token expired"),
    20105: (401, "Access Token not yet valid"),
    20106: (401, "Invalid Access Token grants"),
    20107: (401, "Invalid Access Token signature"),
    20403: (403, "Forbidden"),
    20404: (404, "The requested resource was not found"),
    20408: (408, "Request timeout"),
    20409: (409, "Conflict"),
    20413: (413, "Request entity too large"),
    20422: (400, "Invalid parameter"),
    20429: (429, "Too many requests"),
    20500: (500, "Internal server error"),
    20503: (503, "Service unavailable"),
    50003: (400, "Friendly name too long"),
    50004: (400, "Unique name too long"),
    50107: (403, "User not authorized for command"),
    50200: (404, "User not found"),
    50203: (400, "Identity is reserved"),
    50204: (400, "Identity not provided"),
    50206: (400, "Identity should not match user SID pattern"),
    50207: (400, "Identity too long"),
    50210: (400, "Invalid notification level"),
    50214: (403, "User conversation limit exceeded"),
    50303: (400, "Attributes too long"),
    50304: (400, "Attributes are not valid JSON"),
    50350: (404, "Conversation not found"),
    50353: (409, "Conversation with provided unique name already exists"),
    50374: (400, "State must not be empty"),
    50375: (400, "The time to inactive is below 1 minute"),
    50376: (400, "The time to closed is below 10 minutes"),
    50377: (400, "Conversation is in the final closed state and cannot be updated"),
    50378: (400, "Invalid state"),
    50379: (400, "Invalid format of the time to inactive"),
    50380: (400, "Invalid format of the time to closed"),
    50384: (400, "The initial state must not be closed"),
    50390: (400, "Unique name should not match the conversation SID pattern"),
    50407: (400, "Invalid messaging binding address"),
    50408: (400, "Invalid participant proxy address"),
    50409: (400, "Participant address equals proxy address"),
    50411: (400, "Participant address is empty"),
    50412: (400, "Participant proxy address is empty"),
    50414: (400, "Participant address type does not match proxy address type"),
    50416: (409, "Participant and proxy address pair is already in use"),
    50417: (403, "Participants limit exceeded"),
    50418: (403, "Non-chat participants limit exceeded"),
    50420: (400, "Messaging binding type does not support all provided parameters"),
    50421: (400, "Invalid last read message index format"),
    50430: (403, "Participant is not a member of the conversation"),
    50432: (404, "Participant not found"),
    50433: (409, "Participant already exists"),
    50500: (404, "Message not found"),
    50503: (400, "Message body not provided"),
    50504: (400, "Message body is too long"),
    50506: (400, "Media SID not provided"),
    50507: (404, "Media not found"),
    50508: (409, "Media already sent with another message"),
    50510: (400, "Invalid message media SID"),
    50511: (400, "Invalid message media content type"),
    50512: (400, "Message media size is too large"),
    50526: (400, "Invalid content SID"),
    50527: (400, "Invalid content variables format"),
    50528: (400, "Content SID is missing"),
    50529: (400, "Too many content variables"),
    50530: (404, "Channel metadata not found"),
    50540: (400, "Content variable key is too long"),
    50541: (400, "Content variable value is too long"),
    54007: (403, "Access forbidden for identity"),
    54100: (404, "Document not found"),
    54150: (404, "List not found"),
    54200: (404, "Map not found"),
    54419: (429, "Number of subscriptions per connection is over the limit"),
    54300: (404, "Unique name not found"),
    54454: (400, "Invalid 'PageSize' query parameter"),
}


class Refusal(Exception):
    """A refusal, answered with Twilio's error body ``{status, code, message, more_info}``."""

    def __init__(self, code: int, message: str | None = None, *, status: int | None = None) -> None:
        known, text = CATALOGUE.get(code, (500, ""))
        self.status = status or known
        self.code = code
        self.message = message or text
        super().__init__(f"{self.code}: {self.message}")

    def to_json(self) -> dict[str, Any]:
        """Return the error body."""
        return {
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
        }


def reason(status: int) -> str:
    """Return the reason phrase of a status, such as ``CONFLICT``."""
    try:
        return HTTPStatus(status).name.replace("_", " ")
    except ValueError:
        return "UNKNOWN"
