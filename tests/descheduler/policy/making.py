"""Plans of states in one line, and what tests ask of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from descheduler.policy.decide import decide
from descheduler.policy.memory import Memory
from descheduler.policy.plan import NodeStatus, RebalancePlan, Refusal
from ullage.config.schema import Band, Configuration, Planning, Thresholds
from ullage.config.schema import Memory as MemoryLimits
from ullage.model.changes import Move
from ullage.model.state import ClusterState


def configuration(
    *, high: float = 0.8, target: float = 0.8, low: float = 0.5, worst_case: float | None = None, **planning: Any
) -> Configuration:
    """Configuration with the same marks for CPU and memory; `planning` are fields of `Planning`."""
    band = Band(low=min(low, target), high=high, target=target)
    return Configuration(
        thresholds=Thresholds(band, band), planning=Planning(**planning), memory=MemoryLimits(worst_case)
    )


def plan(
    state: ClusterState, *nodes: str, config: Configuration | None = None, memory: Memory | None = None, **settings: Any
) -> RebalancePlan:
    """The plan for `state`; `nodes` are those to evacuate."""
    if nodes:
        settings.setdefault("goal", "evacuate")
    chosen = config or configuration(**settings)
    return decide(state, memory or Memory(), chosen, state.observed_at_seconds, nodes)[0]


def moves(made: RebalancePlan) -> list[tuple[str, str, str]]:
    """(workload, from, to) in the order of execution."""
    return [(m.workload.name, m.source, m.target) for m in made.spec.moves]


def rows(state: ClusterState, made: RebalancePlan) -> list[Move]:
    """The moves as rows of the state, found by kind and uid."""
    row = {(int(k), u): w for w, (k, u) in enumerate(zip(state.workloads.kind, state.workloads.uid, strict=True))}
    kind = {"Pod": 0, "VirtualMachineInstance": 1}
    names = list(state.nodes.name)
    return [
        Move(row[kind[m.workload.kind], m.workload.uid], names.index(m.source), names.index(m.target))
        for m in made.spec.moves
    ]


def refusals(made: RebalancePlan) -> dict[str, str]:
    """Code by name of the refused workload."""
    return {r.workload.name: r.code for r in made.status.refused}


def refusal(made: RebalancePlan, name: str) -> Refusal:
    """The one refusal of a workload."""
    (found,) = [r for r in made.status.refused if r.workload.name == name]
    return found


def node(made: RebalancePlan, name: str) -> NodeStatus:
    """Status of a node."""
    (found,) = [n for n in made.status.nodes if n.name == name]
    return found


def notes(made: RebalancePlan) -> set[str]:
    """Codes of all notes."""
    return {n.code for n in made.status.notes}


def deviation(made: RebalancePlan, attribute: str = "cpu_ratio") -> float:
    """Population standard deviation of a ratio after the plan."""
    return float(np.std([getattr(n.after, attribute) for n in made.status.nodes]))
