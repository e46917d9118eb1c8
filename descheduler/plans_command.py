"""``ullage plans``: plans that a descheduler made on a cluster; see them, and approve or reject them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from descheduler.acting.course import PlanPhase, StepState
from descheduler.acting.resource import GROUP, PATH, Approval, NodeUse, PlanResource, Use
from descheduler.acting.story import carried
from descheduler.executors.wire import decoded, path
from descheduler.policy.plan import PlannedMove
from descheduler.report.escape import visible
from descheduler.report.figures import duration, percent
from descheduler.report.grid import Column, grid
from descheduler.report.wire import to_json, to_yaml
from ullage.commands import current_console
from ullage.commands.cluster import DONE, DryRun, connect, dry_run_option
from ullage.commands.files import save
from ullage.commands.sources import cluster_options
from ullage.errors import UllageError
from ullage.model.quantity import format_bytes
from ullage.sources.wire_values import seconds

if TYPE_CHECKING:
    from ullage.sources.kube_api.connection import Connection

_HELP: Final = """See the plans that a descheduler made on a cluster, and decide on those that wait.

In the mode Manual a plan waits until somebody approves or rejects it. The cluster keeps plans as objects of the kind
RebalancePlan, so kubectl works as well:

\b
  kubectl get rebalanceplans
  kubectl patch rebalanceplan NAME --type=merge -p '{"spec": {"approval": "Approved"}}'

\b
Examples:
  ullage plans list
  ullage plans show NAME
  ullage plans show NAME --report story.html     What was foreseen and what came, as a page
  ullage plans approve NAME --dry-run=server
  ullage plans reject NAME"""
_MERGE: Final = "application/merge-patch+json"
_RESOURCE: Final = f"rebalanceplan.{GROUP}"
_NOTHING: Final = "-"
_SAID: Final = {Approval.APPROVED: "approved", Approval.REJECTED: "rejected"}
_RATIOS: Final = ("BEFORE", "FORESEEN", "AFTER")


class _Object(msgspec.Struct, rename="camel"):
    """A plan for programs: as the API server has it, but for what only the API server needs."""

    api_version: str
    kind: str
    metadata: dict[str, msgspec.Raw]
    spec: dict[str, msgspec.Raw]
    status: dict[str, msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        self.metadata.pop("managedFields", None)


class _Objects(msgspec.Struct, rename="camel"):
    """Several of them, as kubectl prints them."""

    items: list[_Object]
    api_version: str = "v1"
    kind: str = "List"


class _Page(msgspec.Struct):
    items: list[msgspec.Raw] = []


@dataclass(frozen=True)
class _Kept:
    """A plan on the API server, for programs and for people."""

    data: bytes
    plan: PlanResource

    @classmethod
    def of(cls, data: bytes) -> _Kept:
        return cls(data, decoded(data, PlanResource))

    @property
    def object(self) -> _Object:
        return decoded(self.data, _Object)

    @property
    def name(self) -> str:
        return self.plan.metadata.name


_FORMATS: Final = click.Choice(["table", "json", "yaml", "name"])


@click.group("plans", help=_HELP, short_help="See the plans of a cluster, and approve or reject them")
def plans() -> None:
    """Plans on a cluster."""


@plans.command("list")
@cluster_options
@click.option("-o", "--output", type=_FORMATS, default="table", show_default=True)
def list_(kubeconfig: Path | None, context: str | None, output: str) -> None:
    """List the plans, oldest first."""
    connection = connect(kubeconfig, context)
    found, console = _all(connection), current_console()
    if output == "table" and not found:
        console.note("No plans found.")
        return
    console.write(_table(found, connection.clock.unix()) if output == "table" else _listed(found, output))


@plans.command("show")
@click.argument("name")
@cluster_options
@click.option("-o", "--output", type=_FORMATS, default="table", show_default=True)
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.html", help="Also write an HTML page"
)
def show(name: str, kubeconfig: Path | None, context: str | None, output: str, report: Path | None) -> None:
    """Show a plan: its moves, where they stand and why, and what came of the nodes."""
    kept = _one(connect(kubeconfig, context), name)
    console = current_console()
    if report is not None:
        from descheduler.report.carried_html import page

        save(str(report), page(carried(kept.plan)).encode(), overwrite=True)
        console.note(f"report written to {report}")
    match output:
        case "json":
            console.write(to_json(kept.object))
        case "yaml":
            console.write(to_yaml(kept.object))
        case "name":
            console.write(f"{_RESOURCE}/{kept.name}")
        case _:
            console.write(described(kept.plan))


@plans.command("approve")
@click.argument("name")
@cluster_options
@dry_run_option
def approve(name: str, kubeconfig: Path | None, context: str | None, dry_run: DryRun) -> None:
    """Have a plan that waits carried out."""
    _decide(connect(kubeconfig, context), name, Approval.APPROVED, dry_run)


@plans.command("reject")
@click.argument("name")
@cluster_options
@dry_run_option
def reject(name: str, kubeconfig: Path | None, context: str | None, dry_run: DryRun) -> None:
    """Have a plan that waits dropped."""
    _decide(connect(kubeconfig, context), name, Approval.REJECTED, dry_run)


def _decide(connection: Connection, name: str, approval: Approval, dry_run: DryRun) -> None:
    plan, console = _one(connection, name).plan, current_console()
    if plan.spec.approval is approval:
        console.note(f"{name} was {_SAID[approval]} already.")
        return
    if plan.spec.approval is not Approval.NONE or plan.status.phase is not PlanPhase.PROPOSED:
        said = _SAID.get(plan.spec.approval, f"in the phase {plan.status.phase}")
        raise UllageError(f"{name} does not wait for a decision: it is {said}", "ullage plans list shows what does")
    if dry_run != "client":
        _write(connection, plan, approval, dry_run)
    console.write(f"{_RESOURCE}/{name} {_SAID[approval]}{DONE[dry_run]}")


def _write(connection: Connection, plan: PlanResource, approval: Approval, dry_run: DryRun) -> None:
    """Write what was decided, on the plan exactly as it was read."""
    from ullage.sources.kube_api.errors import ConflictError

    meta = plan.metadata
    body = {
        "metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version},
        "spec": {"approval": approval},
    }
    params = {"dryRun": "All"} if dry_run == "server" else {}
    try:
        connection.request("PATCH", path(PATH, meta.name), params, msgspec.json.encode(body), _MERGE)
    except ConflictError:
        raise UllageError(f"{meta.name} has changed in the meantime", f"see ullage plans show {meta.name}") from None


def _all(connection: Connection) -> list[_Kept]:
    """Every plan that can be read, oldest first; of the others it is said that they are there."""
    from ullage.sources.kube_api.errors import UnreadableError

    found = []
    for raw in decoded(_read(connection, PATH), _Page).items:
        try:
            found.append(_Kept.of(bytes(raw)))
        except UnreadableError as error:
            current_console().warn(f"a plan is left out, it may be one of another release: {error.message}")
    return sorted(found, key=lambda each: (each.plan.metadata.creation_timestamp or "", each.name))


def _one(connection: Connection, name: str) -> _Kept:
    return _Kept.of(_read(connection, path(PATH, name), f"there is no plan {name}"))


def _read(connection: Connection, target: str, absent: str = "") -> bytes:
    from ullage.sources.kube_api.errors import NotFoundError

    try:
        return connection.get(target)
    except NotFoundError as error:
        # The API server gives this reason for an object; where the whole resource is unknown it gives that of HTTP.
        if absent and error.reason == "NotFound":
            raise UllageError(absent, "ullage plans list shows all") from None
        hint = "kubectl apply -k deploy/kustomize/crds"
        raise UllageError("this cluster knows no RebalancePlans: their definition is missing", hint) from None


def _listed(found: Sequence[_Kept], output: str) -> str:
    if output == "name":
        return "\n".join(f"{_RESOURCE}/{each.name}" for each in found)
    objects = _Objects([each.object for each in found])
    return to_json(objects) if output == "json" else to_yaml(objects)


def _table(found: Sequence[_Kept], now_seconds: float) -> str:
    columns = [Column(header) for header in ("NAME", "GOAL", "MOVES", "PHASE", "APPROVAL", "AGE")]
    return grid(columns, [_row(each.plan, now_seconds) for each in found])


def _row(plan: PlanResource, now_seconds: float) -> list[str]:
    age = age_of(now_seconds - seconds(plan.metadata.creation_timestamp))
    done, approval = plan.status.done or _NOTHING, plan.spec.approval.value or _NOTHING
    return [plan.metadata.name, plan.spec.goal.value, done, plan.status.phase.value, approval, age]


def age_of(seconds_: float) -> str:
    """A time in its largest sensible unit, such as ``90s``, ``5m``, ``30h`` or ``4d``; ``-`` if it is not known."""
    for unit, length, most in (("s", 1, 120), ("m", 60, 180 * 60), ("h", 3600, 48 * 3600), ("d", 86400, float("inf"))):
        if seconds_ < most:
            return f"{max(0, int(seconds_ // length))}{unit}"
    return _NOTHING


def described(plan: PlanResource) -> str:
    """A plan for people: what it is for and where it stands, its moves, and use of its nodes."""
    parts = [_headline(plan), _moves(plan), _nodes(plan.status.nodes)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headline(plan: PlanResource) -> str:
    status = plan.status
    lines = {
        "Name": plan.metadata.name,
        "Goal": plan.spec.goal.value,
        "Phase": status.phase.value,
        "Approval": plan.spec.approval.value,
        "Moves": status.done,
        "Created": plan.metadata.creation_timestamp or "",
        "Finished": status.finished_at or "",
        "Message": status.message,
    }
    return "\n".join(f"{name + ':':<11}{visible(text)}" for name, text in lines.items() if text)


def _moves(plan: PlanResource) -> str:
    columns = [Column("STEP", right=True), Column("NAMESPACE"), Column("NAME"), Column("FROM"), Column("TO")]
    columns += [Column("MEMORY", right=True), Column("PHASE"), Column("TOOK"), Column("REASON")]
    steps = plan.course().steps
    rows = [_move(*each) for each in zip(range(1, 1 + len(steps)), plan.spec.moves, steps, strict=True)]
    return grid(columns, rows)


def _move(number: int, move: PlannedMove, step: StepState) -> list[str]:
    where = [move.workload.namespace, move.workload.name, move.source, move.target]
    # What became of a move is news; until there is any, it is why the move is wanted.
    reason = f"{step.code}: {step.reason}".strip(": ") or move.reason
    return [str(number), *where, format_bytes(move.memory_bytes), step.phase.value, _took(step), reason]


def _took(step: StepState) -> str:
    if step.began_at_seconds is None or step.ended_at_seconds is None:
        return _NOTHING
    return duration(step.ended_at_seconds - step.began_at_seconds)


def _nodes(nodes: Sequence[NodeUse]) -> str:
    if not nodes:
        return ""
    headers = [f"{resource}-{time}" for resource in ("CPU", "MEMORY") for time in _RATIOS]
    columns = [Column("NODE"), *(Column(header, right=True) for header in headers)]
    return grid(columns, [_node(node) for node in nodes])


def _node(node: NodeUse) -> list[str]:
    uses: tuple[Use | None, ...] = (node.before, node.foreseen, node.after)
    cpu = [percent(use.cpu_ratio) if use else _NOTHING for use in uses]
    memory = [percent(use.memory_ratio) if use else _NOTHING for use in uses]
    return [node.name, *cpu, *memory]
