"""Content templates: stored by sid, and rendered with values for their variables."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import attrs
from sqlalchemy import bindparam, select

from twilio_conversations.server.domain import limits
from twilio_conversations.server.errors import Refusal
from twilio_conversations.server.storage.rows import ContentTemplate
from twilio_conversations.server.storage.statements import Query
from twilio_conversations.server.storage.tables import content_templates
from twilio_conversations.server.storage.writer import Transaction
from twilio_conversations.server.text import to_json

RICH = "application/x-vnd.com.twilio.rich."
"""Content type of a message's rich content, followed by the variant's name with a dot for its slash."""
TEXT = "twilio/text"
_SID = re.compile(r"HX[0-9a-f]{32}")
_PLACE = re.compile(r"\{\{\s*([^{}\s]+)\s*\}\}")

BY_SID = Query(ContentTemplate, select(content_templates).where(content_templates.c.sid == bindparam("sid")))
PAGE = Query(
    ContentTemplate,
    select(content_templates)
    .where(content_templates.c.sid > bindparam("after"))
    .order_by(content_templates.c.sid)
    .limit(bindparam("limit")),
)


@attrs.frozen
class Rendered:
    """A rendered template: its text, and its richest variant with the content type under which it is stored."""

    text: str | None
    content_type: str
    data: bytes


def create(tx: Transaction, body: dict[str, Any]) -> ContentTemplate:
    """Create a template from ``friendly_name``, ``variables`` (names and defaults), ``variants`` and optionally ``sid``.

    Raises:
        Refusal: 20422, 50526.
    """
    sid = body.get("sid") or f"HX{uuid.uuid4().hex}"
    if not isinstance(sid, str) or not _SID.fullmatch(sid):
        raise Refusal(50526)
    variants, variables = body.get("variants"), body.get("variables") or {}
    if not isinstance(variants, dict) or not variants or not all(isinstance(item, dict) for item in variants.values()):
        raise Refusal(20422, '\'variants\' must be an object of objects, such as {"twilio/text": {"body": "Hi"}}')
    if not isinstance(variables, dict):
        raise Refusal(20422, "'variables' must be an object of names and defaults")
    name = limits.text(body, "friendly_name", limits.FRIENDLY_NAME, 50003) or sid
    if tx.first(BY_SID, sid=sid) is not None:
        raise Refusal(20409, f"There is a template {sid} already")
    template = ContentTemplate(sid, name, to_json(variables), to_json(variants), tx.now, tx.now)
    tx.insert(template)
    return template


def render(template: ContentTemplate, given: dict[str, str]) -> Rendered:
    """Replace each ``{{name}}`` by its value or the template's default; a name without a value stays."""
    values = {**json.loads(template.variables), **given}
    variants = {name: _filled(variant, values) for name, variant in json.loads(template.variants).items()}
    name = next((name for name in variants if name != TEXT), TEXT)
    bodies = [variants[key].get("body") for key in (TEXT, name) if key in variants]
    text = next((body for body in bodies if isinstance(body, str)), None)
    return Rendered(text, RICH + name.replace("/", ".", 1), to_json({"type": name, "data": variants[name]}).encode())


def _filled(value: Any, values: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return _PLACE.sub(lambda match: str(values.get(match[1], match[0])), value)
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    if isinstance(value, dict):
        return {name: _filled(item, values) for name, item in value.items()}
    return value
