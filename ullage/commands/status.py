"""``ullage status``: how well a cluster is known: sources, ages, lag, nodes set aside and why."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ullage.commands import current_console
from ullage.commands.config import configuration_option, read_configuration
from ullage.commands.console import printable
from ullage.commands.serving import seconds
from ullage.commands.sources import Where, cluster_options, open_briefly
from ullage.errors import UllageError

if TYPE_CHECKING:
    from ullage.sources.ports import Health

_HELP = """Say how well a cluster is known.

Shows which resources are watched and how far behind they are, which sources of measures answer, and which nodes cannot be
judged and why. With --url it asks a running "ullage descheduler"; else it connects to the cluster itself and looks once.

\b
Examples:
  ullage status
  ullage status --url http://127.0.0.1:8889
  ullage status -o json

Exit code 1 if the cluster is not fully known."""


@click.command("status", help=_HELP, short_help="Say how well a cluster is known")
@click.option("--url", metavar="URL", help="Ask a running descheduler there")
@click.option("--snapshot", metavar="FILE", type=click.Path(path_type=Path), help="State from a file, not a cluster")
@cluster_options
@click.option("--timeout", default="30s", show_default=True, metavar="TIME", help="How long to wait")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@configuration_option
def command(
    url: str | None,
    snapshot: Path | None,
    kubeconfig: Path | None,
    context: str | None,
    timeout: str,
    output: str,
    config_file: str | None,
) -> int:
    """Look, and tell."""
    import msgspec

    wait = seconds("--timeout", timeout)
    health = _asked(url, wait) if url is not None else _seen(Where(snapshot, kubeconfig, context), config_file, wait)
    text = json.dumps(json.loads(msgspec.json.encode(health)), indent=2) if output == "json" else table(health)
    current_console().write(text)
    return 0 if health.is_synced else 1


def _seen(where: Where, config_file: str | None, wait_seconds: float) -> Health:
    source = open_briefly(where, read_configuration(config_file))
    source.start()
    try:
        source.wait(wait_seconds)
        return source.health()
    finally:
        source.stop()


def _asked(url: str, wait_seconds: float) -> Health:
    import msgspec
    import urllib3

    from ullage.sources.ports import Health

    try:
        answer = urllib3.request("GET", url.rstrip("/") + "/status", timeout=wait_seconds, retries=False)
        # What is not known is null on the wire, and left out it takes its default.
        known = json.loads(answer.data, object_hook=lambda each: {k: v for k, v in each.items() if v is not None})
        return msgspec.convert(known["health"], Health)
    except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError) as error:
        raise UllageError(f"{url}: no descheduler answers there ({error})", "is the address right?") from None


def table(health: Health) -> str:
    """The state of the sources, for people."""
    kinds = [
        (k.resource, _kind(k.is_served, k.is_synced), str(k.objects), str(k.quarantined), _ago(k.lag_seconds), k.error)
        for k in health.kinds
    ]
    readings = [
        (r.source, "failing" if r.error else "ok", _ago(r.age_seconds), _ago(r.took_seconds), r.error)
        for r in health.readings
    ]
    problems = [(r.source, p.code, str(p.count), p.text) for r in health.readings for p in r.problems]
    aside = [(a.node, a.code, a.text) for a in health.set_aside]
    parts = [
        _grid(("RESOURCE", "STATE", "OBJECTS", "UNREADABLE", "LAG", "ERROR"), kinds),
        _grid(("SOURCE", "STATE", "AGE", "TOOK", "ERROR"), readings),
        _grid(("SOURCE", "PROBLEM", "COUNT", "WHAT"), problems),
        _grid(("NODE SET ASIDE", "CODE", "WHY"), aside),
    ]
    return "\n".join(part for part in parts if part)


def _kind(is_served: bool, is_synced: bool) -> str:  # noqa: FBT001
    return "synced" if is_synced else "waiting" if is_served else "absent"


def _ago(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.1f}s"


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their longest cell; empty if there is no row."""
    if not rows:
        return ""
    cells = [head, *([printable(c) for c in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("   ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)
    return "\n".join(lines) + "\n"
