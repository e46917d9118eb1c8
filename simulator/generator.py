"""A plausible cluster of any size, from a seed: nodes, VMs, pods, their use and their constraints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.demands import (
    ARCH,
    ARCHITECTURE,
    CPU_MODEL,
    CPU_MODEL_LABELS,
    HOSTNAME,
    ZONE,
    draw_demands,
    zone_names,
)
from simulator.load import Load, draw_load, heat, swap_used
from simulator.measured import SOURCE, node_measures, workload_measures
from simulator.names import LabelColumn, label_table, padded, uids
from simulator.population import (
    DAEMON_NAMESPACES,
    DAEMON_PRIORITY,
    DAEMONS,
    RESOURCES,
    VERSION,
    Machines,
    Population,
    draw_machines,
    draw_population,
)
from simulator.shapes import GIB
from simulator.spec import ClusterSpec
from simulator.spread import spread
from ullage.model.arrays import BoolArray, FloatArray, IntArray, frozen
from ullage.model.changes import requested_sums
from ullage.model.labels import Labels
from ullage.model.measures import Measures
from ullage.model.placement import Taint
from ullage.model.qos import QoS
from ullage.model.state import (
    ClusterState,
    DisruptionBudget,
    EvictionStrategy,
    KubeVirt,
    NodeColumns,
    NodeFlag,
    Owner,
    Quota,
    WorkloadColumns,
    WorkloadFlag,
    WorkloadKind,
)

__all__ = ["ClusterSpec", "generate"]

KUBELET: Final = "v1.34.2"
UNSCHEDULABLE: Final = Taint("node.kubernetes.io/unschedulable")
BLOCKED: Final = (
    "DisksNotLiveMigratable: cannot migrate VMI: PVC rootdisk is not shared, it needs ReadWriteMany access",
    "HostDeviceNotLiveMigratable: VMI uses a PCI host device",
    "InterfaceNotLiveMigratable: cannot migrate VMI that binds to the pod network by bridge",
)
"""Reason and message of the condition LiveMigratable, close to KubeVirt's words."""
_STRATEGIES: Final = (
    (EvictionStrategy.LIVE_MIGRATE, 0.9),
    (EvictionStrategy.LIVE_MIGRATE_IF_POSSIBLE, 0.07),
    (EvictionStrategy.NONE, 0.03),
)
_PREFER_NO_EVICTION_SHARE: Final = 0.01
_POD_CPU_BURST: Final = 4.0
_BUDGET_SHARE: Final = 0.3
_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, eq=False)
class _Cluster:
    """What has been drawn so far: names, swap and conditions of N nodes, and where W workloads run."""

    names: list[str]
    machines: Machines
    people: Population
    node: IntArray
    zone: IntArray
    swap_bytes: FloatArray
    missing: BoolArray
    cordoned: BoolArray


def generate(spec: ClusterSpec) -> ClusterState:
    """Cluster of `spec`; the same specification always gives the same cluster.

    Raises
    ------
    UsageError
        The workloads do not fit on the nodes.
    """
    streams = np.random.SeedSequence(spec.seed).spawn(7)
    rngs = [np.random.Generator(np.random.PCG64(stream)) for stream in streams]
    cluster = _draw_cluster(spec, rngs[0], rngs[1], rngs[2])
    machines = cluster.machines
    most = _most(cluster.people)
    load = draw_load(spec, cluster.node, most, machines.allocatable[:, :2], machines.capacity[:, :2], rngs[3])
    load = heat(load, spec, ~cluster.missing & ~cluster.cordoned, rngs[4])
    return _state(spec, cluster, load, rngs[5], rngs[6])


def _draw_cluster(
    spec: ClusterSpec, shapes: np.random.Generator, sizes: np.random.Generator, places: np.random.Generator
) -> _Cluster:
    machines = draw_machines(spec, shapes)
    people = draw_population(spec, machines, sizes)
    first, apps = people.first_vm, len(people.replica_set)
    fixed = np.arange(apps, first)
    node = np.zeros(len(people.name), dtype=np.int64)
    node[fixed] = (fixed - apps) % spec.nodes
    used = requested_sums(spec.nodes, node[fixed], people.requests[fixed])
    free = np.concatenate([np.arange(apps), np.arange(first, len(node))])
    node[free] = spread(people.requests[free], machines.allocatable - used, places)
    order = shapes.permutation(spec.nodes)
    marked = [round(share * spec.nodes) for share in (spec.missing_share, spec.cordoned_share)]
    flags = np.zeros((2, spec.nodes), dtype=np.bool_)
    flags[0, order[: marked[0]]] = True
    flags[1, order[::-1][: marked[1]]] = True
    size = np.maximum(np.round(machines.capacity[:, 1] / GIB * (spec.overcommit_ratio - 1)), 8) * GIB
    has_swap = np.zeros(spec.nodes, dtype=np.bool_)
    has_swap[shapes.permutation(spec.nodes)[: round(spec.swap_share * spec.nodes)]] = True
    return _Cluster(
        names=padded("worker", spec.nodes, 3),
        machines=machines,
        people=people,
        node=node,
        zone=np.arange(spec.nodes) % spec.zones,
        swap_bytes=np.where(has_swap, size, 0.0),
        missing=flags[0],
        cordoned=flags[1],
    )


def _most(people: Population) -> FloatArray:
    """What each workload can use at most, float64 (W, 2)."""
    first = people.first_vm
    most: FloatArray = people.requests[:, :2] * np.array([_POD_CPU_BURST, 2.0])
    most[:first, 1] = np.where(
        np.isnan(people.memory_limit_bytes[:first]), most[:first, 1], people.memory_limit_bytes[:first]
    )
    most[first:] = np.stack([people.vcpus, people.guest_bytes + people.overhead_bytes], axis=1)
    return most


def _state(
    spec: ClusterSpec, cluster: _Cluster, load: Load, rng: np.random.Generator, noise: np.random.Generator
) -> ClusterState:
    people = cluster.people
    all_uids = uids(rng, spec.nodes + len(people.name))
    vm_uids = all_uids[spec.nodes + people.first_vm :]
    demands = draw_demands(spec, people, cluster.node, cluster.names, vm_uids, cluster.zone, rng)
    swap = swap_used(load, _swap_limits(cluster), noise)
    owners, owner = _owners(people)
    namespaces = sorted({*people.namespace})
    return ClusterState(
        generation=1,
        observed_at_seconds=spec.observed_at_seconds,
        resources=RESOURCES,
        nodes=_nodes(spec, cluster, load, all_uids[: spec.nodes], swap, noise),
        workloads=_workloads(
            spec,
            cluster,
            tuple(all_uids[spec.nodes :]),
            owner=owner,
            placement=demands.placement,
            labels=demands.labels,
            measures=workload_measures(load, swap, people.is_vm, cluster.missing[cluster.node], noise),
            rng=rng,
        ),
        placements=demands.placements,
        owners=owners,
        namespaces=tuple(namespaces),
        namespace_labels=Labels.of([{"kubernetes.io/metadata.name": name} for name in namespaces]),
        budgets=_budgets(people, rng),
        quotas=_quotas(people),
        kubevirt=KubeVirt(version=str(VERSION), memory_overcommit_ratio=spec.overcommit_ratio),
        sources=(SOURCE,),
    )


def _swap_requests(people: Population) -> FloatArray:
    """Requests that LimitedSwap counts (KEP-2400): of Burstable pods below the critical priority."""
    critical = np.zeros(len(people.name), dtype=np.bool_)
    start = len(people.replica_set)
    critical[start : people.first_vm] = np.array(DAEMON_PRIORITY)[people.daemons] >= 2_000_000_000
    counted: FloatArray = np.where(critical, 0.0, people.requests[:, 1])
    return counted


def _swap_limits(cluster: _Cluster) -> FloatArray:
    """Swap that the kubelet grants each workload, float64 (W,) bytes."""
    share = cluster.swap_bytes / cluster.machines.capacity[:, 1]
    limits: FloatArray = np.floor(_swap_requests(cluster.people) * share[cluster.node])
    return limits


def _nodes(
    spec: ClusterSpec,
    cluster: _Cluster,
    load: Load,
    node_uids: list[str],
    swap: FloatArray,
    rng: np.random.Generator,
) -> NodeColumns:
    machines, people = cluster.machines, cluster.people
    flags = int(NodeFlag.READY | NodeFlag.VM_SCHEDULABLE) + int(NodeFlag.UNSCHEDULABLE) * cluster.cordoned
    return NodeColumns(
        name=tuple(cluster.names),
        uid=tuple(node_uids),
        allocatable=frozen(machines.allocatable, np.float64),
        capacity=frozen(machines.capacity, np.float64),
        requested=frozen(requested_sums(spec.nodes, cluster.node, people.requests), np.float64),
        swap_capacity_bytes=frozen(cluster.swap_bytes, np.float64),
        flags=frozen(flags, np.int32),
        taints=tuple([(UNSCHEDULABLE,) if each else () for each in cluster.cordoned.tolist()]),
        labels=_node_labels(spec, cluster),
        kubelet_version=(KUBELET,) * spec.nodes,
        measures=node_measures(load, swap, cluster.missing, rng),
    )


def _node_labels(spec: ClusterSpec, cluster: _Cluster) -> Labels:
    every = np.arange(spec.nodes)
    constant = {
        ARCH: ARCHITECTURE,
        "kubernetes.io/os": "linux",
        "node-role.kubernetes.io/worker": "",
        "kubevirt.io/schedulable": "true",
        "cpu-vendor.node.kubevirt.io/Intel": "true",
        **{f"{prefix}/{CPU_MODEL}": "true" for prefix in CPU_MODEL_LABELS},
    }
    shapes = [spec.shapes[i].name for i in cluster.machines.shape.tolist()]
    zones = zone_names(spec)
    columns = {key: LabelColumn.constant(every, value) for key, value in constant.items()}
    columns[HOSTNAME] = LabelColumn(every, cluster.names, every)
    columns[ZONE] = LabelColumn.of(every, [zones[i] for i in cluster.zone.tolist()])
    columns["node.kubernetes.io/instance-type"] = LabelColumn.of(every, shapes)
    return label_table(spec.nodes, columns)


def _workloads(
    spec: ClusterSpec,
    cluster: _Cluster,
    uid: tuple[str, ...],
    *,
    owner: IntArray,
    placement: IntArray,
    labels: Labels,
    measures: Measures,
    rng: np.random.Generator,
) -> WorkloadColumns:
    people, rows = cluster.people, len(uid)
    is_vm = people.is_vm
    stuck = is_vm & (rng.random(rows) < spec.not_migratable_share)
    reason = rng.integers(0, len(BLOCKED), rows)
    started, moved = _history(spec, is_vm & ~stuck, rng)
    limits = np.full((rows, len(RESOURCES)), np.nan)
    limits[:, 1] = people.memory_limit_bytes
    return WorkloadColumns(
        kind=frozen(np.where(is_vm, WorkloadKind.VMI, WorkloadKind.POD), np.int8),
        namespace=tuple(people.namespace),
        name=tuple(people.name),
        uid=uid,
        pod=tuple(people.pod),
        node=frozen(cluster.node, np.int32),
        requests=frozen(people.requests, np.float64),
        limits=frozen(limits, np.float64),
        guest_memory_bytes=_of_vms(people.guest_bytes, rows),
        overhead_bytes=_of_vms(people.overhead_bytes, rows),
        swap_request_bytes=frozen(_swap_requests(people), np.float64),
        qos=frozen(np.full(rows, QoS.BURSTABLE), np.int8),
        priority=frozen(_priority(people), np.int32),
        owner=frozen(owner, np.int32),
        placement=frozen(placement, np.int32),
        flags=frozen(_flags(people, stuck, rng), np.int32),
        eviction_strategy=frozen(np.where(is_vm, _strategies(rows, rng), EvictionStrategy.UNSET), np.int8),
        migration_target=frozen(np.full(rows, -1), np.int32),
        started_at_seconds=frozen(started, np.float64),
        last_moved_at_seconds=frozen(moved, np.float64),
        blocked_reason=tuple([BLOCKED[r] if s else "" for s, r in zip(stuck.tolist(), reason.tolist(), strict=True)]),
        labels=labels,
        measures=measures,
    )


def _of_vms(values: IntArray, rows: int) -> FloatArray:
    return frozen(np.concatenate([np.full(rows - len(values), np.nan), values]), np.float64)


def _history(spec: ClusterSpec, movable: BoolArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Start of each workload, and the end of its last migration for one in five VMs."""
    age = np.rint(20 * _DAY_SECONDS * rng.standard_exponential(len(movable))) + 600
    since = np.rint(age * rng.random(len(movable)))
    moved = movable & (rng.random(len(movable)) < 0.2)
    return spec.observed_at_seconds - age, np.where(moved, spec.observed_at_seconds - since, np.nan)


def _strategies(rows: int, rng: np.random.Generator) -> IntArray:
    kinds, shares = zip(*_STRATEGIES, strict=True)
    return rng.choice(np.array(kinds, dtype=np.int64), rows, p=np.array(shares))


def _priority(people: Population) -> IntArray:
    result = np.zeros(len(people.name), dtype=np.int64)
    result[len(people.replica_set) : people.first_vm] = np.array(DAEMON_PRIORITY)[people.daemons]
    return result


def _flags(people: Population, stuck: BoolArray, rng: np.random.Generator) -> IntArray:
    is_vm = people.is_vm
    daemon = np.zeros(len(is_vm), dtype=np.bool_)
    daemon[len(people.replica_set) : people.first_vm] = True
    chosen = {
        WorkloadFlag.DAEMONSET: daemon,
        WorkloadFlag.CRITICAL: _priority(people) >= 2_000_000_000,
        WorkloadFlag.LIVE_MIGRATABLE: is_vm & ~stuck,
        WorkloadFlag.NOT_LIVE_MIGRATABLE: stuck,
        WorkloadFlag.PREFER_NO_EVICTION: is_vm & (rng.random(len(is_vm)) < _PREFER_NO_EVICTION_SHARE),
        WorkloadFlag.MEMORY_LIMIT: ~np.isnan(people.memory_limit_bytes),
    }
    bits = np.stack([int(flag) * rows for flag, rows in chosen.items()])
    total: IntArray = bits.sum(axis=0, dtype=np.int64)
    return total


def _owners(people: Population) -> tuple[tuple[Owner, ...], IntArray]:
    first, vms = people.first_vm, len(people.guest_bytes)
    present = sorted({*people.daemons.tolist()}, key=lambda d: DAEMON_NAMESPACES[d])
    sets = [Owner("DaemonSet", DAEMON_NAMESPACES[d], DAEMONS[d]) for d in present]
    sets += [Owner("ReplicaSet", namespace, name) for namespace, name in people.replica_sets]
    machines = [
        Owner("VirtualMachine", *key) for key in zip(people.namespace[first:], people.name[first:], strict=True)
    ]
    rows = [people.replica_set + len(present), people.daemons, len(sets) + np.arange(vms)]
    return (*sets, *machines), np.concatenate(rows)


def _budgets(people: Population, rng: np.random.Generator) -> tuple[DisruptionBudget, ...]:
    """Budgets that allow one disruption, for three in ten of the ReplicaSets with two pods and more."""
    counts = np.bincount(people.replica_set, minlength=len(people.replica_sets))
    chosen = np.flatnonzero((counts > 1) & (rng.random(len(counts)) < _BUDGET_SHARE))
    starts = np.cumsum(counts) - counts
    return tuple(
        DisruptionBudget(
            people.replica_sets[i][0],
            people.replica_sets[i][1].rpartition("-")[0],
            1,
            frozen(np.arange(starts[i], starts[i] + counts[i]), np.int32),
        )
        for i in chosen.tolist()
    )


def _quotas(people: Population) -> tuple[Quota, ...]:
    """A quota with room to spare on the memory requests of the first namespace with VMs."""
    namespace = people.namespace[people.first_vm] if len(people.guest_bytes) else ""
    rows = [i for i in range(people.first_vm, len(people.name)) if people.namespace[i] == namespace]
    if not rows:
        return ()
    used = float(people.requests[rows, 1].sum())
    hard = float(np.ceil(used * 1.5 / GIB) * GIB)
    return (Quota(namespace, "compute", {"requests.memory": hard}, {"requests.memory": used}),)
