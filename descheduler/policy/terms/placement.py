"""Placement: taints, selectors, affinity, spread, ports and node states, as `ullage.scoring.feasibility` has them."""

from __future__ import annotations

from collections.abc import Iterator

from ullage.model.arrays import BoolArray, Int32Array, IntArray
from ullage.scoring.feasibility import Feasibility


class Placing:
    """Feasibility of destinations, kept true while workloads move."""

    def __init__(self, feasibility: Feasibility, home: Int32Array) -> None:
        self._feasibility = feasibility
        self._home = home
        self._dynamic = feasibility.dynamic()

    def restrict(self, workloads: IntArray, allowed: BoolArray) -> None:
        """Strike nodes that fail a placement rule."""
        for row, workload in enumerate(workloads.tolist()):
            allowed[row] &= self._nodes(workload)

    def admits(self, workload: int, node: int) -> bool:
        """Whether the node passes all placement rules."""
        return bool(self._nodes(workload)[node])

    def moved(self, workload: int, source: int, target: int) -> None:  # noqa: ARG002 - part of the interface
        """Keep the counts of pod affinity, spread and ports."""
        self._feasibility.move(workload, target)

    def _nodes(self, workload: int) -> BoolArray:
        nodes: BoolArray = (self._feasibility.allowed if self._dynamic[workload] else self._feasibility.static)(
            workload
        )
        return nodes

    def rejections(self, workload: int) -> Iterator[tuple[str, BoolArray]]:
        """The rules' own codes."""
        yield from self._feasibility.rejections(workload)
