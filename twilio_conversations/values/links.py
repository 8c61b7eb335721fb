"""Addresses of the service's resources: the links of the configuration, and those that follow from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Self

import attrs

from twilio_conversations.errors import ProtocolError
from twilio_conversations.util import urls
from twilio_conversations.util.json import parse_text

_SERVICE: Final = "{api}/Client/v2/Services/{service}"

_FORMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "conversations": f"{_SERVICE}/Conversations",
        "users": f"{_SERVICE}/Users",
        "current_user": f"{_SERVICE}/Users/{{user}}",
        "my_conversations": f"{_SERVICE}/Users/{{user}}/Conversations",
        "messages_receipts": f"{_SERVICE}/Conversations/%s/Messages/%s/Receipts",
        "typing": "{api}/v1/Instances/{service}/Typing",
        "media_service": "{media}/v1/Services/{service}/Media",
        "media_set_service": "{media}/v1/Services/{service}/MediaSet",
    }
)
"""Link -> its form. Read both ways: a link that is there tells the parts, of which one that is missing is made."""

LINKS: Final = tuple(_FORMS)
"""Names of the links."""

_ON_ANY_HOST: Final = frozenset({"media_service", "media_set_service"})
"""Links that may come without a host: they are joined to the media endpoint, and checked when they are used."""


def _pattern(form: str) -> re.Pattern[str]:
    """Return a pattern for the links of a form: hosts may have a path, other parts are one segment."""
    text = re.sub(r"\\\{(api|media)\\\}", r"(?P<\1>.*)", re.escape(form))
    return re.compile(re.sub(r"\\\{(service|user)\\\}", r"(?P<\1>[^/]+)", text))


_PATTERNS: Final = {name: _pattern(form) for name, form in _FORMS.items()}


@attrs.frozen
class ServiceLinks:
    """The links by name. One that is missing, and cannot be made of the others, is an error when it is used.

    Attributes:
        known: the links that can be used.
        faults: for each of the others, the reason in words.
    """

    known: Mapping[str, str]
    faults: Mapping[str, str]

    @classmethod
    def parse(cls, given: Any, user_info: str) -> Self:
        """Read the ``links`` of the configuration; `user_info` is the name of the current user's map, ``US....info``."""
        given = given if isinstance(given, dict) else {}
        known: dict[str, str] = {}
        faults: dict[str, str] = {}
        for name in _FORMS:
            try:
                if (link := _read(name, given.get(name))) is not None:
                    known[name] = link
            except ProtocolError as error:
                faults[name] = error.message
        parts = {"media": "", "user": user_info.removesuffix(".info")} if user_info.startswith("US") else {"media": ""}
        for name, link in known.items():
            if (match := _PATTERNS[name].fullmatch(link)) is not None:
                parts |= match.groupdict()
        if "media_service" in known:  # of whatever form
            known.setdefault("media_set_service", f"{known['media_service']}Set")
        for name in _FORMS.keys() - known.keys() - faults.keys():
            try:
                known[name] = _FORMS[name].format_map(parts)
            except KeyError:
                faults[name] = f"{name} is missing from the service's configuration"
        return cls(known, faults)

    def __getitem__(self, name: str) -> str:
        """Return a link.

        Raises:
            ProtocolError: it is missing from the configuration and does not follow from the others, or it is no link.
        """
        if name in self.faults:
            raise ProtocolError(self.faults[name])
        return self.known[name]


def _read(name: str, value: Any) -> str | None:
    """Return a link of the configuration, `None` if it is missing."""
    if value is None or value == "":
        return None
    if name in _ON_ANY_HOST and (text := parse_text(value)) is not None:
        return text
    return urls.link(value, f"{name} in the service's configuration")
