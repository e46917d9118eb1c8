"""``ullage taints``: the marks that a descheduler put on nodes; see them, and take them away."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import click
import msgspec

from descheduler.acting.resource import timestamp
from descheduler.executors.taint import EFFECT, KEY, Change, SoftTaints, Tainted
from descheduler.executors.writer import Writer
from descheduler.report.figures import duration
from descheduler.report.grid import Column, grid
from descheduler.report.wire import to_json, to_yaml
from ullage.commands import current_console
from ullage.commands.cluster import DONE, DryRun, connect, dry_run_option
from ullage.commands.sources import cluster_options
from ullage.errors import UsageError

if TYPE_CHECKING:
    from ullage.sources.kube_api.connection import Connection

_HELP: Final = f"""See the marks of a descheduler on nodes, and take them away.

A node that is over carries the taint {KEY}:{EFFECT}, by which the scheduler rather uses other nodes. Its value says until
when it holds; a descheduler that runs renews it in time, so one that has lapsed was left behind.

\b
Examples:
  ullage taints list
  ullage taints clear --dry-run=server
  ullage taints clear --yes"""
_LAST_SECONDS: Final = 253_402_300_800.0
"""Times end with the year 9999."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class _Mark(msgspec.Struct, rename="camel"):
    """The mark of one node, for programs."""

    node: str
    uid: str
    until_seconds: float | None
    is_lapsed: bool | None


class _Marks(msgspec.Struct, rename="camel"):
    items: list[_Mark]
    api_version: str = "ullage.dev/v1alpha1"
    kind: str = "SoftTaintList"


class _Rehearsing(Writer):
    """Has the API server check every write and keep none."""

    def write(
        self,
        verb: str,
        path: str,
        body: bytes | None = None,
        content_type: str = "application/json",
        params: Mapping[str, str] = _NOTHING,
    ) -> bytes:
        """Body of the answer to one write, which changes nothing."""
        return super().write(verb, path, body, content_type, {**params, "dryRun": "All"})


@click.group("taints", help=_HELP, short_help="See the marks of a descheduler on nodes, and take them away")
def taints() -> None:
    """Marks on nodes."""


@taints.command("list")
@cluster_options
@click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml", "name"]), default="table", show_default=True
)
def list_(kubeconfig: Path | None, context: str | None, output: str) -> None:
    """List the nodes that are marked, and until when."""
    connection = connect(kubeconfig, context)
    found, console = _soft_taints(connection).listed(), current_console()
    if output == "table" and not found:
        console.note("No node is marked.")
        return
    console.write(_shown(found, output, connection.clock.unix()))


@taints.command("clear")
@cluster_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask")
@dry_run_option
def clear(kubeconfig: Path | None, context: str | None, *, yes: bool, dry_run: DryRun) -> int:
    """Take the marks off all nodes.

    A descheduler that runs puts them on again where they are due.
    """
    connection, console = connect(kubeconfig, context), current_console()
    nodes = [each.node for each in _soft_taints(connection).listed()]
    if not nodes:
        console.note("No node is marked.")
        return 0
    if not yes and dry_run == "none":
        _ask(nodes)
    if dry_run == "client":
        console.write("\n".join(_line(node, dry_run) for node in nodes))
        return 0
    return _clear(_soft_taints(connection, dry_run), dry_run)


def _clear(soft_taints: SoftTaints, dry_run: DryRun) -> int:
    """Exit code: 1 if a node kept its mark."""
    console, failures = current_console(), 0
    for change in soft_taints.clear():
        if change.change is Change.FAILED:
            failures += 1
            console.fail(f"{change.node}: {change.text}")
        else:
            console.write(_line(change.node, dry_run))
    return 1 if failures else 0


def _ask(nodes: Sequence[str]) -> None:
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here", "--yes takes the marks off without a question")
    named = ", ".join(nodes[:5]) + (", ..." if len(nodes) > 5 else "")
    click.confirm(f"Take the mark off {len(nodes)} nodes ({named})?", abort=True, err=True)


def _line(node: str, dry_run: DryRun) -> str:
    return f"node/{node} untainted{DONE[dry_run]}"


def _soft_taints(connection: Connection, dry_run: DryRun = "none") -> SoftTaints:
    """Marks of a cluster. No guard is asked: it is a person who writes."""
    kind = _Rehearsing if dry_run == "server" else Writer
    return SoftTaints(kind(connection, lambda _: ""))


def _shown(found: Sequence[Tainted], output: str, now_seconds: float) -> str:
    match output:
        case "name":
            return "\n".join(f"node/{each.node}" for each in found)
        case "table":
            columns = [Column("NODE"), Column("UNTIL"), Column("STATE")]
            return grid(columns, [_row(each, now_seconds) for each in found])
        case _:
            marks = _Marks([_mark(each, now_seconds) for each in found])
            return to_json(marks) if output == "json" else to_yaml(marks)


def _mark(tainted: Tainted, now_seconds: float) -> _Mark:
    until = tainted.until_seconds
    if not until < _LAST_SECONDS:
        return _Mark(tainted.node, tainted.uid, None, None)
    return _Mark(tainted.node, tainted.uid, until, until < now_seconds)


def _row(tainted: Tainted, now_seconds: float) -> list[str]:
    until = tainted.until_seconds
    if not until < _LAST_SECONDS:
        return [tainted.node, "-", "its value is no time"]
    left = until - now_seconds
    state = f"lapsed {duration(-left)} ago" if left < 0 else f"holds for {duration(left)}"
    return [tainted.node, timestamp(until), state]
