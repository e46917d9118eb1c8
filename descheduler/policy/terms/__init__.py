"""Constraints of a plan as terms over incrementally kept columns: one file each.

A term answers for a batch of workloads which nodes it lets them go to, downstream of all accepted moves, and is told of every
move. Engines know only this interface, so that a new constraint serves all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ullage.model.arrays import BoolArray, IntArray


class Term(Protocol):
    """A constraint on destinations."""

    def restrict(self, workloads: IntArray, allowed: BoolArray) -> None:
        """Strike from `allowed`, bool (len(workloads), N), the nodes that each workload may not go to now."""
        ...

    def admits(self, workload: int, node: int) -> bool:
        """Whether one workload may go to one node now."""
        ...

    def moved(self, workload: int, source: int, target: int) -> None:
        """Take note that `workload` went from `source` to `target` (back home included)."""
        ...

    def rejections(self, workload: int) -> Iterator[tuple[str, BoolArray]]:
        """Codes and the nodes, bool (N,), that each rejects for `workload` at its present place, in filter order."""
        ...
