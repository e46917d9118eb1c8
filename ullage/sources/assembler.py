"""Objects of a Kubernetes dump as one `ClusterState`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from ullage.model.arrays import FloatArray, frozen
from ullage.model.resources import CPU, MEMORY
from ullage.model.state import ClusterState, KubeVirt
from ullage.sources.collection import Collection
from ullage.sources.constraints import Placements
from ullage.sources.documents import Item
from ullage.sources.guest_cpu import GuestCPU
from ullage.sources.guest_memory import cluster_of
from ullage.sources.launchers import Machines
from ullage.sources.machines import MachineReader
from ullage.sources.metrics import SOURCE, Samples, measures, node_samples, observed_at_seconds, pod_samples
from ullage.sources.nodes import NodeRow, node_columns, node_rows
from ullage.sources.notes import NoteBook
from ullage.sources.objects import Node, NodeMetrics, Pod, PodMetrics
from ullage.sources.policies import budgets, configuration_of, kubevirt, namespaces, quotas
from ullage.sources.rows import Row, owners_of, placements_of, resource_axis, workload_columns
from ullage.sources.volumes import Volumes
from ullage.sources.wire_values import newest, seconds
from ullage.sources.workloads import PodReader, has_ended, is_launcher, placed_pods


def assemble(items: Iterable[Item]) -> ClusterState:
    """State of the cluster that `items` describe.

    What cannot be read or known is left out or NaN, and said in the state's notes; nothing here is fatal. The result does
    not depend on the order of objects, but for objects of one name whose versions cannot be compared.

    Parameters
    ----------
    items
        Raw objects of kinds that matter here or not.
    """
    notes = NoteBook()
    objects = Collection(notes)
    for item in items:
        objects.add(item)
    nodes = node_rows(objects.of(Node), notes)
    if not nodes:
        notes.say("empty-cluster", f"The input holds no node; it holds {len(objects.of(Pod))} pods.")
    cluster = kubevirt(objects, notes)
    rows = _workload_rows(objects, nodes, cluster, notes)
    return _state(objects, nodes, rows, cluster, notes)


def _workload_rows(
    objects: Collection, nodes: Sequence[NodeRow], cluster: KubeVirt | None, notes: NoteBook
) -> list[Row]:
    """Rows of all pods and VMs that are placed, in order."""
    by_name = {node.wire.name: row for row, node in enumerate(nodes)}
    placements = Placements(Volumes(objects, notes), GuestCPU([node.wire.labels for node in nodes]))
    alive = [pod for pod in objects.of(Pod) if not has_ended(pod)]
    placed = placed_pods(alive, by_name, notes)
    machines, reader = Machines(objects), PodReader(by_name, placements, notes)
    machine_reader = _machine_reader(objects, cluster, (reader, machines, placements), notes)
    for vmi in machines.without(pod for pod in alive if is_launcher(pod)):
        notes.add("vmi-without-pod", vmi.key)
    rows = [reader.read(pod) for pod in placed if not is_launcher(pod)]
    for launched in machines.launched(pod for pod in placed if is_launcher(pod)):
        rows += machine_reader.read(launched, by_name)
    return sorted(rows, key=lambda row: row.sort_key)


def _machine_reader(
    objects: Collection, cluster: KubeVirt | None, readers: tuple[PodReader, Machines, Placements], notes: NoteBook
) -> MachineReader:
    known = cluster or KubeVirt()
    configuration = configuration_of(objects)
    ratio = configuration.additional_guest_memory_overhead_ratio if configuration else None
    rendering = cluster_of(known.version, round(known.memory_overcommit_ratio * 100), ratio)
    return MachineReader(*readers, rendering, known.eviction_strategy, notes)


def _state(
    objects: Collection, nodes: Sequence[NodeRow], rows: Sequence[Row], cluster: KubeVirt | None, notes: NoteBook
) -> ClusterState:
    resources = resource_axis((offer for node in nodes for offer in (node.allocatable, node.capacity) if offer), rows)
    tables = owners_of(rows), placements_of(rows)
    samples = _samples(objects, nodes, rows, notes)
    now = _now(objects, samples)
    capacity = _capacity(nodes)
    bound = np.array([row.node for row in rows], dtype=np.intp)
    of_nodes, of_workloads = measures(samples, capacity, capacity[bound], now, notes)
    workloads = workload_columns(rows, resources, tables, of_workloads)
    names, labels = namespaces(objects, rows)
    has_measures = bool((of_nodes.source >= 0).any() or (of_workloads.source >= 0).any())
    return ClusterState(
        generation=0,
        observed_at_seconds=now,
        resources=resources,
        nodes=node_columns(nodes, resources, rows, of_nodes),
        workloads=workloads,
        placements=tables[1],
        owners=tables[0],
        namespaces=names,
        namespace_labels=labels,
        budgets=budgets(objects, workloads),
        quotas=quotas(objects, notes),
        kubevirt=cluster,
        sources=(SOURCE,) if has_measures else (),
        notes=notes.finish(),
    )


def _samples(
    objects: Collection, nodes: Sequence[NodeRow], rows: Sequence[Row], notes: NoteBook
) -> tuple[Samples, Samples]:
    by_name = {node.wire.name: row for row, node in enumerate(nodes)}
    by_pod: dict[tuple[str, str], int | None] = {(pod.namespace, pod.name): None for pod in objects.of(Pod)}
    by_pod |= {(row.namespace, row.pod): i for i, row in enumerate(rows)}
    return (
        node_samples(objects.of(NodeMetrics), by_name, notes),
        pod_samples(objects.of(PodMetrics), by_pod, notes),
    )


def _now(objects: Collection, samples: tuple[Samples, Samples]) -> float:
    """Unix time that ages are counted from: the newest sample's, else the newest heartbeat or start of a pod, else 0."""
    measured = observed_at_seconds(samples)
    if not math.isnan(measured):
        return measured
    conditions = (each for node in objects.of(Node) for each in (node.status.conditions if node.status else None) or ())
    started = (seconds(pod.status.start_time) for pod in objects.of(Pod) if pod.status)
    found = newest([*(seconds(each.last_heartbeat_time) for each in conditions), *started])
    return 0.0 if math.isnan(found) else found


def _capacity(nodes: Sequence[NodeRow]) -> FloatArray:
    """Cores and bytes of each node, float64 (N, 2); NaN where it says neither its capacity nor what is allocatable."""
    found = [[_of(node, name) for name in (CPU, MEMORY)] for node in nodes]
    return frozen(np.array(found, dtype=np.float64).reshape(-1, 2), np.float64)


def _of(node: NodeRow, name: str) -> float:
    offers = (offer[name] for offer in (node.capacity, node.allocatable) if offer)
    return next((value for value in offers if not math.isnan(value)), math.nan)
