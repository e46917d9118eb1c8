"""One search from beginning to end.

First a short anneal, so that there is a good plan early. Where there is much time for each workload, colder ones from home come
next, which find at once what is good near home, and one that goes only where that costs least. Then a long one, as hot as the
number of tries that it can make allows. Where there is much time others from home follow, since chance decides how a long one
ends more than its length does; or many short ones that go only near, if the first of these did best. Some movers reheat in the
second half of a long one. Last the fees: whoever needs not be away goes home. Where the short ones leave nothing to gain but
the way of those who are far, another end takes the place of all that follows (`homeward.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from typing import Final

import numpy as np

from descheduler.policy.engines.search.anneal import Best, Mover, anneal
from descheduler.policy.engines.search.columns import Columns, nearby
from descheduler.policy.engines.search.homeward import NEAR, Homeward, only_far
from descheduler.policy.engines.search.mix import Mix
from descheduler.policy.engines.search.needless import take_back
from descheduler.policy.engines.search.pairs import Pairs
from descheduler.policy.engines.search.position import Position, position, restart
from descheduler.policy.engines.search.schedule import Scale, Schedule, scale
from descheduler.policy.pace import Budget, Part
from ullage.errors import EngineError
from ullage.model.arrays import Int32Array

_FIRST: Final = 0.02
_EARLY: Final = 0.06
_MAIN: Final = 0.7
_TURNED: Final = 0.9
_LAST: Final = 0.98
"""Progress at which the first anneal, all early ones, the long one, all long ones if there are several, and the one for fees
end; the rest is for taking back."""
_TURNS: Final = 3
"""Long ones where there is much time."""
_PLENTY: Final = 200_000.0
"""Tries per workload, in the units of a compiled kernel, from which there is much time."""
_COLDER: Final = (0.1, 0.01, 0.001)
"""First temperatures of these, over that of the first anneal."""
_NEAR: Final = 0.03
"""The same for the one that goes only near; it pays no rents."""
_NEAR_TURN: Final = 0.016
"""Progress that it takes, some of it from the hottest part of the long one."""
_CLEARLY: Final = 3e-5
"""By how much the one that goes only near must do better, as a share of what was gained before."""
Scaling = Callable[[Columns, float], Scale]


def kernel_name(asked: str) -> str:
    """Name of the kernel for `asked`: itself, or for ``auto`` the compiled one if it can be had.

    Raises
    ------
    EngineError
        The compiled one is asked for and numba is not installed.
    """
    compiled = find_spec("numba") is not None
    if asked == "numba" and not compiled:
        raise EngineError("numba is not installed", "install ullage[kernel], or choose the numpy kernel")
    if asked == "auto":
        return "numba" if compiled else "numpy"
    return asked


def mover(name: str, columns: Columns, at: Position, seed: int, mix: Mix | None = None) -> Mover:
    """A kernel at work on `at`; the compiled one is loaded, and if need be compiled, here, and it alone knows a `mix`."""
    if name == "numba":
        made: Mover = import_module("descheduler.policy.engines.search.kernel").Kernel(columns, at, mix)
        return made
    return Pairs(columns, at, seed)


@dataclass(frozen=True)
class Style:
    """How to search.

    Attributes
    ----------
    kernel
        ``numpy`` or ``numba``.
    seed
        Of all that is random.
    scaling
        Temperatures for columns and a number of tries.
    """

    kernel: str = "numpy"
    seed: int = 1
    scaling: Scaling = scale


def search(
    columns: Columns,
    place: Int32Array,
    budget: Callable[[], Budget],
    style: Style,
    tell: Callable[[Int32Array, float], None] | None = None,
) -> Best:
    """The best places that `budget` lets a search find; needless moves are taken back.

    Parameters
    ----------
    columns
        What is searched.
    place
        int32 (W,), where to start; feasible.
    budget
        Makes the budget; called when everything is ready, so that compiling does not count.
    style
        How.
    tell
        Called with places and cost whenever there are better ones.
    """
    at = position(columns, place, style.seed)
    best = Best(at, tell)
    if len(columns.by_size):
        moves = mover(style.kernel, columns, at, style.seed)
        _Search(columns, at, moves, best, _Counted(budget())).run(style)
        take_back(columns, at)
        best.take(at)
    return best


@dataclass
class _Counted:
    """A budget that knows how many steps were made."""

    of: Budget
    steps: int = 0

    def progress(self) -> float:
        return self.of.progress()

    @property
    def timed(self) -> bool:
        return self.of.timed

    def spend(self, steps: int) -> None:
        self.steps += steps
        self.of.spend(steps)


@dataclass(frozen=True, eq=False)
class _Search:
    columns: Columns
    at: Position
    mover: Mover
    best: Best
    budget: _Counted

    def run(self, style: Style) -> None:
        """All parts; `at` ends at the best places."""
        home = self.at.place.copy()
        tries = self._first(style)
        plenty = tries >= _PLENTY * len(self.columns.by_size)
        other = self._colder(home, style) if plenty else self
        if plenty and only_far(self.columns, self.best):
            movers = partial(mover, style.kernel, at=self.at, seed=style.seed, mix=NEAR)
            rest = Part(self.budget, self.budget.progress(), _LAST)
            short = style.scaling(self.columns, 0.0)
            Homeward(self.columns, self.at, self.best, movers, short, style.seed, rest).run(home)
            restart(self.columns, self.at, self.best.place)
            return
        last, before = self, self.best.cost
        turns = np.linspace(_EARLY, _TURNED, _TURNS + 1).tolist() if plenty else [_EARLY, _MAIN]
        chosen = style.scaling(self.columns, tries * (turns[1] - _EARLY) / (_MAIN - _EARLY))
        self.long(chosen, *turns[:2])
        for begin, end in pairwise(turns[1:]):
            found = self.best.cost
            other.once_more(home, chosen, begin, end)
            if self.best.cost < found or found == before:
                last = other
        last.end(home, chosen, turns[-1], _LAST)
        restart(self.columns, self.at, self.best.place)

    def once_more(self, home: Int32Array, by: Scale, begin: float, end: float) -> None:
        """Another long anneal, from home."""
        restart(self.columns, self.at, home)
        self.long(by, begin, end)

    def end(self, home: Int32Array, by: Scale, begin: float, end: float) -> None:
        """An anneal for the fees, from the best."""
        del home  # where others begin
        restart(self.columns, self.at, self.best.place)
        divisor = self.mover.habit.colder
        self.cool(Schedule(by.cold / divisor, by.icy / divisor, frozen=0.1), begin, end)

    def long(self, by: Scale, begin: float, end: float) -> None:
        """A long anneal as the mover likes it."""
        at = begin
        for share, schedule in self.mover.habit.schedules(by):
            after = at + share * (end - begin)
            self.cool(schedule, at, after)
            at = after

    def _first(self, style: Style) -> float:
        """The first anneal; returns steps in all at its pace, in the units of a compiled kernel."""
        early = style.scaling(self.columns, 0.0)
        self.cool(Schedule(early.hot, early.icy, rent=early.rent), 0.0, _FIRST)
        return self.budget.steps * self.mover.tries / max(_FIRST, self.budget.progress())

    def _colder(self, home: Int32Array, style: Style) -> _Search:
        """Colder ones from home, and one that goes only near; returns who is to have the turns that follow the long one."""
        early, begin = style.scaling(self.columns, 0.0), _FIRST
        for colder in _COLDER:
            end = begin + (_EARLY - _FIRST) / len(_COLDER)
            restart(self.columns, self.at, home)
            self.cool(Schedule(early.hot * colder, early.icy, rent=early.rent), begin, end)
            begin = end
        near = nearby(self.columns)
        if near is self.columns:
            return self
        found, gained = self.best.cost, self.best.first - self.best.cost
        short = Schedule(early.hot * _NEAR, style.scaling(near, 0.0).icy)
        moves = mover(style.kernel, near, self.at, style.seed)
        search = _Near(near, self.at, moves, self.best, self.budget, short)
        search.turn(home, _EARLY, _EARLY + _NEAR_TURN)
        return search if found - self.best.cost > _CLEARLY * gained else self

    def cool(self, schedule: Schedule, begin: float, end: float) -> None:
        anneal(self.columns, self.at, self.mover, schedule, Part(self.budget, begin, end), self.best)


@dataclass(frozen=True, eq=False)
class _Near(_Search):
    """A search where few are to move: chance decides more than time, and short anneals from home follow one another."""

    short: Schedule

    def turn(self, home: Int32Array, begin: float, end: float) -> None:
        """One of them."""
        restart(self.columns, self.at, home)
        self.cool(self.short, begin, end)

    def once_more(self, home: Int32Array, by: Scale, begin: float, end: float) -> None:
        """As many short ones as there is time for."""
        del by  # theirs is shorter
        for turn in np.arange(begin, end, _NEAR_TURN).tolist():
            self.turn(home, turn, min(end, turn + _NEAR_TURN))

    end = once_more
