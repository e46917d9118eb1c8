"""What the rules of an audit look at, worked out once for the whole cluster."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ullage.config.schema import Configuration
from ullage.estimation.danger import (
    NodeExhaustion,
    Shares,
    Victims,
    dies_next,
    oom_order,
    present_use,
    shares,
    swap_left_of,
    swap_used_bytes,
    time_to_exhaustion_of,
    worst_case_of,
)
from ullage.estimation.forecast import Forecast, Prediction, forecast
from ullage.model.arrays import BoolArray, FloatArray, IntArray
from ullage.model.measures import NodeMeasure
from ullage.model.resources import MEMORY_INDEX
from ullage.model.state import ClusterState, WorkloadFlag, WorkloadKind


@dataclass(frozen=True, eq=False)
class Context:
    """A cluster as the rules see it; N nodes, W workloads; bytes; NaN where not known.

    Attributes
    ----------
    state, config, now_seconds
        What was given.
    forecast
        Expected use.
    machine
        bool (W,), virtual machines.
    use_bytes
        float64 (W,), resident memory; NaN where no fresh measure is there.
    shares
        Each workload's own share of RAM and swap.
    allocatable_bytes, capacity_bytes, swap_bytes, swap_used_bytes, swap_left_bytes
        float64 (N,), memory of the nodes.
    working_set_bytes, peak_bytes
        float64 (N,): fresh measure, and expected use.
    committed_bytes
        float64 (N,), use if every guest were full.
    machines
        int (N,), count of VMs.
    overcommit_ratio
        float64 (N,), guests and overhead of the node's VMs over their requests; NaN without VMs.
    exhaustion
        Time until memory is used up.
    dies_next, oom_next
        Rows of the first victims of each node.
    """

    state: ClusterState
    config: Configuration
    now_seconds: float
    forecast: Forecast
    machine: BoolArray
    use_bytes: FloatArray
    shares: Shares
    allocatable_bytes: FloatArray
    capacity_bytes: FloatArray
    swap_bytes: FloatArray
    swap_used_bytes: FloatArray
    swap_left_bytes: FloatArray
    working_set_bytes: FloatArray
    peak_bytes: FloatArray
    committed_bytes: FloatArray
    machines: IntArray
    overcommit_ratio: FloatArray
    exhaustion: NodeExhaustion
    dies_next: Victims
    oom_next: Victims

    @property
    def max_age_seconds(self) -> float:
        """Age above which a measure counts as not measured; it shrinks by the time since the state was observed."""
        return _max_age(self.state, self.config, self.now_seconds)

    @property
    def cluster_overcommit_ratio(self) -> float:
        """Configured guest memory over requested memory; NaN where KubeVirt's object is not in the input."""
        return self.state.kubevirt.memory_overcommit_ratio if self.state.kubevirt else np.nan

    @cached_property
    def virtual_bytes(self) -> FloatArray:
        """Allocatable memory plus swap, float64 (N,)."""
        return self.allocatable_bytes + self.swap_bytes

    @cached_property
    def worst_case_ratio(self) -> FloatArray:
        """Committed memory over RAM and swap, float64 (N,)."""
        return divided(self.committed_bytes, self.virtual_bytes)

    @cached_property
    def memory_ratio(self) -> FloatArray:
        """Expected peak over allocatable memory, float64 (N,)."""
        return divided(self.peak_bytes, self.allocatable_bytes)

    @cached_property
    def wanted_overcommit_ratio(self) -> FloatArray:
        """Overcommit that a node has to stand, float64 (N,): the configured one or that of its own VMs; NaN without VMs."""
        configured = np.where(self.machines > 0, self.cluster_overcommit_ratio, np.nan)
        result: FloatArray = np.fmax(configured, self.overcommit_ratio)
        return result

    @cached_property
    def pods_bytes(self) -> FloatArray:
        """Memory that the workloads of each node use together, float64 (N,); NaN where one that runs is not measured."""
        return self.on_nodes(np.where(self.state.workloads.has(WorkloadFlag.PENDING), 0.0, self.use_bytes))

    def measure(self, measure: NodeMeasure) -> FloatArray:
        """A measure of the nodes, float64 (N,), NaN where missing or too old."""
        return self.state.nodes.measures.fresh(measure, self.max_age_seconds)

    def on_nodes(self, values: FloatArray) -> FloatArray:
        """Sums over the workloads of each node, float64 (N,)."""
        return _sums(self.state, values)


def divided(above: FloatArray, below: FloatArray) -> FloatArray:
    """``above / below``, NaN where `below` is not above 0 or either is NaN."""
    shape = np.broadcast_shapes(above.shape, below.shape)
    result: FloatArray = np.divide(above, below, out=np.full(shape, np.nan), where=below > 0)
    return result


def context(state: ClusterState, config: Configuration, now_seconds: float) -> Context:
    """Work out what the rules look at."""
    max_age = _max_age(state, config, now_seconds)
    expected = forecast(state, Prediction(config.prediction.estimator, config.prediction.deviations, max_age))
    nodes, workloads = state.nodes, state.workloads
    machine = np.asarray(workloads.kind == WorkloadKind.VMI)
    own = shares(state)
    counted = machine & ~np.isnan(own.commit_bytes)
    commit = _sums(state, np.where(counted, own.commit_bytes, 0.0))
    request = _sums(state, np.where(counted, workloads.requests[:, MEMORY_INDEX], 0.0))
    return Context(
        state=state,
        config=config,
        now_seconds=now_seconds,
        forecast=expected,
        machine=machine,
        use_bytes=present_use(state, expected),
        shares=own,
        allocatable_bytes=nodes.allocatable[:, MEMORY_INDEX],
        capacity_bytes=nodes.capacity[:, MEMORY_INDEX],
        swap_bytes=nodes.swap_capacity_bytes,
        swap_used_bytes=swap_used_bytes(state, max_age),
        swap_left_bytes=swap_left_of(state, max_age),
        working_set_bytes=nodes.measures.fresh(NodeMeasure.MEMORY_MEAN_BYTES, max_age),
        peak_bytes=expected.node_use[:, 1],
        committed_bytes=worst_case_of(state, expected),
        machines=np.bincount(workloads.node[machine], minlength=len(nodes)),
        overcommit_ratio=divided(commit, request),
        exhaustion=time_to_exhaustion_of(state, max_age),
        dies_next=dies_next(state, expected),
        oom_next=oom_order(state, expected),
    )


def _sums(state: ClusterState, values: FloatArray) -> FloatArray:
    sums = np.bincount(state.workloads.node, weights=values, minlength=len(state.nodes))
    return sums.astype(np.float64)


def _max_age(state: ClusterState, config: Configuration, now_seconds: float) -> float:
    return config.telemetry.max_age_seconds - max(0.0, now_seconds - state.observed_at_seconds)
