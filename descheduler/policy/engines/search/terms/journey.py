"""Journey: what it costs that a workload is not at home."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.policy.engines.search.draft import Draft
from ullage.model.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Leaving:
    """A fee per workload, float64 (W,), >= 0."""

    fee: FloatArray

    def enter(self, draft: Draft) -> None:
        """Add the fee to what others ask for."""
        draft.fee = self.fee if draft.fee is None else draft.fee + self.fee


@dataclass(frozen=True, eq=False)
class Travel:
    """A fee per pair of nodes, float64 (N, N): from home to the present node."""

    fee: FloatArray

    def enter(self, draft: Draft) -> None:
        """The table of fees."""
        draft.travel = self.fee
