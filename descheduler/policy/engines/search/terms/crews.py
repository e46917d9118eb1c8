"""Crews: of some workloads only so many may be away from home, and the crew that is hit hardest may cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.policy.engines.search.draft import NO_LIMIT, Draft
from ullage.model.arrays import IntArray


@dataclass(frozen=True, eq=False)
class Crews:
    """Crew of each workload, int (W,), -1 without one; quota per crew, or none; `fee` times the most of one crew away."""

    crew: IntArray
    crews: int
    quota: IntArray | None = None
    fee: float = 0.0

    def enter(self, draft: Draft) -> None:
        """The crews."""
        draft.crew, draft.crew_fee = self.crew, self.fee
        draft.quota = np.full(self.crews, NO_LIMIT) if self.quota is None else self.quota


@dataclass(frozen=True)
class MostAway:
    """How many workloads may be away in all."""

    limit: int

    def enter(self, draft: Draft) -> None:
        """The limit."""
        draft.most_away = self.limit
