"""The rule that a widely used profile for VMs has: deviations above the mean as one score, blind victims, blind destinations.

Re-implemented from a description, not the product. Of each node: how far CPU, memory and the pressure of CPU lie above the
cluster's mean; the root of the sum of their squares, times three, at most 1, in whole percent. A node is over if its score is
more than ten points above the mean of the scores, and under if it is not above it. In each step up to five VMs move, up to two
off a node: any VM of a node that is over, to any node that is under. It ends when no node is over, or after 100 steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.instances import Instance
from benchmarks.rules_cluster import Cluster
from benchmarks.rules_plan import Step
from ullage.model.arrays import BoolArray, FloatArray

AMPLIFIED: Final = 3.0
MARGIN_PERCENT: Final = 10.0
PER_STEP: Final = 5
PER_NODE: Final = 2
MOST_STEPS: Final = 100
BUSY: Final = 0.7
"""Pressure counts above this use of CPU only."""


def anchor(instance: Instance, seed: int) -> Sequence[Step]:
    """Moves until no node is over."""
    cluster, rng = Cluster(instance), np.random.default_rng(seed)
    for _ in range(MOST_STEPS):
        over, under = classes(cluster.ratio)
        if not (over.any() and under.any()):
            break
        _step(cluster, over, under, rng)
    return cluster.steps


def classes(ratio: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Nodes that are over and nodes that are under, bool (N,) each, by their use, float64 (N, 2)."""
    percent = np.floor(100 * scores(ratio))
    mean = percent.mean()
    return percent > min(mean + MARGIN_PERCENT, 100.0), percent <= mean


def scores(ratio: FloatArray) -> FloatArray:
    """Score of each node, float64 (N,), 0..1."""
    seen = np.column_stack([ratio, pressure(ratio[:, 0])])
    above = np.maximum(seen - seen.mean(axis=0), 0.0)
    score: FloatArray = np.minimum(AMPLIFIED * np.sqrt((above**2).sum(axis=1)), 1.0)
    return score


def pressure(cpu: FloatArray) -> FloatArray:
    """Stalls on CPU by its use, as the original models them: up to 0.2 at 90 %, then steeply; 0 unless busy."""
    steep = 0.2 + 0.6 * ((cpu - 0.9) / 0.1) ** 2
    return np.where(cpu <= BUSY, 0.0, np.minimum(np.where(cpu <= 0.9, cpu - BUSY, steep), 1.0))


def _step(cluster: Cluster, over: BoolArray, under: BoolArray, rng: np.random.Generator) -> None:
    left = np.where(over, PER_NODE, 0)
    moved: set[int] = set()
    while len(moved) < PER_STEP and left.any():
        source = int(rng.choice(np.flatnonzero(left)))
        left[source] -= 1
        victims = [vm for vm in cluster.on(source).tolist() if vm not in moved]
        if victims:
            vm = int(rng.choice(victims))
            cluster.move(vm, int(rng.choice(np.flatnonzero(under))))
            moved.add(vm)
