"""All rules in their order, on what was read of the rows of a state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ullage.model.arrays import FloatArray, Int8Array, Int32Array
from ullage.model.state import ClusterState, WorkloadColumns
from ullage.telemetry.joined import Joined, capacity_of
from ullage.telemetry.readings import NodeReading, Problem, Table, WorkloadReading
from ullage.telemetry.reasons import Evidence, sentence
from ullage.telemetry.rules import (
    EXAMPLES,
    Fault,
    Limits,
    accepted,
    cell_faults,
    either,
    node_faults,
    problems,
    workload_faults,
)
from ullage.telemetry.trust import Reason

CHUNK_ROWS: Final = 16_384
"""Rows that are judged at once, which bounds the memory of what lies between."""

NODE_USE: Final = (int(NodeReading.CPU_CORES), int(NodeReading.MEMORY_BYTES))
WORKLOAD_USE: Final = (int(WorkloadReading.CPU_CORES), int(WorkloadReading.MEMORY_BYTES))


@dataclass(frozen=True, eq=False)
class Judged:
    """What is believed of a reading.

    Attributes
    ----------
    table
        As it was read, one row per row of the state.
    believed
        float64 (R, M), NaN where a value is missing or not believed.
    faults
        int8 (R, M) of `Fault`.
    """

    table: Table
    believed: FloatArray
    faults: Int8Array

    def at_seconds(self, columns: Sequence[int]) -> FloatArray:
        """Times of the samples of some columns, float64 (R, C); NaN where none is believed."""
        chosen = list(columns)
        return np.where(np.isnan(self.believed[:, chosen]), np.nan, self.table.at_seconds[:, chosen])

    def with_frozen(self, repeats: Int32Array, most: int) -> Judged:
        """Without CPU and memory of nodes that have been the same for `most` readings; `repeats`, (R, 2), counts them."""
        faults = self.faults.copy()
        use = list(NODE_USE)
        is_frozen = (repeats >= most) & ~np.isnan(self.believed[:, use])
        faults[:, use] = np.where(is_frozen, int(Fault.FROZEN), faults[:, use])
        return replace(self, faults=faults, believed=np.where(faults > 0, np.nan, self.believed))


def judge_workloads(joined: Joined, state: ClusterState, asked_at_seconds: float, limits: Limits) -> Judged:
    """What is believed of workloads."""
    table, capacity = joined.table, capacity_of(state)
    faults, believed = np.empty_like(joined.faults), np.empty_like(table.value)
    for start in range(0, len(believed), CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        part = Table(table.keys[rows], table.value[rows], table.at_seconds[rows])
        alone = either(joined.faults[rows], cell_faults(part, WorkloadReading, asked_at_seconds, limits))
        faults[rows] = either(alone, workload_faults(part.value, capacity[state.workloads.node[rows]], limits))
        believed[rows] = accepted(part.value, faults[rows], WorkloadReading)
    return Judged(table, believed, faults)


def judge_nodes(joined: Joined, beside: Beside, asked_at_seconds: float, limits: Limits) -> Judged:
    """What is believed of nodes, but for frozen values."""
    faults = either(joined.faults, cell_faults(joined.table, NodeReading, asked_at_seconds, limits))
    value = accepted(joined.table.value, faults, NodeReading)
    faults = either(faults, node_faults(value, beside.capacity, beside.of_workloads, limits))
    return Judged(joined.table, accepted(value, faults, NodeReading), faults)


@dataclass(frozen=True, eq=False)
class Beside:
    """What nodes are compared with: cores and bytes, float64 (N, 2) each.

    Attributes
    ----------
    capacity
        NaN where the node does not say.
    of_workloads
        What the workloads of each node were seen to use.
    """

    capacity: FloatArray
    of_workloads: FloatArray

    @classmethod
    def of(cls, state: ClusterState, believed: FloatArray) -> Beside:
        """For the nodes of a state, with the believed use of its workloads."""
        use = np.nan_to_num(believed[:, list(WORKLOAD_USE)])
        node, count = state.workloads.node, len(state.nodes)
        sums = [np.bincount(node, weights=column, minlength=count) for column in use.T]
        return cls(capacity_of(state), np.stack(sums, axis=1))


def node_problems(judged: Judged) -> list[Problem]:
    """What of the nodes could not be used, and nodes of which CPU or memory was not read."""
    names = [str(key) for key in judged.table.keys]
    unread = np.isnan(judged.table.value[:, list(NODE_USE)]) & (judged.faults[:, list(NODE_USE)] == 0)
    missing = [names[row] for row in np.flatnonzero(unread.any(axis=1))]
    found = problems(names, judged.faults, NodeReading)
    if missing:
        text = f"CPU or memory of {len(missing):,} of {len(names):,} nodes was not read."
        found.append(Problem("missing", text, len(missing), tuple(missing[:EXAMPLES])))
    return found


def workload_problems(judged: Judged, workloads: WorkloadColumns) -> list[Problem]:
    """What of the workloads could not be used."""
    bad = np.flatnonzero(judged.faults.any(axis=1))
    return problems([workloads.key(row) for row in bad.tolist()], judged.faults[bad], WorkloadReading)


def unknown_problem(names: Sequence[str]) -> list[Problem]:
    """Names that the state does not have."""
    if not names:
        return []
    text = f"{len(names):,} objects that were measured are not known, or are gone."
    return [Problem("unknown-object", text, len(names), tuple(sorted(names)[:EXAMPLES]))]


def node_reasons(
    judged: Judged, beside: Beside, repeats: Int32Array, asked_at_seconds: float, limits: Limits
) -> dict[int, Reason]:
    """Why CPU or memory of nodes is not believed, by row."""
    found: dict[int, Reason] = {}
    for row in np.flatnonzero(judged.faults[:, list(NODE_USE)].any(axis=1)).tolist():
        which = 0 if judged.faults[row, NODE_USE[0]] else 1
        column = NODE_USE[which]
        fault = Fault(int(judged.faults[row, column]))
        evidence = Evidence(
            is_memory=bool(which),
            value=float(judged.table.value[row, column]),
            age_seconds=asked_at_seconds - float(judged.table.at_seconds[row, column]),
            capacity=float(beside.capacity[row, which]),
            of_workloads=float(beside.of_workloads[row, which]),
            readings=int(repeats[row, which]),
        )
        found[row] = (fault.code, sentence(fault, evidence, limits))
    return found
