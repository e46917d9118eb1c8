"""The fields of KubeVirt's objects that bear on a decision, as they stand on the wire (``kubevirt.io/v1``)."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from ullage.sources.objects import (
    ClaimSource,
    Condition,
    Constraints,
    Int32,
    KubernetesObject,
    Present,
    Quantity,
    Resources,
    Wire,
)

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**20)]


class CPUFeature(Wire):
    """A CPU feature that a guest demands or forbids."""

    name: str = ""
    policy: str | None = None


class ProcessorSpec(Wire):
    """CPU of a guest."""

    model: str | None = None
    features: list[CPUFeature] | None = None
    sockets: Count | None = None
    cores: Count | None = None
    threads: Count | None = None
    dedicated_cpu_placement: bool | None = None
    isolate_emulator_thread: bool | None = None


class Topology(Wire):
    """CPU topology of a guest as it runs."""

    sockets: Count | None = None
    cores: Count | None = None
    threads: Count | None = None


class Hugepages(Wire):
    """Hugepages that back a guest."""

    page_size: Quantity | None = None


class ReservedOverhead(Wire):
    """Overhead that the user adds (from KubeVirt 1.8)."""

    added_overhead: Quantity | None = None


class Memory(Wire):
    """Memory of a guest."""

    guest: Quantity | None = None
    hugepages: Hugepages | None = None
    reserved_overhead: ReservedOverhead | None = None


class GuestResources(Resources):
    """Requests and limits of a guest."""

    overcommit_guest_overhead: bool | None = None


class Interface(Wire):
    """A network interface of a guest."""

    sriov: Present | None = None
    passt_binding: Present | None = None


class Devices(Wire):
    """Devices of a guest."""

    autoattach_graphics_device: bool | None = None
    host_devices: list[Present] | None = None
    gpus: list[Present] | None = None
    interfaces: list[Interface] | None = None
    tpm: Present | None = None


class LaunchSecurity(Wire):
    """Memory encryption of a guest."""

    sev: Present | None = None
    snp: Present | None = None


class Domain(Wire):
    """The machine that a guest sees."""

    cpu: ProcessorSpec | None = None
    memory: Memory | None = None
    resources: GuestResources | None = None
    devices: Devices | None = None
    launch_security: LaunchSecurity | None = None


class DataVolume(Wire):
    """A volume that is imported into a claim of its name."""

    name: str = ""


class MachineVolume(Wire):
    """A volume of a guest."""

    name: str = ""
    persistent_volume_claim: ClaimSource | None = None
    data_volume: DataVolume | None = None
    downward_metrics: Present | None = None


class Probe(Wire):
    """A probe of a guest."""

    exec: Present | None = None


class MachineSpec(Constraints):
    """Spec of a VirtualMachineInstance."""

    domain: Domain = msgspec.field(default_factory=Domain)
    architecture: str | None = None
    eviction_strategy: str | None = None
    volumes: list[MachineVolume] | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None


class MigrationState(Wire):
    """State of the last or present live migration."""

    start_timestamp: str | None = None
    end_timestamp: str | None = None
    target_node: str | None = None
    target_pod: str | None = None
    source_node: str | None = None
    source_pod: str | None = None
    completed: bool | None = None
    failed: bool | None = None


class MachineMemory(Wire):
    """Memory of a guest as it runs."""

    guest_current: Quantity | None = None
    memory_overhead: Quantity | None = None


class MachineStatus(Wire):
    """Status of a VirtualMachineInstance."""

    node_name: str | None = None
    phase: str | None = None
    conditions: list[Condition] | None = None
    migration_state: MigrationState | None = None
    active_pods: dict[str, str] | tuple[str, ...] | None = None
    evacuation_node_name: str | None = None
    memory: MachineMemory | None = None
    current_cpu_topology: Topology | None = msgspec.field(default=None, name="currentCPUTopology")


class VirtualMachineInstance(KubernetesObject):
    """kubevirt.io/v1 VirtualMachineInstance."""

    spec: MachineSpec = msgspec.field(default_factory=MachineSpec)
    status: MachineStatus = msgspec.field(default_factory=MachineStatus)


class MigrationSpec(Wire):
    """Spec of a VirtualMachineInstanceMigration."""

    vmi_name: str | None = None


class PhaseTransition(Wire):
    """When a migration came into a phase."""

    phase: str | None = None
    phase_transition_timestamp: str | None = None


class MigrationStatus(Wire):
    """Status of a VirtualMachineInstanceMigration."""

    phase: str | None = None
    migration_state: MigrationState | None = None
    phase_transition_timestamps: list[PhaseTransition] | None = None


class VirtualMachineInstanceMigration(KubernetesObject):
    """kubevirt.io/v1 VirtualMachineInstanceMigration."""

    spec: MigrationSpec | None = None
    status: MigrationStatus | None = None


class Migrations(Wire):
    """Cluster-wide settings of live migrations."""

    parallel_migrations_per_cluster: Int32 | None = None
    parallel_outbound_migrations_per_node: Int32 | None = None
    bandwidth_per_migration: Quantity | None = None
    completion_timeout_per_gi_b: Int32 | None = msgspec.field(default=None, name="completionTimeoutPerGiB")
    allow_auto_converge: bool | None = None
    allow_post_copy: bool | None = None


class Developer(Wire):
    """Cluster-wide settings of overcommit."""

    memory_overcommit: Int32 | None = None
    cpu_allocation_ratio: Int32 | None = None


class Configuration(Wire):
    """Configuration of KubeVirt."""

    migrations: Migrations | None = None
    developer_configuration: Developer | None = None
    eviction_strategy: str | None = None
    additional_guest_memory_overhead_ratio: str | None = None


class KubeVirtSpec(Wire):
    """Spec of the KubeVirt object."""

    configuration: Configuration | None = None


class KubeVirtStatus(Wire):
    """Status of the KubeVirt object."""

    observed_kube_virt_version: str | None = None


class KubeVirtResource(KubernetesObject):
    """kubevirt.io/v1 KubeVirt."""

    spec: KubeVirtSpec | None = None
    status: KubeVirtStatus | None = None
