"""Company: where a group has members in a zone, the groups that it needs have some there, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from descheduler.policy.engines.search.draft import Draft
from ullage.model.arrays import IntArray


@dataclass(frozen=True, eq=False)
class Company:
    """Zone of each node, int (N,), and per group the groups that it needs."""

    zone: IntArray
    asks: Sequence[IntArray]

    def enter(self, draft: Draft) -> None:
        """The rule."""
        draft.zone, draft.asks = self.zone, self.asks
