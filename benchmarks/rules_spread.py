"""Re-implemented rules that make nodes alike: a DRS-like descent, Watcher's workload stabilization, ProxLB's balancing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.instances import Instance
from benchmarks.rules_cluster import Cluster
from benchmarks.rules_plan import Step
from ullage.model.arrays import BoolArray, FloatArray, IntArray


def _deviations(cluster: Cluster, vms: IntArray) -> FloatArray:
    """Sum of the population deviations of CPU and memory ratios after each single move, float64 (len(vms), N)."""
    ratio, instance = cluster.ratio, cluster.instance
    here = cluster.places[vms]
    total = np.zeros((len(vms), len(ratio)))
    for r in (0, 1):
        use, capacity = instance.use[vms, r], instance.capacity[:, r]
        leaves, arrives = use / capacity[here], use[:, None] / capacity
        mean = ratio[:, r].mean() + (arrives - leaves[:, None]) / len(ratio)
        squares = (ratio[:, r] ** 2).sum() + leaves[:, None] ** 2 - 2 * (leaves * ratio[here, r])[:, None]
        squares = squares + arrives**2 + 2 * arrives * ratio[:, r]
        total += np.sqrt(np.maximum(squares / len(ratio) - mean**2, 0))
    return total


def drs_like(
    instance: Instance, aim: float = 0.1, high_ratio: float = 0.8, gib_price: float = 1 / 32, most_moves: int = 10
) -> Sequence[Step]:
    """Repeat the single move that lowers the deviation most per cost, until the mean deviation is at most `aim`.

    The cost of a move is 1 + `gib_price` x GiB; destinations stay below `high_ratio`; at most `most_moves` per call.
    """
    cluster = Cluster(instance)
    cost = 1 + gib_price * instance.use[:, 1] / 2**30
    vms = np.arange(len(instance.home))
    while len(cluster.steps) < most_moves:
        now = float(cluster.ratio.std(axis=0).sum())
        if now / 2 <= aim:
            break
        gain = (now - _deviations(cluster, vms)) / cost[:, None]
        gain[~_allowed(cluster, high_ratio)] = -np.inf
        vm, target = divmod(int(np.argmax(gain)), gain.shape[1])
        if gain[vm, target] <= 1e-6:
            break
        cluster.move(vm, target)
    return cluster.steps


def _allowed(cluster: Cluster, ratio: float) -> BoolArray:
    """Destinations of each VM that stay at or below `ratio` and take its request, bool (V, N)."""
    instance = cluster.instance
    fits: BoolArray = np.ones((len(instance.home), len(instance.nodes)), dtype=np.bool_)
    for r in (0, 1):
        fits &= instance.use[:, r, None] <= ratio * instance.capacity[:, r] - cluster.use[:, r]
        fits &= instance.requests[:, r, None] <= instance.capacity[:, r] - cluster.requested[:, r]
    fits[np.arange(len(fits)), cluster.places] = False
    return fits


def watcher_stabilization(instance: Instance, threshold: float = 0.1) -> Sequence[Step]:
    """Try all (VM, host) pairs once, best first, and keep each that lowers the weighted deviation below the best so far.

    The best so far starts at 1, not at the present value, as in Watcher; it ends when any metric's deviation is below
    `threshold`. Every VM moves at most once; memory of a host is not exceeded.
    """
    cluster = Cluster(instance)
    if (cluster.ratio.std(axis=0) <= threshold).all():
        return cluster.steps
    vms = np.arange(len(instance.home))
    found = _deviations(cluster, vms)
    found[~_allowed(cluster, 1.0)] = np.inf
    better = np.flatnonzero(found < cluster.ratio.std(axis=0).sum())
    ordered = better[np.argsort(found.ravel()[better], kind="stable")]
    best = 1.0
    moved: set[int] = set()
    for vm, target in zip(*(part.tolist() for part in np.divmod(ordered, found.shape[1])), strict=True):
        if (cluster.ratio.std(axis=0) < threshold).any():
            break
        if vm not in moved and cluster.fits_use(vm, 1.0)[target]:
            value = float(_deviations(cluster, np.array([vm]))[0, target])
            if value < best:
                best = value
                cluster.move(vm, target)
                moved.add(vm)
    return cluster.steps


def proxlb_like(instance: Instance, balanciness: float = 0.1) -> Sequence[Step]:
    """Move the smallest guests by memory off the node that is fullest just then, to the node that was freest at the start.

    Method memory, mode used. The trigger is tested before each guest: fullest less freest above `balanciness`. A guest
    must fit the free memory of that one destination.
    """
    cluster = Cluster(instance)
    free = instance.capacity[:, 1] - cluster.use[:, 1]
    target = int(np.argmax(free))
    for vm in np.argsort(instance.use[:, 1], kind="stable").tolist():
        ratio = cluster.ratio[:, 1]
        if ratio.max() - ratio.min() <= balanciness:
            break
        room = instance.capacity[target, 1] - cluster.use[target, 1]
        if cluster.places[vm] == int(np.argmax(ratio)) != target and instance.use[vm, 1] < room:
            cluster.move(vm, target)
    return cluster.steps
