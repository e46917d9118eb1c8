"""Scenarios of a public benchmark of descheduling rules, rebuilt: its clusters are not published, some figures of them are.

Known are nodes, VMs, the deviation of CPU and memory over the nodes, and what an even cluster would look like (the highest node
that is left once it is nearly even), from which the mean of CPU follows. Everything else is ours: the means of memory, how
nodes lie around the mean, and the sizes of VMs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from benchmarks.instances import Instance
from ullage.model.arrays import FloatArray, IntArray

CORES: Final = 64.0
MEMORY_BYTES: Final = 256.0 * 2**30
SIZES: Final = (1.0, 2.0, 4.0)
"""CPU and memory of VMs relative to each other, small, medium and large: one size for both."""
SHARES: Final = (0.5, 0.35, 0.15)
SPREAD: Final = 0.3
"""Deviation of the logarithm of a VM's use within its size, CPU and memory each."""
LOOSE: Final = 3.0
"""How far the order of the nodes in memory is from that in CPU, in deviations: with 3 the rule does about what it did there."""


def even(nodes: int) -> FloatArray:
    """One node after the other, the same distance apart."""
    return np.linspace(-1.0, 1.0, nodes)


def bell(nodes: int) -> FloatArray:
    """Quantiles of a normal distribution: most nodes near the mean."""
    return np.array([NormalDist().inv_cdf((i + 0.5) / nodes) for i in range(nodes)])


def halves(nodes: int) -> FloatArray:
    """One half above the mean and one below, few between: no node passes its capacity, however far they are apart."""
    line = even(nodes)
    return np.sign(line) * np.sqrt(np.abs(line))


@dataclass(frozen=True)
class Published:
    """What was measured on the original with 30 seeds: medians.

    Attributes
    ----------
    moves
        Of the rule until it found no node over.
    deviations
        Of CPU and memory over the nodes then.
    descent
        Moves of a plain steepest descent to the same deviations.
    """

    moves: int
    deviations: tuple[float, float]
    descent: int


@dataclass(frozen=True)
class Scenario:
    """A cluster as far as it is known.

    Attributes
    ----------
    means, deviations
        Of CPU and memory over the nodes, as ratios; deviations are those of the whole population.
    shape
        How nodes lie around the mean, ascending; its scale does not matter.
    """

    name: str
    nodes: int
    vms: int
    means: tuple[float, float]
    deviations: tuple[float, float]
    shape: Callable[[int], FloatArray]
    published: Published


SCENARIOS: Final = (
    Scenario("light", 6, 112, (0.17, 0.25), (0.069, 0.047), bell, Published(8, (0.046, 0.031), 4)),
    Scenario("mixed", 12, 643, (0.548, 0.5), (0.218, 0.146), even, Published(64, (0.150, 0.120), 24)),
    Scenario("heavy", 10, 833, (0.82, 0.75), (0.053, 0.069), bell, Published(4, (0.046, 0.062), 2)),
    Scenario("progression", 8, 484, (0.62, 0.55), (0.276, 0.178), halves, Published(59, (0.148, 0.091), 21)),
)


def build(scenario: Scenario, seed: int) -> Instance:
    """The cluster of that seed: counts, means and deviations are exactly those of the scenario."""
    rng = np.random.default_rng(seed)
    capacity = np.tile([CORES, MEMORY_BYTES], (scenario.nodes, 1))
    levels = _levels(scenario, rng)
    sizes = _sizes(scenario.vms, rng)
    home = _fill(sizes, levels)
    held = np.stack([np.bincount(home, sizes[:, r], scenario.nodes) for r in (0, 1)], axis=1)
    use = sizes * (levels / held)[home] * capacity[home]
    return Instance(
        name=f"{scenario.name}-{seed}",
        threshold=1.0,
        nodes=tuple(f"node-{i:02d}" for i in range(scenario.nodes)),
        capacity=capacity,
        home=home,
        use=use,
        requests=np.zeros_like(use),
        guest_bytes=use[:, 1],
    )


def _levels(scenario: Scenario, rng: np.random.Generator) -> FloatArray:
    """Use over capacity of each node, float64 (N, 2): CPU ascending, memory in about the same order."""
    shape = scenario.shape(scenario.nodes)
    shape = (shape - shape.mean()) / shape.std()
    rank = np.argsort(np.argsort(shape + LOOSE * rng.standard_normal(scenario.nodes)))
    levels: FloatArray = np.array(scenario.means) + np.stack([shape, shape[rank]], axis=1) * scenario.deviations
    return levels


def _sizes(vms: int, rng: np.random.Generator) -> FloatArray:
    """CPU and memory of each VM relative to each other, float64 (V, 2), largest first."""
    size = np.sort(rng.choice(SIZES, vms, p=SHARES))[::-1]
    sizes: FloatArray = size[:, None] * np.exp(SPREAD * rng.standard_normal((vms, 2)))
    return sizes


def _fill(sizes: FloatArray, levels: FloatArray) -> IntArray:
    """A node for each VM, int64 (V,): the one that lacks most of its level."""
    lacks = levels / levels.sum(axis=0)
    parts = sizes / sizes.sum(axis=0)
    home = np.zeros(len(sizes), dtype=np.int64)
    for vm in range(len(sizes)):
        home[vm] = int(np.argmax(lacks.sum(axis=1)))
        lacks[home[vm]] -= parts[vm]
    return home
