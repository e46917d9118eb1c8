"""Sentences with numbers: why a workload moves, why another one does not, why a node stays over."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from descheduler.policy.goals import Outcome
from descheduler.policy.plan import Goal, Refusal, WorkloadRef
from descheduler.policy.problem import Tally
from descheduler.policy.setting import Setting
from ullage.model.arrays import FloatArray
from ullage.model.changes import Move
from ullage.model.codes import CODES
from ullage.model.measures import NodeMeasure
from ullage.model.quantity import format_bytes
from ullage.model.resources import CPU_INDEX, MEMORY_INDEX
from ullage.model.state import ClusterState, NodeFlag, WorkloadKind

_RESOURCES = ("CPU", "memory")
_FEW_CORES = 0.01


def reference(state: ClusterState, workload: int) -> WorkloadRef:
    """Identity of a workload row."""
    workloads = state.workloads
    machine = workloads.kind[workload] == WorkloadKind.VMI
    return WorkloadRef(
        "VirtualMachineInstance" if machine else "Pod",
        workloads.namespace[workload],
        workloads.name[workload],
        workloads.uid[workload],
    )


def percent(ratio: float) -> str:
    """Ratio as percent for people; ``?`` for NaN."""
    return "?" if np.isnan(ratio) else f"{100 * ratio:.1f}%"


def use_text(given: Setting, workload: int) -> str:
    """What a workload uses: ``1.2 cores and 5.4Gi``; cores are left out if it uses next to none."""
    cores, memory = cores_of(given, workload), format_bytes(float(given.moved_bytes[workload]))
    return f"{cores:.3g} cores and {memory}" if cores >= _FEW_CORES else memory


def cores_of(given: Setting, workload: int) -> float:
    """CPU that a workload uses, measured or else estimated."""
    mean = given.forecast.mean[workload, 0]
    return float(given.forecast.use.landing[workload, 0] if np.isnan(mean) else mean)


def move_reason(given: Setting, move: Move, code: str, before: FloatArray, after: FloatArray) -> str:
    """Why a move is made; `before` and `after` are ratios of all nodes, float64 (N, 2), around this one move."""
    names = given.state.nodes.name
    brings = use_text(given, move.workload)
    worst = int(np.argmax(np.nan_to_num(before[move.source] - given.limits.high)))
    went, came = percent(before[move.source, worst]), percent(after[move.source, worst])
    source = f"{_RESOURCES[worst]} of {names[move.source]} from {went} to {came}"
    cpu, memory = (percent(r) for r in after[move.target])
    target = f"{names[move.target]} comes to {cpu} CPU and {memory} memory"
    if code in ("evacuate", "consolidate"):
        return f"Empties {names[move.source]}: takes {brings} along; {target}."
    if code == "make-room":
        return f"Takes {brings} off {names[move.source]}, which steps aside for a workload of a node that is over; {target}."
    return f"Takes {brings} off: {source}; {target}."


@dataclass(frozen=True, eq=False)
class Refusals:
    """Explains the workloads of the goal's nodes that stay, downstream of all moves of the plan."""

    given: Setting
    outcome: Outcome
    tally: Tally

    @cached_property
    def asked(self) -> frozenset[int]:
        """Nodes that the goal wants to come down."""
        return frozenset(self.outcome.problem.sources.tolist())

    def all(self) -> tuple[Refusal, ...]:
        """One refusal per workload that stays on a node that the goal is about, in order of node and workload."""
        moved = {m.workload for m in self.outcome.moves}
        rows = [w for n in self.outcome.subjects for w in self.given.state.workloads_on(n).tolist() if w not in moved]
        return tuple(self._refusal(w) for w in rows)

    def _refusal(self, workload: int) -> Refusal:
        state = self.given.state
        code, reason = self._why(workload)
        return Refusal(reference(state, workload), state.nodes.name[state.workloads.node[workload]], code, reason)

    def _why(self, workload: int) -> tuple[str, str]:
        code = self.given.eligibility.code(workload)
        if code:
            detail = self.given.state.workloads.blocked_reason[workload] if code == "not-live-migratable" else ""
            return code, CODES[code].meaning + (f" KubeVirt says: {detail}." if detail else "")
        node = self.outcome.problem.home[workload]
        if self._asked(node) and not self.tally.capacity.excess_of(int(node)).any():
            return (
                "not-needed",
                f"It brings {use_text(self.given, workload)}; the node reaches its target without this move.",
            )
        if self.tally.full():
            return "move-budget", f"The limit of {self.outcome.problem.limit} moves is reached."
        return self._no_destination(workload)

    def _asked(self, node: int) -> bool:
        """Whether the goal wants this node to come down; balance asks nothing of any node."""
        return node in self.asked

    def _no_destination(self, workload: int) -> tuple[str, str]:
        counts = self.rejected_by(workload)
        if counts["disruption-budget"]:
            return "disruption-budget", CODES["disruption-budget"].meaning
        total = sum(counts.values())
        if not total:
            return "no-destination", "There is no other node."
        if counts["open"]:
            but = self._in_vain(workload)
            return (
                "no-gain",
                f"{counts['open']} of {total} other nodes would take {use_text(self.given, workload)}, but {but}.",
            )
        why = ", ".join(f"{n} {code}" for code, n in counts.most_common())
        return "no-destination", f"None of {total} other nodes takes {use_text(self.given, workload)}: {why}."

    def _in_vain(self, workload: int) -> str:
        capacity, node = self.tally.capacity, self.outcome.problem.home[workload]
        if not self._asked(node):
            return "it gains too little"
        relieves = capacity.leaving[workload][capacity.excess(np.array([node]))[0] > 0].any()
        return "no better plan was found with it" if relieves else "the move relieves nothing that is over"

    def rejected_by(self, workload: int) -> Counter[str]:
        """Count of other nodes by the first rule that rejects them; key ``open`` counts those that nothing rejects."""
        left = np.ones(len(self.given.state.nodes), dtype=np.bool_)
        left[self.outcome.problem.home[workload]] = False
        counts: Counter[str] = Counter()
        for code, rejected in self._rules(workload):
            counts[code] += int((left & rejected).sum())
            left &= ~rejected
        counts["open"] += int(left.sum())
        return +counts

    def _rules(self, workload: int) -> list[tuple[str, np.ndarray[tuple[int], np.dtype[np.bool_]]]]:
        known = self.given.known()
        rules = [("node-use-unknown", ~known), ("node-excluded", known & ~self.outcome.problem.open_nodes)]
        return rules + [r for term in self.tally.terms for r in term.rejections(workload) if r[0] != "same-node"]


def stays_over(refusals: tuple[Refusal, ...], node: str, ratio: FloatArray, given: Setting) -> tuple[str, str]:
    """Code and sentence for a node that is still over after the plan; `ratio` is its float64 (2,) afterwards."""
    mine = Counter(r.code for r in refusals if r.node == node)
    listed = ", ".join(f"{n} {code}" for code, n in mine.most_common(4)) or "no workloads"
    if mine["move-budget"]:
        code = "node-over-budget"
    elif mine["no-destination"] or mine["disruption-budget"]:
        code = "node-over-no-room"
    elif mine["no-gain"] or not mine:
        code = "node-over-not-attributed"
    else:
        code = "node-over-no-victim"
    return code, f"{_over(ratio, given)} after the plan; of its workloads: {listed}."


def _over(ratio: FloatArray, given: Setting) -> str:
    return " and ".join(
        f"{_RESOURCES[r]} {percent(ratio[r])} (threshold {percent(given.limits.high[r])})"
        for r in np.flatnonzero(ratio > given.limits.high)
    )


def not_due(ratio: FloatArray, node: str, given: Setting, now_seconds: float) -> str:
    """Sentence for a node that is over and does not count as such yet."""
    since, hysteresis = given.over_since_seconds.get(node), given.config.hysteresis
    if since is None:
        by = percent(hysteresis.reenter_ratio)
        return f"{_over(ratio, given)}; it was relieved a while ago, and is above by less than {by}."
    lasted, needed = now_seconds - since, hysteresis.persistence_seconds
    return f"{_over(ratio, given)} for {lasted:.0f} s; it counts after {needed:.0f} s."


def other_goal(goal: Goal, ratio: FloatArray, given: Setting) -> tuple[str, str]:
    """Code and sentence for a node that is over after a plan that was not made to bring it down."""
    return "node-over-other-goal", f"{_over(ratio, given)} after the plan; the goal {goal} does not ask for less."


def not_emptied(refusals: tuple[Refusal, ...], node: str) -> tuple[str, str]:
    """Code and sentence for a node that was to be emptied and is not; empty if only what belongs to the node stays."""
    stay = Counter(r.code for r in refusals if r.node == node and r.code not in ("daemonset", "mirror-pod"))
    listed = ", ".join(f"{n} {code}" for code, n in stay.most_common(4))
    return ("node-not-emptied", f"{stay.total()} of its workloads stay: {listed}.") if stay else ("", "")


def unknown_reason(given: Setting, node: int) -> str:
    """Why a node cannot be judged."""
    nodes = given.state.nodes
    if not nodes.has(NodeFlag.READY)[node]:
        return "It is not ready."
    allocatable = nodes.allocatable[node, [CPU_INDEX, MEMORY_INDEX]]
    if np.isnan(allocatable).any():
        return "It does not say what it can allocate."
    if not allocatable.all():
        return "It has no CPU or no memory to allocate."
    age = nodes.measures.age_seconds[node, [NodeMeasure.CPU_MEAN_CORES, NodeMeasure.MEMORY_MEAN_BYTES]]
    if np.isnan(age).any():
        missing = " and ".join(name for name, a in zip(_RESOURCES, age, strict=True) if np.isnan(a))
        return f"Its use of {missing} was not measured."
    limit = given.config.telemetry.max_age_seconds
    return f"Its use was measured {age.max():.0f} s ago (limit {limit:.0f} s)."
