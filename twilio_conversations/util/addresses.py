"""Addresses of the service, as a person writes them: checked, and brought into one spelling."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from twilio_conversations.errors import ArgumentTypeError, InvalidArgumentError
from twilio_conversations.util.checks import shown

_HOST = re.compile(r"[\w.-]+|[0-9a-f:.]+(%[\w.-]+)?")
"""A name, or an address of either kind (urlsplit has taken the brackets off and made it lower case)."""


def address(value: object, name: str, schemes: tuple[str, ...]) -> str:
    """Return an address with scheme and host in lower case and without a slash at its end.

    Args:
        value: what was given.
        name: how the error calls it.
        schemes: what it may begin with.

    Raises:
        InvalidArgumentError: it cannot be an address of the service; the text has the reason. A password is never in it.
    """
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{name} must be text like {schemes[0]}://host:port, not {shown(value)}")
    if "@" in value:
        raise InvalidArgumentError(f"{name} must be without user and password: the access token identifies the user")
    if not value.isprintable() or " " in value:
        raise InvalidArgumentError(f"{name} has a blank or a control character in it: {shown(value)}")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise InvalidArgumentError(f"{name} is no address: {shown(value)}: {error}") from None
    if port == 0:
        raise InvalidArgumentError(f"{name} has port 0, where nothing can be reached: {shown(value)}")
    if parts.scheme not in schemes or "?" in value or "#" in value or not _is_host(parts.hostname or ""):
        raise InvalidArgumentError(f"{name} must look like {schemes[0]}://host:port, not {shown(value)}")
    return _spelled(parts)


def _is_host(name: str) -> bool:
    try:
        name.encode("idna")  # as a resolver will: no label empty or too long
    except UnicodeError:
        return False
    return _HOST.fullmatch(name) is not None


def _spelled(parts: SplitResult) -> str:
    host = parts.netloc.lower().removesuffix(":")
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
