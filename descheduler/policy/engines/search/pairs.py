"""The search without a compiler: nodes are matched into pairs, and all exchanges within all pairs are judged at once.

From both nodes of a pair some workloads are drawn, and *nobody* besides, so that a shift is an exchange with nobody. One
exchange per pair is chosen with the probabilities of a heat bath: the least of ``change + T * noise`` with Gumbel's noise.
Pairs are disjoint, so that all chosen exchanges are made together; only members of groups are looked at one by one.

Where room is held at both ends, three things keep a search from jamming. Some rounds match the present node of workloads that
are away with their home: these go home, or change places with others of the same home. Half of those that are drawn are away,
because they exchange what they hold anyway; two that leave home at once seldom find room. And the long anneal is followed by
reheats, since what is left to gain stands on a few nodes that are jammed.

All exchanges are priced in float32, with a first look at limits. Who may not go by the rules takes no part. The one of each
pair that is chosen is judged exactly.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Final

import numpy as np

from descheduler.policy.engines.search.anneal import Habit
from descheduler.policy.engines.search.columns import Columns, among
from descheduler.policy.engines.search.draft import NO_LIMIT
from descheduler.policy.engines.search.exchange import Exchanges, disjoint, may_go
from descheduler.policy.engines.search.position import COST, MADE, Position, fees
from descheduler.policy.engines.search.rules import allows, carry, count_crew
from descheduler.policy.engines.search.screen import Drawn, Float32Array, Screen
from ullage.model.arrays import BoolArray, IntArray

_NOISE: Final = 1 << 20
_REDRAW: Final = 16
"""Rounds after which the lists of who is where are made anew; who has left since counts as nobody."""
_HOME: Final = 0.3
"""Share of rounds that bring workloads home, where room is held there."""
_RENT: Final = 2.0
_FREE: Final = 0.8
_REHEATS: Final = 6
"""Habits, chosen on b_01 and b_02 of `benchmarks.machine_reassignment`: rents count twice, and fall to nothing earlier."""
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

    def __init__(self, columns: Columns, at: Position, seed: int) -> None:
        self._columns, self._at = columns, at
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self._noise = self._rng.gumbel(size=_NOISE).astype(np.float32)
        self._lanes = Screen(columns)
        self._counted = columns.absence.most[0] < NO_LIMIT or bool((columns.absence.quota < NO_LIMIT).any())
        self._home_share = _HOME if self._lanes.holds else 0.0
        self._draws = self._lanes.draws()
        self._decks = 2 if self._lanes.holds else 1
        absence = columns.absence
        self._fee, self._rent, self._travel = (
            x.astype(np.float32) for x in (absence.fee, absence.rent, absence.travel)
        )
        self.habit = Habit(
            colder=2 * float(np.log(1 + self._draws)),
            rent=_RENT,
            free=_FREE,
            reheats=_REHEATS if self._lanes.holds else 0,
        )
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

    def among(self, some: BoolArray) -> Pairs:
        """The same for `some`, bool (W,), of the movable workloads only; what is drawn comes from one generator."""
        other = copy(self)
        other._columns = among(self._columns, some)  # noqa: SLF001 - its own kind
        return other

    def _redraw(self) -> None:
        """Deal the workloads of each node out anew: one deck for all, or one for those that are away and one for the others."""
        movable = self._rng.permutation(self._columns.by_size).astype(np.int64)
        at_home = self._at.place[movable] == self._columns.home[movable]
        deck = self._decks * self._at.place[movable].astype(np.int64) + (at_home & (self._decks > 1))
        self._members = movable[np.argsort(deck, kind="stable")]
        self._count = np.bincount(deck, minlength=self._decks * len(self._at.sums.price))
        self._begin = np.cumsum(self._count) - self._count
        self._away = movable[~at_home]

    def _match(self) -> _Match:
        if len(self._away) and self._rng.random() < self._home_share:
            return self._homeward()
        order = self._rng.permutation(len(self._at.sums.price))
        half = len(order) // 2
        return _Match(order[:half], order[half : 2 * half])

    def _homeward(self) -> _Match:
        """Disjoint pairs of present node and home of workloads that are away."""
        chosen = self._away[self._rng.integers(len(self._away), size=len(self._at.sums.price))]
        chosen = chosen[self._at.place[chosen] != self._columns.home[chosen]]
        here, there = self._at.place[chosen].astype(np.int64), self._columns.home[chosen].astype(np.int64)
        kept = disjoint(np.arange(len(chosen)), here, there, len(self._at.sums.price))
        return _Match(here[kept], there[kept], chosen[kept])

    def _draw(self, match: _Match) -> Drawn:
        """Workloads of both nodes of each pair that may go to the other one; the first of each is nobody."""
        c, at = self._columns, self._at
        node, other = np.concatenate([match.here, match.there]), np.concatenate([match.there, match.here])
        who = np.full((self._draws + 1, len(node)), -1)
        for i, ranks in enumerate(np.array_split(np.arange(self._draws), self._decks)):
            who[1 + ranks] = self._dealt(self._decks * node + i, len(ranks))
        if match.first is not None:
            who[1, : len(match.first)] = match.first
        home = c.home[who]
        some = (who >= 0) & (at.place[who] == node) & may_go(c, at, who, node, other)
        who[~some] = -1
        return Drawn(node, other, who, (home == node) & some, (home == other) & some)

    def _dealt(self, deck: IntArray, hand: int) -> IntArray:
        """Neighbours from a random place of each deck, int64 (hand, E); -1 where there are not as many."""
        count, rank = self._count[deck], np.arange(hand)[:, None]
        slot = ((self._rng.random(len(deck)) * count).astype(np.int64) + rank) % np.maximum(1, count)
        who = self._members[np.minimum(self._begin[deck] + slot, len(self._members) - 1)]
        return np.where(rank < count, who, -1)

    def _round(self, match: _Match, heat: float, factor: float) -> int:
        drawn = self._draw(match)
        change = self._lanes.changes(self._at, drawn)
        mine, yours = np.split(self._extra(drawn, factor), 2, axis=1)
        change += mine[:, None]
        change += yours
        noise = self._some_noise(change.shape, heat)
        change -= noise
        row = change.reshape(-1, len(match.here)).argmin(axis=0)
        pair = np.flatnonzero(row)
        i, j = np.divmod(row[pair], len(drawn.who))
        gain = noise[i, j, pair] - noise[0, 0, pair]
        who = drawn.who[i, pair], drawn.who[j, pair + len(match.here)]
        found = Exchanges(self._columns, self._at, *who, match.here[pair], match.there[pair])
        return self._make(found, np.flatnonzero(found.fit() & (found.change(factor) <= gain)))

    def _some_noise(self, shape: tuple[int, ...], heat: float) -> Float32Array:
        size = int(np.prod(shape))
        begin = int(self._rng.integers(max(1, _NOISE - size)))
        noise = self._noise[begin : begin + size] if size <= _NOISE else np.resize(self._noise, size)
        scaled: Float32Array = noise.reshape(shape) * np.float32(heat)
        return scaled

    def _extra(self, drawn: Drawn, factor: float) -> Float32Array:
        """Fees and rents of each workload, float32 (D, E); inf for nobody, except that the first row stands for nobody."""
        who, home = drawn.who, self._columns.home[drawn.who]
        away = drawn.leaves.astype(np.float32) - drawn.returns
        extra: Float32Array = away * (self._fee[who] + np.float32(factor) * self._rent[who])
        if len(self._travel):
            extra += self._travel[home, drawn.other] - self._travel[home, drawn.node]
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
