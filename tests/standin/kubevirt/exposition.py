"""What virt-handler says of each VMI, and what virt-controller says of migrations (kubevirt.md 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from tests.standin.exposition import Sample, Values
from tests.standin.kubevirt import names
from tests.standin.kubevirt.launcher import guest
from tests.standin.kubevirt.migrations import Migrations, machine_key
from tests.standin.meters import CPU, DELAY, PASSED
from tests.standin.readings import NodeReading, PodReading
from tests.standin.wire import Json, annotations_of, condition_of, key_of, phase_of, status_of
from ullage.estimation.requests import render

PHASES: Final = {
    "pending": ("Pending",),
    "scheduling": ("Scheduling",),
    "running": ("Scheduled", "PreparingTarget", "TargetReady", "Running"),
    "unset": ("",),
}
USER_RATIO: Final = 0.8
"""Share of a guest's CPU time that it is not in its kernel."""

GAUGES: Final[Mapping[str, Callable[[PodReading, int], float]]] = {
    "kubevirt_vmi_memory_domain_bytes": lambda _, size: size,
    "kubevirt_vmi_memory_actual_balloon_bytes": lambda _, size: size,
    "kubevirt_vmi_memory_available_bytes": lambda _, size: size,
    "kubevirt_vmi_memory_resident_bytes": lambda pod, _: pod.use.working_set_bytes,
    "kubevirt_vmi_memory_usable_bytes": lambda pod, size: max(0, size - pod.use.working_set_bytes - pod.use.swap_bytes),
    "kubevirt_vmi_memory_unused_bytes": lambda pod, size: max(0, size - pod.use.working_set_bytes - pod.use.swap_bytes),
    "kubevirt_vmi_memory_cached_bytes": lambda pod, _: pod.use.cache_bytes,
    "kubevirt_vmi_memory_swap_in_traffic_bytes": lambda *_: 0,
    "kubevirt_vmi_memory_swap_out_traffic_bytes": lambda *_: 0,
}


class KubeVirtExporter:
    """Series of VMIs and migrations."""

    def __init__(self, migrations: Migrations) -> None:
        self._migrations = migrations

    def samples(self, nodes: Iterable[NodeReading], values: Values) -> Iterator[Sample]:
        """All series; VMIs of the nodes that are given, at the node where they run."""
        for pod in (pod for node in nodes for pod in node.pods):
            machine = self._machine(pod)
            if machine is not None:
                yield from _machine_samples(pod, machine, values)
                yield from self._requests(pod, machine)
        yield from self._migrating()

    def _machine(self, pod: PodReading) -> Json | None:
        name = annotations_of(pod.pod).get(names.DOMAIN)
        machine = self._migrations.machines.vmis.get((pod.key[0], name)) if name else None
        return machine if machine and status_of(machine).get("nodeName") == pod.node else None

    def _requests(self, pod: PodReading, machine: Json) -> Iterator[Sample]:
        overhead = render(guest(machine), self._migrations.machines.settings.cluster).overhead_bytes
        namespace, name = key_of(machine)
        labels = {"namespace": namespace, "name": name}
        yield Sample("kubevirt_vmi_launcher_memory_overhead_bytes", "gauge", overhead, labels)
        migratable = condition_of(machine, "LiveMigratable").get("status") == "True"
        wants = machine["spec"].get("evictionStrategy") or self._migrations.machines.settings.eviction_strategy
        stuck = float(wants == "LiveMigrate" and not migratable)
        yield Sample("kubevirt_vmi_non_evictable", "gauge", stuck, {"node": pod.node, **labels})
        if self._state(machine):
            return
        # A guest that is being copied has no dirty rate of its own (from KubeVirt 1.9 on).
        dirty = pod.use.dirty_bytes_per_second
        yield Sample("kubevirt_vmi_dirty_rate_bytes_per_second", "gauge", dirty, {"node": pod.node, **labels})

    def _state(self, machine: Json) -> bool:
        state = status_of(machine).get("migrationState") or {}
        return "startTimestamp" in state and "endTimestamp" not in state

    def _migrating(self) -> Iterator[Sample]:
        everything = self._migrations.vmims.all()
        for name, phases in PHASES.items():
            count = sum(phase_of(each) in phases for each in everything)
            yield Sample(f"kubevirt_vmi_migrations_in_{name}_phase", "gauge", count, {})
        for migration in everything:
            yield from self._progress(migration)
            if phase_of(migration) in names.ENDED:
                namespace, name = machine_key(migration)
                labels = {"vmi": name, "vmim": key_of(migration)[1], "namespace": namespace}
                yield Sample(f"kubevirt_vmi_migration_{phase_of(migration).lower()}", "gauge", 1.0, labels)

    def _progress(self, migration: Json) -> Iterator[Sample]:
        flight = self._migrations.flights.get(migration["metadata"]["uid"])
        if flight is None or flight.copy is None:
            return
        namespace, name = machine_key(migration)
        labels = {"node": self._migrations.source_of(migration), "namespace": namespace, "name": name}
        copy = flight.copy
        done = round(copy.memory_bytes * copy.done_ratio)
        prefix = "kubevirt_vmi_migration"
        yield Sample(f"{prefix}_data_bytes_total", "counter", copy.memory_bytes, labels)
        yield Sample(f"{prefix}_data_processed_bytes", "gauge", done, labels)
        yield Sample(f"{prefix}_data_remaining_bytes", "gauge", copy.memory_bytes - done, labels)
        yield Sample(f"{prefix}_dirty_memory_rate_bytes", "gauge", copy.dirty_bytes_per_second, labels)
        yield Sample(f"{prefix}_memory_transfer_rate_bytes", "gauge", copy.bandwidth, labels)


def _machine_samples(pod: PodReading, machine: Json, values: Values) -> Iterator[Sample]:
    namespace, name = key_of(machine)
    of = guest(machine)
    size = of.guest_memory_bytes or of.requests_memory_bytes or 0
    labels = {"node": pod.node, "namespace": namespace, "name": name}
    yield from (Sample(metric, "gauge", read(pod, size), labels) for metric, read in GAUGES.items())
    info = {**labels, "phase": phase_of(machine).lower(), "vmi_pod": pod.key[1]}
    yield Sample("kubevirt_vmi_info", "gauge", 1.0, info)
    yield from _cpu(pod, of.vcpus, values, labels)


def _cpu(pod: PodReading, vcpus: int, values: Values, labels: Mapping[str, str]) -> Iterator[Sample]:
    """CPU time, evenly over the vCPUs."""
    uid = pod.pod["metadata"]["uid"]
    used, passed, delay = (values.get((uid, meter), 0.0) for meter in (CPU, PASSED, DELAY))
    prefix = "kubevirt_vmi_cpu"
    yield Sample(f"{prefix}_usage_seconds_total", "counter", used, labels)
    yield Sample(f"{prefix}_user_usage_seconds_total", "counter", used * USER_RATIO, labels)
    yield Sample(f"{prefix}_system_usage_seconds_total", "counter", used * (1 - USER_RATIO), labels)
    for number in map(str, range(vcpus)):
        of_vcpu = {**labels, "id": number}
        busy = used / vcpus
        yield Sample("kubevirt_vmi_vcpu_seconds_total", "counter", busy, {**of_vcpu, "state": "running"})
        yield Sample("kubevirt_vmi_vcpu_wait_seconds_total", "counter", max(0.0, passed - busy), of_vcpu)
        yield Sample("kubevirt_vmi_vcpu_delay_seconds_total", "counter", delay, of_vcpu)
