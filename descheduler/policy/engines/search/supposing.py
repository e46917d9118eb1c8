"""Homecomings without programs: suppose that one who is far is home, and anneal what stands around until that is mended.

Fees are high while it cools down, so that hardly anybody else goes farther. It costs a few milliseconds, less where there is
soon no hope any more, and finds what many small moves can mend; exact steps find what takes exactly the right ones. What ends a
little dearer than the best is kept: a search that may not go sideways ends where no single homecoming is possible any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from descheduler.policy.engines.search.anneal import Best, Mover
from descheduler.policy.engines.search.columns import Columns, cheapest, far
from descheduler.policy.engines.search.position import Position, fees, go, restart
from descheduler.policy.engines.search.rules import may_return
from descheduler.policy.engines.search.schedule import mean_fee
from ullage.model.arrays import BoolArray

_AROUND: Final = (7, 24)
"""How many nodes near each end take part, at least and less than."""
_COOLEST: Final = 0.3
"""Least first temperature, over the highest."""
_STAIRS: Final = 8
"""Temperatures, of which the last is 0."""
_STEPS: Final = 500
"""Steps per workload that takes part."""
_HOPED: Final = 2
"""Temperatures after which one may be given up."""
_HOPE: Final = 4.0
"""How much more than before it may cost, over what coming home saves, times the share of temperatures that are to come."""
_WORSE: Final = 1.0
"""How much more than the best, over the mean fee, places may cost."""


@dataclass(frozen=True, eq=False)
class Supposing:
    """Suppositions on a position.

    Attributes
    ----------
    columns, at
        What is searched, and where it stands.
    dear, mover
        The same with fees that are high, and its mover.
    best
        The best so far.
    heat
        Highest first temperature.
    random
        Chooses workloads, nodes and temperatures.
    """

    columns: Columns
    at: Position
    dear: Columns
    mover: Mover
    best: Best
    heat: float
    random: np.random.Generator

    def bring_home(self) -> int:
        """Suppose one to be home, mend what that breaks, and stay there if it is worth it; returns the steps that it took."""
        home, before = self.columns.home, self.at.place.copy()
        away = far(self.columns, before)
        if not len(away) or not may_return(self.columns, self.at, w := int(self.random.choice(away))):
            return 0
        supposed, cost = before.copy(), self.at.cost()
        supposed[w] = home[w]
        nodes = self._around(int(home[w]), int(before[w]))
        target = cost + fees(self.dear, before) - fees(self.columns, before)
        saved = float(self.dear.absence.fee[w] + self.dear.absence.travel[home[w], before[w]])
        restart(self.dear, self.at, supposed)
        steps, hopeful = self._mend(nodes[home] | nodes[supposed], target, _HOPE * saved)
        mended = self.at.place.copy()
        restart(self.columns, self.at, before)
        if hopeful:
            go(self.columns, self.at, mended, max(cost, self.best.cost + _WORSE * self._fee))
        return steps

    @cached_property
    def _fee(self) -> float:
        return mean_fee(self.columns)

    @cached_property
    def _near(self) -> BoolArray:
        return cheapest(self.columns.absence.travel)

    def _around(self, *ends: int) -> BoolArray:
        """`ends`, and some nodes to which it costs least to go from each, bool (N,)."""
        near = self._near[list(ends)]
        count, chosen = int(self.random.integers(*_AROUND)), np.zeros(near.shape[1], dtype=np.bool_)
        for end, row in zip(ends, near, strict=True):
            nodes = np.flatnonzero(row)
            chosen[end] = chosen[self.random.permutation(nodes)[:count]] = True
        return chosen

    def _mend(self, some: BoolArray, cost: float, hope: float) -> tuple[int, bool]:
        """Cool down with `some` workloads as long as there is hope to come to `cost`; steps it took, and if hope was left."""
        mover, heat = self.mover.among(some), self.heat * self.random.uniform(_COOLEST, 1.0)
        steps = max(1, round(_STEPS * int(some.sum()) / self.mover.tries / _STAIRS))
        for stair in range(_STAIRS):
            if stair >= _HOPED and self.at.cost() > cost + hope * (1 - stair / _STAIRS):
                return round(stair * steps * self.mover.tries), False
            mover.advance(steps, heat * (1 - stair / (_STAIRS - 1)), 0.0)
        return round(_STAIRS * steps * self.mover.tries), True
