"""``ullage extender``: the service as a command."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ullage.commands import current_console
from ullage.commands.config import configuration_option, read_configuration
from ullage.commands.serving import seconds, tls_files, tls_options
from ullage.commands.sources import Where, cluster_options, open_source
from ullage.errors import UllageError, UsageError
from ullage.model.quantity import parse

if TYPE_CHECKING:
    from extender.app import Cluster
    from ullage.config import Configuration

_HELP: Final = """Serve kube-scheduler: filter and score nodes on their real use.

The state comes from a cluster: the one of --kubeconfig, or the one that it runs in. With --snapshot it comes from a file, which
is read again whenever it changes; put a new one in its place as a whole (write another file beside it and rename it). Until the
first state is there, and whenever something is missing, every node is kept and all score alike.

\b
Examples:
  ullage extender
  ullage extender --snapshot cluster.snapshot.gz
  ullage extender --snapshot state/cluster.snapshot --listen :9443 --tls-cert tls.crt --tls-key tls.key --client-ca ca.crt
  curl -s -d @args.json http://127.0.0.1:8888/scheduler/explain

SIGTERM and Ctrl-C finish what is under way and end it. The log goes to stderr, a JSON object per line."""


@click.command("extender", help=_HELP, short_help="Serve kube-scheduler: filter and score nodes on real use")
@click.option("--snapshot", metavar="FILE", type=click.Path(path_type=Path), help="State from a file, not a cluster")
@cluster_options
@click.option("--listen", default="127.0.0.1:8888", show_default=True, metavar="ADDRESS", help="Where to serve HTTP")
@click.option("--grpc-listen", metavar="ADDRESS", help="Where to serve gRPC  [default: nowhere]")
@click.option("--prefix", default="/scheduler", show_default=True, metavar="PATH", help="Path above the verbs")
@tls_options
@click.option(
    "--health-listen", metavar="ADDRESS", help="Serve health and metrics there, too, without TLS  [default: nowhere]"
)
@click.option(
    "--timeout", default="5s", show_default=True, metavar="TIME", help="The scheduler's httpTimeout: 200ms, 5s, 1m"
)
@click.option(
    "--max-age", metavar="TIME", help="No opinion on a state that was observed longer ago  [default: any age]"
)
@click.option("--body-limit", default="128Mi", show_default=True, metavar="SIZE", help="Largest body of a request")
@configuration_option
def extender(
    snapshot: Path | None,
    kubeconfig: Path | None,
    context: str | None,
    listen: str,
    grpc_listen: str | None,
    prefix: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    client_ca: Path | None,
    allow_plain_http: bool,  # noqa: FBT001
    health_listen: str | None,
    timeout: str,
    max_age: str | None,
    body_limit: str,
    config_file: str | None,
) -> None:
    """Serve until told to end."""
    import asyncio

    try:
        from extender.app import Extender, Settings
    except ModuleNotFoundError as error:
        raise UllageError(f"{error.name} is not installed", "pip install 'ullage[extender]'") from None
    from extender.http_protocol import Limits
    from extender.logs import note
    from extender.scheduling import Timing
    from ullage.serving.address import Address

    config = read_configuration(config_file)
    settings = Settings(
        snapshot=snapshot,
        config=config,
        listen=Address.parse(listen),
        grpc_listen=Address.parse(grpc_listen) if grpc_listen else None,
        health_listen=Address.parse(health_listen) if health_listen else None,
        prefix=_path(prefix),
        tls=tls_files(tls_cert, tls_key, client_ca),
        plain=allow_plain_http,
        timing=Timing(seconds("--timeout", timeout), seconds("--max-age", max_age) if max_age else math.inf),
        limits=Limits(body_bytes=_size("--body-limit", body_limit)),
    )
    console = current_console()
    service = Extender(settings, cluster=None if snapshot else _cluster(kubeconfig, context, config))
    handler = note.to(console.stderr, console.verbosity)
    try:
        asyncio.run(service.run())
    finally:
        note.off(handler)


def _cluster(kubeconfig: Path | None, context: str | None, config: Configuration) -> Cluster:
    """The live cluster, and a way of its own to read plans."""
    from extender.app import Cluster
    from extender.live_state import Departures
    from ullage.sources.kube_api.connection import Connection

    departures = Departures()
    source = open_source(Where(kubeconfig=kubeconfig, context=context), config, departed=departures.tell)
    return Cluster(source, Connection.load(kubeconfig, context).get, departures)


def _size(option: str, text: str) -> int:
    size = int(parse(text))
    if size <= 0:
        raise UsageError(f"{option}: {text!r} is no size", "write it as 128Mi")
    return size


def _path(prefix: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", prefix):
        raise UsageError(f"--prefix: {prefix!r} is no path", "write it as /scheduler; / alone is fine")
    return prefix
