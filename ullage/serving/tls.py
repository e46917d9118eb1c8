"""TLS with certificates that are read again when their files change."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ullage.errors import UsageError
from ullage.sources.signature import signature_of

if TYPE_CHECKING:
    import grpc


@dataclass(frozen=True)
class TlsFiles:
    """PEM files.

    Attributes
    ----------
    certificate, key
        The server's own.
    client_ca
        CAs of clients; with it, a client must show a certificate (mTLS).
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def all(self) -> tuple[Path, ...]:
        """The files that there are."""
        return (self.certificate, self.key) if self.client_ca is None else (self.certificate, self.key, self.client_ca)


class Certificates:
    """The certificates in effect.

    A connection takes those that are in effect when it begins; open ones stay as they are. Files that do not fit together,
    as in the middle of a rotation, change nothing.

    Parameters
    ----------
    files
        Where they are.
    failed
        Told once per change why the new files cannot be used.

    Attributes
    ----------
    context
        For the listening socket; lasts for ever.
    pem
        Key, certificate and client CAs in effect.

    Raises
    ------
    UsageError
        The first ones cannot be used.
    """

    def __init__(self, files: TlsFiles, failed: Callable[[str], None]) -> None:
        self._files = files
        self._failed = failed
        self._signature = signature_of(files.all)
        try:
            self._current, self.pem = _load(files), _read(files)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"TLS: {_reason(error)}", "the key must belong to the certificate, and both must be PEM"
            ) from None
        self.context = _load(files)
        self.context.sni_callback = self._select

    @property
    def asks_clients(self) -> bool:
        """Whether a client must show a certificate."""
        return self._files.client_ca is not None

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """The same certificates for a gRPC server, which follow a change, too."""
        import grpc  # only servers that speak it load it

        def configuration() -> grpc.ServerCertificateConfiguration:
            key, certificate, client_ca = self.pem
            return grpc.ssl_server_certificate_configuration([(key, certificate)], client_ca)

        return grpc.dynamic_ssl_server_credentials(configuration(), configuration, self.asks_clients)

    def reload(self) -> bool:
        """Read the files if they have changed; whether there are new certificates in effect."""
        signature = signature_of(self._files.all)
        if signature == self._signature:
            return False
        self._signature = signature
        try:
            self._current, self.pem = _load(self._files), _read(self._files)
        except (OSError, ssl.SSLError) as error:
            self._failed(_reason(error))
            return False
        return True

    def _select(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        # OpenSSL calls this for each handshake, with or without a name: the one place to change certificate and CAs.
        del name, context
        connection.context = self._current


def _load(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(files.certificate, files.key)
    if files.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(files.client_ca)
    return context


def _read(files: TlsFiles) -> tuple[bytes, bytes, bytes | None]:
    client_ca = files.client_ca.read_bytes() if files.client_ca is not None else None
    return files.key.read_bytes(), files.certificate.read_bytes(), client_ca


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"the certificate, key or client CA cannot be used ({error.reason or 'not PEM'})"
    return f"{error.filename or 'a file'}: {error.strerror or 'cannot be read'}"
