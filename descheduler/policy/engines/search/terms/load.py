"""Load: every unit above a safe level costs the same."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.policy.engines.search.draft import Draft, Quantity
from ullage.model.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Load:
    """Cost of `weight`, float64 (N,) or one for all, per unit of a quantity above `safe`, float64 (N,)."""

    quantity: Quantity
    safe: FloatArray
    weight: FloatArray | float

    def enter(self, draft: Draft) -> None:
        """A lane with a hinge."""
        draft.charge(self.quantity, self.safe, hinge=self.weight)
