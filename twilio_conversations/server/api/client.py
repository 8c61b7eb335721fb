"""The REST API of Conversations clients: reads are answered at once, changes are commands for the writer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import attrs
from sqlalchemy import bindparam, func, select

from twilio_conversations.server.api.pages import Pages, page, read_token, size_within, token
from twilio_conversations.server.api.representation import Links, MyConversation
from twilio_conversations.server.api.routing import Route
from twilio_conversations.server.calls import Caller, Request, Response
from twilio_conversations.server.domain import content, conversations, limits, messages, participants, reachability, users
from twilio_conversations.server.domain.media import BODY, Attachment
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.http.connections import Connections
from twilio_conversations.server.settings import LiveSettings
from twilio_conversations.server.storage.database import Connection
from twilio_conversations.server.storage.media_files import MediaFiles
from twilio_conversations.server.storage.rows import Conversation, Message, Participant, User
from twilio_conversations.server.storage.statements import Query, Values
from twilio_conversations.server.storage.tables import conversations as conversations_table
from twilio_conversations.server.storage.tables import messages as messages_table
from twilio_conversations.server.storage.tables import participants as participants_table
from twilio_conversations.server.storage.writer import Command, Transaction
from twilio_conversations.server.sync.objects import SyncObjects
from twilio_conversations.wire.message_types import TYPING

T = TypeVar("T")

TYPING_ALLOWANCE = 1
"""Seconds by which the notification lives longer than the sender's window."""

_USERS = "/Client/v2/Services/{service}/Users"
_CONVERSATIONS = "/Client/v2/Services/{service}/Conversations"
_CONVERSATION = _CONVERSATIONS + "/{conversation}"

_C, _P, _M = conversations_table.c, participants_table.c, messages_table.c
_UNREAD = (
    select(func.count())
    .where(_M.conversation_sid == _P.conversation_sid, _M.index > _P.last_read_index)  # without a horizon, none are counted
    .scalar_subquery()
)
_MINE = (
    select(
        _C.sid.label("conversation_sid"),
        _C.friendly_name,
        _C.unique_name,
        _C.attributes,
        _C.created_by,
        _C.date_created,
        _C.date_updated,
        _P.sid.label("participant_sid"),
        _P.last_read_index,
        _P.notification_level,
        _UNREAD.label("unread"),
    )
    .join_from(participants_table, conversations_table, _C.sid == _P.conversation_sid)
    .where(_P.identity == bindparam("identity"))
)
_MY_PAGE = Query(
    MyConversation,
    _MINE.where(_P.conversation_sid > bindparam("after")).order_by(_P.conversation_sid).limit(bindparam("limit")),
)
_MY_ONE = Query(MyConversation, _MINE.where((_C.sid == bindparam("ref")) | (_C.unique_name == bindparam("ref"))))
_COUNT_PARTICIPANTS = Values(
    int, select(func.count()).select_from(participants_table).where(_P.conversation_sid == bindparam("conversation"))
)


@attrs.frozen
class ClientApi:
    """Answers ``/Client/v2/...`` and ``/v1/Instances/IS.../Typing``."""

    reader: Connection
    objects: SyncObjects
    connections: Connections
    settings: LiveSettings
    files: MediaFiles
    account_sid: str
    service_sid: str
    pages: Pages = attrs.field(init=False)

    @pages.default
    def _make_pages(self) -> Pages:
        return Pages(self.reader, self.account_sid)

    # -- reads -------------------------------------------------------------------------------------------------------------

    def _configuration(self, caller: Caller, _request: Request) -> Response:
        return Response.json(200, self._links(caller).configuration(self._user(caller.identity), self.settings.current))

    def _templates(self, _caller: Caller, request: Request) -> Response:
        return Response.json(200, self.pages.templates(request))

    def _read_conversation(self, caller: Caller, _request: Request, reference: str) -> Response:
        access = conversations.enter(self.reader, caller.identity, reference)
        return Response.json(200, self._conversation(caller, access.conversation, access.member, self.reader))

    def _recipients(self, caller: Caller, request: Request, reference: str) -> Response:
        conversation = conversations.enter(self.reader, caller.identity, reference).conversation
        return Response.json(200, self.pages.recipients(conversation.sid, request))

    def _read_participant(self, caller: Caller, _request: Request, reference: str, participant: str) -> Response:
        conversation = conversations.enter(self.reader, caller.identity, reference).conversation
        row = self.reader.first(participants.BY_REFERENCE, conversation=conversation.sid, ref=participant)
        return Response.json(200, self._links(caller).participant(_found(row, 50432)))

    def _read_message(self, caller: Caller, _request: Request, reference: str, sid: str) -> Response:
        return Response.json(200, self._links(caller).message(self._message(caller, reference, sid)))

    def _receipts(self, caller: Caller, request: Request, reference: str, sid: str) -> Response:
        return Response.json(200, self.pages.receipts(self._message(caller, reference, sid).sid, request))

    def _channel_metadata(self, caller: Caller, _request: Request, reference: str, sid: str) -> Response:
        return Response.json(200, json.loads(_found(self._message(caller, reference, sid).channel_metadata, 50530)))

    def _read_user(self, caller: Caller, _request: Request, reference: str) -> Response:
        return Response.json(200, self._user_body(caller, self._user(reference), self.reader))

    def _my_conversations(self, caller: Caller, request: Request, user: str) -> Response:
        self._require_self(caller, user)
        after = read_token(request.query.get("PageToken"))
        size = size_within(self.settings.current.conversations_page_size, request.query.get("PageSize"))
        rows = self.reader.all(_MY_PAGE, identity=caller.identity, after=after, limit=size + 1)
        more, rows = len(rows) > size, rows[:size]
        self.objects.prepare(row.conversation_sid for row in rows)
        links = self._links(caller)
        entries = [links.my_conversation(row, caller.identity) for row in rows]
        following = token(rows[-1].conversation_sid) if more else None
        return Response.json(200, page("conversations", entries, following, token("") if after and rows else None))

    def _my_conversation(self, caller: Caller, _request: Request, user: str, reference: str) -> Response:
        self._require_self(caller, user)
        row = self.reader.first(_MY_ONE, identity=caller.identity, ref=reference)
        if row is None:
            # Raises 50350 if there is no such conversation at all.
            conversations.enter(self.reader, caller.identity, reference)
            raise Refusal(50430)
        return Response.json(200, self._links(caller).my_conversation(row, caller.identity))

    def _message(self, caller: Caller, reference: str, sid: str) -> Message:
        conversation = conversations.enter(self.reader, caller.identity, reference).conversation
        return _found(self.reader.first(messages.BY_SID, conversation=conversation.sid, sid=sid), 50500)

    def _conversation(
        self, caller: Caller, conversation: Conversation, member: conversations.Member | None, source: Connection | Transaction
    ) -> dict[str, Any]:
        """Return a conversation with the number of its participants, read from `source`."""
        count = source.value(_COUNT_PARTICIPANTS, conversation=conversation.sid) or 0
        return self._links(caller).conversation(conversation, member=member, participants=count)

    def _user(self, reference: str) -> User:
        return _found(self.reader.first(users.BY_REFERENCE, ref=reference), 50200)

    def _user_body(self, caller: Caller, user: User, source: Connection | Transaction) -> dict[str, Any]:
        """Return a user, with the reachability read from `source`."""
        enabled = self.settings.current.reachability_enabled
        item = source.value(reachability.ITEM, name=users.info_map(user.sid)) if enabled else None
        return self._links(caller).user(user, reachability.parse(item))

    def _require_self(self, caller: Caller, reference: str) -> None:
        if reference != caller.identity and self._user(reference).identity != caller.identity:
            raise Refusal(20404)

    def _links(self, caller: Caller) -> Links:
        return Links(caller.addresses, self.account_sid, self.service_sid)

    # -- changes -----------------------------------------------------------------------------------------------------------

    def _create_conversation(self, caller: Caller, request: Request) -> Command:
        body = request.json()

        def command(tx: Transaction) -> Response:
            row = conversations.create(tx, caller.identity, body)
            value = self._links(caller).conversation(row, member=None, participants=0)
            return Response.json(201, value, self._links(caller).path("Conversations", row.sid))

        return command

    def _change_conversation(self, caller: Caller, request: Request, reference: str) -> Command:
        body = request.json()

        def command(tx: Transaction) -> Response:
            row = conversations.change(tx, caller.identity, reference, body)
            member = tx.first(conversations.MEMBER, conversation=row.sid, identity=caller.identity)
            value = self._conversation(caller, row, member, tx)
            return Response.json(200, value, self._links(caller).path("Conversations", row.sid))

        return command

    def _delete_conversation(self, caller: Caller, _request: Request, reference: str) -> Command:
        return _deletion(conversations.destroy, caller.identity, reference)

    def _add_participant(self, caller: Caller, request: Request, reference: str) -> Command:
        body = request.json()

        def command(tx: Transaction) -> Response:
            return self._participant_made(caller, 201, participants.add(tx, caller.identity, reference, body))

        return command

    def _change_participant(self, caller: Caller, request: Request, reference: str, participant: str) -> Command:
        body = request.json()

        def command(tx: Transaction) -> Response:
            row = participants.change(tx, caller.identity, reference, participant, body)
            return self._participant_made(caller, 200, row)

        return command

    def _remove_participant(self, caller: Caller, _request: Request, reference: str, participant: str) -> Command:
        return _deletion(participants.remove, caller.identity, reference, participant)

    def _participant_made(self, caller: Caller, status: int, row: Participant) -> Response:
        links = self._links(caller)
        path = links.path("Conversations", row.conversation_sid, "Participants", row.sid)
        return Response.json(status, links.participant(row), path)

    def _send(self, caller: Caller, request: Request, reference: str) -> Command:
        body = request.json()
        rendered = self._rendered(body)

        def command(tx: Transaction) -> Response:
            if rendered is None:
                return self._message_made(caller, 201, messages.send(tx, caller.identity, reference, body))
            file = self.files.put(rendered.data)
            try:
                template = messages.Template(rendered.text, Attachment(file.sid, file.size, rendered.content_type, None, BODY))
                return self._message_made(caller, 201, messages.send(tx, caller.identity, reference, body, template))
            except BaseException:
                file.discard()
                raise

        return command

    def _rendered(self, body: dict[str, Any]) -> content.Rendered | None:
        """Return the message's template with its values; `None` without a template, and for an unknown one."""
        sid, variables = limits.content_sid(body), limits.content_variables(body)
        template = None if sid is None else self.reader.first(content.BY_SID, sid=sid)
        return None if template is None else content.render(template, variables)

    def _change_message(self, caller: Caller, request: Request, reference: str, sid: str) -> Command:
        body = request.json()

        def command(tx: Transaction) -> Response:
            return self._message_made(caller, 200, messages.change(tx, caller.identity, reference, sid, body))

        return command

    def _delete_message(self, caller: Caller, _request: Request, reference: str, sid: str) -> Command:
        return _deletion(messages.remove, caller.identity, reference, sid)

    def _message_made(self, caller: Caller, status: int, row: Message) -> Response:
        links = self._links(caller)
        path = links.path("Conversations", row.conversation_sid, "Messages", row.sid)
        return Response.json(status, links.message(row), path)

    def _change_my_conversation(self, caller: Caller, request: Request, user: str, reference: str) -> Command:
        """Change read horizon or notification level. Without a horizon, the answer counts all messages as unread."""
        self._require_self(caller, user)
        body = request.json()

        def command(tx: Transaction) -> Response:
            conversation, _ = participants.read(tx, caller.identity, reference, body)
            (row,) = tx.all(_MY_ONE, identity=caller.identity, ref=conversation.sid)
            unread = conversation.messages_count if row.last_read_index is None else row.unread
            links = self._links(caller)
            value = links.my_conversation(row, caller.identity) | {"unread_messages_count": unread}
            return Response.json(200, value, links.path("Users", caller.identity, "Conversations", conversation.sid))

        return command

    def _change_user(self, caller: Caller, request: Request, reference: str) -> Command:
        body = request.json()

        def command(tx: Transaction) -> Response:
            row = users.change(tx, caller.identity, reference, body)
            value = self._user_body(caller, row, tx)
            return Response.json(200, value, self._links(caller).path("Users", row.identity))

        return command

    # -- typing ------------------------------------------------------------------------------------------------------------

    def _typing(self, caller: Caller, request: Request) -> Response:
        """Notify the other chat participants who are online. Nothing is stored."""
        conversation = self.reader.first(conversations.BY_REFERENCE, ref=request.form().get("ChannelSid", ""))
        sid = _found(conversation, 50350).sid
        others = self.objects.members(sid)
        if caller.identity not in others:
            raise Refusal(50430)
        window = self.settings.current.typing_timeout
        payload = {"channel_sid": sid, "identity": caller.identity, "typing_timeout": window + TYPING_ALLOWANCE}
        self.connections.notify(others - {caller.identity}, TYPING, payload)
        return Response.json(200, {"typing_timeout": window})

    ROUTES: ClassVar[tuple[Route, ...]] = (
        Route("GET", "/Client/v2/Configuration", _configuration),
        Route("GET", "/Client/v2/ContentTemplates", _templates),
        Route("POST", "/v1/Instances/{service}/Typing", _typing),
        Route("GET", f"{_USERS}/{{user}}", _read_user),
        Route("POST", f"{_USERS}/{{user}}", _change_user),
        Route("GET", f"{_USERS}/{{user}}/Conversations", _my_conversations),
        Route("GET", f"{_USERS}/{{user}}/Conversations/{{conversation}}", _my_conversation),
        Route("POST", f"{_USERS}/{{user}}/Conversations/{{conversation}}", _change_my_conversation),
        Route("POST", _CONVERSATIONS, _create_conversation),
        Route("GET", _CONVERSATION, _read_conversation),
        Route("POST", _CONVERSATION, _change_conversation),
        Route("DELETE", _CONVERSATION, _delete_conversation),
        Route("GET", f"{_CONVERSATION}/MessageRecipients", _recipients),
        Route("POST", f"{_CONVERSATION}/Participants", _add_participant),
        Route("GET", f"{_CONVERSATION}/Participants/{{participant}}", _read_participant),
        Route("POST", f"{_CONVERSATION}/Participants/{{participant}}", _change_participant),
        Route("DELETE", f"{_CONVERSATION}/Participants/{{participant}}", _remove_participant),
        Route("POST", f"{_CONVERSATION}/Messages", _send),
        Route("GET", f"{_CONVERSATION}/Messages/{{message}}", _read_message),
        Route("POST", f"{_CONVERSATION}/Messages/{{message}}", _change_message),
        Route("DELETE", f"{_CONVERSATION}/Messages/{{message}}", _delete_message),
        Route("GET", f"{_CONVERSATION}/Messages/{{message}}/Receipts", _receipts),
        Route("GET", f"{_CONVERSATION}/Messages/{{message}}/ChannelMetadata", _channel_metadata),
    )


def _deletion(action: Callable[..., None], *arguments: str) -> Command:
    def command(tx: Transaction) -> Response:
        action(tx, *arguments)
        return Response(204)

    return command


def _found(row: T | None, code: int) -> T:
    if row is None:
        raise Refusal(code)
    return row
