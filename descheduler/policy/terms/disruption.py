"""Disruption budgets over the whole plan: each PodDisruptionBudget bears so many moves of its members, and no more."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ullage.model.arrays import BoolArray, Int32Array, IntArray
from ullage.model.state import DisruptionBudget


class Disruption:
    """What is left of every budget, downstream of all accepted moves."""

    def __init__(self, budgets: tuple[DisruptionBudget, ...], node: Int32Array, nodes: int) -> None:
        self._home = node
        self._nodes = nodes
        self._left = [max(0, b.disruptions_allowed) for b in budgets]
        self._of: dict[int, list[int]] = {}
        for i, budget in enumerate(budgets):
            for member in budget.members.tolist():
                self._of.setdefault(member, []).append(i)
        self._away: set[int] = set()

    def exhausted(self, workload: int) -> bool:
        """Whether one more disruption of this workload would pass a budget."""
        if workload in self._away:
            return False
        return any(self._left[b] <= 0 for b in self._of.get(workload, ()))

    def restrict(self, workloads: IntArray, allowed: BoolArray) -> None:
        """Strike all nodes of a workload that has a budget which is used up."""
        if self._of:
            allowed[[self.exhausted(w) for w in workloads.tolist()]] = False

    def admits(self, workload: int, node: int) -> bool:  # noqa: ARG002 - part of the interface
        """Whether its budgets bear the move."""
        return not self.exhausted(workload)

    def moved(self, workload: int, source: int, target: int) -> None:  # noqa: ARG002 - part of the interface
        """Take from the budgets of a workload that leaves home; give back when it returns."""
        if not self._of:
            return
        away = target != self._home[workload]
        if away == (workload in self._away):
            return
        for b in self._of.get(workload, ()):
            self._left[b] += -1 if away else 1
        (self._away.add if away else self._away.discard)(workload)

    def rejections(self, workload: int) -> Iterator[tuple[str, BoolArray]]:
        """Every node, if a budget is used up."""
        if self.exhausted(workload):
            yield "disruption-budget", np.ones(self._nodes, dtype=np.bool_)
