"""An authority of the tests' own, and certificates of its making."""

from __future__ import annotations

import datetime as dt
import hashlib
import socket
import ssl
from pathlib import Path

import trustme
from cryptography import x509

from twilio_conversations.transport.http_connections import close_half_made

ADDRESS = "127.0.0.1"


class Authority:
    """Makes certificates, and the files that a `requests.Session` is told of. `home` is an empty directory."""

    def __init__(self, home: Path) -> None:
        self._ca = trustme.CA()
        self._home = home
        self.bundle = str(home / "authority.pem")
        self._ca.cert_pem.write_to_path(self.bundle)
        self.directory = self._hashed_directory()

    def _hashed_directory(self) -> str:
        """The authority as OpenSSL finds it in a directory: in a file that is named by the hash of its subject."""
        directory = self._home / "authorities"
        directory.mkdir()
        pem = self._ca.cert_pem.bytes()
        (directory / f"{_subject_hash(pem)}.0").write_bytes(pem)
        return str(directory)

    def server_context(self, name: str = ADDRESS, *, expired: bool = False) -> ssl.SSLContext:
        """What a server needs that calls itself `name`."""
        ends = dt.datetime.now(dt.UTC) - dt.timedelta(days=1) if expired else None
        begins = None if ends is None else ends - dt.timedelta(days=30)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(name, not_before=begins, not_after=ends).configure_cert(context)
        return context

    def demand_certificates(self, context: ssl.SSLContext) -> None:
        """Let a server talk only to clients that show a certificate of this authority."""
        context.verify_mode = ssl.CERT_REQUIRED
        self._ca.configure_trust(context)

    def client_certificate(self) -> tuple[str, str]:
        """The files of a client's certificate and of its key."""
        issued = self._ca.issue_cert("client@example.com")
        certificate, key = self._home / "client.pem", self._home / "client.key"
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))
        return str(certificate), str(key)


def accepted_tls(context: ssl.SSLContext, accepted: socket.socket) -> ssl.SSLSocket:
    """The service's end of a connection, in TLS."""
    try:
        return context.wrap_socket(accepted, server_side=True)
    except OSError as error:
        close_half_made(error)
        raise


def _subject_hash(pem: bytes) -> str:
    """What `openssl x509 -subject_hash` says: four bytes of SHA-1 over the subject in small letters, without its outer header."""
    subject = x509.load_pem_x509_certificate(pem).subject
    canonical = x509.Name([x509.NameAttribute(part.oid, str(part.value).lower()) for part in subject]).public_bytes()
    assert canonical[1] < 128, "the header has two bytes"
    return hashlib.sha1(canonical[2:]).digest()[:4][::-1].hex()
