"""Expected use of every node and workload: measured where it was measured, estimated where it was not, unknown else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ullage.estimation.peak import estimator
from ullage.estimation.swap import plausible
from ullage.model.arrays import BoolArray, FloatArray
from ullage.model.changes import Use
from ullage.model.measures import Measures, NodeMeasure, WorkloadMeasure
from ullage.model.resources import CPU_INDEX, MEMORY_INDEX
from ullage.model.state import ClusterState, NodeFlag, WorkloadFlag

_NODE = (
    (NodeMeasure.CPU_MEAN_CORES, NodeMeasure.CPU_DEVIATION_CORES, NodeMeasure.CPU_PEAK_CORES),
    (NodeMeasure.MEMORY_MEAN_BYTES, NodeMeasure.MEMORY_DEVIATION_BYTES, NodeMeasure.MEMORY_PEAK_BYTES),
)
_WORKLOAD = (
    (WorkloadMeasure.CPU_MEAN_CORES, WorkloadMeasure.CPU_DEVIATION_CORES, WorkloadMeasure.CPU_PEAK_CORES),
    (WorkloadMeasure.MEMORY_MEAN_BYTES, WorkloadMeasure.MEMORY_DEVIATION_BYTES, WorkloadMeasure.MEMORY_PEAK_BYTES),
)

_NOTHING_REQUESTED = np.array([0.25, 200 * 2.0**20])
"""What a workload counts with that requests nothing: cores and bytes."""


@dataclass(frozen=True)
class Prediction:
    """How to predict: the estimator's name, its number of deviations, and the age above which a measure is not used."""

    estimator: str = "peak-margin"
    deviations: float = 1.5
    max_age_seconds: float = 300.0


@dataclass(frozen=True, eq=False)
class Forecast:
    """Expected use.

    Attributes
    ----------
    node_use
        float64 (N, 2), CPU cores and memory bytes; NaN where the node cannot be judged.
    use
        What each workload takes from its node and brings to another, float64 (W, 2) each, no NaN.
    mean
        float64 (W, 2), measured mean use of each workload; NaN where it was not measured or is too old.
    measured
        bool (W,): CPU and memory of the workload were measured and are fresh. What is estimated is never counted as
        relief: such a workload leaves with 0 and lands with its estimate.
    """

    node_use: FloatArray
    use: Use
    mean: FloatArray
    measured: BoolArray


def forecast(state: ClusterState, prediction: Prediction) -> Forecast:
    """Expected use of `state`.

    A node that is not ready, or lacks a fresh measure of CPU or memory, is NaN. Workloads that started after their node was
    measured are added to the node, and so is the far end of a migration in flight.
    """
    nodes = _predict(state.nodes.measures, _NODE, prediction)
    nodes[~state.nodes.has(NodeFlag.READY)] = np.nan
    nodes[np.isnan(nodes).any(axis=1)] = np.nan
    mean = np.stack([state.workloads.measures.fresh(m[0], prediction.max_age_seconds) for m in _WORKLOAD], axis=1)
    measured = np.logical_not(np.isnan(mean).any(axis=1))
    peak = _predict(state.workloads.measures, _WORKLOAD, prediction)
    landing = np.where(measured[:, None], peak, estimates(state, mean))
    landing[:, 1] += swapped_bytes(state)
    # Nobody takes more along than its own peak: the rest of a node's margin is not its doing.
    leaving = np.where(measured[:, None], np.minimum(mean + _margin_share(state, nodes, prediction), peak), 0.0)
    return Forecast(nodes + _unseen(state, landing, measured), Use(leaving, landing), mean, measured)


def _margin_share(state: ClusterState, node_use: FloatArray, prediction: Prediction) -> FloatArray:
    """What of its node's margin (predicted peak less mean) goes away with each workload, float64 (W, 2), no NaN.

    The deviation of a sum of independent loads is the root of the summed variances, so that taking one of variance v away from
    a node of variance s lowers the deviation by at least ``deviation * v / (2 s)``. Loads that rise together give more; half
    of the proportional share is therefore on the safe side. A workload without a measured deviation takes nothing along.
    """
    share = np.zeros((len(state.workloads), 2))
    for r, (of_node, of_workload) in enumerate(zip(_NODE, _WORKLOAD, strict=True)):
        mean, deviation = (state.nodes.measures.fresh(m, prediction.max_age_seconds) for m in of_node[:2])
        own = np.nan_to_num(state.workloads.measures.fresh(of_workload[1], prediction.max_age_seconds)) ** 2
        total = np.bincount(state.workloads.node, weights=own, minlength=len(mean))
        variance = np.maximum(np.nan_to_num(deviation) ** 2, total)
        margin = np.nan_to_num(np.maximum(node_use[:, r] - mean, 0.0))
        per_variance = np.divide(margin, 2 * variance, out=np.zeros_like(margin), where=variance > 0)
        share[:, r] = own * per_variance[state.workloads.node]
    return share


def _predict(
    measures: Measures, axis: tuple[tuple[NodeMeasure | WorkloadMeasure, ...], ...], prediction: Prediction
) -> FloatArray:
    predict = estimator(prediction.estimator)
    columns = []
    for names in axis:
        mean, deviation, peak = (measures.fresh(m, prediction.max_age_seconds) for m in names)
        columns.append(predict(mean, deviation, peak, prediction.deviations))
    return np.stack(columns, axis=1)


def swapped_bytes(state: ClusterState) -> FloatArray:
    """What each workload has in its node's swap, as far as it is known: float64 (W,) bytes, >= 0.

    Nothing is added where it was not measured, or where the counter is not `ullage.estimation.swap.plausible`.
    """
    return np.nan_to_num(plausible(state.workloads.measures.column(WorkloadMeasure.SWAP_USED_BYTES)))


def estimates(state: ClusterState, mean: FloatArray) -> FloatArray:
    """Estimated use of workloads that were not measured, on the safe side.

    The mean of the owner's measured siblings, else the requests; memory of a VM is what its guest may fill (guest and
    overhead), because a guest that was never measured may be full. A pod that requests nothing counts with 250m and 200 MiB, as
    Koordinator's estimator does (``loadaware/estimator/default_estimator.go``).

    Parameters
    ----------
    state
        The cluster.
    mean
        float64 (W, 2), measured mean use; NaN where not measured.

    Returns
    -------
    float64 (W, 2)
        No NaN, >= 0.
    """
    requested = state.workloads.requests[:, [CPU_INDEX, MEMORY_INDEX]]
    guest = state.workloads.guest_memory_bytes + np.nan_to_num(state.workloads.overhead_bytes)
    fallback = np.nan_to_num(np.stack([requested[:, 0], np.fmax(requested[:, 1], guest)], axis=1))
    siblings = _owner_means(state, mean)
    return np.where(np.isnan(siblings), np.where(fallback > 0, fallback, _NOTHING_REQUESTED), siblings)


def _owner_means(state: ClusterState, mean: FloatArray) -> FloatArray:
    owner = state.workloads.owner
    known = (owner >= 0) & ~np.isnan(mean).any(axis=1)
    size = len(state.owners) + 1
    count = np.bincount(owner[known], minlength=size).astype(np.float64)
    count[count == 0] = np.nan
    total = np.stack([np.bincount(owner[known], weights=mean[known, r], minlength=size) for r in (0, 1)], axis=1)
    result: FloatArray = (total / count[:, None])[owner]
    return result


def _unseen(state: ClusterState, landing: FloatArray, measured: BoolArray) -> FloatArray:
    """Use that the nodes' measures cannot show yet: float64 (N, 2)."""
    workloads = state.workloads
    age = state.nodes.measures.age_seconds[:, NodeMeasure.MEMORY_MEAN_BYTES]
    seen_at = (state.observed_at_seconds - age)[workloads.node]
    # The far end of a migration counts once, with its VM.
    late = ~measured & (workloads.started_at_seconds > seen_at) & ~workloads.has(WorkloadFlag.MIGRATION_TARGET)
    arriving = workloads.migration_target >= 0
    total = np.zeros((len(state.nodes), 2))
    for r in (0, 1):
        total[:, r] += np.bincount(workloads.node[late], weights=landing[late, r], minlength=len(total))
        total[:, r] += np.bincount(
            workloads.migration_target[arriving], weights=landing[arriving, r], minlength=len(total)
        )
    return total
