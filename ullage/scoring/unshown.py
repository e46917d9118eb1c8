"""Workloads that run already and do not show in their node's measures yet.

A node's mean lags behind: a pod that started a moment ago is in it with a part of its use, or not at all. What is missing is
``max(0, expected - shown)``, as Koordinator's LoadAwareScheduling counts it. It follows from the state alone, so it survives a
restart of whoever asks.
"""

from __future__ import annotations

import numpy as np

from ullage.estimation.forecast import Forecast
from ullage.model.arrays import BoolArray, FloatArray
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.state import ClusterState, WorkloadFlag
from ullage.scoring.demand import request_factors

_DEVIATIONS = [WorkloadMeasure.CPU_DEVIATION_CORES, WorkloadMeasure.MEMORY_DEVIATION_BYTES]


def seen_at_seconds(state: ClusterState) -> FloatArray:
    """Unix time at which the node of each workload was measured, float64 (W,); NaN where it was not."""
    age = state.nodes.measures.age_seconds[:, NodeMeasure.MEMORY_MEAN_BYTES]
    result: FloatArray = (state.observed_at_seconds - age)[state.workloads.node]
    return result


def recent(state: ClusterState, expected: Forecast, window_seconds: float) -> BoolArray:
    """Workloads that started within the window before their node was measured, or later, or wait for their start: bool (W,).

    Targets of migrations in flight are left out: they are counted with their VM.
    """
    workloads = state.workloads
    started = workloads.started_at_seconds > seen_at_seconds(state) - window_seconds
    waiting = workloads.has(WorkloadFlag.PENDING) & ~expected.measured
    result: BoolArray = (started | waiting) & ~workloads.has(WorkloadFlag.MIGRATION_TARGET)
    return result


def sibling_use(state: ClusterState, expected: Forecast, settled: BoolArray) -> FloatArray:
    """Mean over the settled, measured workloads of each owner: float64 (O, 4), NaN without any.

    Predicted cores and bytes (`Forecast.use` as it lands), and the deviations of both, an unknown one counting as 0.
    """
    owner = state.workloads.owner
    known = (owner >= 0) & expected.measured & settled
    deviations = np.nan_to_num(state.workloads.measures.value[known][:, _DEVIATIONS])
    values = np.concatenate([expected.use.landing[known], deviations], axis=1)
    count = np.bincount(owner[known], minlength=len(state.owners)).astype(np.float64)
    count[count == 0] = np.nan
    sums = [np.bincount(owner[known], weights=values[:, i], minlength=len(count)) for i in range(4)]
    return np.stack(sums, axis=1).reshape(-1, 4) / count[:, None]


def expected_use(state: ClusterState, siblings: FloatArray, rows: BoolArray) -> FloatArray:
    """Use that some workloads are expected to come to, float64 (K, 2): as `ullage.scoring.demand.estimate`, row by row."""
    workloads = state.workloads
    asked = []
    for column, factor, default in request_factors():
        amount, limit = workloads.requests[rows, column], workloads.limits[rows, column]
        wanted = np.fmin(factor * np.fmax(amount, limit), limit)
        asked.append(np.where(wanted > 0, wanted, default))
    guest = workloads.guest_memory_bytes[rows] + np.nan_to_num(workloads.overhead_bytes[rows])
    asked[1] = np.fmax(asked[1], request_factors()[1][1] * guest)
    owner = workloads.owner[rows]
    known = siblings[owner, :2] if len(siblings) else np.full((len(owner), 2), np.nan)
    known = np.where((owner >= 0)[:, None], known, np.nan)
    return np.where(np.isnan(known), np.stack(asked, axis=1), known)


def unshown(state: ClusterState, expected: Forecast, siblings: FloatArray, rows: BoolArray) -> FloatArray:
    """Use that the measures of the nodes do not hold yet and `Forecast.node_use` does not either, float64 (N, 2)."""
    workloads = state.workloads
    late = workloads.started_at_seconds[rows] > seen_at_seconds(state)[rows]
    measured = expected.measured[rows]
    mean = np.where(measured[:, None] & ~late[:, None], expected.mean[rows], 0.0)
    counted = np.where((late & ~measured)[:, None], expected.use.landing[rows], mean)
    missing = np.maximum(expected_use(state, siblings, rows) - counted, 0.0)
    node, count = workloads.node[rows], len(state.nodes)
    return np.stack([np.bincount(node, weights=missing[:, r], minlength=count) for r in (0, 1)], axis=1)
