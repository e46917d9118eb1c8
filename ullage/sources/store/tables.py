"""Workload rows with the tables that they point into, and the same after some rows were replaced."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Final

import numpy as np

from ullage.model.arrays import BoolArray, FloatArray, Int32Array, IntArray
from ullage.model.measures import Measures, WorkloadMeasure
from ullage.model.placement import Placement
from ullage.model.state import Owner, WorkloadColumns, WorkloadKind
from ullage.sources.rows import Row, axis_of, matrix, owners_of, placements_of, workload_columns
from ullage.sources.store.label_tables import spliced_labels
from ullage.sources.store.splice import Splice, admit, place, sealed

_SEQUENCES: Final = ("namespace", "name", "uid", "pod", "blocked_reason")
_ARRAYS: Final = (
    "kind",
    "requests",
    "limits",
    "guest_memory_bytes",
    "overhead_bytes",
    "swap_request_bytes",
    "qos",
    "priority",
    "flags",
    "eviction_strategy",
    "started_at_seconds",
    "last_moved_at_seconds",
)


@dataclass(frozen=True, eq=False)
class Tables:
    """Workload rows and what they point into.

    Attributes
    ----------
    resources
        The resource axis of `workloads` and `named`; R names.
    workloads
        W rows, without measures.
    named
        bool (W, R): the row requests the resource by name, be it an amount of zero.
    owners, placements
        As in `ClusterState`.
    """

    resources: tuple[str, ...]
    workloads: WorkloadColumns
    named: BoolArray
    owners: tuple[Owner, ...]
    placements: tuple[Placement, ...]

    @classmethod
    def of(cls, rows: Sequence[Row], resources: tuple[str, ...]) -> Tables:
        """Tables of `rows`, which stand in order of `Row.sort_key`, over an axis that holds all that they request."""
        owners, placements = owners_of(rows), placements_of(rows)
        nothing = unmeasured(len(rows), WorkloadMeasure)
        named = ~np.isnan(matrix([row.requests for row in rows], resources, math.nan))
        columns = workload_columns(rows, resources, (owners, placements), nothing)
        return cls(resources, columns, sealed(named), owners, placements)

    def find(self, namespace: str, name: str, kind: int) -> tuple[int, bool]:
        """Row of a workload, or the row that it would come before, and whether it is there."""
        rows = self.workloads
        if not rows.name:
            return 0, False
        first, last = span(rows.namespace, namespace)
        row = bisect_left(rows.name, name, first, last)
        end = bisect_right(rows.name, name, row, last)
        if kind == WorkloadKind.VMI and row < end and rows.kind[row] == WorkloadKind.POD:
            row += 1
        return row, row < end and bool(rows.kind[row] == kind)

    def places(self, keys: Sequence[tuple[str, str, int]]) -> list[tuple[int, bool]]:
        """As `find`, for each of some ascending keys."""
        rows, last = self.workloads, len(self.workloads) - 1
        if keys and (last < 0 or (rows.namespace[last], rows.name[last]) < keys[0][:2]):
            return [(last + 1, False)] * len(keys)
        return [self.find(*key) for key in keys]

    def names_used(self) -> Iterable[str]:
        """Resources that some row requests by name."""
        is_used = np.logical_or.reduce(self.named, axis=0)
        return (self.resources[column] for column in np.flatnonzero(is_used).tolist())

    def over(self, resources: tuple[str, ...]) -> Tables:
        """The same rows over another axis."""
        if resources == self.resources:
            return self
        requests = _realigned(self.workloads.requests, self.resources, resources, 0.0)
        limits = _realigned(self.workloads.limits, self.resources, resources, math.nan)
        named = _realigned(self.named.astype(np.float64), self.resources, resources, 0.0) > 0
        workloads = replace(self.workloads, requests=requests, limits=limits)
        return replace(self, resources=resources, workloads=workloads, named=sealed(named))


def span(values: Sequence[str], value: str) -> tuple[int, int]:
    """Rows ``first:last`` of a sorted column that hold `value`."""
    first = bisect_left(values, value)
    return first, bisect_right(values, value, first)


def overlaid(
    old: Tables, rows: Sequence[Row], offered: Collection[str], splice: Splice, nodes: Int32Array | None
) -> Tables:
    """Tables after a change of some rows.

    Parameters
    ----------
    old
        The tables before.
    rows
        Fresh rows, in order of `Row.sort_key`; their nodes are rows of the new node table.
    offered
        Resources that nodes offer; with what rows request they make up the axis.
    splice
        How the workload rows change.
    nodes
        Where the nodes of old rows stand now (`NodeTable.numbers`), ``None`` where they were. Rows on nodes that are gone
        must be among those dropped.
    """
    wanted = axis_of([*offered, *(name for row in rows for name in row.requests), *old.resources])
    found = _joined(old.over(wanted), Tables.of(rows, wanted), splice, nodes)
    return found.over(axis_of([*offered, *found.names_used()]))


def _joined(old: Tables, fresh: Tables, splice: Splice, nodes: Int32Array | None) -> Tables:
    if not splice.size:
        return fresh
    before = old.workloads if nodes is None else _renumbered(old.workloads, nodes)
    if splice.is_nothing:
        return replace(old, workloads=before)
    owners, owner = _owners(old, fresh, splice)
    placements, placement = _placements(old, fresh, splice)
    return Tables(
        resources=old.resources,
        workloads=_columns(before, fresh.workloads, splice, (owner, placement)),
        named=splice.array(old.named, fresh.named),
        owners=owners,
        placements=placements,
    )


def _columns(
    old: WorkloadColumns, fresh: WorkloadColumns, splice: Splice, tables: tuple[Int32Array, Int32Array]
) -> WorkloadColumns:
    # The names of columns are checked by the dataclass itself: one that is missing here does not construct.
    found: dict[str, Any] = {name: splice.array(getattr(old, name), getattr(fresh, name)) for name in _ARRAYS}
    found |= {name: splice.sequence(getattr(old, name), getattr(fresh, name)) for name in _SEQUENCES}
    return WorkloadColumns(
        **found,
        node=splice.array(old.node, fresh.node),
        migration_target=splice.array(old.migration_target, fresh.migration_target),
        owner=tables[0],
        placement=tables[1],
        labels=spliced_labels(old.labels, fresh.labels, splice),
        measures=unmeasured(splice.new_size, WorkloadMeasure),
    )


def unmeasured(rows: int, measures: type[IntEnum]) -> Measures:
    """As `Measures.none`, in no memory: a state of the store's lives only until it is given its measures."""
    shape = (rows, len(measures))
    nan = np.broadcast_to(np.float64(math.nan), shape)
    return Measures(value=nan, age_seconds=nan, source=np.broadcast_to(np.int8(-1), shape))


def _renumbered(workloads: WorkloadColumns, nodes: Int32Array) -> WorkloadColumns:
    return replace(
        workloads, node=sealed(nodes[workloads.node]), migration_target=sealed(nodes[workloads.migration_target])
    )


def _owners(old: Tables, fresh: Tables, splice: Splice) -> tuple[tuple[Owner, ...], Int32Array]:
    kept = old.workloads.owner[splice.kept]
    used = np.bincount(kept + 1, minlength=len(old.owners) + 1)[1:] > 0
    admission = admit(used, [place(old.owners, owner) for owner in fresh.owners])
    table = admission.splice
    owners = table.sequence(old.owners, [fresh.owners[i] for i in admission.fresh])
    column = old.workloads.owner if table.is_nothing else _mapped(table.moved, old.workloads.owner)
    return owners, splice.array(column, _mapped(admission.rows, fresh.workloads.owner))


def _mapped(rows: IntArray, column: Int32Array) -> Int32Array:
    """Column with each index replaced by `rows` of it; -1 stays."""
    return np.append(rows, -1).astype(np.int32)[column]


def _placements(old: Tables, fresh: Tables, splice: Splice) -> tuple[tuple[Placement, ...], Int32Array]:
    # Equal placements are one object (see `ullage.sources.constraints.Placements`), so that none is compared here.
    known = {id(each): row for row, each in enumerate(old.placements)}
    rows = [known.setdefault(id(each), len(known)) for each in fresh.placements]
    table = (
        *old.placements,
        *(each for each, row in zip(fresh.placements, rows, strict=True) if row >= len(old.placements)),
    )
    column = splice.array(old.workloads.placement, np.array(rows, dtype=np.int32)[fresh.workloads.placement])
    order = _in_order(column, len(table))
    if np.array_equal(order, np.arange(len(old.placements))):
        return old.placements, column
    rank = np.zeros(len(table), dtype=np.int32)
    rank[order] = np.arange(len(order))
    return tuple(table[row] for row in order.tolist()), sealed(rank[column])


def _in_order(column: Int32Array, size: int) -> IntArray:
    """Values 0..`size` that a column holds, in the order in which it first does."""
    first = np.full(size, len(column))
    first[column[::-1]] = np.arange(len(column) - 1, -1, -1)
    order = np.argsort(first, kind="stable")
    return order[: int(np.count_nonzero(first < len(column)))]


def _realigned(values: FloatArray, old: Sequence[str], new: Sequence[str], missing: float) -> FloatArray:
    result = np.full((len(values), len(new)), missing)
    for column, name in enumerate(new):
        if name in old:
            result[:, column] = values[:, old.index(name)]
    return sealed(result)
