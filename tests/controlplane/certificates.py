"""Keys and certificates of one cluster.

The certificates carry the extensions that a strict verifier asks for (RFC 5280: key identifiers, key usage), as Python
3.13 and newer verify by default.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BEGIN = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
END = dt.datetime(2120, 1, 1, tzinfo=dt.UTC)
USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
AUTHORITY_USAGES = ("key_cert_sign", "crl_sign")
UNUSED = ("encipher_only", "decipher_only")


@dataclass(frozen=True)
class Credentials:
    """Files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates of users, for whom the common name is the user and each organization a group, and of servers."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signed = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(AUTHORITY_USAGES), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = folder / f"{name}.crt"
        self.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def client(self, user: str, groups: Sequence[str] = ()) -> Credentials:
        """Certificate of a user."""
        return self._issue(user, groups, ExtendedKeyUsageOID.CLIENT_AUTH)

    def server(self, name: str) -> Credentials:
        """Certificate of a server on the loopback address."""
        return self._issue(name, (), ExtendedKeyUsageOID.SERVER_AUTH)

    def _issue(self, name: str, groups: Sequence[str], usage: x509.ObjectIdentifier) -> Credentials:
        key = ec.generate_private_key(ec.SECP256R1())
        organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject = x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, name)])
        loopback = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        signed = (
            self._builder(subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(("digital_signature",)), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName(loopback), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        stem = "-".join([name, *groups]).replace("/", "_")
        certificate = self._folder / f"{stem}.crt"
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return Credentials(certificate, write_key(self._folder / f"{stem}.key", key))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(BEGIN)
            .not_valid_after(END)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def signing_key(path: Path) -> Path:
    """Write a new private key, such as the one that service account tokens are signed with."""
    return write_key(path, ec.generate_private_key(ec.SECP256R1()))


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    """Write a private key that nobody else may read (the form that Kubernetes takes for signing keys too)."""
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    return path


def _usage(granted: Sequence[str]) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in granted for name in (*USAGES, *AUTHORITY_USAGES, *UNUSED)})
