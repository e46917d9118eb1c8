"""Simulated annealing over any mover: cools down with the budget, keeps the best, and tells who wants to know.

Kirkpatrick, Gelatt, Vecchi, "Optimization by simulated annealing", 1983. The budget decides what progress is: time, or steps;
with steps the same seed gives the same places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.position import Position, restart
from descheduler.policy.engines.search.schedule import Schedule
from ullage.model.arrays import Int32Array

_REFRESH = 256
"""Chunks after which sums are worked out anew, so that rounding errors do not grow."""


class Mover(Protocol):
    """Random steps on a position."""

    name: str
    chunk: int

    def advance(self, steps: int, heat: float, factor: float) -> int:
        """Try `steps` steps at temperature `heat` with rents times `factor`; returns how many were made."""
        ...


class Budget(Protocol):
    """How much of what may be spent is spent."""

    def progress(self) -> float:
        """0 at the start, 1 or more at the end."""
        ...

    def spend(self, steps: int) -> None:
        """Take note of steps."""
        ...


@dataclass
class Steps:
    """A budget of steps: repeatable."""

    total: int
    spent: int = 0

    def progress(self) -> float:
        """Share of the steps that are spent."""
        return self.spent / self.total if self.total > 0 else 1.0

    def spend(self, steps: int) -> None:
        """Count them."""
        self.spent += steps


class Clock:
    """A budget of seconds by the caller's clock; it may be stopped early."""

    def __init__(self, now: Callable[[], float], seconds: float, stopped: Callable[[], bool] = lambda: False) -> None:
        self._now, self._seconds, self._stopped = now, seconds, stopped
        self._start = now()

    def progress(self) -> float:
        """Share of the time that has passed; 1 if stopped."""
        if self._stopped() or self._seconds <= 0:
            return 1.0
        return (self._now() - self._start) / self._seconds

    def spend(self, steps: int) -> None:
        """Time passes by itself."""


@dataclass
class Part:
    """The part of a budget from one progress to another, as a budget of its own."""

    of: Budget
    begin: float
    end: float

    def progress(self) -> float:
        """Progress within the part."""
        return (self.of.progress() - self.begin) / max(self.end - self.begin, 1e-12)

    def spend(self, steps: int) -> None:
        """Pass on."""
        self.of.spend(steps)


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
    """Cool `at` down over `budget`; it ends at the best places, and `best` holds them."""
    chunks = 0
    while (done := budget.progress()) < 1.0:
        heat = schedule.heat(done)
        if heat == 0.0 and best.cost < at.cost():
            restart(columns, at, best.place)
        mover.advance(mover.chunk, heat, schedule.factor(done))
        budget.spend(mover.chunk)
        chunks += 1
        if chunks % _REFRESH == 0:
            restart(columns, at, at.place.copy())
        best.take(at)
    restart(columns, at, best.place)
