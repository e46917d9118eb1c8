"""ClusterState: the one immutable value that every decision reads.

Rows stand in key order (nodes by name, workloads by namespace, name, kind and uid), so that the order of objects in an input
never shows in a decision. Arrays are read-only; a new generation is a new value.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from enum import IntEnum, IntFlag

import msgspec
import numpy as np

from ullage.model.arrays import BoolArray, FloatArray, Int8Array, Int32Array, IntArray
from ullage.model.labels import Labels
from ullage.model.measures import Measures
from ullage.model.placement import Placement, Taint


class NodeFlag(IntFlag):
    """Conditions of a node, as bits of `NodeColumns.flags`."""

    READY = 1
    """Condition Ready is True; a missing condition is not ready."""
    UNSCHEDULABLE = 2
    """``spec.unschedulable``: cordoned."""
    MEMORY_PRESSURE = 4
    DISK_PRESSURE = 8
    PID_PRESSURE = 16
    NETWORK_UNAVAILABLE = 32
    CONTROL_PLANE = 64
    """Carries a control-plane or master role label."""
    VM_SCHEDULABLE = 128
    """Label ``kubevirt.io/schedulable=true``."""


class WorkloadKind(IntEnum):
    """What a workload row stands for."""

    POD = 0
    VMI = 1
    """A VirtualMachineInstance together with its virt-launcher pod."""


class WorkloadFlag(IntFlag):
    """Facts about a workload that bear on whether it may move, as bits of `WorkloadColumns.flags`."""

    DAEMONSET = 1
    MIRROR = 2
    """A mirror or static pod: the kubelet's own."""
    BARE = 4
    """A pod without a controller: once evicted it is gone."""
    LOCAL_STORAGE = 8
    """A pod with emptyDir or hostPath volumes."""
    CRITICAL = 16
    """Priority of 2,000,000,000 and more."""
    TERMINATING = 32
    PREFER_NO_EVICTION = 64
    """Annotation ``descheduler.alpha.kubernetes.io/prefer-no-eviction``."""
    EVICT = 128
    """Annotation ``descheduler.alpha.kubernetes.io/evict``: its owner allows what protections would refuse."""
    EVICTION_IN_PROGRESS = 256
    MIGRATING = 512
    """A live migration of this VM is under way."""
    MIGRATION_TARGET = 1024
    """The target pod of a migration in flight: it holds requests, it does not move."""
    LIVE_MIGRATABLE = 2048
    """Condition LiveMigratable is True."""
    NOT_LIVE_MIGRATABLE = 4096
    """Condition LiveMigratable is False; neither bit: not reported."""
    PAUSED = 8192
    PENDING = 16384
    """Not running yet; it is counted where it is bound and it does not move."""
    HOST_DIRECT = 32768
    """Uses dedicated CPUs, hugepages or host devices."""
    MEMORY_LIMIT = 65536
    """Every container has a memory limit."""
    MANUAL_REQUEST = 131072
    """A VM whose spec sets requests.memory, which switches the cluster's overcommit off for it."""


class EvictionStrategy(IntEnum):
    """What a VM asks for when it is evicted (the VMI's own strategy, else the cluster's)."""

    UNSET = 0
    NONE = 1
    LIVE_MIGRATE = 2
    LIVE_MIGRATE_IF_POSSIBLE = 3
    EXTERNAL = 4


class Owner(msgspec.Struct, frozen=True, gc=False, order=True):
    """The controller of a workload (a VM's is its VirtualMachine)."""

    kind: str
    namespace: str
    name: str


class Note(msgspec.Struct, frozen=True, gc=False):
    """Something that could not be known or used, said once with a count and a few examples.

    Attributes
    ----------
    code
        Stable code.
    text
        One sentence with numbers.
    objects
        A few names, as examples.
    """

    code: str
    text: str
    objects: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class NodeColumns:
    """N nodes.

    Attributes
    ----------
    name, uid
        tuple of N; `name` ascending and unique.
    allocatable, capacity
        float64 (N, R), base units of the resource axis, >= 0; 0 where the node does not offer the resource; NaN where the
        node does not say (then nothing fits there).
    requested
        float64 (N, R): sum of the requests of the workloads bound there.
    swap_capacity_bytes
        float64 (N,), NaN where not reported.
    flags
        int32 (N,), bits of `NodeFlag`.
    taints
        tuple of N tuples.
    labels
        Labels of N rows.
    measures
        `Measures` over `NodeMeasure`.
    """

    name: tuple[str, ...]
    uid: tuple[str, ...]
    allocatable: FloatArray
    capacity: FloatArray
    requested: FloatArray
    swap_capacity_bytes: FloatArray
    flags: Int32Array
    taints: tuple[tuple[Taint, ...], ...]
    labels: Labels
    kubelet_version: tuple[str, ...]
    measures: Measures

    def __len__(self) -> int:
        return len(self.name)

    def has(self, flag: NodeFlag) -> BoolArray:
        """Nodes with all bits of `flag`, bool (N,)."""
        result: BoolArray = (self.flags & int(flag)) == int(flag)
        return result


@dataclass(frozen=True, eq=False)
class WorkloadColumns:
    """W workloads: pods, and VMIs each together with its virt-launcher pod.

    Attributes
    ----------
    kind
        int8 (W,), `WorkloadKind`.
    namespace, name, uid, pod
        tuple of W; `pod` is the launcher pod's name for a VMI and the pod's own name else.
    node
        int32 (W,), row of the node that it is bound to.
    requests
        float64 (W, R), as kube-scheduler counts them: containers, sidecars, init containers and RuntimeClass overhead.
    limits
        float64 (W, R), NaN where some container has no limit.
    guest_memory_bytes
        float64 (W,), what the guest was given; NaN for pods.
    overhead_bytes
        float64 (W,), what the virtual machine monitor needs on top of the guest, reported or by formula; NaN for pods.
    swap_request_bytes
        float64 (W,), sum of the memory requests of the containers that LimitedSwap gives swap to (KEP-2400); 0 if none.
    qos
        int8 (W,), `ullage.model.qos.QoS`.
    priority
        int32 (W,).
    owner
        int32 (W,), row of `ClusterState.owners`; -1 without one.
    placement
        int32 (W,), row of `ClusterState.placements`.
    flags
        int32 (W,), bits of `WorkloadFlag`.
    eviction_strategy
        int8 (W,), `EvictionStrategy`; UNSET for pods.
    migration_target
        int32 (W,), node that a migration in flight goes to; -1 if none.
    started_at_seconds
        float64 (W,), unix time of the start; NaN if unknown.
    last_moved_at_seconds
        float64 (W,), unix time at which its last migration ended; NaN if none is known.
    blocked_reason
        tuple of W: why a VM cannot migrate, as KubeVirt says; empty if it does not say.
    labels
        Labels of W rows (of the pod).
    measures
        `Measures` over `WorkloadMeasure`.
    """

    kind: Int8Array
    namespace: tuple[str, ...]
    name: tuple[str, ...]
    uid: tuple[str, ...]
    pod: tuple[str, ...]
    node: Int32Array
    requests: FloatArray
    limits: FloatArray
    guest_memory_bytes: FloatArray
    overhead_bytes: FloatArray
    swap_request_bytes: FloatArray
    qos: Int8Array
    priority: Int32Array
    owner: Int32Array
    placement: Int32Array
    flags: Int32Array
    eviction_strategy: Int8Array
    migration_target: Int32Array
    started_at_seconds: FloatArray
    last_moved_at_seconds: FloatArray
    blocked_reason: tuple[str, ...]
    labels: Labels
    measures: Measures

    def __len__(self) -> int:
        return len(self.name)

    def has(self, flag: WorkloadFlag) -> BoolArray:
        """Workloads with all bits of `flag`, bool (W,)."""
        result: BoolArray = (self.flags & int(flag)) == int(flag)
        return result

    def key(self, row: int) -> str:
        """``namespace/name`` of one workload."""
        return f"{self.namespace[row]}/{self.name[row]}"


@dataclass(frozen=True, eq=False)
class DisruptionBudget:
    """A PodDisruptionBudget: `disruptions_allowed` of `members` (int32 rows, ascending) may be disrupted now."""

    namespace: str
    name: str
    disruptions_allowed: int
    members: Int32Array


class Quota(msgspec.Struct, frozen=True):
    """A ResourceQuota: `hard` and `used` by resource name such as ``requests.memory``, ``limits.cpu`` or ``pods``."""

    namespace: str
    name: str
    hard: dict[str, float]
    used: dict[str, float]


class KubeVirt(msgspec.Struct, frozen=True):
    """What the KubeVirt object says of the cluster.

    Attributes
    ----------
    version
        Observed version, such as ``1.7.1``; empty if unknown.
    memory_overcommit_ratio
        Guest memory over requested memory, 1.0 is none (``developerConfiguration.memoryOvercommit`` / 100).
    cpu_allocation_ratio
        vCPUs per requested core.
    parallel_migrations_per_cluster, parallel_outbound_migrations_per_node
        Limits on migrations in flight.
    bandwidth_per_migration_bytes_per_second
        0 is unlimited.
    completion_timeout_per_gib_seconds, allow_auto_converge, allow_post_copy
        Live migration settings.
    eviction_strategy
        The cluster's default.
    """

    version: str = ""
    memory_overcommit_ratio: float = 1.0
    cpu_allocation_ratio: float = 10.0
    parallel_migrations_per_cluster: int = 5
    parallel_outbound_migrations_per_node: int = 2
    bandwidth_per_migration_bytes_per_second: float = 0.0
    completion_timeout_per_gib_seconds: float = 150.0
    allow_auto_converge: bool = False
    allow_post_copy: bool = False
    eviction_strategy: EvictionStrategy = EvictionStrategy.UNSET


@dataclass(frozen=True, eq=False)
class ClusterState:
    """One generation of the cluster.

    Attributes
    ----------
    generation
        Grows with every published state.
    observed_at_seconds
        Unix time that ages are counted from.
    resources
        The resource axis (`ullage.model.resources.axis`).
    nodes, workloads
        The columns.
    placements, owners
        Tables that workload rows point into.
    namespaces
        Names, ascending, with `namespace_labels` row by row.
    budgets, quotas
        PodDisruptionBudgets (without KubeVirt's own) and ResourceQuotas.
    kubevirt
        ``None`` if the cluster has none, or the input does not say.
    sources
        Names of the sources of measures.
    notes
        What the input could not tell.
    """

    generation: int
    observed_at_seconds: float
    resources: tuple[str, ...]
    nodes: NodeColumns
    workloads: WorkloadColumns
    placements: tuple[Placement, ...] = ()
    owners: tuple[Owner, ...] = ()
    namespaces: tuple[str, ...] = ()
    namespace_labels: Labels = field(default_factory=lambda: Labels.of(()))
    budgets: tuple[DisruptionBudget, ...] = ()
    quotas: tuple[Quota, ...] = ()
    kubevirt: KubeVirt | None = None
    sources: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        _check_rows(self.nodes, len(self.nodes.name), "node")
        _check_rows(self.workloads, len(self.workloads.name), "workload")
        _check_table("node", self.workloads.node, len(self.nodes), lowest=0)
        _check_table("placement", self.workloads.placement, len(self.placements), lowest=0)
        _check_table("owner", self.workloads.owner, len(self.owners), lowest=-1)

    def workloads_on(self, node: int) -> IntArray:
        """Rows of the workloads bound to `node`, ascending."""
        return np.flatnonzero(self.workloads.node == node)

    def resource(self, name: str) -> int:
        """Column of a resource; raises ``ValueError`` if the axis does not hold it."""
        return self.resources.index(name)


def _check_rows(columns: NodeColumns | WorkloadColumns, rows: int, what: str) -> None:
    for column in fields(columns):
        value = getattr(columns, column.name)
        found = len(value.value) if isinstance(value, Measures) else len(value)
        if found != rows:
            raise ValueError(f"{what} column {column.name} has {found} rows, expected {rows}")


def _check_table(what: str, rows: Int32Array, size: int, *, lowest: int) -> None:
    if len(rows) and (rows.min() < lowest or rows.max() >= size):
        raise ValueError(f"workload column {what} points outside its table of {size}")


def is_ascending(keys: Iterable[object]) -> bool:
    """Whether `keys` stand in strictly ascending order (the order that rows must have)."""
    listed = list(keys)
    return all(a < b for a, b in itertools.pairwise(listed))  # type: ignore[operator]
