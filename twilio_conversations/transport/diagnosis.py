"""Failures to connect in words that name the peer and what failed; the original error follows in brackets."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from typing import Final

from requests.exceptions import InvalidSchema
from urllib3.exceptions import HTTPError

from twilio_conversations.errors import ConversationsError
from twilio_conversations.transport.socks_proxy import WANTED
from twilio_conversations.transport.upgrade import UpgradeError

_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
_OLD_TLS: Final = frozenset(
    {
        "UNSUPPORTED_PROTOCOL",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "NO_PROTOCOLS_AVAILABLE",
        "VERSION_TOO_LOW",
        "WRONG_SSL_VERSION",
        "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED",
    }
)
_NO_CERTIFICATE: Final = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE"})
_CERTIFICATE_FAULTS: Final = {
    9: "is not valid yet",
    10: "has expired",
    18: "is not from a trusted authority",
    19: "is not from a trusted authority",
    20: "is not from a trusted authority",
    21: "is not from a trusted authority",
    62: "is for another name",
    64: "is for another address",
}
"""OpenSSL's codes (`X509_V_ERR_...`) for which a certificate is refused."""

_BROKEN_OFF: Final = frozenset({errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ENOTCONN})
"""Errors of a connection that the peer has ended."""

_TUNNEL: Final = re.compile(r"Tunnel connection failed: (\d+) ?(.*)")


def in_words(error: BaseException, peer: str) -> str:
    """Return a description of an error with `peer`: the service or a proxy, by name and port."""
    causes = _causes(error)
    known = (_known(one, peer) for one in causes)
    # Not the outer text: it may hold a whole URL.
    return next((words for words in known if words is not None), f"{peer}: {_text(causes[0])}")


def answer_in(error: BaseException) -> tuple[int, float] | None:
    """Return the HTTP status with which the service or a proxy refused, and the seconds that it asks to stay away."""
    for cause in _causes(error):
        if isinstance(cause, UpgradeError) and cause.answer is not None:
            return cause.answer.status, cause.answer.retry_after
        if isinstance(cause, OSError) and (found := _TUNNEL.search(str(cause))):
            return int(found[1]), 0.0
    return None


def caused_by(error: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    """Return whether the error, or one that led to it, is of one of these kinds."""
    return any(isinstance(cause, kinds) for cause in _causes(error))


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and those that led to it, the innermost first: libraries wrap the errors of others."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        reason = getattr(following, "reason", None)
        wrapped = next((one for one in (reason, *following.args) if isinstance(one, BaseException)), None)
        following = wrapped or following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    return chain[::-1]


def _known(error: BaseException, peer: str) -> str | None:
    match error:
        case ConversationsError():
            return str(error)
        case socket.gaierror():
            return f"DNS does not know the host of {peer} ({error.strerror or error})"
        case ssl.SSLCertVerificationError():
            fault = _CERTIFICATE_FAULTS.get(error.verify_code, f"is refused: {error.verify_message}")
            return f"the TLS certificate of {peer} {fault} ({error})"
        case ssl.SSLError():
            return f"TLS with {peer} failed: {_tls_fault(error)} ({error})"
        case ConnectionRefusedError():
            return f"{peer} refused the connection: nothing listens there ({error})"
        case TimeoutError():
            return f"{peer} did not answer in time ({_text(error)})"
        case UpgradeError():
            return f"{peer} {error}"
        case InvalidSchema() if "SOCKS" in str(error):
            return f"{peer}: {WANTED}"
        case OSError() if type(error).__module__ == "socks":  # PySocks need not be installed
            return f"{peer} did not open the connection ({_text(error)})"
        case OSError() if found := _TUNNEL.search(str(error)):
            return _tunnel_fault(int(found[1]), found[2], peer)
        case OSError() if error.errno in _BROKEN_OFF:
            return f"{peer} broke off the connection ({error})"
        case OSError() if not isinstance(error, HTTPError) and error.errno is not None:
            return f"{peer}: {_text(error)}"
    return None


def _tls_fault(error: ssl.SSLError) -> str:
    if error.reason in _NO_TLS:
        return "it does not answer with TLS, as a plain HTTP port would"
    if error.reason in _OLD_TLS:
        return "it speaks no version of TLS that is accepted here"
    if error.reason in _NO_CERTIFICATE:
        return "it broke off the handshake, perhaps for want of a client certificate"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "it closed the connection during the handshake"
    return "it cannot be agreed on"


def _tunnel_fault(status: int, reason: str, peer: str) -> str:
    if status == 407:
        return f"{peer} demands another user and password ({status} {reason})"
    return f"{peer} refused to connect to the service ({status} {reason})"


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__
