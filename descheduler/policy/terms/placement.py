"""Placement: taints, selectors, affinity, spread, ports and node states, as `ullage.scoring.feasibility` has them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ullage.model.arrays import BoolArray, IntArray
from ullage.scoring.feasibility import Feasibility


class Placing:
    """Feasibility of destinations, kept true while workloads move."""

    def __init__(self, feasibility: Feasibility) -> None:
        self._feasibility = feasibility
        self._dynamic = feasibility.dynamic()

    def allows(self, workloads: IntArray) -> BoolArray:
        """Nodes that pass all placement rules."""
        result: BoolArray = self._feasibility.static_many(workloads)
        for row in np.flatnonzero(self._dynamic[workloads]):
            result[row] &= self._feasibility.allowed(int(workloads[row]))
        return result

    def moved(self, workload: int, source: int, target: int) -> None:  # noqa: ARG002 - part of the interface
        """Keep the counts of pod affinity, spread and ports."""
        self._feasibility.move(workload, target)

    def rejections(self, workload: int) -> Iterator[tuple[str, BoolArray]]:
        """The rules' own codes."""
        yield from self._feasibility.rejections(workload)
