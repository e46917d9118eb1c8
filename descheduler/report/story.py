"""What a plan says in sentences, and the order in which its nodes are told: shared by all formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from descheduler.policy.plan import (
    Goal,
    NodeClass,
    NodeStatus,
    NodeView,
    RebalancePlan,
    Refusal,
    Threshold,
    WorkloadRef,
)
from descheduler.report.figures import change, count, known, number, percent, size
from ullage.model.codes import CODES, Code


class Part(IntEnum):
    """The part that a node plays in the plan, in the order of telling."""

    STAYS = 0
    RELIEVED = 1
    GIVES = 2
    TAKES = 3
    UNKNOWN = 4
    SAME = 5


def part(node: NodeStatus) -> Part:
    """The part that a node plays."""
    if node.after.node_class is NodeClass.UNKNOWN:
        return Part.UNKNOWN
    if node.after.node_class is NodeClass.OVER or node.code:
        return Part.STAYS
    if node.before.node_class is NodeClass.OVER:
        return Part.RELIEVED
    if node.moves_out:
        return Part.GIVES
    return Part.TAKES if node.moves_in else Part.SAME


def peak(view: NodeView) -> float:
    """The larger of CPU and memory ratio; 0 if neither is known."""
    return max(
        (ratio for ratio in (view.cpu_ratio, view.memory_ratio) if ratio is not None and known(ratio)), default=0
    )


def told(nodes: Sequence[NodeStatus]) -> list[NodeStatus]:
    """Nodes in the order of telling: by part, the fullest first, then by name."""
    return sorted(nodes, key=lambda node: (part(node), -peak(node.before), node.name))


def staying(plan: RebalancePlan) -> list[NodeStatus]:
    """Nodes that miss the goal and are not unknown, in the order of telling."""
    return [node for node in told(plan.status.nodes) if part(node) is Part.STAYS]


def code(name: str) -> Code | None:
    """A code's entry, or ``None`` for a code of a newer version."""
    return CODES.get(name)


def meaning(name: str) -> str:
    """What a code means; empty for a code of a newer version."""
    entry = code(name)
    return entry.meaning if entry else ""


def remedy(name: str) -> str:
    """What can be done about a code; empty if nothing can."""
    entry = code(name)
    return entry.remedy if entry else ""


def refused_by_code(refused: Sequence[Refusal]) -> list[tuple[str, int]]:
    """Codes of the refusals with their counts, the most frequent first."""
    return sorted(Counter(refusal.code for refusal in refused).items(), key=lambda item: (-item[1], item[0]))


def thresholds(plan: RebalancePlan) -> dict[str, Threshold]:
    """Thresholds by resource."""
    return {threshold.resource: threshold for threshold in plan.status.thresholds}


SHORT_KIND: Final[Mapping[str, str]] = MappingProxyType({"VirtualMachineInstance": "vmi", "Pod": "pod"})
"""Short names of the kinds, as kubectl takes them."""


def spelled(workload: WorkloadRef) -> str:
    """``vmi/NAMESPACE/NAME`` or ``pod/NAMESPACE/NAME``."""
    return f"{SHORT_KIND[workload.kind]}/{workload}"


def _relieve(plan: RebalancePlan) -> str:
    numbers = plan.status.summary
    moves, over, left = count(numbers.moves, "move"), numbers.nodes_over_before, numbers.nodes_over_after
    if not over:
        return f"{moves} planned; no node is over its threshold"
    if left >= over:
        return f"{moves} planned; {count(left, 'node')} still over"
    verb = "relieves" if numbers.moves == 1 else "relieve"
    if not left:
        whom = "the one node" if over == 1 else f"all {number(over)} nodes"
        return f"{moves} {verb} {whom} over the threshold"
    return f"{moves} {verb} {number(over - left)} of {count(over, 'node')} over the threshold"


def _balance(plan: RebalancePlan) -> str:
    numbers = plan.status.summary
    before, after = percent(numbers.memory_deviation_before), percent(numbers.memory_deviation_after)
    return f"{count(numbers.moves, 'move')} balance the nodes: memory deviates by {change(before, after)}"


def _empty(plan: RebalancePlan) -> str:
    numbers = plan.status.summary
    verb = "empties" if numbers.moves == 1 else "empty"
    return f"{count(numbers.moves, 'move')} {verb} {count(numbers.nodes_emptied, 'node')}"


_NOT_DUE: Final = "node-over-not-due"
_HEADLINES: Final[Mapping[Goal, Callable[[RebalancePlan], str]]] = MappingProxyType(
    {Goal.RELIEVE: _relieve, Goal.BALANCE: _balance, Goal.EVACUATE: _empty, Goal.CONSOLIDATE: _empty}
)


def headline(plan: RebalancePlan) -> str:
    """What the plan does, in one sentence without its full stop."""
    numbers = plan.status.summary
    if numbers.moves:
        return _HEADLINES[plan.spec.goal](plan)
    missed = len(staying(plan))
    if missed and all(node.code == _NOT_DUE for node in staying(plan)):
        return f"{count(missed, 'node')} over, not for long enough yet"
    if missed:
        return f"No move helps: {count(missed, 'node')} {'misses' if missed == 1 else 'miss'} the goal"
    if numbers.nodes and numbers.nodes_unknown == numbers.nodes:
        return "Nothing can be judged: the use of no node is known"
    if not numbers.nodes:
        return "Nothing to do: the cluster has no nodes"
    if plan.spec.goal is Goal.RELIEVE:
        return "Nothing to do: no node is over its threshold"
    return "Nothing to do: no move gets nearer to the goal"


def bound(plan: RebalancePlan) -> str:
    """What no plan for the goal can do better than; empty where no bound is known, or nothing is moved."""
    numbers, least = plan.status.summary, plan.status.lower_bound
    if not numbers.moves:
        return ""
    parts = []
    if least.moves:
        parts.append(count(least.moves, "move"))
    if least.bytes:
        parts.append(size(least.bytes))
    if not parts:
        return ""
    if least.moves == numbers.moves and plan.status.minimize == "moves":
        return "No plan can do with fewer moves."
    return f"No plan can do with less than {' or '.join(parts)}."


def sentences(plan: RebalancePlan) -> list[str]:
    """The plan in a few sentences: what it does, what that moves, the bound, and what is left."""
    numbers = plan.status.summary
    lines = [f"{headline(plan)}."]
    if numbers.moves:
        lines.append(f"{size(numbers.bytes)} of memory moves.")
    lines.append(bound(plan))
    if numbers.relief_possible is False:
        lines.append(meaning("relief-impossible"))
    if numbers.nodes_unknown:
        lines.append(f"The use of {count(numbers.nodes_unknown, 'node')} is not known.")
    return [line for line in lines if line]
