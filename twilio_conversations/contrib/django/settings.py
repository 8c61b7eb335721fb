"""The setting ``TWILIO_CONVERSATIONS``: its keys, their faults, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from twilio_conversations import Endpoints, InvalidArgumentError, Options, tokens

NAME: Final = "TWILIO_CONVERSATIONS"
WEB_TIMEOUT: Final = 5.0
"""Seconds of a call, below the limits of web servers, so that a request ends with an answer of the site."""
TOKEN_TTL: Final = 3600
_LONGEST_TTL: Final = 86_400
CREDENTIALS: Final = ("ACCOUNT_SID", "API_KEY_SID", "API_KEY_SECRET", "SERVICE_SID")
_FUNCTIONS: Final = ("TOKEN", "IDENTITY")
KEYS: Final = ("ENDPOINT", "REGION", *CREDENTIALS, *_FUNCTIONS, "TOKEN_TTL", "TIMEOUT", "OPTIONS")


@attrs.frozen
class Problem:
    """A fault of the setting: number of its check, description, and what to do."""

    id: str
    text: str
    hint: str | None = None


@attrs.frozen
class Settings:
    """The setting as it is used.

    Attributes:
        client: arguments of a `Client`, except its token and its time limit.
        timeout: seconds of a call in web processes.
        token_for: returns an access token for an identity.
        identity_of: returns the identity of a user of the site; nothing where the user has none.
    """

    client: dict[str, Any]
    timeout: float
    token_for: Callable[[str], str]
    identity_of: Callable[[Any], str | None]


def raw_settings() -> Any:
    """Return the setting as the project gives it; `None` where it is missing."""
    return getattr(django_settings, NAME, None)


def current() -> Settings:
    """Return the setting of the project.

    Raises:
        ImproperlyConfigured: it has a fault; the text names all of them.
    """
    raw = raw_settings()
    if found := [problem.text for problem in problems(raw)]:
        raise ImproperlyConfigured(" ".join(found))
    return Settings(
        client={"endpoint": raw.get("ENDPOINT"), "region": raw.get("REGION"), **raw.get("OPTIONS", {})},
        timeout=raw.get("TIMEOUT", WEB_TIMEOUT),
        token_for=_function(raw["TOKEN"]) if raw.get("TOKEN") else _minter(raw),
        identity_of=_function(raw.get("IDENTITY") or username),
    )


def username(user: Any) -> str | None:
    """Return the identity of a user where the setting has no ``IDENTITY``: the user name."""
    name: str | None = user.get_username()
    return name


def problems(raw: Any) -> Iterator[Problem]:
    """Yield the faults of the setting."""
    if not isinstance(raw, Mapping):
        what = "is missing" if raw is None else f"is {type(raw).__name__}"
        yield Problem("E001", f"The setting {NAME} {what}: it is a dictionary.", f"Its keys: {', '.join(KEYS)}.")
        return
    yield from _unknown_keys(raw)
    yield from _credential_problems(raw)
    yield from _function_problems(raw)
    yield from _address_problems(raw)
    yield from _option_problems(raw)


def _unknown_keys(raw: Mapping[str, Any]) -> Iterator[Problem]:
    for key in raw:
        if key not in KEYS:
            yield Problem("E002", f"{NAME} has no key {key!r}.", f"There are: {', '.join(KEYS)}.")


def _credential_problems(raw: Mapping[str, Any]) -> Iterator[Problem]:
    given = [key for key in CREDENTIALS if raw.get(key)]
    missing = [key for key in CREDENTIALS if key not in given]
    if raw.get("TOKEN") and given:
        yield Problem("E003", f"{NAME} has 'TOKEN' as well as {given[0]!r}: only one of them can make tokens.", "Remove one.")
    elif not raw.get("TOKEN") and missing:
        hint = f"Give {', '.join(CREDENTIALS)}, or 'TOKEN': a function that returns an access token for an identity."
        yield Problem("E003", f"{NAME} cannot make tokens: {', '.join(map(repr, missing))} missing or empty.", hint)
    for key in given:
        if not isinstance(raw[key], str):
            yield Problem("E003", f"{NAME}[{key!r}] is {type(raw[key]).__name__}, not text.")
    ttl = raw.get("TOKEN_TTL", TOKEN_TTL)
    if isinstance(ttl, bool) or not isinstance(ttl, int) or not 0 < ttl <= _LONGEST_TTL:
        yield Problem("E003", f"{NAME}['TOKEN_TTL'] is {ttl!r}: it is a number of seconds up to {_LONGEST_TTL}.")


def _function_problems(raw: Mapping[str, Any]) -> Iterator[Problem]:
    for key in _FUNCTIONS:
        if not raw.get(key):
            continue
        try:
            found = _function(raw[key])
        except ImportError as error:
            yield Problem("E004", f"{NAME}[{key!r}] cannot be imported: {error}", "Give a function, or its dotted path.")
        else:
            if not callable(found):
                yield Problem("E004", f"{NAME}[{key!r}] is no function: {found!r}", "Give a function, or its dotted path.")


def _address_problems(raw: Mapping[str, Any]) -> Iterator[Problem]:
    endpoint, region = raw.get("ENDPOINT"), raw.get("REGION")
    if endpoint is not None and region is not None:
        yield Problem("E005", f"{NAME} has 'ENDPOINT' as well as 'REGION': a service has one address.", "Remove one.")
        return
    try:
        Endpoints.choose(region, endpoint, None)
    except InvalidArgumentError as error:
        yield Problem("E005", f"{NAME} has no usable address: {error}", "Give 'REGION', or 'ENDPOINT' with http:// or https://.")


def _option_problems(raw: Mapping[str, Any]) -> Iterator[Problem]:
    options = raw.get("OPTIONS", {})
    if not isinstance(options, Mapping):
        yield Problem("E006", f"{NAME}['OPTIONS'] is {type(options).__name__}, not a dictionary.")
        return
    for key, given in (("TIMEOUT", {"default_timeout": raw.get("TIMEOUT", WEB_TIMEOUT)}), ("OPTIONS", options)):
        try:
            Options.of(Endpoints.for_region("us1"), given)
        except (InvalidArgumentError, TypeError) as error:
            yield Problem("E006", f"{NAME}[{key!r}]: {error}", "Times are in seconds.")


def _function(value: Any) -> Any:
    return import_string(value) if isinstance(value, str) else value


def _minter(raw: Mapping[str, Any]) -> Callable[[str], str]:
    """Return a function that signs tokens with the credentials of the setting."""
    credentials = {key.lower(): raw[key] for key in CREDENTIALS}
    ttl, region = raw.get("TOKEN_TTL", TOKEN_TTL), raw.get("REGION")
    return lambda identity: tokens.mint(identity, ttl=ttl, region=region, **credentials)
