"""Objects of a Kubernetes dump as one `ClusterState`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ullage.model.arrays import FloatArray, frozen
from ullage.model.resources import CPU, MEMORY
from ullage.model.state import ClusterState
from ullage.sources.collection import Collection
from ullage.sources.documents import Item
from ullage.sources.metrics import SOURCE, Samples, measures, node_samples, observed_at_seconds, pod_samples
from ullage.sources.nodes import NodeRow
from ullage.sources.notes import NoteBook
from ullage.sources.objects import Node, NodeMetrics, Pod, PodMetrics
from ullage.sources.store.assembly import Assembly
from ullage.sources.wire_values import newest, seconds


def assemble(items: Iterable[Item]) -> ClusterState:
    """State of the cluster that `items` describe.

    What cannot be read or known is left out or NaN, and said in the state's notes; nothing here is fatal. The result does
    not depend on the order of objects, but for objects of one name whose versions cannot be compared.

    Parameters
    ----------
    items
        Raw objects of kinds that matter here or not.
    """
    assembly = Assembly()
    objects = Collection(assembly.notes)
    for item in items:
        objects.add(item)
    for kind in objects.kinds():
        for each in objects.of(kind):
            assembly.inventory.put(each)
    return _measured(assembly.state(0, 0.0), objects, assembly.nodes, assembly.notes)


def _measured(state: ClusterState, objects: Collection, nodes: Sequence[NodeRow], notes: NoteBook) -> ClusterState:
    samples = _samples(state, objects, notes)
    now = _now(objects, samples)
    capacity = _capacity(nodes)
    of_nodes, of_workloads = measures(samples, capacity, capacity[state.workloads.node], now, notes)
    has_measures = bool((of_nodes.source >= 0).any() or (of_workloads.source >= 0).any())
    return replace(
        state,
        observed_at_seconds=now,
        nodes=replace(state.nodes, measures=of_nodes),
        workloads=replace(state.workloads, measures=of_workloads),
        sources=(SOURCE,) if has_measures else (),
        notes=notes.finish(),
    )


def _samples(state: ClusterState, objects: Collection, notes: NoteBook) -> tuple[Samples, Samples]:
    by_name = {name: row for row, name in enumerate(state.nodes.name)}
    by_pod: dict[tuple[str, str], int | None] = {(pod.namespace, pod.name): None for pod in objects.of(Pod)}
    rows = zip(state.workloads.namespace, state.workloads.pod, strict=True)
    by_pod |= {key: row for row, key in enumerate(rows)}
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
