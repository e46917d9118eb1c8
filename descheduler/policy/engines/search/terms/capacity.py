"""Capacity: the sum per node stays within a limit, and what moves may be held at both ends until all has moved."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.policy.engines.search.draft import Draft, Quantity
from ullage.model.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Capacity:
    """A limit of one quantity, float64 (N,); `held` is what the challenge calls a transient resource."""

    quantity: Quantity
    limit: FloatArray
    held: bool

    def enter(self, draft: Draft) -> None:
        """A lane with a limit."""
        draft.limit(self.quantity, self.limit, held=self.held)
