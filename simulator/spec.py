"""What a made-up cluster is to look like."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Final

from simulator.shapes import SHAPES, Shape
from ullage.errors import UsageError

_SHARES: Final = frozenset(
    {
        "vm_share",
        "cpu_utilization",
        "memory_utilization",
        "memory_requested",
        "swap_share",
        "missing_share",
        "cordoned_share",
        "anti_affinity_share",
        "not_migratable_share",
        "zone_bound_share",
    }
)
_MOST_HOT: Final = 0.75


@dataclass(frozen=True, kw_only=True)
class ClusterSpec:
    """A cluster to generate; ratios are 0..1.

    Attributes
    ----------
    nodes
        Number of nodes, >= 1.
    workloads
        Number of VMs and pods; ``None`` is `workloads_per_node` on each node.
    workloads_per_node
        Used if `workloads` is ``None``.
    seed
        Same seed, same cluster.
    vm_share
        Share of the workloads that are VMs; of the rest, up to two per node are of DaemonSets.
    overcommit_ratio
        Guest memory over requested memory, >= 1; swap has the size that OpenShift recommends for it.
    hot_share
        Share of the nodes with a mean use of more than 80 % of their allocatable CPU or memory, at most 0.75. All others stay
        below 79 % even in their peaks, and the cluster as a whole below 72 %.
    cpu_utilization, memory_utilization
        Mean use of the cluster over allocatable before some nodes are made hot.
    memory_requested
        Share of the allocatable memory that is requested.
    swap_share
        Share of the nodes with swap.
    missing_share
        Share of the nodes without any measure, of themselves and of their workloads.
    cordoned_share
        Share of the nodes that are cordoned.
    anti_affinity_share
        Share of the VMs that come in pairs which must not share a node.
    not_migratable_share
        Share of the VMs that cannot migrate live.
    zone_bound_share
        Share of the VMs that select their zone.
    zones
        Number of zones, >= 1.
    shapes
        Kinds of nodes with their weights.
    observed_at_seconds
        Unix time, a whole number.
    """

    nodes: int = 22
    workloads: int | None = None
    workloads_per_node: float = 20.0
    seed: int = 1
    vm_share: float = 0.7
    overcommit_ratio: float = 1.5
    hot_share: float = 0.1
    cpu_utilization: float = 0.38
    memory_utilization: float = 0.6
    memory_requested: float = 0.75
    swap_share: float = 0.5
    missing_share: float = 0.02
    cordoned_share: float = 0.02
    anti_affinity_share: float = 0.05
    not_migratable_share: float = 0.1
    zone_bound_share: float = 0.05
    zones: int = 3
    shapes: tuple[Shape, ...] = SHAPES
    observed_at_seconds: float = 1_767_225_600.0

    def __post_init__(self) -> None:
        self._check("nodes", self.nodes, 1, math.inf)
        self._check("workloads", self.total, 0, math.inf)
        self._check("zones", self.zones, 1, math.inf)
        self._check("seed", self.seed, 0, math.inf)
        self._check("overcommit_ratio", self.overcommit_ratio, 1.0, 10.0)
        self._check("hot_share", self.hot_share, 0.0, _MOST_HOT)
        for field in fields(self):
            if field.name in _SHARES:
                self._check(field.name, getattr(self, field.name), 0.0, 1.0)

    @staticmethod
    def _check(name: str, value: float, lowest: float, highest: float) -> None:
        if not lowest <= value <= highest:
            bounds = f"at least {lowest:g}" if math.isinf(highest) else f"{lowest:g} to {highest:g}"
            raise UsageError(f"{name} is {value:g}, expected {bounds}")

    @property
    def total(self) -> int:
        """Number of workloads."""
        return round(self.nodes * self.workloads_per_node) if self.workloads is None else self.workloads


EXAMPLE: Final = ClusterSpec(
    nodes=22,
    workloads=300,
    seed=7,
    hot_share=0.28,
    missing_share=0.045,
    cordoned_share=0.045,
    not_migratable_share=0.12,
)
"""The cluster of ``examples/cluster.json.gz``: some nodes over in memory, some in CPU, one cordoned, one without metrics."""
