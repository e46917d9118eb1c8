"""Moves, and what they make of a state: the one definition of "what if"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ullage.model.arrays import FloatArray, Int32Array, IntArray, frozen
from ullage.model.measures import Measures, NodeMeasure, WorkloadMeasure
from ullage.model.state import ClusterState


@dataclass(frozen=True)
class Move:
    """Workload row `workload` goes from node row `source` to node row `target`."""

    workload: int
    source: int
    target: int


@dataclass(frozen=True, eq=False)
class Use:
    """What each workload takes from a node, float64 (W, 2): CPU cores and memory bytes; no NaN.

    Attributes
    ----------
    leaving
        What its node is rid of when it goes: its resident use.
    landing
        What it brings wherever it lands. A live migration makes swapped pages resident again, so this is not less than
        `leaving`.
    """

    leaving: FloatArray
    landing: FloatArray


def measured_use(state: ClusterState) -> Use:
    """Use as it was measured; what was not measured counts as 0 (`ullage.estimation.use` does better)."""
    value = state.workloads.measures.value
    mean = value[:, [WorkloadMeasure.CPU_MEAN_CORES, WorkloadMeasure.MEMORY_MEAN_BYTES]]
    leaving = np.nan_to_num(mean)
    landing = leaving.copy()
    landing[:, 1] += np.nan_to_num(value[:, WorkloadMeasure.SWAP_USED_BYTES])
    return Use(leaving, landing)


def apply(state: ClusterState, moves: Sequence[Move], use: Use | None = None) -> ClusterState:
    """State after `moves`.

    Bindings, request sums and the measured use of both ends follow the workload; swap use stays behind as freed. Nothing
    else changes: ages, sources and the workloads' own measures are those of `state`.

    Parameters
    ----------
    state
        The state before; it is not touched.
    moves
        In order of execution; a workload may move more than once.
    use
        What each workload takes and brings; default `measured_use`.

    Raises
    ------
    ValueError
        A move starts where its workload is not.
    """
    use = use or measured_use(state)
    node = state.workloads.node.copy()
    requested = state.nodes.requested.copy()
    value = state.nodes.measures.value.copy()
    swap = np.nan_to_num(state.workloads.measures.column(WorkloadMeasure.SWAP_USED_BYTES))
    moved: set[int] = set()
    for move in moves:
        w = move.workload
        if node[w] != move.source:
            raise ValueError(f"workload {state.workloads.key(w)} is not on node {state.nodes.name[move.source]}")
        if move.source == move.target:
            continue
        node[w] = move.target
        requested[move.source] -= state.workloads.requests[w]
        requested[move.target] += state.workloads.requests[w]
        _shift(value[move.source], -(use.landing if w in moved else use.leaving)[w])
        _shift(value[move.target], use.landing[w])
        if w not in moved:
            value[move.source, NodeMeasure.SWAP_USED_BYTES] -= swap[w]
        moved.add(w)
    return replace(
        state,
        generation=state.generation + 1,
        nodes=replace(state.nodes, requested=frozen(requested, np.float64), measures=_with_value(state, value)),
        workloads=replace(state.workloads, node=frozen(node, np.int32)),
    )


def _shift(row: FloatArray, use: FloatArray) -> None:
    for columns, amount in (
        ((NodeMeasure.CPU_MEAN_CORES, NodeMeasure.CPU_PEAK_CORES), use[0]),
        ((NodeMeasure.MEMORY_MEAN_BYTES, NodeMeasure.MEMORY_PEAK_BYTES), use[1]),
    ):
        row[list(columns)] += amount
    row[NodeMeasure.MEMORY_AVAILABLE_BYTES] -= use[1]


def _with_value(state: ClusterState, value: FloatArray) -> Measures:
    return replace(state.nodes.measures, value=frozen(value, np.float64))


def requested_sums(nodes: int, node: IntArray | Int32Array, requests: FloatArray) -> FloatArray:
    """Sum of requests per node, float64 (N, R), from bindings int (W,) and requests (W, R)."""
    return np.stack(
        [np.bincount(node, weights=requests[:, r], minlength=nodes) for r in range(requests.shape[1])], axis=1
    )
