"""What recently answered and bound pods add to nodes, as the changes that led there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from ullage.model.arrays import IntArray, frozen
from ullage.scoring.columns import Float32Array, Room

Amounts: TypeAlias = tuple[float, float, float]
"""Cores, bytes and committed bytes, in the order of `Room`."""

LANDS: Final = (Room.CPU_CORES, Room.MEMORY_BYTES, Room.COMMIT_BYTES, Room.COMMIT_BYTES)
"""What the first four columns of a view grow with."""

NO_AMOUNTS: Final[Amounts] = (0.0, 0.0, 0.0)
"""Of a node on which nothing is assumed."""


class Change(NamedTuple):
    """What is assumed on one node from then on.

    Attributes
    ----------
    row
        Node row.
    amounts
        Of all pods that are assumed there, >= 0.
    added
        What was added to the amounts before, as float64; ``None`` if anything else has happened.
    """

    row: int
    amounts: Amounts
    added: Amounts | None = None


@dataclass(frozen=True, eq=False)
class Assumed:
    """What other pods add, beyond what the state holds. Immutable: a part of a log that only grows.

    To take one costs nothing, and what lies between two of the same log are a few changes; arrays are made when somebody asks
    for them.

    Attributes
    ----------
    log, logged
        Changes, one after the other, and how many of them this value has in it.
    destination
        Row of the node that a plan chose for the pod that is asked about; -1 without one.
    """

    log: Sequence[Change] = field(repr=False)
    logged: int
    destination: int = -1

    @classmethod
    def on(cls, totals: Mapping[int, Amounts], destination: int = -1) -> Assumed:
        """These amounts on these rows."""
        return cls([Change(row, amounts) for row, amounts in totals.items()], len(totals), destination)

    @cached_property
    def totals(self) -> dict[int, Amounts]:
        """Amounts by row, in the order of the rows; not to be written."""
        last = {change.row: change.amounts for change in self.log[: self.logged]}
        return dict(sorted(last.items()))

    @cached_property
    def rows(self) -> IntArray:
        """int64 (K,), node rows, ascending and unique."""
        return frozen([*self.totals], np.int64)

    @cached_property
    def amount(self) -> Float32Array:
        """float32 (3, K) over `Room`: cores, bytes, committed bytes; >= 0."""
        return frozen(np.array([*self.totals.values()]).reshape(-1, len(Room)).T, np.float32)

    def spread(self, size: int) -> Float32Array:
        """The amounts over all rows, 0 where nothing is assumed: float32 (4, `size`), the third twice; not to be written."""
        found: Float32Array | None = self.__dict__.get("_spread")
        if found is None or found.shape[1] != size:
            found = np.zeros((len(LANDS), size), dtype=np.float32)
            for row, kind in enumerate(LANDS):
                # a scatter per row is three times as fast as one over both axes
                found[row][self.rows] = self.amount[kind]
            self.__dict__["_spread"] = found
        return found

    def changed_since(self, before: Assumed) -> Sequence[Change] | None:
        """What has changed, row by row, in order; ``None`` if `before` has rows that are not here."""
        if self.log is before.log and before.logged <= self.logged:
            return self.log[before.logged : self.logged]
        earlier = before.totals
        if not self.totals.keys() >= earlier.keys():
            return None
        return [Change(row, now) for row, now in self.totals.items() if earlier.get(row, NO_AMOUNTS) != now]


NOTHING: Final = Assumed((), 0)
"""Nothing is assumed."""
