"""Many exchanges at once, exactly: whether limits and rules bear them, what they change, and their making."""

from __future__ import annotations

import numpy as np

from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.position import Position, prices
from descheduler.policy.engines.search.rules import allows
from ullage.model.arrays import BoolArray, FloatArray, IntArray


class Trips:
    """E workloads on their way from `source` to `target`; -1 stands for nobody.

    Parameters
    ----------
    c, at
        Columns and position.
    who, source, target
        int64 (E,).
    """

    def __init__(self, c: Columns, at: Position, who: IntArray, source: IntArray, target: IntArray) -> None:
        self._c, self._at = c, at
        self.who, self.source, self.target = who, source, target
        self.some = who >= 0
        home = c.home[who]
        self.leaves, self.returns = (home == source) & self.some, (home == target) & self.some
        self.out = self._demand(self.leaves)
        self.into = self.out if c.lanes.leaving is c.lanes.landing else self._demand(self.returns)

    def _demand(self, home: BoolArray) -> FloatArray:
        """Float64 (E, K)."""
        lanes = self._c.lanes
        demand: FloatArray = lanes.landing[self.who]
        if lanes.leaving is not lanes.landing:
            demand[home] = lanes.leaving[self.who[home]]
        demand[~self.some] = 0.0
        return demand

    def out_room(self) -> FloatArray:
        """What leaving frees, float64 (E, K)."""
        return np.where(self.leaves[:, None], self.out * self._c.lanes.frees, self.out)

    def into_room(self) -> FloatArray:
        """What arriving takes, float64 (E, K)."""
        return np.where(self.returns[:, None], self.into * self._c.lanes.frees, self.into)

    def absence(self) -> FloatArray:
        """1 for who leaves home, -1 for who returns, 0 else, float64 (E,)."""
        absence: FloatArray = self.leaves.astype(np.float64) - self.returns
        return absence

    def fee(self, factor: float = 0.0) -> FloatArray:
        """Change of fees and of rents times `factor`, float64 (E,)."""
        absence = self._c.absence
        fee: FloatArray = (absence.fee[self.who] + factor * absence.rent[self.who]) * self.absence()
        if len(absence.travel):
            home = self._c.home[self.who]
            fee += (absence.travel[home, self.target] - absence.travel[home, self.source]) * self.some
        return fee

    def allowed(self) -> BoolArray:
        """Whether each may go by itself, by the rules of groups and by the nodes that are open to it."""
        return may_go(self._c, self._at, self.who, self.source, self.target) | ~self.some

    def ruled(self) -> BoolArray:
        """Which belong to a group with rules."""
        ruled: BoolArray = (self._c.groups.of[self.who] >= 0) & self.some
        return ruled


def may_go(c: Columns, at: Position, who: IntArray, source: IntArray, target: IntArray) -> BoolArray:
    """Whether each workload may go from `source` to `target` by rules and open nodes alone.

    Parameters
    ----------
    c, at
        Columns and position.
    who
        int64 (..., E).
    source, target
        int64 (E,).

    Returns
    -------
    BoolArray
        bool (..., E).
    """
    allowed: BoolArray = c.open_to[c.place_class[who], target] | (c.home[who] == target)
    group = c.groups.of[who]
    ruled = np.nonzero((group >= 0) & allowed)
    if len(ruled[0]):
        column = ruled[-1]
        allowed[ruled] = allows(c.groups, at.members, group[ruled], source[column], target[column])
    return allowed


class Exchanges:
    """E exchanges: workloads `mine` from `here` to `there`, and `yours` the other way; -1 stands for nobody."""

    def __init__(
        self, c: Columns, at: Position, mine: IntArray, yours: IntArray, here: IntArray, there: IntArray
    ) -> None:
        self._c, self._at, self.here, self.there = c, at, here, there
        self.mine, self.yours = Trips(c, at, mine, here, there), Trips(c, at, yours, there, here)
        self._over_here = at.sums.over[here] + self.yours.into - self.mine.out
        self._over_there = at.sums.over[there] + self.mine.into - self.yours.out
        self._takes_here = self.yours.into_room() - self.mine.out_room()
        self._takes_there = self.mine.into_room() - self.yours.out_room()
        self._price_here = prices(c.lanes, self._over_here, here)
        self._price_there = prices(c.lanes, self._over_there, there)

    def borne(self) -> BoolArray:
        """Whether limits bear it, and rules each half of it."""
        return self.fit() & self.mine.allowed() & self.yours.allowed()

    def fit(self) -> BoolArray:
        """Whether limits bear it."""
        slack = np.maximum(self._at.sums.slack, 0.0)
        lanes = (self._takes_here <= slack[self.here]) & (self._takes_there <= slack[self.there])
        fit: BoolArray = np.logical_and.reduce(lanes, axis=1)
        return fit

    def change(self, factor: float = 0.0) -> FloatArray:
        """Change of cost, without crews, and of rents times `factor`, float64 (E,)."""
        price = self._at.sums.price
        change: FloatArray = self._price_here + self._price_there - price[self.here] - price[self.there]
        return change + self.mine.fee(factor) + self.yours.fee(factor)

    def carry_out(self, rows: IntArray) -> None:
        """Make the exchanges `rows`, no two of which share a node; groups and crews are left to the caller."""
        at, here, there = self._at, self.here[rows], self.there[rows]
        at.sums.over[here], at.sums.over[there] = self._over_here[rows], self._over_there[rows]
        at.sums.price[here], at.sums.price[there] = self._price_here[rows], self._price_there[rows]
        at.sums.slack[here] -= self._takes_here[rows]
        at.sums.slack[there] -= self._takes_there[rows]
        for trips in (self.mine, self.yours):
            some = rows[trips.some[rows]]
            at.place[trips.who[some]] = trips.target[some]


def disjoint(order: IntArray, here: IntArray, there: IntArray, nodes: int) -> IntArray:
    """Those of `order` both of whose nodes, out of `nodes`, no earlier one of `order` has."""
    rank, first = np.arange(len(order)), np.full(nodes, len(order))
    np.minimum.at(first, here[order], rank)
    np.minimum.at(first, there[order], rank)
    kept: IntArray = order[(first[here[order]] == rank) & (first[there[order]] == rank)]
    return kept
