"""The certificate of ``tls=True``: created at first use and stored in the data directory.

It is signed by its own authority, for users to trust. The authority is constrained to the names below, and its key is never
written: it signs one certificate and is discarded, so that trusting it trusts nothing else.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import ipaddress
import ssl
import uuid
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from twilio_conversations.server.storage import permissions
from twilio_conversations.util import logs

_log = logs.logger(__name__)

DIRECTORY, KEY_AND_CHAIN, AUTHORITY = "tls", "server.pem", "authority.pem"
TWILIO_DOMAIN = "us1.twilio.com"
LIFETIME = dt.timedelta(days=800)
"""Below the 825 days that Apple's platforms accept."""
RENEWAL_MARGIN = dt.timedelta(days=30)
_NAMES = ("localhost", f"*.{TWILIO_DOMAIN}", "127.0.0.1", "::1")


@attrs.frozen
class Certificate:
    """A usable certificate.

    Attributes:
        server: file with key and chain, for the server.
        authority: file with the authority's certificate, for clients.
        pin: base64 of the SHA-256 of the server's public key, for Chromium's ``--ignore-certificate-errors-spki-list``.
    """

    server: Path
    authority: Path
    pin: str

    def context(self) -> ssl.SSLContext:
        """Return the context of a server, for TLS 1.2 and newer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.server)
        return context


def load_or_create(data_dir: Path, host: str) -> Certificate:
    """Return the certificate of a data directory; it is created when absent, damaged, about to expire or not for `host`.

    To be called by the service that holds the directory's lock.

    Raises:
        OSError: files cannot be read or written.
    """
    directory = data_dir / DIRECTORY
    permissions.directory(directory)
    file = directory / KEY_AND_CHAIN
    wanted = _names(host)
    chain = _read(file)
    if chain is None or not _serves(chain[0], wanted):
        if chain is not None:
            wanted = tuple(dict.fromkeys([*wanted, *_names_of(chain[0])]))
        if file.exists():
            _log.warning("the TLS certificate in %s is damaged, old or for other names; made anew, to be trusted anew", directory)
        permissions.replace(file, _made(wanted))
        chain = x509.load_pem_x509_certificates(file.read_bytes())
    permissions.tighten(file)
    authority = directory / AUTHORITY
    permissions.replace(authority, chain[-1].public_bytes(serialization.Encoding.PEM))
    key = chain[0].public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Certificate(file, authority, base64.b64encode(hashlib.sha256(key).digest()).decode())


def _names(host: str) -> tuple[str, ...]:
    """Return the names to be served: Twilio's, those of loopback, and the host listened on unless that is a wildcard or empty."""
    host = host.partition("%")[0]  # of an IPv6 address with a zone
    return _NAMES if host in (*_NAMES, "0.0.0.0", "::", "") or not host.isascii() else (*_NAMES, host)


def _read(file: Path) -> list[x509.Certificate] | None:
    """Return the chain, the server's certificate first; `None` without a chain that fits its key."""
    if not file.exists():
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)
        chain = x509.load_pem_x509_certificates(file.read_bytes())
    except (ssl.SSLError, ValueError):
        return None
    return chain if len(chain) == 2 else None


def _serves(certificate: x509.Certificate, wanted: tuple[str, ...]) -> bool:
    fresh = certificate.not_valid_before_utc <= _now() <= certificate.not_valid_after_utc - RENEWAL_MARGIN
    return fresh and set(wanted) <= set(_names_of(certificate))


def _names_of(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names]


def _made(names: tuple[str, ...]) -> bytes:
    """Return key, certificate and authority as PEM. The authority's key is discarded with this call."""
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _authority(authority_key, names)
    server = _server(server_key, names, authority, authority_key)
    key = server_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (server, authority))


def _authority(key: ec.EllipticCurvePrivateKey, names: tuple[str, ...]) -> x509.Certificate:
    subject = _subject(f"twilio-conversations local service {uuid.uuid4().hex[:8]}")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    permitted = [_subtree(name) for name in names]
    builder = _certificate(subject, subject, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(x509.NameConstraints(permitted, excluded_subtrees=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256())


def _server(
    key: ec.EllipticCurvePrivateKey,
    names: tuple[str, ...],
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    builder = _certificate(_subject("localhost"), authority.subject, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.add_extension(issuer, critical=False).sign(authority_key, hashes.SHA256())


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    begins = _now() - dt.timedelta(days=1)  # clocks of machines that trust it may be behind
    builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
    return builder.not_valid_before(begins).not_valid_after(begins + LIFETIME)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _subtree(name: str) -> x509.GeneralName:
    """Return a name as a name constraint: a domain with all subdomains, or one address."""
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.DNSName(name.removeprefix("*."))


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
