"""One HTTP request over a session of the program's, with the given headers and nothing else.

The session decides how the other side is reached: proxies, certificates, adapters, response hooks. Credentials that it or the
environment has are meant for other requests: those of ``~/.netrc`` and of ``session.auth``, cookies, and parameters are not sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import requests
from requests.structures import CaseInsensitiveDict

from twilio_conversations.transport.link_secrecy import queries_unlogged
from twilio_conversations.transport.route import chosen_proxies, chosen_verify

_CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_USER_AGENT: Final = "user-agent"


def send(
    session: requests.Session,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: Any,
    *,
    timeout: tuple[float, float],
    known: bool,
) -> requests.Response:
    """Send a request without following redirects, and return the answer with its body still to be read.

    `headers` override those of the session. Of these a `known` host gets all but credentials, and any other one the user agent.
    """
    sent = _own_headers(session, known)
    sent.update(headers)
    request = requests.Request(
        method,
        url,
        headers=sent,
        data=body,
        auth=_unchanged,  # without one, requests looks into ~/.netrc
        hooks=session.hooks,
    )
    with queries_unlogged():
        prepared = request.prepare()
        settings = session.merge_environment_settings(
            prepared.url, chosen_proxies(session, url), True, chosen_verify(session), None
        )
        return session.send(prepared, timeout=timeout, allow_redirects=False, **settings)


def _own_headers(session: requests.Session, known: bool) -> CaseInsensitiveDict[Any]:
    def is_sent(name: str) -> bool:
        return name not in _CREDENTIALS if known else name == _USER_AGENT

    headers: Mapping[str, Any] = session.headers  # a value of `None` takes a header away
    return CaseInsensitiveDict({name: value for name, value in headers.items() if value is not None and is_sent(name.lower())})


def _unchanged(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """Return the request as it is: an authentication that adds nothing."""
    return prepared
