"""Readings by row of a state, and rows of a state by what sources call them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from itertools import repeat
from typing import NamedTuple

import numpy as np

from ullage.model.arrays import FloatArray, Int8Array, IntArray
from ullage.model.state import ClusterState, WorkloadColumns, WorkloadKind
from ullage.telemetry.duplicates import settle
from ullage.telemetry.readings import NodeKey, NodeReading, PodKey, Readings, Table, WorkloadReading
from ullage.telemetry.rules import Fault


def rows_of(keys: Sequence[object], rows: Mapping[object, int]) -> IntArray:
    """Row of each key, int64 (K,); -1 where there is none."""
    return np.fromiter(map(rows.get, keys, repeat(-1)), np.int64, len(keys))


def capacity_of(state: ClusterState) -> FloatArray:
    """Cores and bytes of each node, float64 (N, 2); NaN where it does not say."""
    capacity, allocatable = state.nodes.capacity[:, :2], state.nodes.allocatable[:, :2]
    found = np.where(capacity > 0, capacity, allocatable)
    return np.where(found > 0, found, np.nan)


class Joined(NamedTuple):
    """What was read, by row of a state.

    Attributes
    ----------
    table
        One row per node or workload.
    faults
        int8 (R, M) of `Fault`: where two rows of the reading did not agree.
    unknown
        Names that the state does not have.
    """

    table: Table
    faults: Int8Array
    unknown: list[str]


def join_nodes(readings: Readings, names: tuple[str, ...]) -> Joined:
    """What was read of every node."""
    return _join(names, NodeReading, [(readings.nodes, {name: row for row, name in enumerate(names)})])


class WorkloadRows:
    """Rows of workloads by namespace and name of their pod, and of their VMI; made anew when the workloads change."""

    def __init__(self) -> None:
        self._of: tuple[tuple[str, ...], ...] = ()
        self._pods: dict[object, int] = {}
        self._machines: dict[object, int] = {}

    def join(self, readings: Readings, workloads: WorkloadColumns) -> Joined:
        """What was read of every workload; of a VM, what its pod says before what the VMI says."""
        self._index(workloads)
        sources = [(readings.machines, self._machines), (readings.pods, self._pods)]
        return _join(workloads.uid, WorkloadReading, sources)

    def _index(self, workloads: WorkloadColumns) -> None:
        named = (workloads.namespace, workloads.name, workloads.pod)
        if len(self._of) == len(named) and all(a is b for a, b in zip(self._of, named, strict=True)):
            return
        self._of = named
        self._pods = dict(zip(zip(workloads.namespace, workloads.pod, strict=True), range(len(workloads)), strict=True))
        machines = np.flatnonzero(workloads.kind == WorkloadKind.VMI).tolist()
        self._machines = {(workloads.namespace[row], workloads.name[row]): row for row in machines}


def _join(keys: tuple[str, ...], axis: type[IntEnum], sources: Sequence[tuple[Table, Mapping[object, int]]]) -> Joined:
    shape = (len(keys), len(axis))
    value, at = np.full(shape, np.nan), np.full(shape, np.nan)
    faults: Int8Array = np.zeros(shape, np.int8)
    unknown: list[str] = []
    for table, known in sources:
        rows = rows_of(table.keys, known)
        unknown += [_shown(table.keys[row]) for row in np.flatnonzero(rows < 0)]
        has_any = ~(np.isnan(table.value) & np.isnan(table.at_seconds)) & (rows >= 0)[:, None]
        for column in np.flatnonzero(has_any.any(axis=0)):
            is_read = has_any[:, column]
            cells = rows[is_read], table.value[is_read, column], table.at_seconds[is_read, column]
            row, read, when, refused = _once(*cells)
            value[row, column], at[row, column], faults[row, column] = read, when, 0
            value[refused, column], at[refused, column], faults[refused, column] = np.nan, np.nan, Fault.DUPLICATE
    return Joined(Table(keys, value, at), faults, unknown)


def _once(
    rows: IntArray, value: FloatArray, at_seconds: FloatArray
) -> tuple[IntArray, FloatArray, FloatArray, IntArray]:
    """Each row once, as `settle` decides; and the rows whose values do not agree."""
    if np.bincount(rows).max() == 1:
        return rows, value, at_seconds, rows[:0]
    good = np.isfinite(value) & np.isfinite(at_seconds)
    return settle(rows[good], value[good], at_seconds[good])


def _shown(key: NodeKey | PodKey) -> str:
    return key if isinstance(key, str) else "/".join(key)
