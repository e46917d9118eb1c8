"""Use of a made-up cluster: heavy-tailed, steered to a mean, with some nodes made hot.

What the distributions follow (moments computed from the traces; the cluster's own means are given, see `ClusterSpec`):

- CPU use of a VM over its vCPUs: lognormal with sigma 1.78, cut at 1. Bitbrains Rnd 2013-8, daily means: mean 0.072, median
  0.015, 90th percentile 0.29, 99th 0.76; the ratio of mean to median of a lognormal gives sigma.
- Memory use of a VM over its guest memory: Beta with a + b = 2.73. Bitbrains, 7-day maximum of active memory over provisioned:
  mean 0.37, standard deviation 0.25. Container memory of the Alibaba GenAI 2026 trace has 0.41 and 0.28.
- Deviation within an hour over the mean: lognormal around 0.12 for CPU (Bitbrains: median 0.09, weighted by use 0.23), a
  correlation of 0.1 between VMs (an hour of 22 VMs together: median 0.11), and around 0.01 for memory.

Pressure (PSI) and swap rise with utilization by a rule of our own, in `pressure` and `swapped_share`: no public measurement
of either for VMs was found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simulator.shapes import KIB, MIB
from simulator.spec import ClusterSpec
from ullage.model.arrays import BoolArray, FloatArray, IntArray

CPU_SIGMA: Final = 1.78
MEMORY_CONCENTRATION: Final = 2.73
CORRELATION: Final = 0.1
PEAK_DEVIATIONS: Final = 1.645
"""The recent peak is the 95th percentile of a normal."""
HOT_FROM: Final = 0.815
COLD_PEAK: Final = 0.79
CLUSTER_MOST: Final = 0.70
_MICRO: Final = 1e6
_STEPS: Final = 40


@dataclass(frozen=True, eq=False)
class Load:
    """Mean use and deviation of W workloads on N nodes: column 0 CPU (cores), column 1 memory (bytes).

    Attributes
    ----------
    node
        int64 (W,).
    most
        float64 (W, 2): what a workload can use at most.
    mean, relative_deviation
        float64 (W, 2); the deviation is over the mean.
    own
        float64 (N, 2): what the node uses itself.
    allocatable, capacity
        float64 (N, 2).
    """

    node: IntArray
    most: FloatArray
    mean: FloatArray
    relative_deviation: FloatArray
    own: FloatArray
    allocatable: FloatArray
    capacity: FloatArray

    @property
    def deviation(self) -> FloatArray:
        """Deviation of each workload, float64 (W, 2), in whole micro-cores and KiB."""
        deviation: FloatArray = self.mean * self.relative_deviation
        return _rounded(deviation)

    @property
    def peak(self) -> FloatArray:
        """Recent peak of each workload, float64 (W, 2), in whole micro-cores and KiB."""
        peak: FloatArray = np.minimum(_rounded(self.mean * (1 + PEAK_DEVIATIONS * self.relative_deviation)), self.most)
        return peak

    def summed(self, values: FloatArray) -> FloatArray:
        """Sums of a workload column, float64 (W, 2), by node: float64 (N, 2)."""
        nodes = len(self.own)
        return np.stack([np.bincount(self.node, values[:, r], nodes) for r in (0, 1)], axis=1)

    @property
    def node_mean(self) -> FloatArray:
        """Mean use of the nodes, float64 (N, 2)."""
        whole = np.array([_MICRO, 1.0])
        mean: FloatArray = (self.summed(np.rint(self.mean * whole)) + np.rint(self.own * whole)) / whole
        return mean

    @property
    def node_deviation(self) -> FloatArray:
        """Deviation of the nodes, float64 (N, 2), from workloads of equal correlation."""
        deviation = self.mean * self.relative_deviation
        apart, together = self.summed(deviation**2), self.summed(deviation) ** 2
        return _rounded(np.sqrt((1 - CORRELATION) * apart + CORRELATION * together))

    @property
    def node_peak(self) -> FloatArray:
        """Recent peak of the nodes, float64 (N, 2)."""
        return _rounded(np.minimum(self.node_mean + PEAK_DEVIATIONS * self.node_deviation, self.capacity))


def _rounded(values: FloatArray) -> FloatArray:
    """Whole micro-cores and KiB: finer than what the metrics API tells."""
    whole: FloatArray = np.stack([np.rint(values[:, 0] * _MICRO) / _MICRO, np.rint(values[:, 1] / KIB) * KIB], axis=1)
    return whole


def draw_load(
    spec: ClusterSpec,
    node: IntArray,
    most: FloatArray,
    allocatable: FloatArray,
    capacity: FloatArray,
    rng: np.random.Generator,
) -> Load:
    """Use of workloads on their nodes before any node is made hot; arguments as in `Load`."""
    rows = len(node)
    own = np.stack([0.05 + 0.004 * allocatable[:, 0], 0.7 * 2**30 + 0.008 * allocatable[:, 1]], axis=1)
    wanted = np.maximum(np.array([spec.cpu_utilization, spec.memory_utilization]) * allocatable.sum(0) - own.sum(0), 0)
    share = np.clip(wanted / np.maximum(most.sum(axis=0), 1e-9), 0.02, 0.98)
    a = MEMORY_CONCENTRATION * share[1]
    cpu = _scaled(np.exp(CPU_SIGMA * rng.standard_normal(rows)), most[:, 0], wanted[0])
    memory = _lifted(
        rng.beta(a, MEMORY_CONCENTRATION - a, rows), most[:, 1], np.zeros(rows, np.int64), wanted[1:], most=50.0
    )
    spread = np.exp(rng.standard_normal((rows, 2)) * 0.6) * np.array([0.12, 0.01])
    mean = np.stack([cpu, memory], axis=1) * most
    return Load(node, most, _rounded(mean), np.minimum(spread, 1.0), _rounded(own), allocatable, capacity)


def _scaled(drawn: FloatArray, weight: FloatArray, target: float) -> FloatArray:
    """Ratios ``min(1, s * drawn)`` with the scale s at which they come to `target` over `weight`."""
    low, high = 1e-6, 1e6
    for _ in range(_STEPS):
        middle = (low * high) ** 0.5
        too_much = float((weight * np.minimum(1, middle * drawn)).sum()) > target
        low, high = (low, middle) if too_much else (middle, high)
    return np.minimum(1, low * drawn)


def _lifted(
    ratio: FloatArray, weight: FloatArray, group: IntArray, target: FloatArray, most: float = 1.0
) -> FloatArray:
    """Ratios to the power p of their group, with the p in 0..`most` at which each group comes to its `target` over `weight`.

    A power keeps the order of the ratios and their tail, and nothing leaves 0..1.
    """
    low, high = np.zeros(len(target)), np.full(len(target), most)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        too_much = np.bincount(group, weight * ratio ** middle[group], len(target)) > target
        low, high = np.where(too_much, middle, low), np.where(too_much, high, middle)
    result: FloatArray = ratio ** high[group]
    return result


def heat(load: Load, spec: ClusterSpec, eligible: BoolArray, rng: np.random.Generator) -> Load:
    """Load with `hot_share` of the nodes over 80 % in CPU, memory or both, and the others calm.

    Nodes whose workloads could never use that much are passed over, so that there may be fewer hot nodes.

    Parameters
    ----------
    load
        Load to start from.
    spec
        What the cluster is to look like.
    eligible
        bool (N,), nodes that may become hot.
    rng
        Where randomness comes from.
    """
    level = HOT_FROM + 0.135 * (1 - spec.hot_share) * rng.random((len(load.own), 2))
    reach = (load.summed(load.most) + load.own) / load.allocatable > level + 0.01
    draw = rng.random(len(load.own))
    wanted = np.stack([draw >= 0.5, (draw < 0.5) | (draw >= 0.85)], axis=1) & reach
    wanted[~wanted.any(axis=1)] = reach[~wanted.any(axis=1)]
    possible = np.flatnonzero(wanted.any(axis=1) & eligible)
    chosen = np.zeros(len(wanted), dtype=np.bool_)
    chosen[rng.permutation(possible)[: round(spec.hot_share * spec.nodes)]] = True
    hot = wanted & chosen[:, None]
    mean = np.stack([_steered(load, r, hot[:, r], level[:, r]) for r in (0, 1)], axis=1)
    return replace(load, mean=_rounded(mean))


def _steered(load: Load, r: int, hot: BoolArray, level: FloatArray) -> FloatArray:
    """Mean use of resource `r` of each workload, float64 (W,), lifted on hot nodes and lowered on the others."""
    limit, own = load.allocatable[:, r], load.own[:, r]
    now = load.node_mean[:, r]
    steady = now + 2 * load.node_deviation[:, r]
    calm = now * np.minimum(1, COLD_PEAK * limit / np.maximum(steady, 1e-9))
    room = CLUSTER_MOST * limit.sum() - (level * limit)[hot].sum()
    calm *= min(1.0, room / max(calm[~hot].sum(), 1e-9))
    factor = np.clip((calm - own) / np.maximum(now - own, 1e-9), 0, 1)
    lowered = load.mean[:, r] * np.where(hot, 1.0, factor)[load.node]
    rows = np.flatnonzero(hot[load.node])
    group = (np.cumsum(hot) - 1)[load.node[rows]]
    most = load.most[rows, r]
    ratio = np.clip(load.mean[rows, r] / np.maximum(most, 1e-9), 1e-6, 0.97)
    lowered[rows] = most * _lifted(ratio, most, group, (level * limit - own)[hot], most=100.0)
    return lowered


def pressure(utilization: FloatArray) -> FloatArray:
    """Share of time that some task stalls on a resource, 0..0.5: nothing up to 70 %, then rising with the third power."""
    return np.round(0.5 * np.clip((utilization - 0.7) / 0.3, 0, 1) ** 3, 4)


def swapped_share(memory_utilization: FloatArray) -> FloatArray:
    """Share of the swap granted to its workloads that a node uses, 0..0.6: nothing up to 55 %, then rising with the square."""
    result: FloatArray = 0.6 * np.clip((memory_utilization - 0.55) / 0.4, 0, 1) ** 2
    return result


def swap_used(load: Load, limit_bytes: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Swap of each workload in bytes, float64 (W,), whole KiB, at most `limit_bytes`; idle VMs swap most."""
    share = swapped_share(load.node_mean[:, 1] / load.allocatable[:, 1])[load.node]
    swapped = limit_bytes * np.minimum(1, share * (0.5 + rng.random(len(share))))
    return np.floor(swapped / KIB) * KIB


def dirty_rate(load: Load, rng: np.random.Generator) -> FloatArray:
    """Bytes that a guest writes per second, float64 (W,), in whole MiB as KubeVirt reports them; it rises with CPU use."""
    drawn = 8 * np.exp(rng.standard_normal(len(load.node))) * (0.1 + load.mean[:, 0])
    return np.rint(np.minimum(drawn, 2000)) * MIB
