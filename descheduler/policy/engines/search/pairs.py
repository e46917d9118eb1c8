"""The search without a compiler: nodes are matched into pairs, and all exchanges within all pairs are judged at once.

From both nodes of a pair some workloads are drawn, and *nobody* besides, so that a shift is an exchange with nobody. One
exchange per pair is chosen with the probabilities of a heat bath: the least of ``change + T * noise`` with Gumbel's noise.
Pairs are disjoint, so that all chosen exchanges are made together; only members of groups are looked at one by one.

Some rounds match the present node of workloads that are away with their home. They bring workloads home, or exchange them
with others of the same home, which keeps a search from jamming where room is held at both ends.

All exchanges are priced in float32, with a first look at limits. Who may not go by the rules takes no part. The few exchanges
that beat doing nothing by most are judged exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.draft import NO_LIMIT
from descheduler.policy.engines.search.exchange import Exchanges, may_go
from descheduler.policy.engines.search.position import COST, MADE, Position, fees
from descheduler.policy.engines.search.rules import allows, carry, count_crew
from descheduler.policy.engines.search.screen import Float32Array, Screen
from ullage.model.arrays import FloatArray, IntArray

_NOISE: Final = 1 << 20
_REDRAW: Final = 16
"""Rounds after which the lists of who is where are made anew; who has left since counts as nobody."""
_FINALISTS: Final = 2
"""Exchanges per pair that are judged exactly."""
_WORTH: Final = 0.05
"""What an exchange that is judged here counts in tries of a compiled kernel, which acts on every one at once."""


@dataclass(frozen=True, eq=False)
class _Match:
    """P pairs of nodes, int64 (P,) each; `first` is a workload of the first node that is to be drawn, if given."""

    here: IntArray
    there: IntArray
    first: IntArray | None = None


class Pairs:
    """Steps on a position with numpy alone; a step is one round of pairs."""

    name = "numpy"
    chunk = 32

    def __init__(self, columns: Columns, at: Position, seed: int, home: float = 0.3) -> None:
        self._columns, self._at, self._home_share = columns, at, home
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self._noise = self._rng.gumbel(size=_NOISE).astype(np.float32)
        self._lanes = Screen(columns)
        self._counted = columns.absence.most[0] < NO_LIMIT or bool((columns.absence.quota < NO_LIMIT).any())
        self._draws = self._lanes.draws()
        self.tries = _WORTH * self._draws**2 * (len(at.sums.price) // 2)

    def advance(self, steps: int, heat: float, factor: float) -> int:
        """Make `steps` rounds at temperature `heat` with rents times `factor`; returns how many exchanges were made."""
        made = 0
        for step in range(steps):
            if step % _REDRAW == 0:
                self._redraw()
            match = self._match()
            if len(match.here):
                made += self._round(match, heat, factor)
        self._at.totals[COST] = self._at.sums.price.sum() + fees(self._columns, self._at.place)
        self._at.gone.counts[MADE] += made
        return made

    def _redraw(self) -> None:
        movable = self._rng.permutation(self._columns.by_size)
        place = self._at.place[movable]
        self._members = movable[np.argsort(place, kind="stable")].astype(np.int64)
        self._count = np.bincount(place, minlength=len(self._at.sums.price))
        self._begin = np.cumsum(self._count) - self._count
        self._away = movable[place != self._columns.home[movable]].astype(np.int64)

    def _match(self) -> _Match:
        if len(self._away) and self._rng.random() < self._home_share:
            return self._homeward()
        order = self._rng.permutation(len(self._count))
        half = len(order) // 2
        return _Match(order[:half], order[half : 2 * half])

    def _homeward(self) -> _Match:
        """Disjoint pairs of present node and home of workloads that are away."""
        chosen = self._away[self._rng.integers(len(self._away), size=len(self._count))]
        chosen = chosen[self._at.place[chosen] != self._columns.home[chosen]]
        here, there = self._at.place[chosen].astype(np.int64), self._columns.home[chosen].astype(np.int64)
        kept = disjoint(np.arange(len(chosen)), here, there, len(self._count))
        return _Match(here[kept], there[kept], chosen[kept])

    def _draw(self, node: IntArray, other: IntArray, first: IntArray | None) -> IntArray:
        """Workloads of each node that may go to the other one, int64 (D, P), -1 for nobody; the first row is nobody."""
        count = self._count[node]
        rank = np.arange(self._draws)[:, None]
        slot = ((self._rng.random(len(node)) * count).astype(np.int64) + rank) % np.maximum(1, count)
        who = np.full((self._draws + 1, len(node)), -1)
        who[1:] = np.where(
            rank < count, self._members[np.minimum(self._begin[node] + slot, len(self._members) - 1)], -1
        )
        if first is not None:
            who[1] = first
        who[(self._at.place[who] != node) | ~may_go(self._columns, self._at, who, node, other)] = -1
        return who

    def _round(self, match: _Match, heat: float, factor: float) -> int:
        mine = self._draw(match.here, match.there, match.first)
        yours = self._draw(match.there, match.here, None)
        change = self._lanes.changes(self._at, match.here, match.there, mine, yours)
        change += self._extra(mine, match.here, match.there, factor)[:, None]
        change += self._extra(yours, match.there, match.here, factor)[None, :]
        noise = self._some_noise(change.shape, heat)
        change -= noise
        row, pair = _finalists(change)
        i, j = np.divmod(row, len(yours))
        found = Exchanges(self._columns, self._at, mine[i, pair], yours[j, pair], match.here[pair], match.there[pair])
        exact = found.change(factor) - noise[i, j, pair]
        exact[~found.fit()] = np.inf
        return self._make(found, _least(exact, pair, -noise[0, 0]))

    def _some_noise(self, shape: tuple[int, ...], heat: float) -> Float32Array:
        size = int(np.prod(shape))
        begin = int(self._rng.integers(max(1, _NOISE - size)))
        noise = self._noise[begin : begin + size] if size <= _NOISE else np.resize(self._noise, size)
        scaled: Float32Array = noise.reshape(shape) * np.float32(heat)
        return scaled

    def _extra(self, who: IntArray, here: IntArray, there: IntArray, factor: float) -> Float32Array:
        """Fees and rents of each workload, float32 (D, P); inf for nobody, except that the first row stands for nobody."""
        absence, home = self._columns.absence, self._columns.home[who]
        away = (home == here).astype(np.float32) - (home == there)
        extra: Float32Array = away * (absence.fee + factor * absence.rent).astype(np.float32)[who]
        if len(absence.travel):
            extra += (absence.travel[home, there] - absence.travel[home, here]).astype(np.float32)
        extra[who < 0] = np.inf
        extra[0] = 0.0
        return extra

    def _make(self, found: Exchanges, rows: IntArray) -> int:
        """Make the exchanges `rows` of disjoint pairs, as far as the rules of groups and crews bear them."""
        ruled = (found.mine.ruled() | found.yours.ruled())[rows] | self._counted
        passed = np.array(
            [r for r, rule in zip(rows.tolist(), ruled, strict=True) if not rule or self._noted(found, r)]
        )
        found.carry_out(passed.astype(np.int64))
        return len(passed)

    def _noted(self, found: Exchanges, row: int) -> bool:
        """Let groups and crews take note of one exchange, if their rules bear it."""
        both = (found.mine, found.yours)
        trips = [(int(t.who[row]), int(t.source[row]), int(t.target[row])) for t in both if t.some[row]]
        groups, members, noted = self._columns.groups, self._at.members, []
        for w, source, target in trips:
            group = int(groups.of[w])
            if group >= 0 and not allows(groups, members, group, source, target):
                break
            noted.append((group, source, target))
            if group >= 0:
                carry(groups, members, group, source, target)
        if len(noted) == len(trips) and (not self._counted or self._crews_bear(trips)):
            return True
        for group, source, target in noted:
            if group >= 0:
                carry(groups, members, group, target, source)
        return False

    def _crews_bear(self, trips: list[tuple[int, int, int]]) -> bool:
        """Count crews for one exchange, if quotas bear it."""
        home, absence, gone = self._columns.home, self._columns.absence, self._at.gone
        leaving = [w for w, source, _ in trips if source == home[w]]
        for already, w in enumerate(leaving):
            crew = absence.crew[w]
            if crew >= 0 and gone.of_crew[crew] + already >= absence.quota[crew]:
                return False
        if gone.counts[1] + len(leaving) > absence.most[0]:
            return False
        for w in (*leaving, *(w for w, _, target in trips if target == home[w])):
            gone.counts[1] += 1 if w in leaving else -1
            if absence.crew[w] >= 0:
                count_crew(gone, int(absence.crew[w]), w in leaving)
        return True


def _finalists(change: Float32Array) -> tuple[IntArray, IntArray]:
    """Exchange and pair of those that beat doing nothing, but only the best few of each pair."""
    flat = change.reshape(-1, change.shape[-1])
    better = flat < flat[0]
    if np.count_nonzero(better) > _FINALISTS * flat.shape[1]:
        better &= flat <= np.partition(flat, _FINALISTS - 1, axis=0)[_FINALISTS - 1]
    row, pair = np.nonzero(better)
    return row, pair


def _least(value: FloatArray, pair: IntArray, nothing: Float32Array) -> IntArray:
    """Row of the least value of each pair, where it is no more than that of doing nothing."""
    order = np.lexsort((value, pair))
    first = order[np.flatnonzero(np.diff(pair[order], prepend=-1))]
    chosen: IntArray = first[value[first] <= nothing[pair[first]]]
    return chosen


def disjoint(order: IntArray, here: IntArray, there: IntArray, nodes: int) -> IntArray:
    """Those of `order` both of whose nodes, out of `nodes`, no earlier one of `order` has."""
    rank, first = np.arange(len(order)), np.full(nodes, len(order))
    np.minimum.at(first, here[order], rank)
    np.minimum.at(first, there[order], rank)
    kept: IntArray = order[(first[here[order]] == rank) & (first[there[order]] == rank)]
    return kept
