"""Evenness: every node pays for the squared distance of a quantity from where it ought to be."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.policy.engines.search.draft import Draft, Quantity
from ullage.model.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Evenness:
    """Cost of ``weight * (sum - centre)^2`` per node; `centre` and `weight` are float64 (N,)."""

    quantity: Quantity
    centre: FloatArray
    weight: FloatArray

    def enter(self, draft: Draft) -> None:
        """A lane with a square."""
        draft.charge(self.quantity, self.centre, square=self.weight)
