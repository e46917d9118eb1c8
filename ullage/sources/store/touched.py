"""Which pods and VMs must be read again after some objects changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from ullage.model.arrays import BoolArray
from ullage.model.state import WorkloadColumns, WorkloadFlag, WorkloadKind
from ullage.sources.kubevirt_objects import VirtualMachineInstance
from ullage.sources.nodes import NodeRow
from ullage.sources.objects import Key, Keys, Pod
from ullage.sources.store.inventory import Changes, Inventory
from ullage.sources.store.node_table import NodeTable
from ullage.sources.workloads import has_ended, is_launcher


@dataclass(frozen=True, eq=False)
class Touched:
    """Namespaces and names of pods that are no launchers (any more), and of VMs by their VMI."""

    pods: Keys = field(default_factory=dict)
    machines: Keys = field(default_factory=dict)

    def portions(self, most: int) -> Iterator[Touched]:
        """The same in portions, at least one, of no more than `most` names each, in order of namespace and name."""
        names = sorted(self.pods.keys() | self.machines.keys())
        for start in range(0, max(1, len(names)), most):
            portion = names[start : start + most]
            pods, machines = ([name for name in portion if name in of] for of in (self.pods, self.machines))
            yield Touched(dict.fromkeys(pods), dict.fromkeys(machines))


def touched_by_objects(changes: Changes, inventory: Inventory) -> Touched:
    """What changed itself, or belongs to what did; launcher pods find their VMIs again."""
    pods = inventory.of(Pod)
    launchers: dict[Key, Pod | None] = {}
    for key in changes.of(Pod):
        pod = pods.get(key)
        launchers[key] = pod if pod is not None and is_launcher(pod) and not has_ended(pod) else None
    machines = changes.of(VirtualMachineInstance)
    settled = inventory.machines.settle(launchers, machines)
    # A launcher is among the pods too: it may have been an ordinary one before.
    return Touched(dict.fromkeys(launchers), machines | settled)


def pods_touched_by_nodes(
    nodes: NodeTable, changes: Mapping[str, NodeRow | None], workloads: WorkloadColumns
) -> set[Key]:
    """Pods with a row that is another one now that nodes have changed.

    Parameters
    ----------
    nodes
        The node table before the change.
    changes
        Rows of nodes by name; ``None`` for a node that is gone.
    workloads
        The workloads before the change.
    """
    gone, relabelled = _marks(nodes, changes)
    target = workloads.migration_target
    is_touched = gone[workloads.node] | (target >= 0) & gone[target]
    is_touched |= relabelled[workloads.node] & (workloads.kind == WorkloadKind.VMI)
    if any(name not in nodes.index for name in changes):
        is_touched |= workloads.has(WorkloadFlag.MIGRATING) & (target < 0)
    return {(workloads.namespace[row], workloads.pod[row]) for row in np.flatnonzero(is_touched).tolist()}


def _marks(nodes: NodeTable, changes: Mapping[str, NodeRow | None]) -> tuple[BoolArray, BoolArray]:
    """Old nodes that are gone, and those with other labels, bool (N + 1,) each: the last one is for no node."""
    gone, relabelled = np.zeros((2, len(nodes.rows) + 1), dtype=np.bool_)
    for name, new in changes.items():
        row = nodes.index.get(name)
        if row is not None:
            gone[row] = new is None
            relabelled[row] = new is not None and new.wire.labels != nodes.rows[row].wire.labels
    return gone, relabelled
