"""Permissions as tables: every route and every kind of Sync object, with every kind of caller.

Columns are callers, each with a valid token:

=======  ==============================================================================================
anyone   is in no conversation
other    is a member of another conversation only
phone    has as identity the telephone number of a non-chat participant of the conversation
former   was a member of the room and was removed
bare     is a member whose role allows nothing
member   is a member with the standard role; most objects of the rows are this caller's
admin    is a member who is channel admin
owner    made the room and is no member
boss     is a service admin and no member
=======  ==============================================================================================

A cell is the status of an answer that is allowed, ``none`` for a 204 that must be without any effect, or Twilio's code of the
refusal, whose status is in the service's catalogue. A name in braces is an object of the room (`tests.security.people`),
``{me}`` the caller. The last word before the cells, if it is not a cell, names the body that is sent. Paths without a slash in
front are below ``/Client/v2/Services/{service}/``.
"""

from __future__ import annotations

import re

import attrs

PEOPLE = ("anyone", "other", "phone", "former", "bare", "member", "admin", "owner", "boss")
NOTHING = "none"

CLIENT_API = """
                                                            anyone other phone former bare  member admin owner boss
GET    /Client/v2/Configuration                              200   200   200   200   200   200   200   200   200
GET    /Client/v2/ContentTemplates                           200   200   200   200   200   200   200   200   200

GET    Users/{member}                                        200   200   200   200   200   200   200   200   200
POST   Users/{member}                            name       50107 50107 50107 50107 50107  200  50107 50107  200
POST   Users/{member}                            nothing    50107 50107 50107 50107 50107  200  50107 50107  200
POST   Users/{me}                                name        200   200   200   200   200   200   200   200   200
POST   Users/nobody                              name       50107 50107 50107 50107 50107 50107 50107 50107 50200
GET    Users/{member}/Conversations                         20404 20404 20404 20404 20404  200  20404 20404 20404
GET    Users/{me}/Conversations                              200   200   200   200   200   200   200   200   200
GET    Users/{member}/Conversations/{room}                  20404 20404 20404 20404 20404  200  20404 20404 20404
GET    Users/{me}/Conversations/{room}                      50430 50430 50430 50430  200   200   200  50430 50430
GET    Users/{me}/Conversations/{name}                      50430 50430 50430 50430  200   200   200  50430 50430
GET    Users/{me}/Conversations/{lost}                      50350 50350 50350 50350 50350 50350 50350 50350 50350
POST   Users/{member}/Conversations/{room}       horizon    20404 20404 20404 20404 20404  200  20404 20404 20404
POST   Users/{me}/Conversations/{room}           horizon    50430 50430 50430 50430  200   200   200  50430 50430
POST   Users/{me}/Conversations/{room}           level      50430 50430 50430 50430 50107  200   200  50430 50430

POST   Conversations                             name        201   201   201   201   201   201   201   201   201
GET    Conversations/{room}                         50430 50430 50430 50430  200   200   200   200   200
GET    Conversations/{name}                         50430 50430 50430 50430  200   200   200   200   200
GET    Conversations/{lost}                         50350 50350 50350 50350 50350 50350 50350 50350 50350
POST   Conversations/{room}                      name       50430 50430 50430 50430 50107  200   200   200   200
POST   Conversations/{name}                      name       50430 50430 50430 50430 50107  200   200   200   200
POST   Conversations/{room}                      unique     50430 50430 50430 50430 50107  200   200   200   200
POST   Conversations/{room}                      attributes 50430 50430 50430 50430 50107  200   200   200   200
POST   Conversations/{room}                      nothing    50430 50430 50430 50430 50107  200   200   200   200
POST   Conversations/{lost}                      name       50350 50350 50350 50350 50350 50350 50350 50350 50350
DELETE Conversations/{room}                                 50430 50430 50430 50430 50107 50107  204   204   204

POST   Conversations/{room}/Participants         myself     50430 50430 50430 50430 50107 50433 50433  201   201
POST   Conversations/{room}/Participants         somebody   50430 50430 50430 50430 50107  201   201   201   201
POST   Conversations/{room}/Participants         telephone  50430 50430 50430 50430 50107  201   201   201   201
GET    Conversations/{room}/Participants/{member}           50430 50430 50430 50430  200   200   200   200   200
GET    Conversations/{room}/Participants/{as_member}        50430 50430 50430 50430  200   200   200   200   200
GET    Conversations/{room}/Participants/{as_phone}         50430 50430 50430 50430  200   200   200   200   200
GET    Conversations/{room}/Participants/nobody             50430 50430 50430 50430 50432 50432 50432 50432 50432
POST   Conversations/{room}/Participants/{as_member} attributes 50430 50430 50430 50430 50107  200   200   200   200
POST   Conversations/{room}/Participants/{as_bare}   attributes 50430 50430 50430 50430 50107 50107  200   200   200
POST   Conversations/{room}/Participants/{as_phone}  attributes 50430 50430 50430 50430 50107 50107  200   200   200
POST   Conversations/{room}/Participants/{as_bare}   nothing    50430 50430 50430 50430 50107 50107  200   200   200
DELETE Conversations/{room}/Participants/{as_member}        50430 50430 50430 50430 50107  204   204   204   204
DELETE Conversations/{room}/Participants/{bare}             50430 50430 50430 50430 50107  204   204   204   204
DELETE Conversations/{room}/Participants/{as_phone}         50430 50430 50430 50430 50107  204   204   204   204

POST   Conversations/{room}/Messages             text       50430 50430 50430 50430 50107  201   201  50430 50430
POST   Conversations/{room}/Messages             media      50430 50430 50430 50430 50507  201  50507 50430 50430
GET    Conversations/{room}/Messages/{of_member}            50430 50430 50430 50430  200   200   200   200   200
GET    Conversations/{room}/Messages/{of_phone}             50430 50430 50430 50430  200   200   200   200   200
GET    Conversations/{room}/Messages/{lost}                 50430 50430 50430 50430 50500 50500 50500 50500 50500
POST   Conversations/{room}/Messages/{of_member} text       50430 50430 50430 50430 50107  200   200   200   200
POST   Conversations/{room}/Messages/{of_member} attributes 50430 50430 50430 50430 50107  200   200   200   200
POST   Conversations/{room}/Messages/{of_member} nothing    50430 50430 50430 50430 50107  200   200   200   200
POST   Conversations/{room}/Messages/{of_bare}   text       50430 50430 50430 50430 50107 50107  200   200   200
POST   Conversations/{room}/Messages/{of_bare}   attributes 50430 50430 50430 50430 50107 50107  200   200   200
POST   Conversations/{room}/Messages/{of_phone}  text       50430 50430 50430 50430 50107 50107  200   200   200
POST   Conversations/{room}/Messages/{of_phone}  nothing    50430 50430 50430 50430 50107 50107  200   200   200
DELETE Conversations/{room}/Messages/{of_member}            50430 50430 50430 50430 50107  204   204   204   204
DELETE Conversations/{room}/Messages/{of_bare}              50430 50430 50430 50430 50107 50107  204   204   204
DELETE Conversations/{room}/Messages/{of_phone}             50430 50430 50430 50430 50107 50107  204   204   204
GET    Conversations/{room}/Messages/{of_member}/Receipts   50430 50430 50430 50430  200   200   200   200   200
GET    Conversations/{room}/Messages/{of_phone}/ChannelMetadata 50430 50430 50430 50430  200   200   200   200   200
GET    Conversations/{room}/MessageRecipients               50430 50430 50430 50430  200   200   200   200   200

GET    Conversations/{elsewhere}/Messages/{of_member}            50430 50500 50430 50430 50430 50430 50430 50430 50500
POST   Conversations/{elsewhere}/Messages/{of_member} text       50430 50500 50430 50430 50430 50430 50430 50430 50500
DELETE Conversations/{elsewhere}/Messages/{of_member}            50430 50500 50430 50430 50430 50430 50430 50430 50500
GET    Conversations/{elsewhere}/Messages/{of_member}/Receipts   50430 50500 50430 50430 50430 50430 50430 50430 50500
GET    Conversations/{elsewhere}/Participants/{as_member}        50430 50432 50430 50430 50430 50430 50430 50430 50432
POST   Conversations/{elsewhere}/Participants/{as_member} attributes 50430 50432 50430 50430 50430 50430 50430 50430 50432
DELETE Conversations/{elsewhere}/Participants/{as_member}        50430 50432 50430 50430 50430 50430 50430 50430 50432

POST   /v1/Instances/{service}/Typing            typing     50430 50430 50430 50430  200   200   200  50430 50430
GET    /v1/registrations                                     200   200   200   200   200   200   200   200   200
POST   /v1/registrations                         device      201   201   201   201   201   201   201   201   201
DELETE /v1/registrations                         address     none  none  none  none  none  204   none  none  none
GET    /v1/registrations/{registration}                     20404 20404 20404 20404 20404  200  20404 20404 20404
DELETE /v1/registrations/{registration}                      none  none  none  none  none  204   none  none  none
POST   /v4/Subscriptions                         poke        202   202   202   202   202   202   202   202   202
"""

MEDIA = """
                                                            anyone other phone former bare  member admin owner boss
POST   /v1/Services/{service}/Media              bytes       201   201   201   201   201   201   201   201   201
GET    /v1/Services/{service}/Media/{sent}                  50507 50507 50507 50507  200   200   200   200  50507
GET    /v1/Services/{service}/Media/{sent}/Content          50507 50507 50507 50507  200   200   200   200  50507
GET    /v1/Services/{service}/Media/{unsent}                50507 50507 50507 50507 50507  200  50507 50507 50507
GET    /v1/Services/{service}/Media/{unsent}/Content        50507 50507 50507 50507 50507  200  50507 50507 50507
GET    /v1/Services/{service}/Media/{by_phone}              50507 50507 50507 50507  200   200   200   200  50507
GET    /v1/Services/{service}/Media/{by_phone}/Content      50507 50507 50507 50507  200   200   200   200  50507
GET    /v1/Services/{service}/Media/{by_former}             50507 50507 50507 50507  200   200   200   200  50507
GET    /v1/Services/{account}/Media/{sent}                  20404 20404 20404 20404 20404 20404 20404 20404 20404
POST   /v1/Services/{service}/MediaSet           sent        404   404   404   404   200   200   200   200   404
POST   /v1/Services/{service}/MediaSet           unsent      404   404   404   404   404   200   404   404   404
GET    /media/{sent}                                        20403 20403 20403 20403 20403 20403 20403 20403 20403
"""
"""Over HTTP only. A set is answered with 200 in all cases; its cells are the result for the attachment.

A link needs no token but a signature, which is missing here.
"""

OBJECTS = """
                                                            anyone other phone former bare  member admin owner boss
Documents {room}.channel                                    54007 54007 54007 54007  200   200   200   200  54007
Lists     {room}.messages                                   54007 54007 54007 54007  200   200   200   200  54007
Maps      {room}.roster                                     54007 54007 54007 54007  200   200   200   200  54007
Maps      {member}.channels                                 54007 54007 54007 54007 54007  200  54007 54007 54007
Maps      {user}.info                                        200   200   200   200   200   200   200   200   200
"""
"""Every kind of Sync object, of the room and of `member`: which callers may read and subscribe, by its name and by its sid."""

READINGS = {
    "Documents": ("",),
    "Lists": ("", "/Items", "/Items?Order=desc&PageSize=1", "/Items/0", "/Context"),
    "Maps": ("", "?Include=items", "/Items", "/Items/{key}"),
}
"""The ways in which an object of each kind is read."""


@attrs.frozen
class Row:
    """One line of a table. `what` is its first words: the request, and the name of a body, if there is one."""

    what: tuple[str, ...]
    cells: dict[str, str]

    def __str__(self) -> str:
        return " ".join(self.what)


def rows(table: str) -> list[Row]:
    """Return the lines of a table. Every line has a cell for each of `PEOPLE`, in their order."""
    head, *lines = [line.split() for line in table.splitlines() if line.strip()]
    assert tuple(head) == PEOPLE
    return [Row(tuple(words[: -len(PEOPLE)]), dict(zip(PEOPLE, words[-len(PEOPLE) :], strict=True))) for words in lines]


def path(text: str) -> str:
    """Return the whole path of a row, with the names in braces."""
    return text if text.startswith("/") else f"/Client/v2/Services/{{service}}/{text}"


def is_answered_by(route: str, asked: str) -> bool:
    """Return whether a row's request matches the route with this template, whose parameters accept any segment."""
    pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route.replace("{service}", "SERVICE")))
    return re.fullmatch(pattern, asked.partition("?")[0].replace("{service}", "SERVICE")) is not None
