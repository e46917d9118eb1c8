"""``ullage why``: what a saved plan says of one node, VM or pod."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from descheduler.policy.plan import NodeStatus, NodeView, PlannedMove, RebalancePlan, Threshold, WorkloadRef
from descheduler.report import story
from descheduler.report.escape import visible
from descheduler.report.figures import change, cores, duration, known, number, percent, short_percent, size
from ullage.errors import UsageError

_SHOWN: Final = 10

_PREFIXES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "VirtualMachineInstance": ("vmi", "vm", "virtualmachineinstance", "virtualmachineinstance.kubevirt.io"),
        "Pod": ("pod", "po", "pods"),
        "Node": ("node", "no", "nodes"),
    }
)


@dataclass(frozen=True)
class _Node:
    name: str


_Subject: TypeAlias = "_Node | WorkloadRef"


def _spelled(subject: _Subject) -> str:
    return f"node/{subject.name}" if isinstance(subject, _Node) else story.spelled(subject)


def _spellings(subject: _Subject) -> Iterator[str]:
    kind = "Node" if isinstance(subject, _Node) else subject.kind
    names = [subject.name] if isinstance(subject, _Node) else [subject.name, str(subject)]
    yield from names
    yield from (f"{prefix}/{name}" for prefix in _PREFIXES[kind] for name in names)


def _subjects(plan: RebalancePlan) -> Iterator[_Subject]:
    yield from (_Node(node.name) for node in plan.status.nodes)
    workloads = {move.workload for move in plan.spec.moves} | {refusal.workload for refusal in plan.status.refused}
    yield from sorted(workloads)


def _named(plan: RebalancePlan, asked: str) -> _Subject:
    subjects = list(_subjects(plan))
    found = [subject for subject in subjects if asked in _spellings(subject)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(_spelled(subject) for subject in found[:_SHOWN])
        raise UsageError(visible(f"{asked!r} is the name of {len(found)} objects: {names}"), "say which one")
    spellings = {_spelled(subject) if "/" in asked else subject.name for subject in subjects}
    near = difflib.get_close_matches(asked, sorted(spellings), n=3)
    other = "what a plan does not name stays where it is, because nothing asks for it to move"
    hint = visible(f"did you mean {' or '.join(near)}?") if near else other
    raise UsageError(visible(f"no node, move or refusal of the plan has the name {asked!r}"), hint)


def _explained(code: str, reason: str) -> list[str]:
    lines = [f"Why: {reason or story.meaning(code)} [{code}]"]
    if reason and story.meaning(code):
        lines.append(f"What {code} means: {story.meaning(code)}")
    if story.remedy(code):
        lines.append(f"What helps: {story.remedy(code)}")
    return lines


def _moved(plan: RebalancePlan, step: int, move: PlannedMove) -> list[str]:
    way, steps = f"from {move.source} to {move.target}", number(len(plan.spec.moves))
    lines = [
        f"{story.spelled(move.workload)} moves {way}, step {number(step)} of {steps}.",
        f"It brings {size(move.memory_bytes)} of memory and {cores(move.cpu_cores)} cores of CPU use.",
    ]
    if move.expected_seconds is not None:
        lines.append(f"The live migration should take {duration(move.expected_seconds)}.")
    lines += _explained(move.code, move.reason)
    nodes = {node.name: node for node in plan.status.nodes}
    return lines + [f"{name}: {_use(nodes[name])}" for name in (move.source, move.target) if name in nodes]


def _use(node: NodeStatus) -> str:
    return (
        f"{_class(node)}, CPU {_pair(node.before.cpu_ratio, node.after.cpu_ratio)}, "
        f"memory {_pair(node.before.memory_ratio, node.after.memory_ratio)}"
    )


def _class(node: NodeStatus) -> str:
    return change(node.before.node_class.value, node.after.node_class.value)


def _pair(before: float | None, after: float | None) -> str:
    return change(percent(before), percent(after))


def _first_to_die(plan: RebalancePlan, workload: WorkloadRef) -> list[str]:
    name = str(workload)
    views = [(node.name, "before", node.before) for node in plan.status.nodes]
    views += [(node.name, "after", node.after) for node in plan.status.nodes]
    return [
        f"If memory ran out on {node} {moment} the plan, it would be number {1 + view.dies_next.index(name)} to be evicted."
        for node, moment, view in views
        if name in view.dies_next
    ]


def _workload(plan: RebalancePlan, workload: WorkloadRef) -> list[str]:
    lines: list[str] = []
    for step, move in enumerate(plan.spec.moves, 1):
        if move.workload == workload:
            lines += _moved(plan, step, move)
    for refusal in plan.status.refused:
        if refusal.workload == workload:
            lines.append(f"{story.spelled(workload)} stays on {refusal.node}.")
            lines += _explained(refusal.code, refusal.reason)
    return lines + _first_to_die(plan, workload)


def _limits(threshold: Threshold | None) -> str:
    if threshold is None:
        return ""
    return f" (over above {short_percent(threshold.high)}, target {short_percent(threshold.target)})"


def _figures(plan: RebalancePlan, node: NodeStatus) -> Iterator[str]:
    before, after, limits = node.before, node.after, story.thresholds(plan)
    cpu, memory = _limits(limits.get("cpu")), _limits(limits.get("memory"))
    yield f"CPU {_pair(before.cpu_ratio, after.cpu_ratio)} of {node.cpu_cores:g} cores{cpu}."
    yield f"Memory {_pair(before.memory_ratio, after.memory_ratio)} of {size(node.memory_bytes)}{memory}."
    requested = (before.cpu_requested_ratio, before.memory_requested_ratio)
    if any(map(known, requested)):
        yield (
            f"Requested: CPU {_pair(requested[0], after.cpu_requested_ratio)}, "
            f"memory {_pair(requested[1], after.memory_requested_ratio)}."
        )
    if known(before.worst_case_memory_ratio):
        worst = _pair(before.worst_case_memory_ratio, after.worst_case_memory_ratio)
        yield f"Memory in the worst case: {worst} of RAM and swap."
    yield f"Workloads: {change(number(before.workloads), number(after.workloads))}."


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    more = [f"  and {number(len(lines) - _SHOWN)} more"] if len(lines) > _SHOWN else []
    return [f"{title} ({number(len(lines))}):", *(f"  {line}" for line in lines[:_SHOWN]), *more]


def _traffic(plan: RebalancePlan, node: NodeStatus) -> list[str]:
    moves = plan.spec.moves
    out = [f"{_sized(move)} to {move.target}" for move in moves if move.source == node.name]
    into = [f"{_sized(move)} from {move.source}" for move in moves if move.target == node.name]
    return [*_listed("Moves away", out), *_listed("Moves here", into)]


def _sized(move: PlannedMove) -> str:
    return f"{story.spelled(move.workload)}, {size(move.memory_bytes)},"


def _refused(plan: RebalancePlan, node: NodeStatus) -> Iterator[str]:
    here = [refusal for refusal in plan.status.refused if refusal.node == node.name]
    for code, _ in story.refused_by_code(here):
        of_code = [refusal for refusal in here if refusal.code == code]
        title = f"Refused as {code}: {story.meaning(code)}".rstrip(": .")
        yield from _listed(title, [f"{story.spelled(refusal.workload)}: {refusal.reason}" for refusal in of_code])


def _order(view: NodeView) -> str:
    return ", ".join(view.dies_next) or "not known"


def _node(plan: RebalancePlan, node: NodeStatus) -> list[str]:
    lines = [f"node/{node.name} is {_class(node)}.", *_figures(plan, node)]
    if node.code:
        lines += _explained(node.code, node.reason)
    lines += [*_traffic(plan, node), *_refused(plan, node)]
    if node.before.dies_next or node.after.dies_next:
        orders = change(_order(node.before), _order(node.after))
        lines.append(f"Evicted first if memory ran out: {orders}.")
    if not node.moves_in and not node.moves_out:
        lines.insert(1, "The plan moves nothing to it and nothing away.")
    return lines


def _shown(lines: Iterable[str]) -> str:
    return "".join(f"{visible(line)}\n" for line in lines)


def why(plan: RebalancePlan, subject: str) -> str:
    """What the plan says of a node or workload, from the plan alone.

    Parameters
    ----------
    plan
        The plan, for example from `parse`.
    subject
        ``NODE``, ``[NAMESPACE/]NAME`` of a VM or pod, or with a kind in front: ``node/NAME``, ``vmi/[NAMESPACE/]NAME``,
        ``pod/[NAMESPACE/]NAME``.

    Returns
    -------
    str
        Lines of text without colours. For a workload: its move or refusal with code, reason, numbers and remedy. For a
        node: class, use before and after, what moves, what was refused, and why it misses the goal.

    Raises
    ------
    UsageError
        The plan knows no such name (the nearest ones stand in the hint), or several objects bear it (all are listed).
    """
    named = _named(plan, subject.strip())
    if isinstance(named, WorkloadRef):
        return _shown(_workload(plan, named))
    return _shown(line for node in plan.status.nodes if node.name == named.name for line in _node(plan, node))
