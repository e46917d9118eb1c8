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
from descheduler.policy.engines.room import make_room
from descheduler.policy.problem import Problem, Tally
from descheduler.policy.sequence import has_order
from ullage.model.arrays import BoolArray, FloatArray, IntArray

_TINY = 1e-9
_FRESH = 2.0
"""Share of constructions that start from nothing, times the number of sources: with many, ruining a few is the better way."""
_POLISH = 8
"""Rounds that a plan at the lower bound is still given to become cheaper in what only breaks ties."""
_DISORDER = (0.7, 0.7, 0.7, 0.7, 0.7, 4.0)
"""Spread of the noise on the order of sources: mostly near worst first, now and then any order."""
_PASSES = 2
"""How often `settle` goes over all moves."""
_PATIENCE = 16
"""Rounds without improvement, and one more per source, after which a plan that reaches the goal is left as it is."""
_HARD_PATIENCE = 48
"""The same for a plan that does not."""


@dataclass(frozen=True)
class _Taste:
    """Preferences of one construction: how much waste counts, and how much noise goes on victims and destinations."""

    waste: float = 1.0
    victim_noise: float = 0.0
    target_noise: float = 0.0
    aligned: bool = False
    anywhere: bool = False

    @classmethod
    def random(cls, rng: np.random.Generator) -> _Taste:
        return cls(
            waste=float(rng.choice([-1.0, 0.0, 1.0, 3.0, 10.0])),
            victim_noise=float(rng.choice([0.0, 0.1, 0.3, 1.0])),
            target_noise=float(rng.choice([0.0, 0.02, 0.1, 0.5])),
            aligned=bool(rng.random() < 0.2),
            anywhere=bool(rng.random() < 0.25),
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
    for step in (exchange, settle, mop_up):
        before = dict(tally.away)
        step(tally, rng)
        if tally.away != before and not has_order(tally):
            tally.restore(before)
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
    noise = rng.lognormal(0.0, rng.choice(_DISORDER), size=len(over)) if attempt else np.ones(len(over))
    taste = _Taste.random(rng) if attempt else _Taste()
    for source in _worst_first(tally, over, noise).tolist():
        relieve(tally, source, taste, rng)
    take_back(tally, set(over.tolist()))


class _Best:
    """Best places so far: least overload first, then least cost."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self.places: dict[int, int] = {}
        self.found_at = 0
        self.optimal_at: int | None = None
        self._value = (round(tally.overload(), 9), 0.0)

    def take(self, attempt: int) -> None:
        value = (round(self._tally.overload(), 9), self._tally.price())
        if value > self._value or not has_order(self._tally):
            return
        if value < self._value:
            self.found_at = attempt
        self._value, self.places = value, dict(self._tally.away)
        if self.optimal_at is None and self.is_optimal():
            self.optimal_at = attempt

    def is_optimal(self) -> bool:
        overload, cost = self._value
        problem = self._tally.problem
        return overload == 0.0 and cost <= problem.bound + problem.tolerance

    def is_enough(self, attempt: int) -> bool:
        """At the bound and polished a little, or not getting better for long."""
        if self.optimal_at is not None:
            return attempt > self.optimal_at + _POLISH
        overload, _ = self._value
        patience = _HARD_PATIENCE if overload else _PATIENCE + len(self._tally.problem.sources)
        return attempt > self.found_at + patience


def _worst_first(tally: Tally, sources: IntArray, noise: FloatArray) -> IntArray:
    excess = tally.capacity.excess(sources).max(axis=1, initial=0.0)
    return sources[np.argsort(-excess * noise, kind="stable")]


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
    while not tally.full():
        excess = tally.capacity.excess_of(source)
        if not excess.any():
            return
        candidates = tally.candidates(source)
        value = _value(tally, candidates, excess, taste)
        if taste.victim_noise:
            value += taste.victim_noise * rng.gumbel(size=len(value))
        if not _move_best(tally, candidates, value, taste, rng):
            return


def _value(tally: Tally, candidates: IntArray, excess: FloatArray, taste: _Taste) -> FloatArray:
    """Logarithm of relief per cost, less waste, for candidates of one source; -inf for no relief.

    A source that cannot come down even if all candidates leave is not emptied in vain: only what relieves it visibly counts.
    """
    demand = tally.capacity.share(candidates)
    useful = np.minimum(demand, excess)
    total = useful.sum(axis=1)
    relief = total / excess.sum()
    if (demand.sum(axis=0) < excess).any():
        relief[useful.max(axis=1, initial=0.0) < tally.problem.worthwhile] = 0.0
    waste = demand.sum(axis=1) - total
    value = np.log(np.maximum(relief / tally.problem.cost[candidates], _TINY)) - taste.waste * waste
    return np.where(relief <= _TINY, -np.inf, value)


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
    """Best fit: the destination that keeps the least room; or the one that it leaves with the most even room.

    A source is a destination only if no other node is, or now and then: plans without them are easier to follow.
    """
    calm = fits.copy()
    calm[tally.problem.sources] = False
    nodes = np.flatnonzero(calm if calm.any() and not taste.anywhere else fits)
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


def settle(tally: Tally, rng: np.random.Generator | None = None) -> None:  # noqa: ARG001 - steps share one interface
    """Give the moved workloads the destinations that they like and that leave the nodes most even; same victims."""
    for _ in range(_PASSES):
        changed = [_settle_one(tally, workload) for workload in sorted(tally.away)]
        if not any(changed):
            return


def _settle_one(tally: Tally, workload: int) -> bool:
    """Move one workload on if another node would be fuller by less (in squares), or is liked better by more."""
    capacity, here = tally.capacity, tally.away[workload]
    fits = tally.fits(np.array([workload]))[0]
    fits[tally.problem.sources] = False
    fits[here] = True
    price = -0.5 * tally.problem.preference(workload)
    for r in (0, 1):
        share = capacity.landing[workload, r] / capacity.scale[:, r]
        before = capacity.load[:, r] / capacity.scale[:, r]
        before[here] -= share[here]
        price += share * (2 * before + share)
    chosen = int(np.argmin(np.where(fits, price, np.inf)))
    if price[chosen] >= price[here] - _TINY:
        return False
    tally.move(workload, chosen)
    return True


def mop_up(tally: Tally, rng: np.random.Generator) -> None:
    """Relieve what is still over as far as the room that `settle` made allows; then by making room."""
    sources = tally.problem.sources
    for source in sources[tally.capacity.excess(sources).any(axis=1)].tolist():
        relieve(tally, source, _Taste(), rng)
        while tally.spent <= tally.problem.effort and make_room(tally, _useful(tally, source)):
            relieve(tally, source, _Taste(), rng)


def _useful(tally: Tally, source: int) -> IntArray:
    """Workloads whose move would relieve `source`, the most useful first; none if it is down."""
    excess = tally.capacity.excess_of(source)
    candidates = tally.candidates(source)
    if not excess.any():
        return candidates[:0]
    value = _value(tally, candidates, excess, _Taste())
    useful: IntArray = candidates[np.argsort(-value, kind="stable")][: int(np.isfinite(value).sum())]
    return useful
