"""VirtualMachineInstances, each together with its virt-launcher pod, as workload rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from ullage.estimation.requests import Cluster, Guest
from ullage.model.placement import Placement
from ullage.model.state import EvictionStrategy, WorkloadFlag, WorkloadKind
from ullage.sources.constraints import CREATED_BY, LIVE_MIGRATABLE, Placements
from ullage.sources.guest_memory import (
    computed_overhead_bytes,
    guest_memory_bytes,
    guest_of,
    rendered_overhead_bytes,
    reported_overhead_bytes,
    requests_memory_itself,
)
from ullage.sources.kubevirt_objects import Devices, Memory, ProcessorSpec, VirtualMachineInstance
from ullage.sources.launchers import Journey, Launched, Machines
from ullage.sources.notes import NoteBook
from ullage.sources.objects import Pod
from ullage.sources.pool import ByIdentity, Pool
from ullage.sources.rows import Row
from ullage.sources.wire_values import status_of
from ullage.sources.workloads import PodReader, annotation_flags, flags_of, owner_of

_STRATEGIES: Final = {
    "None": EvictionStrategy.NONE,
    "LiveMigrate": EvictionStrategy.LIVE_MIGRATE,
    "LiveMigrateIfPossible": EvictionStrategy.LIVE_MIGRATE_IF_POSSIBLE,
    "External": EvictionStrategy.EXTERNAL,
}
CONDITIONS: Final = (LIVE_MIGRATABLE, "Paused")
"""Conditions of VMIs that are looked at."""

_NOT_RUNNING_YET: Final = ("Pending", "Scheduling", "Scheduled", "WaitingForSync")
_ENDED: Final = ("Succeeded", "Failed")
_OF_PODS_ONLY: Final = int(WorkloadFlag.BARE | WorkloadFlag.LOCAL_STORAGE | WorkloadFlag.DAEMONSET)
_ENCODER: Final = msgspec.json.Encoder()


def strategy_of(text: str | None) -> EvictionStrategy:
    """Eviction strategy by its name on the wire; UNSET for none or one that is not known."""
    return _STRATEGIES.get(text or "", EvictionStrategy.UNSET)


class _Size(NamedTuple):
    guest: Guest
    guest_memory_bytes: float
    computed_overhead_bytes: float
    flags: int


class MachineReader:
    """Reads virtual machines into rows.

    Parameters
    ----------
    pods
        Reads their launcher pods.
    machines
        Knows their migrations.
    placements
        Gives their placements.
    cluster
        What the overhead formula needs; ``None`` if the KubeVirt version is not known.
    strategy
        Eviction strategy of VMs that name none.
    notes
        Takes what could not be read.
    """

    def __init__(
        self,
        pods: PodReader,
        machines: Machines,
        placements: Placements,
        cluster: Cluster | None,
        strategy: EvictionStrategy,
        notes: NoteBook,
    ) -> None:
        self._pods = pods
        self._machines = machines
        self._placements = placements
        self._cluster = cluster
        self._strategy = strategy
        self._notes = notes
        self._sizes: Pool[_Size] = Pool()
        self._same: ByIdentity[_Size] = ByIdentity()

    def read(self, launched: Launched, nodes: Mapping[str, int]) -> list[Row]:
        """Row of the virtual machine, and one for each further launcher pod of it, which holds requests of its own."""
        row = self._pods.read_shell(launched.pod, self._placement(launched))
        row.kind, row.name = WorkloadKind.VMI, launched.name
        if launched.machine is None:
            self._notes.add("vmi-missing", f"{launched.pod.namespace}/{launched.name}")
            row.uid = launched.pod.labels.get(CREATED_BY) or launched.pod.uid
            row.overhead_bytes = reported_overhead_bytes(None, launched.pod)
        else:
            self._describe(row, launched.machine, launched.pod)
        self._send(row, self._machines.journey(row.namespace, row.name), launched, nodes)
        return [row, *self._others(launched)]

    def _placement(self, launched: Launched) -> Placement:
        if launched.machine is None:
            return self._placements.of_launcher(launched.pod)
        return self._placements.of_machine(launched.machine, launched.pod, self._pods.node(launched.pod))

    def _describe(self, row: Row, machine: VirtualMachineInstance, pod: Pod) -> None:
        size = self._size(machine)
        row.uid = machine.uid
        row.owner = owner_of(machine)
        row.guest_memory_bytes = size.guest_memory_bytes
        row.overhead_bytes = self._overhead(machine, size, pod)
        row.flags |= _flags(machine) | size.flags
        row.eviction_strategy = strategy_of(machine.spec.eviction_strategy) or self._strategy
        row.blocked_reason = _blocked_reason(machine)

    def _size(self, machine: VirtualMachineInstance) -> _Size:
        """What follows from the size of the guest, which many VMs share."""
        spec, status = machine.spec, machine.status
        shape = (spec.domain, spec.architecture, spec.liveness_probe, spec.readiness_probe)
        has_metrics = any(each.downward_metrics for each in spec.volumes or ())
        parts = (*shape, has_metrics, status.memory, status.current_cpu_topology)
        return self._same.get(parts) or self._same.put(parts, self._equal(parts, machine))

    def _equal(self, parts: tuple[object, ...], machine: VirtualMachineInstance) -> _Size:
        key = _ENCODER.encode(parts)
        return self._sizes.get(key) or self._sizes.put(key, self._new_size(machine))

    def _new_size(self, machine: VirtualMachineInstance) -> _Size:
        guest = guest_of(machine)
        flags = (
            (WorkloadFlag.MANUAL_REQUEST, requests_memory_itself(guest, self._cluster)),
            (WorkloadFlag.HOST_DIRECT, _is_host_direct(machine)),
        )
        computed = computed_overhead_bytes(guest, self._cluster)
        return _Size(guest, guest_memory_bytes(machine), computed, flags_of(flags))

    def _overhead(self, machine: VirtualMachineInstance, size: _Size, pod: Pod) -> float:
        reported = reported_overhead_bytes(machine, pod)
        if not math.isnan(reported):
            return reported
        rendered = rendered_overhead_bytes(size.guest, pod, self._cluster, size.computed_overhead_bytes)
        if not math.isnan(rendered):
            return rendered
        if not math.isnan(size.computed_overhead_bytes):
            self._notes.add("overhead-by-formula", machine.key)
        return size.computed_overhead_bytes

    def _send(self, row: Row, journey: Journey, launched: Launched, nodes: Mapping[str, int]) -> None:
        row.last_moved_at_seconds = journey.ended_at_seconds
        if journey.in_flight or launched.target is not None:
            row.flags |= int(WorkloadFlag.MIGRATING)
            row.migration_target = nodes.get(journey.target_node, -1)
        if launched.target is not None:
            row.migration_target = self._pods.node(launched.target)

    def _others(self, launched: Launched) -> list[Row]:
        rows = []
        if launched.target is not None:
            rows.append(_flagged(self._pods.read(launched.target), WorkloadFlag.MIGRATION_TARGET))
        rows += [_flagged(self._pods.read(pod), WorkloadFlag.TERMINATING) for pod in launched.left]
        return rows


def _flagged(row: Row, flag: WorkloadFlag) -> Row:
    return msgspec.structs.replace(row, flags=row.flags & ~_OF_PODS_ONLY | int(flag))


def _flags(machine: VirtualMachineInstance) -> int:
    status = machine.status
    migratable = status_of(status.conditions, LIVE_MIGRATABLE)
    return annotation_flags(machine) | flags_of(
        (
            (WorkloadFlag.LIVE_MIGRATABLE, migratable == "True"),
            (WorkloadFlag.NOT_LIVE_MIGRATABLE, migratable == "False"),
            (WorkloadFlag.PAUSED, status_of(status.conditions, "Paused") == "True"),
            (WorkloadFlag.PENDING, status.phase in _NOT_RUNNING_YET),
            (WorkloadFlag.TERMINATING, status.phase in _ENDED or machine.metadata.deletion_timestamp),
            (WorkloadFlag.EVICTION_IN_PROGRESS, status.evacuation_node_name),
        )
    )


def _is_host_direct(machine: VirtualMachineInstance) -> bool:
    domain = machine.spec.domain
    devices = domain.devices or Devices()
    return bool(
        (domain.cpu or ProcessorSpec()).dedicated_cpu_placement
        or (domain.memory or Memory()).hugepages
        or devices.host_devices
        or devices.gpus
        or any(each.sriov for each in devices.interfaces or ())
    )


def _blocked_reason(machine: VirtualMachineInstance) -> str:
    conditions = machine.status.conditions or ()
    found = next((each for each in conditions if each.type == LIVE_MIGRATABLE and each.status == "False"), None)
    if found is None:
        return ""
    return ": ".join(text for text in (found.reason, found.message) if text)
