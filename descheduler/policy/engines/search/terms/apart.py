"""Apart: no two workloads of a group share a node."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.policy.engines.search.draft import Draft
from ullage.model.arrays import BoolArray


@dataclass(frozen=True, eq=False)
class Apart:
    """Which groups keep apart, bool (groups,)."""

    groups: BoolArray

    def enter(self, draft: Draft) -> None:
        """The rule."""
        draft.apart = self.groups
