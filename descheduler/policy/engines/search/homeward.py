"""The end of a search in which loads are as good as they can be and some workloads are far from home.

Going far should never have begun, so it begins once more from home: first with fees so high that going far costs more than most
loads do, then with the true ones. Exact steps and suppositions bring home who is still far. When they find no more, loads are
shaken as if fees were high, so that near moves are made anew and far ones hardly; what could not come home before then often
can. At last, who is away for little is sent home, by cooling down to almost nothing and by exact steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from descheduler.policy.engines.search.anneal import Best, Mover, anneal
from descheduler.policy.engines.search.columns import Columns, dearer, far
from descheduler.policy.engines.search.exact_steps import ExactSteps, applicable, unevenness
from descheduler.policy.engines.search.mix import Mix
from descheduler.policy.engines.search.position import Position, position, restart
from descheduler.policy.engines.search.schedule import Scale, Schedule, mean_fee
from descheduler.policy.engines.search.supposing import Supposing
from descheduler.policy.pace import Budget, Part
from ullage.model.arrays import Int32Array

NEAR: Final = Mix(home=0.05, near=0.9)
"""Steps that seldom go far."""
_EVEN: Final = 0.03
"""How uneven loads may be, over what was gained, for all that is left to be the way of those who are far."""
_DEAR: Final = 0.25
_TRUE: Final = 0.31
_ROUNDS: Final = 0.935
_CALM: Final = 0.955
"""Progress at which the anneal with high fees ends, the one with true fees, the rounds, and the one that tidies."""
_ROUND: Final = 0.11
_SHAKEN: Final = 0.011
_SETTLED: Final = 0.008
"""Progress that a round takes, shaking in it, and settling; the rest of it are homecomings, exact and supposed ones."""
_PRICE: Final = 4.0
"""High fees over the geometric mean of the first and the last temperature of loads."""
_FINER: Final = 3.0
"""What the last temperature of loads is divided by."""
_FREE: Final = 0.83
"""Progress of the first anneal at which rents end."""
_WARM: Final = 2.0
_COOL: Final = 0.2
_COLD: Final = 0.06
_ICY: Final = 0.003
_TEPID: Final = 0.01
_FROZEN: Final = 0.002
"""Temperatures over the mean fee, first and last: with the true fees, of settling, and of tidying, which leaves who is far
where it is."""
_WORSE: Final = 1.5
"""How much more than the best, over the mean fee, a round may begin with."""


def only_far(columns: Columns, best: Best) -> bool:
    """Whether all that is left to gain is the way of those who are far, and exact steps can be made."""
    if not applicable(columns) or not len(far(columns, best.place)):
        return False
    uneven = unevenness(columns, position(columns, best.place))
    return float(uneven.sum()) <= _EVEN * (best.first - best.cost)


@dataclass(frozen=True, eq=False)
class Homeward:
    """What it takes to bring home who is far.

    Attributes
    ----------
    columns, at, best
        What is searched, where it stands, and the best so far.
    movers
        Makes movers for columns with the same lanes.
    scale
        Temperatures of a short anneal.
    seed
        Of the exact steps.
    budget
        Spent in full.
    """

    columns: Columns
    at: Position
    best: Best
    movers: Callable[[Columns], Mover]
    scale: Scale
    seed: int
    budget: Budget

    def run(self, home: Int32Array) -> None:
        """Everything, from `home`."""
        fee, cold = mean_fee(self.columns), self.scale.cold / _FINER
        dear = dearer(self.columns, max(1.0, _PRICE * (self.scale.hot * cold) ** 0.5 / fee))
        shaken = Schedule(self.scale.hot, cold, rent=self.scale.rent, free=_FREE)
        shaking, settling = self.movers(dear), self.movers(self.columns)
        restart(self.columns, self.at, home)
        self._shake(dear, shaking, shaken, 0.0, _DEAR)
        self._settle(settling, Schedule(_WARM * fee, _COLD * fee), _DEAR, _TRUE)
        random = np.random.default_rng(self.seed)
        supposing = Supposing(self.columns, self.at, dear, shaking, self.best, cold, random)
        exact = ExactSteps(self.columns, self.at, self.best, random, self.budget.timed)
        exact.bring_home(Part(self.budget, _TRUE, _TRUE + _ROUND), supposing.bring_home)
        settled = Schedule(_COOL * fee, _ICY * fee)
        for begin in np.arange(_TRUE + _ROUND, _ROUNDS, _ROUND).tolist():
            steps = begin + _SHAKEN + _SETTLED
            self._return(_WORSE * fee)
            self._shake(dear, shaking, Schedule(cold, cold), begin, begin + _SHAKEN)
            self._settle(settling, settled, begin + _SHAKEN, steps)
            exact.bring_home(Part(self.budget, steps, min(_ROUNDS, begin + _ROUND)), supposing.bring_home)
        self._return(0.0)
        self._settle(settling, Schedule(_TEPID * fee, _FROZEN * fee), _ROUNDS, _CALM)
        self._return(0.0)
        exact.tidy(Part(self.budget, _CALM, 1.0))

    def _return(self, worse: float) -> None:
        """Go back to the best if the place is so much worse."""
        if self.at.cost() > self.best.cost + worse:
            restart(self.columns, self.at, self.best.place)

    def _shake(self, dear: Columns, mover: Mover, schedule: Schedule, begin: float, end: float) -> None:
        """Anneal with high fees, of which nothing is kept but where it ends."""
        restart(dear, self.at, self.at.place.copy())
        anneal(dear, self.at, mover, schedule, Part(self.budget, begin, end), Best(self.at))
        restart(self.columns, self.at, self.at.place.copy())

    def _settle(self, mover: Mover, schedule: Schedule, begin: float, end: float) -> None:
        """Anneal with the true fees."""
        anneal(self.columns, self.at, mover, schedule, Part(self.budget, begin, end), self.best)
