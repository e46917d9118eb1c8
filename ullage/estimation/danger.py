"""Who dies next on every node of a cluster, how long its memory lasts, and what it would need in the worst case.

The rules themselves stand in `ullage.estimation.oom`, `ullage.estimation.swap` and `ullage.estimation.exhaustion`; here they
are put to the rows of a `ClusterState`. Wherever `node` is an argument, it takes the place of the state's own bindings, int
(W,), so that the same question can be asked of the state after a plan.

What was not measured is not zero: a workload of unknown use stands behind all others in the kubelet's order and is never named
as a victim; a node whose swap is not reported has no virtual memory to speak of.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from ullage.estimation.exhaustion import NORMAL_95, Exhaustion, ram_and_swap, seconds_left
from ullage.estimation.forecast import Forecast, swapped_bytes
from ullage.estimation.oom import badness, eviction_order, is_critical, kill_order, oom_score_adj
from ullage.estimation.swap import is_covered, plausible, swap_left_bytes, swap_limit_bytes
from ullage.model.arrays import BoolArray, FloatArray, Int32Array, IntArray
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.resources import HUGEPAGES_PREFIX, MEMORY_INDEX
from ullage.model.state import ClusterState, NodeFlag, WorkloadFlag, WorkloadKind

Bindings: TypeAlias = Int32Array | IntArray
Victims: TypeAlias = tuple[tuple[int, ...], ...]

NODE_CRITICAL_PRIORITY: Final = 2_000_001_000
"""Priority of the class ``system-node-critical``, by which its pods are told: a row does not hold the class's name."""

HORIZON_SECONDS: Final = 86_400.0
"""A growth is carried on for a day at most: the measures do not say over which window it was seen."""


class NodeExhaustion(msgspec.Struct, frozen=True):
    """Time until RAM, and RAM and swap together, are used up on each node."""

    ram: Exhaustion
    ram_and_swap: Exhaustion


class Shares(msgspec.Struct, frozen=True):
    """What each workload may call its own of its node's RAM and swap.

    Attributes
    ----------
    swap_limit_bytes
        float64 (W,): swap that LimitedSwap grants; 0 for a workload that gets none, NaN where the node's swap is not reported.
    share_bytes
        float64 (W,): memory request plus swap limit; NaN where the limit is.
    commit_bytes
        float64 (W,): guest plus overhead of a VM, less the hugepages that hold its guest; NaN for pods.
    covered
        bool (W,): `share_bytes` holds `commit_bytes`; False where either is NaN.
    """

    swap_limit_bytes: FloatArray
    share_bytes: FloatArray
    commit_bytes: FloatArray
    covered: BoolArray


def present_use(state: ClusterState, expected: Forecast, node: Bindings | None = None) -> FloatArray:
    """Memory that each workload has resident, float64 (W,) bytes; NaN where no fresh measure is there.

    A workload that `node` puts elsewhere brings its swapped pages back into RAM: a live migration copies them as resident.
    """
    use = np.where(expected.measured, expected.mean[:, 1], np.nan)
    if node is None:
        return use
    moved = np.asarray(node) != state.workloads.node
    return use + np.where(moved, swapped_bytes(state), 0.0)


def exempt(state: ClusterState) -> BoolArray:
    """Workloads that the kubelet never evicts, bool (W,): critical, static and mirror pods."""
    return is_critical(state.workloads.priority, state.workloads.has(WorkloadFlag.MIRROR))


def eviction_ranks(state: ClusterState, use_bytes: FloatArray, node: Bindings | None = None) -> IntArray:
    """Place of each workload in its node's order of eviction.

    Source: ``pkg/kubelet/eviction/helpers.go`` (see `ullage.estimation.oom.eviction_order`): above its request, lower priority,
    larger excess; then namespace and name, where the kubelet leaves it to chance. Migration targets count like any other.

    Parameters
    ----------
    state
        The cluster.
    use_bytes
        float64 (W,), resident memory; NaN (not known) goes behind all that is known.
    node
        Bindings instead of the state's.

    Returns
    -------
    IntArray
        int64 (W,): 0 is the first victim of its node; -1 for workloads that the kubelet never evicts.
    """
    bindings = _bindings(state, node)
    order = _eviction_order(state, use_bytes, bindings)
    grouped = bindings[order]
    ranks = np.full(len(bindings), -1, dtype=np.int64)
    ranks[order] = np.arange(len(order)) - np.searchsorted(grouped, grouped)
    return ranks


def dies_next(state: ClusterState, expected: Forecast, count: int = 3, node: Bindings | None = None) -> Victims:
    """The first `count` workloads that the kubelet would evict if memory ran out now, as rows, for each of N nodes.

    Workloads of unknown use are left out, so that a node without measures has an empty tuple.
    """
    bindings, use = _bindings(state, node), present_use(state, expected, node)
    order = _eviction_order(state, use, bindings)
    return _heads(order[~np.isnan(use[order])], bindings, len(state.nodes), count)


def oom_order(state: ClusterState, expected: Forecast, count: int = 3, node: Bindings | None = None) -> Victims:
    """The first `count` workloads that the kernel would kill if memory ran out now, as rows, for each of N nodes.

    By `ullage.estimation.oom.badness` of the workload as if it were one process, which QEMU nearly is: anonymous memory (the
    working set where that is not measured) plus swap over RAM and swap, in thousandths, plus ``oom_score_adj`` of the whole
    request. Workloads of unknown use are left out. One whose swap was not measured is ranked by what it has resident, and swap
    capacity that is not reported adds nothing to the scale, which is the same for all of a node. Critical pods are in the list
    like any other: the kernel knows no exemption but -1000.
    """
    bindings, workloads = _bindings(state, node), state.workloads
    anonymous = workloads.measures.column(WorkloadMeasure.MEMORY_ANONYMOUS_BYTES)
    use = np.where(expected.measured, expected.use.leaving[:, 1], np.nan)
    resident = np.where(np.isnan(anonymous) | np.isnan(use), use, anonymous)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = badness(resident, swapped_bytes(state), 0.0, _scale(state)[bindings], _adj(state, bindings))
    rows = np.flatnonzero(~np.isnan(score))
    order = rows[kill_order(score[rows], rows, node=bindings[rows])]
    return _heads(order, bindings, len(state.nodes), count)


def _adj(state: ClusterState, node: IntArray) -> FloatArray:
    workloads = state.workloads
    capacity = state.nodes.capacity[:, MEMORY_INDEX][node]
    return oom_score_adj(
        workloads.qos,
        np.floor(workloads.requests[:, MEMORY_INDEX]),
        capacity,
        node_critical=workloads.priority >= NODE_CRITICAL_PRIORITY,
    )


def _scale(state: ClusterState) -> FloatArray:
    nodes = state.nodes
    return nodes.capacity[:, MEMORY_INDEX] + np.nan_to_num(nodes.swap_capacity_bytes)


def time_to_exhaustion_of(
    state: ClusterState, max_age_seconds: float = np.inf, horizon_seconds: float = HORIZON_SECONDS
) -> NodeExhaustion:
    """Time until RAM (allocatable memory), and RAM and swap together, are used up at the measured growth.

    The slope's interval is ``slope -+ 1.96 x deviation``. NaN, rather than a wild guess, where growth or its deviation is not
    measured or is older than `max_age_seconds`, where the interval includes 0, on nodes that are not ready, and beyond the
    horizon. RAM and swap together are NaN also where the node's swap is not reported, or what is used of it not measured.
    """
    nodes, fresh = state.nodes, _Fresh(state, max_age_seconds)
    level = np.where(nodes.has(NodeFlag.READY), fresh(NodeMeasure.MEMORY_MEAN_BYTES), np.nan)
    slope = fresh(NodeMeasure.MEMORY_GROWTH_BYTES_PER_SECOND)
    margin = NORMAL_95 * fresh(NodeMeasure.MEMORY_GROWTH_DEVIATION_BYTES_PER_SECOND)
    ram, swap = nodes.allocatable[:, MEMORY_INDEX], nodes.swap_capacity_bytes
    both = ram_and_swap(level, swap_used_bytes(state, max_age_seconds))

    def left(used: FloatArray, capacity: FloatArray) -> Exhaustion:
        return seconds_left(used, capacity, slope, slope - margin, slope + margin, horizon_seconds)

    return NodeExhaustion(ram=left(level, ram), ram_and_swap=left(both, ram + swap))


def swap_used_bytes(state: ClusterState, max_age_seconds: float = np.inf) -> FloatArray:
    """Swap in use on each node, float64 (N,): 0 on a node that has none; NaN where not measured, too old or implausible."""
    used = plausible(_Fresh(state, max_age_seconds)(NodeMeasure.SWAP_USED_BYTES))
    return np.where(state.nodes.swap_capacity_bytes == 0, 0.0, used)


def swap_left_of(state: ClusterState, max_age_seconds: float = np.inf) -> FloatArray:
    """Free swap on each node, float64 (N,), >= 0; NaN where the capacity is not reported or the use not known."""
    return swap_left_bytes(state.nodes.swap_capacity_bytes, swap_used_bytes(state, max_age_seconds))


def shares(state: ClusterState, node: Bindings | None = None) -> Shares:
    """Swap limit of each workload, and whether request and swap limit cover guest and overhead."""
    workloads, bindings = state.workloads, _bindings(state, node)
    ram, swap = state.nodes.capacity[:, MEMORY_INDEX][bindings], state.nodes.swap_capacity_bytes[bindings]
    limit = np.where(workloads.swap_request_bytes == 0, 0.0, swap_limit_bytes(workloads.swap_request_bytes, ram, swap))
    share = workloads.requests[:, MEMORY_INDEX] + limit
    guest = np.maximum(workloads.guest_memory_bytes - _hugepages(state), 0.0)
    commit = guest + np.nan_to_num(workloads.overhead_bytes)
    return Shares(limit, share, commit, is_covered(commit, share))


def committed(state: ClusterState, expected: Forecast, node: Bindings | None = None) -> FloatArray:
    """Memory that each workload uses in the worst case, float64 (W,) bytes; no NaN.

    A VM counts with guest and overhead; where it has a memory limit, with no more than that and its swap limit. A pod counts
    with its memory limit, or without one with its expected peak.
    """
    own = shares(state, node)
    limit = state.workloads.limits[:, MEMORY_INDEX]
    machine = (state.workloads.kind == WorkloadKind.VMI) & ~np.isnan(own.commit_bytes)
    held = np.where(np.isnan(limit), np.inf, limit + own.swap_limit_bytes)
    pod = np.where(np.isnan(limit), expected.use.landing[:, 1], limit)
    return np.where(machine, np.fmin(own.commit_bytes, held), pod)


def worst_case_of(state: ClusterState, expected: Forecast, node: Bindings | None = None) -> FloatArray:
    """Memory that is used on each node if every guest is full, float64 (N,) bytes; each workload counts once (`committed`)."""
    worst: FloatArray = np.bincount(
        _bindings(state, node), weights=committed(state, expected, node), minlength=len(state.nodes)
    ).astype(np.float64)
    return worst


def _hugepages(state: ClusterState) -> FloatArray:
    """Hugepages that each workload requests, float64 (W,) bytes: they are no part of allocatable memory."""
    columns = [i for i, name in enumerate(state.resources) if name.startswith(HUGEPAGES_PREFIX)]
    total: FloatArray = state.workloads.requests[:, columns].sum(axis=1)
    return total


class _Fresh:
    """Measures of nodes that are not too old."""

    def __init__(self, state: ClusterState, max_age_seconds: float) -> None:
        self._measures, self._max_age_seconds = state.nodes.measures, max_age_seconds

    def __call__(self, measure: NodeMeasure) -> FloatArray:
        return self._measures.fresh(measure, self._max_age_seconds)


def _bindings(state: ClusterState, node: Bindings | None) -> IntArray:
    return np.asarray(state.workloads.node if node is None else node, dtype=np.int64)


def _eviction_order(state: ClusterState, use_bytes: FloatArray, node: npt.NDArray[np.int64]) -> IntArray:
    workloads = state.workloads
    return eviction_order(
        use_bytes,
        workloads.requests[:, MEMORY_INDEX],
        workloads.priority,
        exempt(state),
        np.arange(len(workloads)),
        node=node,
    )


def _heads(order: IntArray, node: IntArray, nodes: int, count: int) -> Victims:
    """The first `count` rows of each node, from rows that are grouped by node."""
    bounds = np.searchsorted(node[order], np.arange(nodes + 1)).tolist()
    rows = order.tolist()
    return tuple(tuple(rows[start : min(end, start + count)]) for start, end in pairwise(bounds))
