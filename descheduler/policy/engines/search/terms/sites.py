"""Sites: a group covers at least so many of them."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.policy.engines.search.draft import Draft
from ullage.model.arrays import IntArray


@dataclass(frozen=True, eq=False)
class Sites:
    """Site of each node, int (N,), and the least number of sites per group, int (groups,)."""

    site: IntArray
    least: IntArray

    def enter(self, draft: Draft) -> None:
        """The rule."""
        draft.site, draft.least_sites = self.site, self.least
