"""Openness: which nodes take which classes of workloads, whatever stands there."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.policy.engines.search.draft import Draft
from ullage.model.arrays import BoolArray, IntArray


@dataclass(frozen=True, eq=False)
class Openness:
    """Class of each workload, int (W,), and the nodes that each class may stand on, bool (classes, N); home always."""

    place_class: IntArray
    open_to: BoolArray

    def enter(self, draft: Draft) -> None:
        """The mask."""
        draft.place_class, draft.open_to = self.place_class, self.open_to
