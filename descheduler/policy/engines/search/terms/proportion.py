"""Proportion: what is free of one resource is of use only beside what is free of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.policy.engines.search.draft import Draft, Quantity
from ullage.model.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Proportion:
    """Cost of ``weight * max(0, target * free(first) - free(second))`` per node.

    With ``free = capacity - use`` the inner part is a sum over workloads again, of ``second - target * first`` each: a lane
    like any other.
    """

    first: Quantity
    second: Quantity
    first_capacity: FloatArray
    second_capacity: FloatArray
    target: float
    weight: float

    def enter(self, draft: Draft) -> None:
        """A lane with a hinge."""
        parts = (self._mixed(self.first, self.second, part) for part in ("start", "leaving", "landing"))
        threshold = self.second_capacity - self.target * self.first_capacity
        draft.charge(Quantity(*parts), threshold, hinge=self.weight)

    def _mixed(self, first: Quantity, second: Quantity, part: str) -> FloatArray:
        mixed: FloatArray = np.subtract(getattr(second, part), self.target * getattr(first, part))
        return mixed
