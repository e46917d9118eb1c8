"""Options that every server takes, and what they say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from ullage.errors import UsageError

if TYPE_CHECKING:
    from ullage.serving.tls import TlsFiles

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_UNITS: Final = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


def tls_options(function: CommandT) -> CommandT:
    """Options of TLS: ``tls_cert``, ``tls_key``, ``client_ca``, ``allow_plain_http``."""
    for option in (
        click.option("--allow-plain-http", is_flag=True, help="Serve without TLS on other addresses than loopback"),
        click.option(
            "--client-ca", type=_FILE, metavar="FILE", help="CAs of clients (PEM): only clients with a certificate"
        ),
        click.option("--tls-key", type=_FILE, metavar="FILE", help="Its key (PEM)"),
        click.option("--tls-cert", type=_FILE, metavar="FILE", help="Certificate (PEM); read again when it changes"),
    ):
        function = option(function)
    return function


def tls_files(certificate: Path | None, key: Path | None, client_ca: Path | None) -> TlsFiles | None:
    """Files of TLS; ``None`` if none was given.

    Raises
    ------
    UsageError
        Only some of them were given.
    """
    if certificate is not None and key is not None:
        from ullage.serving.tls import TlsFiles

        return TlsFiles(certificate, key, client_ca)
    if certificate is not None or key is not None or client_ca is not None:
        raise UsageError("TLS needs both --tls-cert and --tls-key", "give both, or none of the TLS options")
    return None


def seconds(option: str, text: str) -> float:
    """Seconds of a duration as Go writes it, such as ``200ms``, ``5s`` or ``1m30s``.

    Raises
    ------
    UsageError
        It is none, or not positive.
    """
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", text)
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(map("".join, parts)) != text or total <= 0:
        raise UsageError(f"{option}: {text!r} is no duration", "write it as 200ms, 5s or 1m30s")
    return total
