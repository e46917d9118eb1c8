"""``ullage extender``: the service as a command."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ullage.commands import current_console
from ullage.commands.config import configuration_option, read_configuration
from ullage.errors import UllageError, UsageError
from ullage.model.quantity import parse

if TYPE_CHECKING:
    from extender.tls import TlsFiles

_HELP: Final = """Serve kube-scheduler: filter and score nodes on their real use.

The state comes from FILE, a snapshot or a dump, which is read again whenever it changes. Put a new one in its place as a
whole (write another file beside it and rename it). Until the first one is read, and whenever something is missing, every
node is kept and all score alike.

\b
Examples:
  ullage extender --snapshot cluster.snapshot.gz
  ullage extender --snapshot state/cluster.snapshot --listen :9443 --tls-cert tls.crt --tls-key tls.key --client-ca ca.crt
  curl -s -d @args.json http://127.0.0.1:8888/scheduler/explain

SIGTERM and Ctrl-C finish what is under way and end it. The log goes to stderr, a JSON object per line."""

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("extender", help=_HELP, short_help="Serve kube-scheduler: filter and score nodes on real use")
@click.option("--snapshot", required=True, metavar="FILE", type=click.Path(path_type=Path), help="State of the cluster")
@click.option("--listen", default="127.0.0.1:8888", show_default=True, metavar="ADDRESS", help="Where to serve HTTP")
@click.option("--grpc-listen", metavar="ADDRESS", help="Where to serve gRPC  [default: nowhere]")
@click.option("--prefix", default="/scheduler", show_default=True, metavar="PATH", help="Path above the verbs")
@click.option("--tls-cert", type=_FILE, metavar="FILE", help="Certificate (PEM); read again when it changes")
@click.option("--tls-key", type=_FILE, metavar="FILE", help="Its key (PEM)")
@click.option("--client-ca", type=_FILE, metavar="FILE", help="CAs of clients (PEM): only clients with a certificate")
@click.option("--allow-plain-http", is_flag=True, help="Serve without TLS on other addresses than loopback")
@click.option(
    "--timeout", default="5s", show_default=True, metavar="TIME", help="The scheduler's httpTimeout: 200ms, 5s, 1m"
)
@click.option(
    "--max-age", metavar="TIME", help="No opinion on a state that was observed longer ago  [default: any age]"
)
@click.option("--body-limit", default="128Mi", show_default=True, metavar="SIZE", help="Largest body of a request")
@configuration_option
def extender(
    snapshot: Path,
    listen: str,
    grpc_listen: str | None,
    prefix: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    client_ca: Path | None,
    allow_plain_http: bool,  # noqa: FBT001
    timeout: str,
    max_age: str | None,
    body_limit: str,
    config_file: str | None,
) -> None:
    """Serve until told to end."""
    import asyncio

    try:
        from extender.app import Address, Extender, Settings
    except ModuleNotFoundError as error:
        raise UllageError(f"{error.name} is not installed", "pip install 'ullage[extender]'") from None
    from extender.http_protocol import Limits
    from extender.logs import log_to
    from extender.scheduling import Timing

    settings = Settings(
        snapshot=snapshot,
        config=read_configuration(config_file),
        listen=Address.parse(listen),
        grpc_listen=Address.parse(grpc_listen) if grpc_listen else None,
        prefix=_path(prefix),
        tls=_tls(tls_cert, tls_key, client_ca),
        plain=allow_plain_http,
        timing=Timing(seconds("--timeout", timeout), seconds("--max-age", max_age) if max_age else math.inf),
        limits=Limits(body_bytes=_size("--body-limit", body_limit)),
    )
    console = current_console()
    service = Extender(settings)
    log_to(console.stderr, console.verbosity)
    asyncio.run(service.run())


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


_UNITS: Final = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _size(option: str, text: str) -> int:
    size = int(parse(text))
    if size <= 0:
        raise UsageError(f"{option}: {text!r} is no size", "write it as 128Mi")
    return size


def _path(prefix: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", prefix):
        raise UsageError(f"--prefix: {prefix!r} is no path", "write it as /scheduler; / alone is fine")
    return prefix


def _tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> TlsFiles | None:
    if certificate is not None and key is not None:
        from extender.tls import TlsFiles

        return TlsFiles(certificate, key, client_ca)
    if certificate is not None or key is not None or client_ca is not None:
        raise UsageError("TLS needs both --tls-cert and --tls-key", "give both, or none of the TLS options")
    return None
