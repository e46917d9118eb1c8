"""Columns of a state from the rows that a test asked for; see `tests.builders`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

import numpy as np

from ullage.model.arrays import FloatArray, frozen
from ullage.model.changes import requested_sums
from ullage.model.labels import Labels
from ullage.model.measures import Measures, NodeMeasure, WorkloadMeasure
from ullage.model.placement import Placement, Taint
from ullage.model.qos import QoS
from ullage.model.quantity import to_float
from ullage.model.resources import CPU, MEMORY
from ullage.model.state import (
    DisruptionBudget,
    EvictionStrategy,
    NodeColumns,
    NodeFlag,
    Owner,
    WorkloadColumns,
    WorkloadFlag,
    WorkloadKind,
)

Size = str | float
"""A quantity, or a number in base units."""

Measure = TypeVar("Measure", bound=IntEnum)


def size(value: Size | None) -> float:
    """Base units; ``None`` is NaN."""
    return float("nan") if value is None else to_float(value)


@dataclass
class NodeRow:
    """What a test said of a node."""

    name: str
    resources: dict[str, float]
    capacity: dict[str, float]
    swap: float
    flags: NodeFlag
    taints: tuple[Taint, ...]
    labels: dict[str, str]
    kubelet_version: str
    age: float
    use: dict[NodeMeasure, Size | None]


@dataclass
class WorkloadRow:
    """What a test said of a workload."""

    kind: WorkloadKind
    namespace: str
    name: str
    pod: str
    node: str
    resources: dict[str, float]
    limits: dict[str, float]
    swap_request: float
    given_qos: QoS | None
    priority: int
    owner: Owner | None
    placement: Placement
    flags: WorkloadFlag
    started_at: float
    labels: dict[str, str]
    age: float
    use: dict[WorkloadMeasure, Size | None]
    guest: float = float("nan")
    overhead: float = float("nan")
    strategy: EvictionStrategy = EvictionStrategy.UNSET
    migration_target: str | None = None
    last_moved: float = float("nan")
    blocked_reason: str = ""

    @property
    def uid(self) -> str:
        """Made from the key, so that the same test gives the same state."""
        return f"uid-{self.kind.name.lower()}-{self.namespace}-{self.name}"

    @property
    def key(self) -> tuple[str, str, int, str]:
        """Order of rows."""
        return (self.namespace, self.name, int(self.kind), self.uid)

    @property
    def qos(self) -> QoS:
        """The given class, or the one that requests and limits make."""
        if self.given_qos is not None:
            return self.given_qos
        if all(self.limits.get(r) == self.resources[r] > 0 for r in (CPU, MEMORY)):
            return QoS.GUARANTEED
        asked = self.resources[CPU] or self.resources[MEMORY] or self.limits
        return QoS.BURSTABLE if asked else QoS.BEST_EFFORT

    def request(self, resource: str, amount: Size) -> None:
        """Set a request that the extras did not."""
        if not self.resources.get(resource):
            self.resources[resource] = size(amount)

    def measured(self, measure: WorkloadMeasure, amount: Size | None) -> None:
        """Set a measure that the extras did not."""
        self.use.setdefault(measure, amount)


def _matrix(rows: Sequence[Mapping[str, float]], resources: Sequence[str], absent: float) -> FloatArray:
    values = [[row.get(r, absent) for r in resources] for row in rows]
    return frozen(np.reshape(np.array(values, dtype=np.float64), (len(rows), len(resources))), np.float64)


def _measures(value: FloatArray, ages: Sequence[float]) -> Measures:
    measured = ~np.isnan(value)
    age = np.where(measured, np.reshape(np.array(ages, dtype=np.float64), (-1, 1)), np.nan)
    return Measures(frozen(value, np.float64), frozen(age, np.float64), frozen(np.where(measured, 0, -1), np.int8))


def _use(rows: Sequence[Mapping[Measure, Size | None]], members: type[Measure]) -> FloatArray:
    value = np.full((len(rows), len(members)), np.nan)
    for i, row in enumerate(rows):
        for measure, amount in row.items():
            value[i, measure] = np.nan if amount == "sum" else size(amount)
    return value


_SUMS = {
    NodeMeasure.CPU_MEAN_CORES: WorkloadMeasure.CPU_MEAN_CORES,
    NodeMeasure.MEMORY_MEAN_BYTES: WorkloadMeasure.MEMORY_MEAN_BYTES,
    NodeMeasure.SWAP_USED_BYTES: WorkloadMeasure.SWAP_USED_BYTES,
}


def _node_use(nodes: Sequence[NodeRow], workloads: WorkloadColumns) -> FloatArray:
    value = _use([n.use for n in nodes], NodeMeasure)
    for measure, part in _SUMS.items():
        amount = np.nan_to_num(workloads.measures.column(part))
        sums = np.bincount(workloads.node, weights=amount, minlength=len(nodes))
        summed = np.array([n.use.get(measure) == "sum" for n in nodes], dtype=np.bool_)
        value[summed, measure] = sums[summed]
    return value


def node_columns(nodes: Sequence[NodeRow], resources: Sequence[str], workloads: WorkloadColumns) -> NodeColumns:
    return NodeColumns(
        name=tuple(n.name for n in nodes),
        uid=tuple(f"uid-node-{n.name}" for n in nodes),
        allocatable=_matrix([n.resources for n in nodes], resources, 0.0),
        capacity=_matrix([n.capacity for n in nodes], resources, 0.0),
        requested=frozen(requested_sums(len(nodes), workloads.node, workloads.requests), np.float64),
        swap_capacity_bytes=frozen([n.swap for n in nodes], np.float64),
        flags=frozen([int(n.flags) for n in nodes], np.int32),
        taints=tuple(n.taints for n in nodes),
        labels=Labels.of([n.labels for n in nodes]),
        kubelet_version=tuple(n.kubelet_version for n in nodes),
        measures=_measures(_node_use(nodes, workloads), [n.age for n in nodes]),
    )


def workload_columns(
    workloads: Sequence[WorkloadRow],
    resources: Sequence[str],
    node: Mapping[str, int],
    owners: Sequence[Owner],
    placements: Sequence[Placement],
) -> WorkloadColumns:
    owner_row = {owner: i for i, owner in enumerate(owners)}
    placement_row = {placement: i for i, placement in enumerate(placements)}
    return WorkloadColumns(
        kind=frozen([w.kind for w in workloads], np.int8),
        namespace=tuple(w.namespace for w in workloads),
        name=tuple(w.name for w in workloads),
        uid=tuple(w.uid for w in workloads),
        pod=tuple(w.pod for w in workloads),
        node=frozen([node[w.node] for w in workloads], np.int32),
        requests=_matrix([w.resources for w in workloads], resources, 0.0),
        limits=_matrix([w.limits for w in workloads], resources, np.nan),
        guest_memory_bytes=frozen([w.guest for w in workloads], np.float64),
        overhead_bytes=frozen([w.overhead for w in workloads], np.float64),
        swap_request_bytes=frozen([w.swap_request for w in workloads], np.float64),
        qos=frozen([w.qos for w in workloads], np.int8),
        priority=frozen([w.priority for w in workloads], np.int32),
        owner=frozen([-1 if w.owner is None else owner_row[w.owner] for w in workloads], np.int32),
        placement=frozen([placement_row[w.placement] for w in workloads], np.int32),
        flags=frozen([int(w.flags) for w in workloads], np.int32),
        eviction_strategy=frozen([w.strategy for w in workloads], np.int8),
        migration_target=frozen(
            [-1 if w.migration_target is None else node[w.migration_target] for w in workloads], np.int32
        ),
        started_at_seconds=frozen([w.started_at for w in workloads], np.float64),
        last_moved_at_seconds=frozen([w.last_moved for w in workloads], np.float64),
        blocked_reason=tuple(w.blocked_reason for w in workloads),
        labels=Labels.of([w.labels for w in workloads]),
        measures=_measures(_use([w.use for w in workloads], WorkloadMeasure), [w.age for w in workloads]),
    )


def budget(workloads: WorkloadColumns, key: str, allowed: int, members: Iterable[str]) -> DisruptionBudget:
    namespace, _, name = key.partition("/")
    row = {workloads.key(i): i for i in range(len(workloads))}
    return DisruptionBudget(namespace, name, allowed, frozen(sorted(row[m] for m in members), np.int32))
