"""Links of attachments, and the addresses of the media service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from twilio_conversations.errors import InvalidArgumentError, MediaError, ProtocolError
from twilio_conversations.transport.media_http import Transfer, same_origin
from twilio_conversations.util import checks, urls
from twilio_conversations.util.futures import Deadline
from twilio_conversations.util.json import parse_text

if TYPE_CHECKING:
    import requests

    from twilio_conversations.runtime import Runtime

_EXPIRED: Final = frozenset({401, 403, 404, 410})
"""Status codes with which an expired link is refused."""


@attrs.frozen
class Links:
    """The links of an attachment, as the service returned them; each is checked when it is used."""

    _links: Mapping[str, Any]

    @classmethod
    def parse(cls, record: Any) -> Links:
        """Read the ``links`` of an attachment's record."""
        links = record.get("links") if isinstance(record, dict) else None
        return cls(links if isinstance(links, dict) else {})

    @property
    def temporary(self) -> str | None:
        """Link that works without credentials; `None` when there is none."""
        return self._get("content_direct_temporary")

    @property
    def content(self) -> str | None:
        """Permanent link, which requires the token; `None` when there is none."""
        return self._get("content")

    def _get(self, name: str) -> str | None:
        """Return a link.

        Raises:
            ProtocolError: the value is no link.
        """
        value = self._links.get(name)
        return None if value is None or value == "" else urls.link(value, f"{name} of an attachment")


def described(runtime: Runtime, sid: str, transfer: Transfer) -> Links:
    """Return the links of an attachment (``GET {media}/{sid}``).

    Raises:
        MediaError: there is no such attachment, or it is not visible to this identity.
    """
    try:
        return Links.parse(runtime.media.get_json(urls.join(media_url(runtime), sid), transfer))
    except MediaError as error:
        error.media_sid = sid
        raise


class Link:
    """Link to the content of an attachment, renewed when it has expired."""

    def __init__(self, runtime: Runtime, sid: str) -> None:
        self._runtime = runtime
        self._sid = sid
        self._url: str | None = None
        self._authorised = False

    def get(self, transfer: Transfer, start: int) -> requests.Response:
        """Request the content from byte `start` on. A link that is refused is replaced once."""
        try:
            return self._get(transfer, start)
        except MediaError as error:
            if error.status not in _EXPIRED or self._url is None:
                raise
            self._url = None
            return self._get(transfer, start)

    def _get(self, transfer: Transfer, start: int) -> requests.Response:
        base = media_url(self._runtime)
        if self._url is None:
            links = described(self._runtime, self._sid, transfer)
            url = links.temporary or links.content
            if not url:
                raise media_error(self._sid, f"the service gives no link to the content of {self._sid}")
            self._url = url
            # The permanent link requires the token, which is sent to the media service only.
            self._authorised = links.temporary is None and same_origin(url, base)
        try:
            return self._runtime.media.get_content(self._url, transfer, start=start, authorised=self._authorised)
        except MediaError as error:
            error.media_sid = self._sid
            raise


def media_url(runtime: Runtime) -> str:
    """Return the media resource of this service; a path is joined to the media address of the client's options."""
    return _absolute(runtime, runtime.configuration.media_url)


def temporary_urls(runtime: Runtime, media_sids: Sequence[str], deadline: Deadline) -> dict[str, str | None]:
    """Return temporary links of several attachments, by sid, with one request (``POST {media set}``).

    Raises:
        MediaError: one of them is not available; `.media_sid` is its sid.
    """
    sids = sids_of(media_sids)
    body = {"command": "get", "list": [{"media_sid": sid} for sid in sids]}
    with runtime.media.transfer(deadline, "get_temporary_content_urls()") as transfer:
        answer = runtime.media.post_json(_absolute(runtime, runtime.configuration.media_set_url), body, transfer)
    if not isinstance(answer, list):
        raise ProtocolError("the answer to a media set is not a list", body=answer)
    found = dict(_set_entry(entry) for entry in answer)
    for sid in sids:
        if sid not in found:
            raise media_error(sid, f"the media service did not answer for {sid}")
    return {sid: found[sid] for sid in sids}


def sids_of(media_sids: Any) -> list[str]:
    """Return the sids, each once.

    Raises:
        InvalidArgumentError: there are none, or something is no sid.
    """
    given = checks.several(media_sids, "media_sids")
    if not given:
        raise InvalidArgumentError("media_sids must be a non-empty sequence of sids")
    return list(dict.fromkeys(checks.filled(sid, "a media sid") for sid in given))


def _set_entry(entry: Any) -> tuple[str, str | None]:
    facts = entry if isinstance(entry, dict) else {}
    record = facts.get("media_record")
    sid = record.get("sid") if isinstance(record, dict) else None
    code = facts.get("code")
    if code != 200 or not isinstance(sid, str):
        raise media_error(sid, f"the media service refused {sid or 'one of the media'} (status {code})", code)
    return sid, Links.parse(record).temporary


def media_error(sid: Any, text: str, status: Any = None) -> MediaError:
    """Return an error about an attachment."""
    error = MediaError(text, status=status if type(status) is int else None)
    error.media_sid = parse_text(sid)
    return error


def _absolute(runtime: Runtime, url: str) -> str:
    """Return the address of a media resource. It receives the token, so it must be encrypted if the connection is.

    Raises:
        ProtocolError: it is no URL, or is not encrypted as required.
    """
    endpoints = runtime.options.endpoints
    if "://" not in url:
        url = f"{endpoints.media.rstrip('/')}/{url.lstrip('/')}"
    urls.link(url, "the address of media in the service's configuration")
    if not url.lower().startswith(("https://",) if endpoints.twilsock.startswith("wss:") else ("https://", "http://")):
        raise ProtocolError(f"the service has its media where the token must not go: {url.partition('?')[0]}")
    return url
