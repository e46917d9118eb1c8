"""Which virt-launcher pods belong to which VMI, and which of them is the virtual machine."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from ullage.sources.constraints import CREATED_BY
from ullage.sources.kubevirt_objects import (
    MigrationState,
    MigrationStatus,
    VirtualMachineInstance,
    VirtualMachineInstanceMigration,
)
from ullage.sources.objects import Key, Keys, Pod
from ullage.sources.wire_values import newest, seconds

DOMAIN: Final = "kubevirt.io/domain"
MIGRATION_JOB: Final = "kubevirt.io/migrationJobUID"

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


_NO_JOURNEY: Final = Journey()


class Machines:
    """VMIs with their migrations and with the launcher pods that say that they belong to them.

    Parameters
    ----------
    machines
        Live view of the VMIs by namespace and name.
    """

    def __init__(self, machines: Mapping[Key, VirtualMachineInstance]) -> None:
        self._by_name = machines
        self._by_uid: dict[str, VirtualMachineInstance] = {}
        self._migrations: dict[Key, dict[str, VirtualMachineInstanceMigration]] = {}
        self._pods: dict[Key, tuple[Pod, ...]] = {}
        self._homes: dict[Key, Key] = {}
        self._unsettled: set[Key] = set()

    def identify(self, old: VirtualMachineInstance | None, new: VirtualMachineInstance | None) -> None:
        """Follow a change of a VMI."""
        if old is not None and self._by_uid.get(old.uid) is old:
            del self._by_uid[old.uid]
        if new is not None and new.uid:
            self._by_uid[new.uid] = new

    def migrate(self, old: VirtualMachineInstanceMigration | None, new: VirtualMachineInstanceMigration | None) -> None:
        """Follow a change of a migration."""
        if old is not None:
            present = self._migrations[machine_of(old)]
            del present[old.name]
            if not present:
                del self._migrations[machine_of(old)]
        if new is not None:
            self._migrations.setdefault(machine_of(new), {})[new.name] = new

    def settle(self, pods: Mapping[Key, Pod | None], machines: Collection[Key]) -> Keys:
        """Find the VMIs of launcher pods again.

        Parameters
        ----------
        pods
            Launcher pods that changed; ``None`` for what is none any more.
        machines
            VMIs that came, changed or went.

        Returns
        -------
        Keys
            Namespaces and names of the VMIs that have gained, lost or changed a pod.
        """
        touched: Keys = {}
        for key, pod in (self._doubtful(machines) | dict(pods)).items():
            if pod is not None or key in self._homes:
                touched.update(dict.fromkeys(self._move(key, pod)))
        return touched

    def _doubtful(self, machines: Collection[Key]) -> dict[Key, Pod | None]:
        """Pods whose VMI may be another one now that `machines` have changed."""
        if not machines:
            return {}
        homes = {*machines, *(self._homes[key] for key in self._unsettled)}
        return {(pod.namespace, pod.name): pod for home in homes for pod in self._pods.get(home, ())}

    def _move(self, key: Key, pod: Pod | None) -> list[Key]:
        touched = []
        self._unsettled.discard(key)
        home = self._homes.pop(key, None)
        if home is not None:
            touched.append(home)
            rest = tuple(each for each in self._pods.pop(home) if each.name != key[1])
            if rest:
                self._pods[home] = rest
        if pod is not None:
            home = self._homes[key] = key[0], self.name_of(pod)
            touched.append(home)
            self._pods[home] = (*self._pods.get(home, ()), pod)
            if home not in self._by_name or pod.annotations.get(DOMAIN) != home[1]:
                self._unsettled.add(key)  # it is named by something else, until its VMI appears
        return touched

    def homes(self) -> list[Key]:
        """Namespaces and names of all VMIs that launcher pods speak of."""
        return list(self._pods)

    def home(self, pod: Key) -> Key | None:
        """Namespace and name of the VMI of a launcher pod; ``None`` if it is none."""
        return self._homes.get(pod)

    def pods(self, machine: Key) -> tuple[Pod, ...]:
        """Launcher pods of a VMI."""
        return self._pods.get(machine, ())

    def launched(self, machine: Key, pods: Sequence[Pod]) -> Launched:
        """A virtual machine with its launcher `pods`, at least one."""
        return _paired(machine[1], self._by_name.get(machine), pods)

    def name_of(self, pod: Pod) -> str:
        """Name of the VMI that a launcher pod belongs to."""
        domain = pod.annotations.get(DOMAIN)
        if domain and (pod.namespace, domain) in self._by_name:
            return domain
        owned = next((each.name for each in pod.owners if each.kind == _VMI and each.name), None)
        by_uid = self._by_uid.get(pod.labels.get(CREATED_BY, ""))
        if by_uid is not None and by_uid.namespace == pod.namespace:
            return by_uid.name
        labelled = next((pod.labels[label] for label in _NAME_LABELS if pod.labels.get(label)), None)
        return domain or owned or labelled or pod.name

    def is_lost(self, machine: Key) -> bool:
        """Whether there is a VMI that has not ended and has no launcher pod."""
        found = self._by_name.get(machine)
        return found is not None and machine not in self._pods and found.status.phase not in _ENDED

    def journey(self, namespace: str, name: str) -> Journey:
        """Live migrations of a VMI, by its own status and by migration objects."""
        machine = self._by_name.get((namespace, name))
        state = machine.status.migration_state if machine else None
        known = self._migrations.get((namespace, name), {})
        if state is None and not known:
            return _NO_JOURNEY
        state = state or MigrationState()
        migrations = [each.status or MigrationStatus() for each in known.values()]
        ends = [seconds(state.end_timestamp), *(_ended_at(each) for each in migrations)]
        in_flight = is_in_flight(state) or any(each.phase not in _ENDED for each in migrations)
        return Journey(in_flight, (state.target_node or "") if is_in_flight(state) else "", newest(ends))


def machine_of(migration: VirtualMachineInstanceMigration) -> Key:
    """Namespace and name of the VMI that a migration moves."""
    return migration.namespace, (migration.spec.vmi_name if migration.spec else None) or ""


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
    if len(pods) == 1:
        return Launched(name, machine, pods[0], None, ())
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
