"""Which virt-launcher pods belong to which VMI, and which of them is the virtual machine."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from ullage.sources.collection import Collection
from ullage.sources.constraints import CREATED_BY
from ullage.sources.kubevirt_objects import (
    MigrationState,
    MigrationStatus,
    VirtualMachineInstance,
    VirtualMachineInstanceMigration,
)
from ullage.sources.objects import Pod
from ullage.sources.wire_values import newest, seconds

MIGRATION_JOB: Final = "kubevirt.io/migrationJobUID"

_DOMAIN: Final = "kubevirt.io/domain"
_NAME_LABELS: Final = ("vm.kubevirt.io/name", "vmi.kubevirt.io/id")
_VMI: Final = "VirtualMachineInstance"
_ENDED: Final = ("Succeeded", "Failed")


class Launched(msgspec.Struct, frozen=True, gc=False):
    """A virtual machine and its launcher pods.

    Attributes
    ----------
    name
        Name of the VMI.
    machine
        The VMI; ``None`` if the input does not hold it.
    pod
        The pod in which it runs.
    target
        The pod that a migration in flight goes to; ``None`` without one.
    left
        Other pods, which it has left or which failed.
    """

    name: str
    machine: VirtualMachineInstance | None
    pod: Pod
    target: Pod | None
    left: tuple[Pod, ...]


class Journey(msgspec.Struct, frozen=True, gc=False):
    """What is known of a VMI's live migrations.

    Attributes
    ----------
    in_flight
        One is under way or waits for its turn.
    target_node
        Where it goes to; empty if that is not known yet.
    ended_at_seconds
        Unix time at which the last one ended, well or not; NaN if none is known.
    """

    in_flight: bool = False
    target_node: str = ""
    ended_at_seconds: float = math.nan


class Machines:
    """VMIs by what launcher pods say of them.

    Parameters
    ----------
    objects
        VMIs and their migrations.
    """

    def __init__(self, objects: Collection) -> None:
        self._by_name = {(each.namespace, each.name): each for each in objects.of(VirtualMachineInstance)}
        self._by_uid = {each.uid: each for each in self._by_name.values() if each.uid}
        self._migrations: dict[tuple[str, str], list[VirtualMachineInstanceMigration]] = {}
        for migration in objects.of(VirtualMachineInstanceMigration):
            name = (migration.spec.vmi_name if migration.spec else None) or ""
            self._migrations.setdefault((migration.namespace, name), []).append(migration)

    def launched(self, pods: Iterable[Pod]) -> list[Launched]:
        """Virtual machines of the launcher `pods`, each with all of its pods."""
        groups: dict[tuple[str, str], list[Pod]] = {}
        for pod in pods:
            groups.setdefault((pod.namespace, self.name_of(pod)), []).append(pod)
        return [_paired(name, self._by_name.get((space, name)), found) for (space, name), found in groups.items()]

    def name_of(self, pod: Pod) -> str:
        """Name of the VMI that a launcher pod belongs to."""
        domain = pod.annotations.get(_DOMAIN)
        if domain and (pod.namespace, domain) in self._by_name:
            return domain
        owned = next((each.name for each in pod.owners if each.kind == _VMI and each.name), None)
        by_uid = self._by_uid.get(pod.labels.get(CREATED_BY, ""))
        if by_uid is not None and by_uid.namespace == pod.namespace:
            return by_uid.name
        labelled = next((pod.labels[label] for label in _NAME_LABELS if pod.labels.get(label)), None)
        return domain or owned or labelled or pod.name

    def without(self, pods: Iterable[Pod]) -> list[VirtualMachineInstance]:
        """VMIs that have not ended and have none of the launcher `pods`."""
        held = {(pod.namespace, self.name_of(pod)) for pod in pods}
        return [vmi for key, vmi in self._by_name.items() if key not in held and vmi.status.phase not in _ENDED]

    def journey(self, namespace: str, name: str) -> Journey:
        """Live migrations of a VMI, by its own status and by migration objects."""
        machine = self._by_name.get((namespace, name))
        state = (machine.status.migration_state if machine else None) or MigrationState()
        migrations = [each.status or MigrationStatus() for each in self._migrations.get((namespace, name), ())]
        ends = [seconds(state.end_timestamp), *(_ended_at(each) for each in migrations)]
        in_flight = is_in_flight(state) or any(each.phase not in _ENDED for each in migrations)
        return Journey(in_flight, (state.target_node or "") if is_in_flight(state) else "", newest(ends))


def is_in_flight(state: MigrationState) -> bool:
    """Whether a migration has started and not ended, as KubeVirt itself tells it."""
    return bool(state.start_timestamp) and not (state.end_timestamp or state.completed or state.failed)


def _ended_at(status: MigrationStatus) -> float:
    if status.phase not in _ENDED:
        return math.nan
    reached = (t for t in status.phase_transition_timestamps or () if t.phase == status.phase)
    state = status.migration_state or MigrationState()
    return newest([seconds(state.end_timestamp), *(seconds(each.phase_transition_timestamp) for each in reached)])


def _paired(name: str, machine: VirtualMachineInstance | None, pods: Sequence[Pod]) -> Launched:
    ranked = sorted(pods, key=lambda pod: _rank(pod, machine))
    pod, others = ranked[0], ranked[1:]
    coming = [other for other in others if _is_coming(other, machine)]
    left = tuple(other for other in others if other not in coming[:1])
    return Launched(name, machine, pod, coming[0] if coming else None, left)


def _rank(pod: Pod, machine: VirtualMachineInstance | None) -> tuple[bool, bool, bool, bool, float, str]:
    """Sorts the pod in which the machine runs to the front."""
    status = machine.status if machine else None
    state = (status.migration_state if status else None) or MigrationState()
    started = seconds(pod.status.start_time if pod.status else None)
    return (
        bool(status and status.node_name) and pod.spec.node_name != (status.node_name if status else None),
        is_in_flight(state) and pod.name != state.source_pod,
        bool(status and status.active_pods) and pod.uid not in ((status.active_pods if status else None) or {}),
        MIGRATION_JOB in pod.labels,
        math.inf if math.isnan(started) else started,
        pod.name,
    )


def _is_coming(pod: Pod, machine: VirtualMachineInstance | None) -> bool:
    if MIGRATION_JOB not in pod.labels or pod.metadata.deletion_timestamp:
        return False
    state = (machine.status.migration_state if machine else None) or MigrationState()
    has_ended = bool(state.end_timestamp or state.completed or state.failed)
    return not (has_ended and pod.name in (state.source_pod, state.target_pod))
