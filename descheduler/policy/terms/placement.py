"""Placement: taints, selectors, affinity, spread, ports and node states, as `ullage.scoring.feasibility` has them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ullage.model.arrays import BoolArray, Int32Array, IntArray
from ullage.scoring.feasibility import Feasibility


class Placing:
    """Feasibility of destinations, kept true while workloads move."""

    def __init__(self, feasibility: Feasibility, home: Int32Array) -> None:
        self._feasibility = feasibility
        self._home = home
        self._dynamic = feasibility.dynamic()

    def allows(self, workloads: IntArray) -> BoolArray:
        """Nodes that pass all placement rules; of the first node only those that depend on where others are."""
        result: BoolArray = self._feasibility.static_many(workloads)
        result[np.arange(len(workloads)), self._home[workloads]] = True
        for row in np.flatnonzero(self._dynamic[workloads]):
            result[row] &= self._feasibility.allowed(int(workloads[row]))
        return result

    def admits(self, workload: int, node: int) -> bool:
        """The same for one node."""
        if self._dynamic[workload]:
            return bool(self._feasibility.allowed(workload)[node])
        return bool(self._feasibility.static(workload)[node])

    def moved(self, workload: int, source: int, target: int) -> None:  # noqa: ARG002 - part of the interface
        """Keep the counts of pod affinity, spread and ports."""
        self._feasibility.move(workload, target)

    def rejections(self, workload: int) -> Iterator[tuple[str, BoolArray]]:
        """The rules' own codes."""
        yield from self._feasibility.rejections(workload)
