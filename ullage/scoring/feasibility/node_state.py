"""Rules on the state of a node, whatever wants to go there, but for VMs, which need a node of KubeVirt's."""

from __future__ import annotations

from typing import Final

import numpy as np

from ullage.model.arrays import BoolArray
from ullage.model.placement import Placement
from ullage.model.resources import CPU_INDEX, MEMORY_INDEX, PODS_INDEX
from ullage.model.state import NodeColumns, NodeFlag

UNSCHEDULABLE_TAINT: Final = "node.kubernetes.io/unschedulable"

_TROUBLE: Final = (
    NodeFlag.MEMORY_PRESSURE | NodeFlag.DISK_PRESSURE | NodeFlag.PID_PRESSURE | NodeFlag.NETWORK_UNAVAILABLE
)


class NodeReady:
    """Nodes that are not ready, or report pressure or no network.

    Stricter than kube-scheduler, which sees the taints of these conditions only: no toleration helps here, because nothing
    is moved onto a node in trouble.
    """

    code = "node-not-ready"

    def __init__(self, nodes: NodeColumns) -> None:
        self._rejects: BoolArray = ~nodes.has(NodeFlag.READY) | ((nodes.flags & int(_TROUBLE)) != 0)

    def rejects(self, _placement: Placement) -> BoolArray:
        """Nodes that this rule rejects, bool (N,)."""
        return self._rejects


class NodeUncordoned:
    """Nodes that are cordoned: by ``spec.unschedulable``, or by its taint with an effect that keeps pods away.

    Stricter than the plugin NodeUnschedulable: a toleration does not help, because whoever cordons a node wants it emptied.
    """

    code = "node-unschedulable"

    def __init__(self, nodes: NodeColumns) -> None:
        tainted = [
            any(t.key == UNSCHEDULABLE_TAINT and t.effect != "PreferNoSchedule" for t in taints)
            for taints in nodes.taints
        ]
        self._rejects = nodes.has(NodeFlag.UNSCHEDULABLE) | np.array(tainted, dtype=np.bool_)

    def rejects(self, _placement: Placement) -> BoolArray:
        """Nodes that this rule rejects, bool (N,)."""
        return self._rejects


class AllocatableKnown:
    """Nodes that do not say how much CPU, memory or how many pods they take."""

    code = "allocatable"

    def __init__(self, nodes: NodeColumns) -> None:
        known = ~np.isnan(nodes.allocatable[:, [CPU_INDEX, MEMORY_INDEX, PODS_INDEX]])
        self._rejects: BoolArray = ~np.logical_and.reduce(known, axis=1)

    def rejects(self, _placement: Placement) -> BoolArray:
        """Nodes that this rule rejects, bool (N,)."""
        return self._rejects


class KubevirtNode:
    """Nodes that KubeVirt does not call schedulable, for VMs."""

    code = "kubevirt-node"

    def __init__(self, nodes: NodeColumns) -> None:
        self._closed = ~nodes.has(NodeFlag.VM_SCHEDULABLE)

    def rejects(self, placement: Placement) -> BoolArray:
        """Nodes that this rule rejects, bool (N,)."""
        return self._closed if placement.virtual_machine else np.zeros_like(self._closed)
