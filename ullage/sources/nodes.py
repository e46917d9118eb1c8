"""Nodes of the wire as columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from ullage.model.arrays import FloatArray, Int32Array, frozen
from ullage.model.labels import Labels
from ullage.model.measures import Measures, NodeMeasure
from ullage.model.placement import Taint
from ullage.model.resources import CPU, MEMORY, PODS
from ullage.model.state import NodeColumns, NodeFlag, WorkloadColumns
from ullage.sources.notes import NoteBook
from ullage.sources.objects import Node, NodeSpec, NodeStatus
from ullage.sources.rows import matrix
from ullage.sources.wire_values import amount, status_of

_CONDITIONS: Final = {
    "Ready": NodeFlag.READY,
    "MemoryPressure": NodeFlag.MEMORY_PRESSURE,
    "DiskPressure": NodeFlag.DISK_PRESSURE,
    "PIDPressure": NodeFlag.PID_PRESSURE,
    "NetworkUnavailable": NodeFlag.NETWORK_UNAVAILABLE,
}
CONDITIONS: Final = frozenset(_CONDITIONS)
"""Conditions that are flags here."""

_CONTROL_PLANE: Final = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_OFFERED_BY_ALL: Final = (CPU, MEMORY, PODS)


class NodeRow(msgspec.Struct, frozen=True, gc=False):
    """A node with its amounts read.

    Attributes
    ----------
    wire
        The node.
    allocatable, capacity
        By resource name; NaN for an amount that cannot be read and for CPU, memory and pods that are not named; ``None``
        where the node says nothing at all.
    """

    wire: Node
    allocatable: dict[str, float] | None
    capacity: dict[str, float] | None


def node_rows(nodes: Sequence[Node], notes: NoteBook) -> list[NodeRow]:
    """Nodes with their amounts; those without allocatable, and amounts that cannot be read, are noted."""
    rows = []
    for node in nodes:
        status = node.status or NodeStatus()
        row = NodeRow(node, _offer(node, status.allocatable, notes), _offer(node, status.capacity, notes))
        if row.allocatable is None or math.isnan(sum(row.allocatable[name] for name in _OFFERED_BY_ALL)):
            notes.add("node-without-allocatable", node.name)
        rows.append(row)
    return rows


def _offer(node: Node, wire: dict[str, str | int | float] | None, notes: NoteBook) -> dict[str, float] | None:
    if not wire:
        return None
    offer = dict.fromkeys(_OFFERED_BY_ALL, math.nan)
    for name, quantity in wire.items():
        offer[name] = amount(quantity)
        if math.isnan(offer[name]):
            notes.add("malformed-object", f"Node {node.name}", f"{name} cannot be {quantity!r}")
    return offer


def requested_by_node(workloads: WorkloadColumns, nodes: int) -> FloatArray:
    """Sum of the requests of the workloads bound to each node, float64 (nodes, R)."""
    sums = [np.bincount(workloads.node, column, minlength=nodes) for column in workloads.requests.T]
    return frozen(np.stack(sums, axis=1), np.float64)


def node_columns(rows: Sequence[NodeRow], resources: Sequence[str]) -> NodeColumns:
    """Columns of `rows`, which stand in order of name; without measures, and with nothing requested.

    Parameters
    ----------
    rows
        N nodes.
    resources
        The resource axis.
    """
    return NodeColumns(
        name=tuple(row.wire.name for row in rows),
        uid=tuple(row.wire.uid for row in rows),
        allocatable=_offers([row.allocatable for row in rows], resources),
        capacity=_offers([row.capacity for row in rows], resources),
        requested=frozen(np.zeros((len(rows), len(resources))), np.float64),
        swap_capacity_bytes=frozen([_swap(row.wire) for row in rows], np.float64),
        flags=_flags(rows),
        taints=tuple(_taints(row.wire) for row in rows),
        labels=Labels.of([row.wire.labels for row in rows]),
        kubelet_version=tuple(_kubelet(row.wire) for row in rows),
        measures=Measures.none(len(rows), NodeMeasure),
    )


def _offers(offers: Sequence[dict[str, float] | None], resources: Sequence[str]) -> FloatArray:
    found = np.array(matrix([offer or {} for offer in offers], resources, 0.0))
    found[[offer is None for offer in offers]] = math.nan
    return frozen(found, np.float64)


def _swap(node: Node) -> float:
    info = node.status.node_info if node.status else None
    return amount(info.swap.capacity) if info and info.swap else math.nan


def _kubelet(node: Node) -> str:
    info = node.status.node_info if node.status else None
    return (info.kubelet_version if info else None) or ""


def _taints(node: Node) -> tuple[Taint, ...]:
    taints = (node.spec.taints if node.spec else None) or ()
    return tuple(Taint(each.key, each.value or "", each.effect or "NoSchedule") for each in taints)


def _flags(rows: Sequence[NodeRow]) -> Int32Array:
    return frozen([_flags_of(row.wire) for row in rows], np.int32)


def _flags_of(node: Node) -> int:
    conditions = (node.status.conditions if node.status else None) or ()
    flags = NodeFlag(0)
    for kind, flag in _CONDITIONS.items():
        if status_of(conditions, kind) == "True":
            flags |= flag
    if (node.spec or NodeSpec()).unschedulable:
        flags |= NodeFlag.UNSCHEDULABLE
    if any(label in node.labels for label in _CONTROL_PLANE):
        flags |= NodeFlag.CONTROL_PLANE
    if node.labels.get("kubevirt.io/schedulable") == "true":
        flags |= NodeFlag.VM_SCHEDULABLE
    return int(flags)
