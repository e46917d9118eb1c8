"""The default engine: randomized greedy construction, then ruin and recreate.

One construction goes from source to source; on each it takes, again and again, the (workload, destination) pair with the most
relief per cost, until the source is down. Relief is counted only up to the excess, so that the smallest workload that alone is
enough beats a larger one. Constructions differ in the order of sources and in seeded noise on the preferences; the best one is
then improved by undoing the moves of a few sources and building them anew (ruin and recreate; Schrimpf et al., "Record
breaking optimization results using the ruin and recreate principle", 2000), which never accepts a worse plan. It ends when
the lower bound is reached.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.policy.engines import Solution
from descheduler.policy.problem import Problem, Tally
from descheduler.policy.sequence import has_order
from ullage.model.arrays import BoolArray, FloatArray, IntArray

_TINY = 1e-9
_FRESH = 2.0
"""Share of constructions that start from nothing, times the number of sources: with many, ruining a few is the better way."""
_POLISH = 8
"""Rounds without improvement after which a plan at the lower bound is left as it is."""
_PATIENCE = 40
"""The same for any plan."""


@dataclass(frozen=True)
class _Taste:
    """Preferences of one construction: how much waste counts, and how much noise goes on victims and destinations."""

    waste: float = 1.0
    victim_noise: float = 0.0
    target_noise: float = 0.0
    aligned: bool = False

    @classmethod
    def random(cls, rng: np.random.Generator) -> _Taste:
        return cls(
            waste=float(rng.choice([-1.0, 0.0, 1.0, 3.0, 10.0])),
            victim_noise=float(rng.choice([0.0, 0.1, 0.3, 1.0])),
            target_noise=float(rng.choice([0.0, 0.02, 0.1, 0.5])),
            aligned=bool(rng.integers(2)),
        )


def solve(problem: Problem, *, time_limit_seconds: float = 0.0) -> Solution:  # noqa: ARG001 - it does without a clock
    """Solve `problem`; see the module for how."""
    rng = np.random.Generator(np.random.PCG64(problem.seed))
    tally = Tally(problem)
    best = _Best(tally)
    for attempt in range(problem.rounds):
        if best.is_enough(attempt) or tally.spent > problem.effort:
            break
        _attempt(tally, best, rng, attempt)
        best.take(attempt)
    tally.restore(best.places)
    exchange(tally, rng)
    settle(tally)
    return Solution(tally, "greedy", optimal=best.is_optimal())


def _attempt(tally: Tally, best: _Best, rng: np.random.Generator, attempt: int) -> None:
    """One construction: mostly from a ruined best plan, now and then from nothing, so as not to get stuck."""
    tally.restore(best.places)
    sources = tally.problem.sources
    if attempt and rng.random() < _FRESH / max(1, len(sources)):
        tally.restore({})
    elif attempt:
        _ruin(tally, rng)
    over = sources[tally.capacity.excess(sources).any(axis=1)]
    order, taste = (rng.permutation(over), _Taste.random(rng)) if attempt else (_worst_first(tally, over), _Taste())
    for source in order.tolist():
        relieve(tally, source, taste, rng)
    take_back(tally, set(over.tolist()))


class _Best:
    """Best places so far: least overload first, then least cost."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self.places: dict[int, int] = {}
        self.found_at = -1
        self._value = (round(tally.overload(), 9), 0.0)

    def take(self, attempt: int) -> None:
        value = (round(self._tally.overload(), 9), self._tally.price())
        if value > self._value or not has_order(self._tally):
            return
        if value < self._value:
            self.found_at = attempt
        self._value, self.places = value, dict(self._tally.away)

    def is_optimal(self) -> bool:
        overload, cost = self._value
        problem = self._tally.problem
        return overload == 0.0 and cost <= problem.bound + problem.tolerance

    def is_enough(self, attempt: int) -> bool:
        """At the bound and not getting better below it, or not getting better for long."""
        idle = attempt - self.found_at
        return idle > (_POLISH if self.is_optimal() else _PATIENCE)


def _worst_first(tally: Tally, sources: IntArray) -> IntArray:
    return sources[np.argsort(-tally.capacity.excess(sources).max(axis=1, initial=0.0), kind="stable")]


def _ruin(tally: Tally, rng: np.random.Generator) -> None:
    """Send home everything that left one to three sources, and what landed on one destination."""
    sources = tally.problem.sources
    chosen = rng.choice(sources, size=min(int(rng.integers(1, 4)), len(sources)), replace=False)
    targets = sorted(set(tally.away.values()))
    target = targets[int(rng.integers(len(targets)))] if targets else -1
    home = tally.problem.home
    for workload in sorted(tally.away):
        if home[workload] in chosen or tally.away[workload] == target:
            tally.move(workload, int(home[workload]))


def relieve(tally: Tally, source: int, taste: _Taste, rng: np.random.Generator) -> None:
    """Take pairs off `source` until it is down, nothing fits, or the limit on moves is reached."""
    node = np.array([source])
    while not tally.full():
        excess = tally.capacity.excess(node)[0]
        if not excess.any():
            return
        candidates = tally.candidates(source)
        value = _value(tally, candidates, source, excess, taste)
        if taste.victim_noise:
            value += taste.victim_noise * rng.gumbel(size=len(value))
        if not _move_best(tally, candidates, value, taste, rng):
            return


def _value(tally: Tally, candidates: IntArray, source: int, excess: FloatArray, taste: _Taste) -> FloatArray:
    """Logarithm of relief per cost, less waste; -inf for no relief."""
    demand = tally.capacity.leaving[candidates] / tally.capacity.scale[source]
    useful = np.minimum(demand, excess)
    relief = useful.sum(axis=1) / excess.sum()
    waste = (demand - useful).sum(axis=1)
    with np.errstate(divide="ignore"):
        value: FloatArray = np.log(relief / tally.problem.cost[candidates]) - taste.waste * waste
    value[relief <= _TINY] = -np.inf
    return value


def _move_best(tally: Tally, candidates: IntArray, value: FloatArray, taste: _Taste, rng: np.random.Generator) -> bool:
    """Move the best candidate that fits anywhere; False if there is none. Looks at a few at a time, best first."""
    order = np.argsort(-value, kind="stable")
    order = order[: int(np.isfinite(value).sum())]
    for begin, end in ((0, 3), (3, 16), (16, len(order))):
        batch = candidates[order[begin:end]]
        if not len(batch):
            break
        fits = tally.fits(batch)
        rows = np.flatnonzero(fits.any(axis=1))
        if len(rows):
            workload = int(batch[rows[0]])
            tally.move(workload, _destination(tally, workload, fits[rows[0]], taste, rng))
            return True
    return False


def _destination(tally: Tally, workload: int, fits: BoolArray, taste: _Taste, rng: np.random.Generator) -> int:
    """Best fit: the destination that keeps the least room; or the one that it leaves with the most even room."""
    nodes = np.flatnonzero(fits)
    capacity = tally.capacity
    room = (capacity.room[:2, nodes] - capacity.landing[workload, :2, None]) / capacity.scale[nodes, :2].T
    value = -np.abs(room[0] - room[1]) if taste.aligned else -room.sum(axis=0)
    if taste.target_noise:
        value = value + taste.target_noise * rng.gumbel(size=len(nodes))
    return int(nodes[int(np.argmax(value))])


def take_back(tally: Tally, homes: set[int]) -> None:
    """Send home, dearest first, every workload of `homes` without which they stay down."""
    cost, home = tally.problem.cost, tally.problem.home
    moved = [w for w in tally.away if int(home[w]) in homes]
    for workload in sorted(moved, key=lambda w: (-cost[w], w)):
        if tally.home_is_free(workload):
            tally.move(workload, int(tally.problem.home[workload]))


def exchange(tally: Tally, rng: np.random.Generator) -> None:
    """Replace, dearest first, every moved workload by a cheaper one of its source that alone does as much."""
    cost = tally.problem.cost
    for workload in sorted(tally.away, key=lambda w: (-cost[w], w)):
        target, home = tally.away[workload], int(tally.problem.home[workload])
        tally.move(workload, home)
        candidates = tally.candidates(home)
        needed = tally.capacity.load[home] - tally.capacity.source[home]
        enough = (tally.capacity.leaving[candidates] >= needed).all(axis=1)
        cheaper = candidates[enough & (cost[candidates] < cost[workload] - _TINY)]

        if not _move_best(tally, cheaper, -cost[cheaper], _Taste(), rng):
            tally.move(workload, target)


def settle(tally: Tally, passes: int = 2) -> None:
    """Give the moved workloads the destinations that they like and that leave the nodes most even; same victims."""
    before = dict(tally.away)
    for _ in range(passes):
        changed = [_settle_one(tally, workload) for workload in sorted(tally.away)]
        if not any(changed):
            break
    if tally.away != before and not has_order(tally):
        tally.restore(before)


def _settle_one(tally: Tally, workload: int) -> bool:
    capacity, here = tally.capacity, tally.away[workload]
    nodes = np.append(np.flatnonzero(tally.fits(np.array([workload]))[0]), here)
    load = capacity.load[nodes, :2] + capacity.landing[workload, :2]
    load[-1] -= capacity.landing[workload, :2]
    before = load - capacity.landing[workload, :2]
    scale = capacity.scale[nodes, :2]
    gain = ((load / scale) ** 2 - (before / scale) ** 2).sum(axis=1)
    gain -= 0.5 * tally.problem.preference(workload)[nodes]
    chosen = int(np.argmin(gain))
    if gain[chosen] >= gain[-1] - _TINY:
        return False
    tally.move(workload, int(nodes[chosen]))
    return True
