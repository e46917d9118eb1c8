"""A fluent builder of cluster states for tests.

>>> state = (
...     Cluster()
...     .node("n1", cpu=8, memory="64Gi")
...     .vm("shop/db", "n1", guest="8Gi", use_cpu=1.5, use_memory="6Gi")
...     .build()
... )

Sizes are quantities as Kubernetes writes them, or plain numbers in base units (cores, bytes). A use of ``None`` is not
measured (NaN).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self, TypedDict, Unpack

import msgspec

from tests.builder_columns import NodeRow, Size, WorkloadRow, budget, node_columns, size, workload_columns
from ullage.model.labels import Labels
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.placement import Placement, Taint
from ullage.model.qos import QoS
from ullage.model.resources import BASE, CPU, EPHEMERAL_STORAGE, MEMORY, PODS, axis
from ullage.model.state import (
    ClusterState,
    EvictionStrategy,
    KubeVirt,
    NodeFlag,
    Note,
    Owner,
    Quota,
    WorkloadFlag,
    WorkloadKind,
)

SOURCE = "test"
"""The one source of all measures."""

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
VM_SCHEDULABLE = "kubevirt.io/schedulable"


def taint(text: str) -> Taint:
    """Taint written as ``key=value:Effect`` or ``key:Effect``."""
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return Taint(key, value, effect)


class NodeExtras(TypedDict, total=False):
    """What few tests say of a node.

    Attributes
    ----------
    storage
        Allocatable ephemeral storage, default 100Gi.
    extra
        Further allocatable resources.
    capacity
        Where it is not the same as allocatable.
    use_swap
        Swap in use, default ``"sum"``.
    measures
        Further measures, or the same ones again.
    flags
        Further conditions.
    kubelet_version
        Default v1.34.1.
    """

    storage: Size | None
    extra: Mapping[str, Size]
    capacity: Mapping[str, Size]
    use_swap: Size | None
    measures: Mapping[NodeMeasure, Size | None]
    flags: NodeFlag
    kubelet_version: str


class WorkloadExtras(TypedDict, total=False):
    """What few tests say of a VM or a pod.

    Attributes
    ----------
    requests, limits
        Further requests such as ``{"devices.kubevirt.io/kvm": 1}``; limits by resource, default none.
    swap_used
        Default 0; ``None`` is not measured.
    swap_request
        Memory requests of the containers that get swap, default 0.
    measures
        Further measures, or the same ones again.
    age
        Age of all its measures in seconds, default 10.
    qos
        Default by requests and limits.
    priority
        Default 0.
    placement
        Default no demand; of a VM, its `virtual_machine` is always set.
    flags
        In addition to those that follow from the rest.
    started_at
        Unix time.
    labels
        Labels of the pod.
    """

    requests: Mapping[str, Size]
    limits: Mapping[str, Size]
    swap_used: Size | None
    swap_request: Size
    measures: Mapping[WorkloadMeasure, Size | None]
    age: float
    qos: QoS | None
    priority: int
    placement: Placement | None
    flags: WorkloadFlag
    started_at: float | None
    labels: Mapping[str, str]


@dataclass
class Cluster:
    """A cluster in the making; every method but `build` returns the builder itself."""

    _nodes: dict[str, NodeRow] = field(default_factory=dict)
    _workloads: list[WorkloadRow] = field(default_factory=list)
    _namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    _budgets: list[tuple[str, int, tuple[str, ...]]] = field(default_factory=list)
    _quotas: list[Quota] = field(default_factory=list)
    _kubevirt: KubeVirt | None = None
    _notes: tuple[Note, ...] = ()

    def node(
        self,
        name: str,
        *,
        cpu: Size | None = 8,
        memory: Size | None = "64Gi",
        pods: Size | None = 110,
        use_cpu: Size | None = "sum",
        use_memory: Size | None = "sum",
        age: float = 10.0,
        labels: Mapping[str, str] = {},
        taints: Sequence[str | Taint] = (),
        ready: bool = True,
        cordoned: bool = False,
        swap: Size | None = None,
        vm_schedulable: bool = True,
        zone: str | None = None,
        **extras: Unpack[NodeExtras],
    ) -> Self:
        """Add a node.

        Parameters
        ----------
        name
            Unique; also its hostname label.
        cpu, memory, pods
            Allocatable; ``None`` is not said (NaN).
        use_cpu, use_memory
            Measured mean; ``"sum"`` is the sum of the measured use of its workloads.
        age
            Age of all its measures in seconds.
        labels, zone, vm_schedulable
            `zone` and `vm_schedulable` set the well-known labels; `labels` has the last word.
        taints
            Texts such as ``"dedicated=gpu:NoSchedule"``, or taints.
        ready, cordoned
            Conditions; `cordoned` also brings the taint that Kubernetes sets.
        swap
            Swap capacity; ``None`` is not reported.
        """
        if name in self._nodes:
            raise ValueError(f"node {name} stands there already")
        amounts = {CPU: cpu, MEMORY: memory, PODS: pods, EPHEMERAL_STORAGE: extras.get("storage", "100Gi")}
        resources = {k: size(v) for k, v in (amounts | dict(extras.get("extra", {}))).items()}
        all_labels = _node_labels(name, zone, vm_schedulable=vm_schedulable) | dict(labels)
        self._nodes[name] = NodeRow(
            name=name,
            resources=resources,
            capacity=resources | {k: size(v) for k, v in extras.get("capacity", {}).items()},
            swap=size(swap),
            flags=_node_flags(all_labels, ready=ready, cordoned=cordoned) | extras.get("flags", NodeFlag(0)),
            taints=_taints(taints, cordoned=cordoned),
            labels=all_labels,
            kubelet_version=extras.get("kubelet_version", "v1.34.1"),
            age=age,
            use={
                NodeMeasure.CPU_MEAN_CORES: use_cpu,
                NodeMeasure.MEMORY_MEAN_BYTES: use_memory,
                NodeMeasure.SWAP_USED_BYTES: extras.get("use_swap", "sum"),
                **extras.get("measures", {}),
            },
        )
        return self

    def vm(
        self,
        key: str,
        node: str,
        *,
        guest: Size = "8Gi",
        vcpus: float = 4,
        overhead: Size = 0,
        use_cpu: Size | None = 1.0,
        use_memory: Size | None = "6Gi",
        dirty_rate: Size | None = None,
        live_migratable: bool | None = True,
        eviction_strategy: EvictionStrategy = EvictionStrategy.LIVE_MIGRATE,
        requests_cpu: Size | None = None,
        requests_memory: Size | None = None,
        owner: tuple[str, str] | None = None,
        migration_target: str | None = None,
        last_moved: float | None = None,
        blocked_reason: str = "",
        **extras: Unpack[WorkloadExtras],
    ) -> Self:
        """Add a VirtualMachineInstance with its virt-launcher pod.

        Parameters
        ----------
        key
            ``namespace/name``.
        live_migratable
            ``None`` is not reported.
        requests_cpu, requests_memory
            Default: a tenth of the vCPUs; guest over the cluster's overcommit ratio (1 unless `kubevirt` says else before),
            plus overhead.
        owner
            Kind and name; default is a VirtualMachine of the same name.
        migration_target, last_moved, blocked_reason
            Node name, unix time, KubeVirt's sentence.
        """
        name = key.partition("/")[2]
        ratio = self._kubevirt.memory_overcommit_ratio if self._kubevirt else 1.0
        row = _row(WorkloadKind.VMI, key, node, f"virt-launcher-{name}-abcde", owner or ("VirtualMachine", ""), extras)
        row.placement = msgspec.structs.replace(row.placement, virtual_machine=True)
        row.guest, row.overhead = size(guest), size(overhead)
        row.request(CPU, vcpus / 10 if requests_cpu is None else requests_cpu)
        row.request(MEMORY, row.guest / ratio + row.overhead if requests_memory is None else requests_memory)
        row.measured(WorkloadMeasure.CPU_MEAN_CORES, use_cpu)
        row.measured(WorkloadMeasure.MEMORY_MEAN_BYTES, use_memory)
        row.measured(WorkloadMeasure.DIRTY_RATE_BYTES_PER_SECOND, dirty_rate)
        row.flags |= _migratable(live_migratable)
        row.strategy = eviction_strategy
        row.migration_target, row.last_moved, row.blocked_reason = migration_target, size(last_moved), blocked_reason
        row.labels = {"kubevirt.io": "virt-launcher", "vm.kubevirt.io/name": name} | row.labels
        self._workloads.append(row)
        return self

    def pod(
        self,
        key: str,
        node: str,
        *,
        requests_cpu: Size = 0.1,
        requests_memory: Size = "128Mi",
        use_cpu: Size | None = 0.05,
        use_memory: Size | None = "100Mi",
        owner: tuple[str, str] | None = ("ReplicaSet", ""),
        **extras: Unpack[WorkloadExtras],
    ) -> Self:
        """Add a pod.

        Parameters
        ----------
        key
            ``namespace/name``.
        owner
            Kind and name; an empty name is the pod's own; ``None`` is a bare pod. A DaemonSet sets the flag, too.
        """
        row = _row(WorkloadKind.POD, key, node, key.partition("/")[2], owner, extras)
        row.request(CPU, requests_cpu)
        row.request(MEMORY, requests_memory)
        row.measured(WorkloadMeasure.CPU_MEAN_CORES, use_cpu)
        row.measured(WorkloadMeasure.MEMORY_MEAN_BYTES, use_memory)
        if owner is None:
            row.flags |= WorkloadFlag.BARE
        elif owner[0] == "DaemonSet":
            row.flags |= WorkloadFlag.DAEMONSET
        self._workloads.append(row)
        return self

    def budget(self, key: str, allowed: int, members: Iterable[str]) -> Self:
        """Add a PodDisruptionBudget over workloads given as ``namespace/name``."""
        self._budgets.append((key, allowed, tuple(members)))
        return self

    def quota(self, key: str, hard: Mapping[str, Size], used: Mapping[str, Size] = {}) -> Self:
        """Add a ResourceQuota; what `used` does not name is 0."""
        namespace, _, name = key.partition("/")
        taken = {k: size(used.get(k, 0)) for k in hard}
        self._quotas.append(Quota(namespace, name, {k: size(v) for k, v in hard.items()}, taken))
        return self

    def namespace(self, name: str, labels: Mapping[str, str] = {}) -> Self:
        """Add a namespace; those of workloads are there without it, with no label but their name."""
        self._namespaces[name] = dict(labels)
        return self

    def kubevirt(self, kubevirt: KubeVirt | None = None, *, version: str = "1.7.1", **settings: object) -> Self:
        """Say what the KubeVirt object says; call it before `vm` if it overcommits memory."""
        self._kubevirt = kubevirt or msgspec.convert({"version": version, **settings}, KubeVirt)
        return self

    def note(self, code: str, text: str, *objects: str) -> Self:
        """Add a note on what the input could not tell."""
        self._notes += (Note(code, text, objects),)
        return self

    def build(self, observed_at: float = 1_000_000.0, generation: int = 1) -> ClusterState:
        """The state, rows in key order."""
        nodes = [self._nodes[name] for name in sorted(self._nodes)]
        workloads = sorted(self._workloads, key=lambda w: w.key)
        resources = axis(r for part in (nodes, workloads) for row in part for r in row.resources)
        owners = sorted({w.owner for w in workloads if w.owner is not None})
        placements = list(dict.fromkeys(w.placement for w in workloads))
        columns = workload_columns(workloads, resources, {n.name: i for i, n in enumerate(nodes)}, owners, placements)
        namespaces = {name: dict[str, str]() for name in columns.namespace} | self._namespaces
        return ClusterState(
            generation=generation,
            observed_at_seconds=observed_at,
            resources=resources,
            nodes=node_columns(nodes, resources, columns),
            workloads=columns,
            placements=tuple(placements),
            owners=tuple(owners),
            namespaces=tuple(sorted(namespaces)),
            namespace_labels=Labels.of(
                [{"kubernetes.io/metadata.name": name, **namespaces[name]} for name in sorted(namespaces)]
            ),
            budgets=tuple(budget(columns, *given) for given in self._budgets),
            quotas=tuple(self._quotas),
            kubevirt=self._kubevirt,
            sources=(SOURCE,),
            notes=self._notes,
        )


def _node_labels(name: str, zone: str | None, *, vm_schedulable: bool) -> dict[str, str]:
    labels = {HOSTNAME: name}
    if zone is not None:
        labels[ZONE] = zone
    if vm_schedulable:
        labels[VM_SCHEDULABLE] = "true"
    return labels


def _node_flags(labels: Mapping[str, str], *, ready: bool, cordoned: bool) -> NodeFlag:
    flags = NodeFlag.READY if ready else NodeFlag(0)
    if cordoned:
        flags |= NodeFlag.UNSCHEDULABLE
    if labels.get(VM_SCHEDULABLE) == "true":
        flags |= NodeFlag.VM_SCHEDULABLE
    return flags


def _taints(taints: Sequence[str | Taint], *, cordoned: bool) -> tuple[Taint, ...]:
    own = tuple(taint(t) if isinstance(t, str) else t for t in taints)
    return (*own, Taint("node.kubernetes.io/unschedulable")) if cordoned else own


def _migratable(live_migratable: bool | None) -> WorkloadFlag:
    if live_migratable is None:
        return WorkloadFlag(0)
    return WorkloadFlag.LIVE_MIGRATABLE if live_migratable else WorkloadFlag.NOT_LIVE_MIGRATABLE


def _row(
    kind: WorkloadKind, key: str, node: str, pod: str, owner: tuple[str, str] | None, extras: WorkloadExtras
) -> WorkloadRow:
    namespace, _, name = key.partition("/")
    limits = {k: size(v) for k, v in extras.get("limits", {}).items()}
    flags = extras.get("flags", WorkloadFlag(0))
    return WorkloadRow(
        kind=kind,
        namespace=namespace,
        name=name,
        pod=pod,
        node=node,
        resources=dict.fromkeys(BASE, 0.0) | {PODS: 1.0} | {k: size(v) for k, v in extras.get("requests", {}).items()},
        limits=limits,
        swap_request=size(extras.get("swap_request", 0)),
        given_qos=extras.get("qos"),
        priority=extras.get("priority", 0),
        owner=owner and Owner(owner[0], namespace, owner[1] or name),
        placement=extras.get("placement") or Placement(),
        flags=flags | WorkloadFlag.MEMORY_LIMIT if MEMORY in limits else flags,
        started_at=size(extras.get("started_at")),
        labels=dict(extras.get("labels", {})),
        age=extras.get("age", 10.0),
        use={WorkloadMeasure.SWAP_USED_BYTES: extras.get("swap_used", 0), **extras.get("measures", {})},
    )
