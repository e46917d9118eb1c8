"""A slow checker of plans that shares nothing with the planner but the state, `apply` and the placement rules.

It goes through a plan move by move, as a person with the state in hand would, and says what is wrong.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase

import numpy as np

from descheduler.policy.plan import RebalancePlan
from tests.descheduler.policy.making import rows
from ullage.config.schema import Configuration
from ullage.model.changes import Move, apply
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.resources import CPU_INDEX, MEMORY_INDEX
from ullage.model.state import ClusterState, EvictionStrategy, NodeFlag, WorkloadFlag, WorkloadKind
from ullage.scoring.feasibility import Feasibility

FORBIDDING = (
    WorkloadFlag.MIGRATING
    | WorkloadFlag.MIGRATION_TARGET
    | WorkloadFlag.DAEMONSET
    | WorkloadFlag.MIRROR
    | WorkloadFlag.TERMINATING
    | WorkloadFlag.PENDING
    | WorkloadFlag.EVICTION_IN_PROGRESS
)
UNLESS_ASKED = WorkloadFlag.PREFER_NO_EVICTION | WorkloadFlag.CRITICAL
PODS_UNLESS_ASKED = WorkloadFlag.BARE | WorkloadFlag.LOCAL_STORAGE
_RELATIVE = 1e-7
_RESOURCES = ("CPU", "MEMORY")
_UNITS = ("CORES", "BYTES")


def _value(state: ClusterState, measure: NodeMeasure | WorkloadMeasure, row: int, limit: float) -> float:
    """Fresh value, NaN else."""
    measures = (state.nodes if isinstance(measure, NodeMeasure) else state.workloads).measures
    old = measures.age_seconds[row, measure] > limit
    return math.nan if old else float(measures.value[row, measure])


def _peak(
    state: ClusterState, axis: type[NodeMeasure | WorkloadMeasure], row: int, r: int, config: Configuration
) -> float:
    """The larger of mean + 1.5 deviations and the recent peak + 0.7 deviations."""
    limit = config.telemetry.max_age_seconds
    mean, deviation, peak = (
        _value(state, axis[f"{_RESOURCES[r]}_{part}_{_UNITS[r]}"], row, limit) for part in ("MEAN", "DEVIATION", "PEAK")
    )
    spread = 0.0 if math.isnan(deviation) else deviation
    high = mean + config.prediction.deviations * spread
    return high if math.isnan(peak) else max(high, peak + 0.7 * spread)


def measured(state: ClusterState, w: int, config: Configuration) -> bool:
    """Whether CPU and memory of a workload are known."""
    limit = config.telemetry.max_age_seconds
    parts = (WorkloadMeasure.CPU_MEAN_CORES, WorkloadMeasure.MEMORY_MEAN_BYTES)
    return not any(math.isnan(_value(state, part, w, limit)) for part in parts)


def landing(state: ClusterState, w: int, config: Configuration) -> tuple[float, float]:
    """What a workload brings: cores, bytes."""
    swap = float(np.nan_to_num(state.workloads.measures.value[w, WorkloadMeasure.SWAP_USED_BYTES]))
    if measured(state, w, config):
        cpu, memory = (_peak(state, WorkloadMeasure, w, r, config) for r in (0, 1))
        return cpu, memory + swap
    siblings = [mean(state, s) for s in _siblings(state, w) if measured(state, s, config)]
    if siblings:
        cpu, memory = (sum(s[r] for s in siblings) / len(siblings) for r in (0, 1))
        return cpu, memory + swap
    cpu, memory = (float(state.workloads.requests[w, r]) for r in (CPU_INDEX, MEMORY_INDEX))
    guest = state.workloads.guest_memory_bytes[w] + np.nan_to_num(state.workloads.overhead_bytes[w])
    return cpu, max(memory, float(np.nan_to_num(guest))) + swap


def _siblings(state: ClusterState, w: int) -> list[int]:
    owner = state.workloads.owner
    return [s for s in range(len(owner)) if s != w and owner[s] == owner[w] >= 0]


def mean(state: ClusterState, w: int) -> tuple[float, float]:
    """Measured mean: cores, bytes."""
    value = state.workloads.measures.value[w]
    return float(value[WorkloadMeasure.CPU_MEAN_CORES]), float(value[WorkloadMeasure.MEMORY_MEAN_BYTES])


def leaving(state: ClusterState, w: int, config: Configuration) -> tuple[float, float]:
    """What a node is rid of, at least."""
    if not measured(state, w, config):
        return 0.0, 0.0
    cpu, memory = mean(state, w)
    return tuple(
        min(mean + _margin(state, w, r, config), _peak(state, WorkloadMeasure, w, r, config))
        for r, mean in enumerate((cpu, memory))
    )


def _margin(state: ClusterState, w: int, r: int, config: Configuration) -> float:
    """Half of the workload's share, by variance, in what its node is expected to use above its mean."""
    n, limit = int(state.workloads.node[w]), config.telemetry.max_age_seconds
    name = f"{_RESOURCES[r]}_DEVIATION_{_UNITS[r]}"
    here = np.flatnonzero(state.workloads.node == n).tolist()
    own = {v: float(np.nan_to_num(_value(state, WorkloadMeasure[name], v, limit))) ** 2 for v in here}
    variance = max(float(np.nan_to_num(_value(state, NodeMeasure[name], n, limit))) ** 2, sum(own.values()))
    above = _peak(state, NodeMeasure, n, r, config) - _value(
        state, NodeMeasure[f"{_RESOURCES[r]}_MEAN_{_UNITS[r]}"], n, limit
    )
    if math.isnan(above) or variance == 0 or _unusable(state, n, config):
        return 0.0
    return own[w] * above / (2 * variance)


def _unusable(state: ClusterState, n: int, config: Configuration) -> bool:
    """Whether the node is not ready, or CPU or memory of it are not known."""
    known = not any(math.isnan(_peak(state, NodeMeasure, n, r, config)) for r in (0, 1))
    return not known or not state.nodes.flags[n] & NodeFlag.READY


def node_use(state: ClusterState, n: int, config: Configuration) -> tuple[float, float] | None:
    """Expected use of a node; ``None`` if it is not known."""
    allocatable = state.nodes.allocatable[n, [CPU_INDEX, MEMORY_INDEX]]
    cpu, memory = (_peak(state, NodeMeasure, n, r, config) for r in (0, 1))
    if _unusable(state, n, config) or not (allocatable > 0).all():
        return None
    for w in range(len(state.workloads)):
        if _comes_on_top(state, w, n, config):
            more = landing(state, w, config)
            cpu, memory = cpu + more[0], memory + more[1]
    return cpu, memory


def _comes_on_top(state: ClusterState, w: int, n: int, config: Configuration) -> bool:
    """Whether the node's measures cannot hold the workload yet."""
    workloads = state.workloads
    if workloads.migration_target[w] == n:
        return True
    seen = state.observed_at_seconds - state.nodes.measures.age_seconds[n, NodeMeasure.MEMORY_MEAN_BYTES]
    late = bool(workloads.started_at_seconds[w] > seen)
    return int(workloads.node[w]) == n and late and not measured(state, w, config)


def may_move(state: ClusterState, w: int, config: Configuration) -> bool:
    """Whether the workload itself may move at all (without cooldown memory, quotas)."""
    workloads = state.workloads
    flags, machine = WorkloadFlag(int(workloads.flags[w])), workloads.kind[w] == WorkloadKind.VMI
    asked = WorkloadFlag.EVICT in flags
    if flags & FORBIDDING or (flags & UNLESS_ASKED and not asked):
        return False
    if any(fnmatchcase(workloads.namespace[w], p) for p in config.eligibility.excluded_namespaces):
        return False
    if state.observed_at_seconds - workloads.last_moved_at_seconds[w] < config.eligibility.cooldown_seconds:
        return False
    return _machine_may(state, w, flags) if machine else asked or not flags & PODS_UNLESS_ASKED


def _machine_may(state: ClusterState, w: int, flags: WorkloadFlag) -> bool:
    strategy = state.workloads.eviction_strategy[w]
    if flags & (WorkloadFlag.NOT_LIVE_MIGRATABLE | WorkloadFlag.PAUSED):
        return False
    if strategy in (EvictionStrategy.NONE, EvictionStrategy.EXTERNAL):
        return False
    old = state.kubevirt is not None and state.kubevirt.version.startswith("1.5")
    if strategy == EvictionStrategy.UNSET and old:
        return False
    return not state.workloads.measures.value[w, WorkloadMeasure.DIRTY_RATE_BYTES_PER_SECOND] >= 1e9


class Checker:
    """Goes through one plan."""

    def __init__(self, state: ClusterState, made: RebalancePlan, config: Configuration) -> None:
        self.state, self.made, self.config = state, made, config
        self.use = [node_use(state, n, config) for n in range(len(state.nodes))]
        self.first = list(self.use)
        self.requested = state.nodes.requested.copy()
        self.moved: list[Move] = []

    def problems(self, closed: frozenset[str] = frozenset()) -> list[str]:
        """Everything that is wrong, in words; `closed` are nodes that nothing may land on."""
        found = []
        for step, move in enumerate(rows(self.state, self.made), 1):
            found += [f"move {step} {move}: {text}" for text in self._wrong(move, closed)]
            self._make(move)
        limit = self.config.planning.max_moves
        if limit is not None and len(self.moved) > limit:
            found.append(f"{len(self.moved)} moves are more than {limit}")
        return found + list(self._wrong_afterwards())

    def _wrong(self, move: Move, closed: frozenset[str]) -> Iterator[str]:
        w = move.workload
        present = apply(self.state, self.moved)
        if w in {m.workload for m in self.moved}:
            yield "moves twice"
        if present.workloads.node[w] != move.source or move.source == move.target:
            yield "does not start where the workload is, or goes nowhere"
        if not may_move(self.state, w, self.config):
            yield "may not move"
        if self.config.planning.goal in ("relieve", "balance") and not measured(self.state, w, self.config):
            yield "its use is not known"
        if self.state.nodes.name[move.target] in closed:
            yield "lands on a node that is being emptied"
        if not Feasibility(present).allowed(w)[move.target]:
            yield "breaks a placement rule"
        yield from self._no_room(move)
        yield from self._over_budget(w)

    def _no_room(self, move: Move) -> Iterator[str]:
        """The destination holds the workload while its source still does; the source is not touched before."""
        use = self.use[move.target]
        bands = (self.config.thresholds.cpu, self.config.thresholds.memory)
        goal = self.config.planning.goal
        if use is None:
            yield "the destination's use is not known"
            return
        if self.use[move.source] is None and goal != "evacuate":
            yield "the source's use is not known"
        for r, more in enumerate(landing(self.state, move.workload, self.config)):
            if use[r] + more > bands[r].target * self.state.nodes.allocatable[move.target, r] * (1 + _RELATIVE):
                yield f"{_RESOURCES[r]} of the destination passes its target"
        demand = self.state.workloads.requests[move.workload]
        room = self.state.nodes.allocatable[move.target] * (1 + _RELATIVE) - self.requested[move.target]
        if ((demand > 0) & ~(demand <= room)).any():
            yield "requests do not fit"

    def _over_budget(self, w: int) -> Iterator[str]:
        gone = [*(m.workload for m in self.moved), w]
        for budget in self.state.budgets:
            members = set(budget.members.tolist())
            if w in members and sum(g in members for g in gone) > budget.disruptions_allowed:
                yield f"passes the budget {budget.name}"

    def _make(self, move: Move) -> None:
        out, into = leaving(self.state, move.workload, self.config), landing(self.state, move.workload, self.config)
        for n, sign, amount in ((move.source, -1, out), (move.target, 1, into)):
            use = self.use[n]
            if use is not None:
                self.use[n] = (use[0] + sign * amount[0], use[1] + sign * amount[1])
            self.requested[n] += sign * self.state.workloads.requests[move.workload]
        self.moved.append(move)

    def _wrong_afterwards(self) -> Iterator[str]:
        """What the plan says of nodes, against what came out."""
        ins, outs = Counter(m.target for m in self.moved), Counter(m.source for m in self.moved)
        for n, status in enumerate(self.made.status.nodes):
            for view, use in ((status.before, self.first[n]), (status.after, self.use[n])):
                if not _agree(view.cpu_ratio, view.memory_ratio, use, self.state.nodes.allocatable[n]):
                    yield f"node {status.name} is said to be at {view}, found {use}"
            if (status.moves_in, status.moves_out) != (ins[n], outs[n]):
                yield f"moves of node {status.name} are counted wrongly"


def _agree(cpu: float | None, memory: float | None, use: tuple[float, float] | None, allocatable: np.ndarray) -> bool:
    if use is None:
        return cpu is None or memory is None
    said = (cpu, memory)
    return all(s is not None and abs(s - use[r] / allocatable[r]) < 2e-6 for r, s in enumerate(said))
