"""Standing rules: what holds for a workload and a node whoever else is where, as columns; and whom that does not cover.

Engines that move thousands of workloads at once do without asking a term for each of them. What these columns do not cover
stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ullage.model.arrays import BoolArray, IntArray
from ullage.model.state import ClusterState, DisruptionBudget
from ullage.scoring.feasibility import Feasibility


@dataclass(frozen=True, eq=False)
class Standing:
    """Rules as columns.

    Attributes
    ----------
    place_class
        int64 (W,), row of `open_to`.
    open_to
        bool (classes, N), nodes that pass all rules on nodes.
    budget
        int64 (W,), disruption budget of each workload, -1 without one.
    allowed
        int64 (budgets,), moves that each budget bears.
    covered
        bool (W,): no rule looks at who else is where, and there is one budget at most.
    """

    place_class: IntArray
    open_to: BoolArray
    budget: IntArray
    allowed: IntArray
    covered: BoolArray


def standing(state: ClusterState, feasibility: Feasibility) -> Standing:
    """Standing rules of a state."""
    rows, first, place_class = np.unique(state.workloads.placement, return_index=True, return_inverse=True)
    budget, budgets_each = _budgets(state.budgets, len(place_class))
    return Standing(
        place_class=place_class.astype(np.int64),
        open_to=feasibility.static_many(first) if len(rows) else np.ones((1, len(state.nodes)), dtype=np.bool_),
        budget=budget,
        allowed=np.array([max(0, b.disruptions_allowed) for b in state.budgets], dtype=np.int64),
        covered=~feasibility.dynamic() & (budgets_each <= 1),
    )


def _budgets(budgets: tuple[DisruptionBudget, ...], workloads: int) -> tuple[IntArray, IntArray]:
    """A budget of each workload, and how many it has."""
    budget, count = np.full(workloads, -1, dtype=np.int64), np.zeros(workloads, dtype=np.int64)
    for i, one in enumerate(budgets):
        members = np.asarray(one.members, dtype=np.int64)
        budget[members] = i
        count[members] += 1
    return budget, count
