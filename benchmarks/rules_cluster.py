"""What the re-implemented rules work on: an instance whose VMs move one after the other, and no check but what a rule makes.

The rules are our own code after descriptions of the products' behaviour; they are not the products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.instances import Instance, per_node
from benchmarks.rules_plan import Step
from ullage.model.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Rule:
    """A rule that users have today.

    Attributes
    ----------
    name
        For the table.
    parameters
        As they were set here, for people.
    published
        Moves / GiB / instances solved that the reference notes give for it, on twelve instances of which the eight are part.
    run
        One call of the rule.
    """

    name: str
    parameters: str
    published: str
    run: Callable[[Instance], Sequence[Step]]


class Cluster:
    """Places, use and requests per node downstream of all steps so far.

    Attributes
    ----------
    instance
        The start.
    places
        int64 (V,).
    use, requested
        float64 (N, 2).
    steps
        What has happened.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.places = instance.home.copy()
        self.use = instance.load(instance.home)
        self.requested = per_node(len(instance.nodes), instance.home, instance.requests)
        self.steps: list[Step] = []

    def move(self, vm: int, target: int) -> None:
        """Bring `vm` to node `target`."""
        source = int(self.places[vm])
        for table, demand in ((self.use, self.instance.use), (self.requested, self.instance.requests)):
            table[source] -= demand[vm]
            table[target] += demand[vm]
        self.places[vm] = target
        self.steps.append(Step(vm, source, target))

    @property
    def ratio(self) -> FloatArray:
        """Use over capacity, float64 (N, 2)."""
        ratio: FloatArray = self.use / self.instance.capacity
        return ratio

    def at_most(self, ratio: float) -> BoolArray:
        """Nodes with all resources at or below `ratio`, bool (N,)."""
        return np.logical_not((self.ratio > ratio).any(axis=1))

    def on(self, node: int) -> IntArray:
        """VMs there, ascending."""
        return np.flatnonzero(self.places == node)

    def fits_requests(self, vm: int) -> BoolArray:
        """Other nodes whose capacity takes the request of `vm`, bool (N,)."""
        fits: BoolArray = (self.requested + self.instance.requests[vm] <= self.instance.capacity).all(axis=1)
        fits[self.places[vm]] = False
        return fits

    def fits_use(self, vm: int, ratio: float) -> BoolArray:
        """Other nodes that stay at or below `ratio` with the use of `vm` on top, bool (N,)."""
        fits: BoolArray = (self.use + self.instance.use[vm] <= ratio * self.instance.capacity).all(axis=1)
        fits[self.places[vm]] = False
        return fits

    def by_requests(self, vm: int) -> int | None:
        """Where a scheduler that knows only requests would put `vm`: LeastAllocated and BalancedAllocation, weight 1 each.

        Both as kube-scheduler has them: the mean free share, and one less the deviation of the shares.
        """
        fits = self.fits_requests(vm)
        if not fits.any():
            return None
        share = (self.requested + self.instance.requests[vm]) / self.instance.capacity
        score = (1 - share).mean(axis=1) + 1 - share.std(axis=1)
        return int(np.argmax(np.where(fits, score, -np.inf)))
