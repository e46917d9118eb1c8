"""Rows of the pods and VMs that changed."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from ullage.model.placement import Placement
from ullage.model.state import KubeVirt, WorkloadKind
from ullage.sources.constraints import Placements
from ullage.sources.guest_cpu import GuestCPU
from ullage.sources.guest_memory import cluster_of
from ullage.sources.kubevirt_objects import Configuration
from ullage.sources.launchers import Machines
from ullage.sources.machines import MachineReader
from ullage.sources.notes import NoteBook
from ullage.sources.objects import Key, Pod
from ullage.sources.rows import Row
from ullage.sources.store.inventory import Inventory
from ullage.sources.store.node_table import NodeTable
from ullage.sources.workloads import PodReader, is_placed, placed_pods

RowKey: TypeAlias = tuple[str, str, int]
"""Namespace, name and kind of a workload, in the order of rows."""


class Settings(NamedTuple):
    """What the KubeVirt object says, as far as it bears on every VM."""

    kubevirt: KubeVirt | None = None
    configuration: Configuration | None = None


class WorkloadReader:
    """Reads pods and VMs of an inventory into rows, each with the notes that are its own.

    Parameters
    ----------
    inventory
        The objects.
    nodes
        The nodes that they may be bound to.
    settings
        Cluster-wide settings of VMs.
    known
        Placements that were given before.
    notes
        Takes what could not be read.
    """

    def __init__(
        self,
        inventory: Inventory,
        nodes: NodeTable,
        settings: Settings,
        known: dict[object, Placement],
        notes: NoteBook,
    ) -> None:
        self._inventory = inventory
        self._nodes = nodes.index
        self._notes = notes
        placements = Placements(inventory.volumes, GuestCPU([row.wire.labels for row in nodes.rows]), known)
        self._pods = PodReader(nodes.index, placements, notes)
        self._machines = _machine_reader(settings, self._pods, inventory.machines, placements, notes)

    def pod(self, key: Key, pod: Pod | None) -> list[Row]:
        """Row of a pod that is no launcher; none for ``None`` and for one that holds nothing on a known node."""
        self._notes.about((*key, int(WorkloadKind.POD)))
        return [self._pods.read(pod)] if pod is not None and is_placed(pod, self._nodes, self._notes) else []

    def no_pod(self, key: Key) -> list[Row]:
        """As `pod` of a launcher: it belongs to its VM, and has neither row nor notes of its own."""
        self._notes.about((*key, int(WorkloadKind.POD)))
        return []

    def machine(self, key: Key) -> list[Row]:
        """Rows of a VM and of its further launcher pods."""
        self._notes.about((*key, int(WorkloadKind.VMI)))
        machines = self._inventory.machines
        if machines.is_lost(key):
            self._notes.add("vmi-without-pod", "/".join(part for part in key if part))
        placed = placed_pods(machines.pods(key), self._nodes, self._notes)
        return self._machines.read(machines.launched(key, placed), self._nodes) if placed else []


def _machine_reader(
    settings: Settings, pods: PodReader, machines: Machines, placements: Placements, notes: NoteBook
) -> MachineReader:
    known, configuration = settings.kubevirt or KubeVirt(), settings.configuration
    ratio = configuration.additional_guest_memory_overhead_ratio if configuration else None
    rendering = cluster_of(known.version, round(known.memory_overcommit_ratio * 100), ratio)
    return MachineReader(pods, machines, placements, rendering, known.eviction_strategy, notes)
