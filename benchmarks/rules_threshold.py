"""Re-implemented rules that act on nodes above a threshold: LowNodeUtilization, LowNodeLoad, and a greedy cover."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.instances import Instance
from benchmarks.rules_cluster import Cluster
from benchmarks.rules_plan import Step
from ullage.model.arrays import BoolArray, FloatArray, IntArray


def _budget(cluster: Cluster, low: BoolArray, high_ratio: float) -> FloatArray:
    """What the low nodes could take in all before they are high, float64 (2,)."""
    budget: FloatArray = (high_ratio * cluster.instance.capacity - cluster.use)[low].sum(axis=0)
    return budget


def _high_first(cluster: Cluster, high_ratio: float) -> list[int]:
    """Nodes above the threshold in any resource, highest sum of ratios first."""
    ratio = cluster.ratio
    high = np.flatnonzero((ratio > high_ratio).any(axis=1))
    ordered: list[int] = high[np.argsort(-ratio[high].sum(axis=1), kind="stable")].tolist()
    return ordered


def _is_high(cluster: Cluster, node: int, high_ratio: float) -> bool:
    return bool((cluster.ratio[node] > high_ratio).any())


def low_node_utilization(instance: Instance, low_ratio: float = 0.6, high_ratio: float = 0.8) -> Sequence[Step]:
    """Evict in order of name (priority and QoS are all the same); the scheduler, which sees requests only, places anew.

    A node is low if all resources are at most `low_ratio`, high if any is above `high_ratio`. Evictions from a node end when
    it is not high any more, or when the low nodes' room is used up. A live migration never ends on its source.
    """
    cluster = Cluster(instance)
    low = cluster.at_most(low_ratio)
    if not low.any() or low.all():
        return cluster.steps
    budget = _budget(cluster, low, high_ratio)
    for node in _high_first(cluster, high_ratio):
        for vm in cluster.on(node).tolist():
            if not _is_high(cluster, node, high_ratio) or (budget <= 0).any():
                break
            target = cluster.by_requests(vm)
            if target is not None:
                cluster.move(vm, target)
                budget -= instance.use[vm]
    return cluster.steps


def low_node_load(instance: Instance, low_ratio: float = 0.6, high_ratio: float = 0.8) -> Sequence[Step]:
    """Evict best fits to the excess first, onto the least used low node that stays below `high_ratio`.

    Score of a VM per resource that is over, x = use / excess: 1 + 1 / x if x >= 1, else x; the highest mean goes first.
    """
    cluster = Cluster(instance)
    low = cluster.at_most(low_ratio)
    if not low.any() or low.all():
        return cluster.steps
    budget = _budget(cluster, low, high_ratio)
    for node in _high_first(cluster, high_ratio):
        for vm in _best_fits(cluster, node, high_ratio).tolist():
            if not _is_high(cluster, node, high_ratio) or (budget <= 0).any():
                break
            fits = low & cluster.fits_requests(vm) & cluster.fits_use(vm, high_ratio)
            if fits.any():
                cluster.move(vm, int(np.argmin(np.where(fits, cluster.ratio.mean(axis=1), np.inf))))
                budget -= instance.use[vm]
    return cluster.steps


def _best_fits(cluster: Cluster, node: int, high_ratio: float) -> IntArray:
    instance, vms = cluster.instance, cluster.on(node)
    excess = cluster.use[node] - high_ratio * instance.capacity[node]
    x = instance.use[vms][:, excess > 0] / excess[excess > 0]
    score = np.where(x >= 1, 1 + 1 / np.maximum(x, 1), x).mean(axis=1)
    ordered: IntArray = vms[np.argsort(-score, kind="stable")]
    return ordered


def greedy_cover(instance: Instance, high_ratio: float = 0.8, least: float = 0.05) -> Sequence[Step]:
    """Move the smallest VM that alone clears what a node is over by, else the one that clears most of it.

    The destination is the one with the lowest dominant utilization of those that stay below `high_ratio`. What clears less
    than the share `least` of the excess is not worth a move.
    """
    cluster = Cluster(instance)
    for node in _high_first(cluster, high_ratio):
        while _is_high(cluster, node, high_ratio) and _cover_once(cluster, node, high_ratio, least):
            pass
    return cluster.steps


def _cover_once(cluster: Cluster, node: int, high_ratio: float, least: float) -> bool:
    instance, vms = cluster.instance, cluster.on(node)
    excess = np.maximum(cluster.use[node] - high_ratio * instance.capacity[node], 0) / instance.capacity[node]
    cleared = np.minimum(instance.use[vms] / instance.capacity[node], excess).sum(axis=1) / excess.sum()
    enough = cleared >= 1 - 1e-9
    order = vms[np.lexsort((np.where(enough, instance.use[vms, 1], -cleared), ~enough))][
        : int((cleared >= least).sum())
    ]
    for vm in order.tolist():
        fits = cluster.fits_requests(vm) & cluster.fits_use(vm, high_ratio)
        if fits.any():
            after = ((cluster.use + instance.use[vm]) / instance.capacity).max(axis=1)
            cluster.move(vm, int(np.argmin(np.where(fits, after, np.inf))))
            return True
    return False
