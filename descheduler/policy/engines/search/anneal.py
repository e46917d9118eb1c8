"""Simulated annealing over any mover: cools down with the budget, keeps the best, and tells who wants to know.

Kirkpatrick, Gelatt, Vecchi, "Optimization by simulated annealing", 1983. The budget decides what progress is: time, or steps;
with steps the same seed gives the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.position import Position, restart
from descheduler.policy.engines.search.schedule import Scale, Schedule
from descheduler.policy.pace import Budget
from ullage.model.arrays import BoolArray, Int32Array

_REHEAT = 10.0
_LOW = 0.2
"""Of reheats: first temperature over the last one, and share of the rents."""
_REFRESH = 256
"""Chunks after which sums are worked out anew, so that rounding errors do not grow."""


@dataclass(frozen=True)
class Habit:
    """How a kind of steps differs from single ones in what suits it.

    Attributes
    ----------
    colder
        What last temperatures are divided by. Who chooses among many steps at once leaves what is good more often.
    rent
        Factor on rents.
    free
        Progress after which there are no rents any more.
    reheats
        How often the long anneal is followed by one that is not as hot, with low rents: what jams is sent home and leaves anew.
    """

    colder: float = 1.0
    rent: float = 1.0
    free: float = 0.97
    reheats: int = 0

    def schedules(self, scale: Scale) -> Iterator[tuple[float, Schedule]]:
        """The long anneal of `scale` and its reheats, with the shares of the time that they take."""
        cold, rent, half = scale.cold / self.colder, self.rent * scale.rent, 0.5 if self.reheats else 1.0
        yield half, Schedule(scale.hot, cold, rent=rent, free=self.free)
        for _ in range(self.reheats):
            hot = min(scale.hot, _REHEAT * cold)
            yield half / self.reheats, Schedule(hot, cold, rent=_LOW * rent, free=self.free)


class Mover(Protocol):
    """Random steps on a position.

    Attributes
    ----------
    name
        Of the kernel.
    chunk
        Steps that are worth a look at the clock.
    tries
        What one step is worth in steps of the compiled kernel.
    habit
        What suits it.
    """

    name: str
    chunk: int
    tries: float
    habit: Habit

    def advance(self, steps: int, heat: float, factor: float) -> int:
        """Try `steps` steps at temperature `heat` with rents times `factor`; returns how many were made."""
        ...

    def among(self, some: BoolArray) -> Mover:
        """The same for `some`, bool (W,), of the movable workloads only."""
        ...


class Best:
    """The best places so far.

    Parameters
    ----------
    at
        Where the search stands.
    tell
        Called with places and cost whenever there are better ones.
    """

    def __init__(self, at: Position, tell: Callable[[Int32Array, float], None] | None = None) -> None:
        self.cost, self.place = at.cost(), at.place.copy()
        self.first = self.cost
        self._tell = tell

    def take(self, at: Position) -> None:
        """Keep the places of `at` if they cost less."""
        if at.cost() >= self.cost:
            return
        self.cost = at.cost()
        self.place[:] = at.place
        if self._tell is not None:
            self._tell(self.place, self.cost)


def anneal(columns: Columns, at: Position, mover: Mover, schedule: Schedule, budget: Budget, best: Best) -> None:
    """Cool `at` down over `budget`; it ends where it ends, and `best` holds the best places."""
    chunks = 0
    while (done := budget.progress()) < 1.0:
        mover.advance(mover.chunk, schedule.heat(done), schedule.factor(done))
        budget.spend(mover.chunk)
        chunks += 1
        if chunks % _REFRESH == 0:
            restart(columns, at, at.place.copy())
        best.take(at)
