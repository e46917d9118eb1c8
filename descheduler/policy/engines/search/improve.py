"""From places of a plan to better ones, for any aim."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import numpy as np

from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.position import position
from descheduler.policy.engines.search.product import Aim, columns_of
from descheduler.policy.engines.search.run import Style, kernel_name, search
from descheduler.policy.engines.search.schedule import Scale, mean_fee
from descheduler.policy.pace import Budget, Part, Progress
from descheduler.policy.problem import Problem, Tally
from descheduler.policy.sequence import safe_order
from ullage.model.arrays import Int32Array

STEPS_PER_SECOND: Final = MappingProxyType({"numpy": 500, "numba": 4_000_000})
"""What counts as a second without a clock."""
_HOT: Final = 0.1
_COLD: Final = 0.03
_ICY: Final = 0.01
"""Temperatures over the mean price of a move, chosen on `benchmarks.search_balance`."""
_ROUNDS: Final = (0.4, 0.6, 0.8, 1.0)
"""Progress at which what was found is brought into an order."""


def improve(problem: Problem, aim: Aim, places: dict[int, int]) -> dict[int, int]:
    """Places, by workload that is away, that cost no more than `places` by what `aim` charges, and stand in a safe order.

    Who is left out of the order, for want of room at the right time, stays at home; the search goes on from the best that has
    one, so that others take its place.

    Parameters
    ----------
    problem
        Constraints, time and seed.
    aim
        Costs.
    places
        Where to start; ``{}`` is home.
    """
    columns, kernel = columns_of(problem, aim), kernel_name(problem.search_kernel)
    budget = cache(lambda: problem.pace.budget(problem.search_seconds, STEPS_PER_SECOND[kernel]))

    def cost(of: dict[int, int]) -> float:
        return position(columns, _place(problem, of)).cost()

    for i, (begin, end) in enumerate(pairwise((0.0, *_ROUNDS))):
        style, part = Style(kernel, problem.seed + i, gently), partial(_part, budget, begin, end)
        best = search(columns, _place(problem, places), part, style, _teller(problem))
        places = min(places, _ordered(problem, best.place), key=cost)
    return places


def _part(whole: Callable[[], Budget], begin: float, end: float) -> Budget:
    return Part(whole(), begin, end)


def _ordered(problem: Problem, place: Int32Array) -> dict[int, int]:
    """Places that have a safe order, in it."""
    away = np.flatnonzero(place != problem.home)
    moves, _ = safe_order(Tally(problem), dict(zip(away.tolist(), place[away].tolist(), strict=True)))
    return {m.workload: m.target for m in moves}


def _place(problem: Problem, places: dict[int, int]) -> Int32Array:
    place = problem.home.astype(np.int32)
    place[list(places)] = list(places.values())
    return place


def _teller(problem: Problem) -> Callable[[Int32Array, float], None] | None:
    """Tells the pace's listener of better places, if there is one."""
    listener = problem.pace.tell
    if listener is None:
        return None

    def tell(place: Int32Array, cost: float) -> None:
        away = np.flatnonzero(place != problem.home)
        listener(Progress(cost, len(away), float(problem.moved_bytes[away].sum())))

    return tell


def gently(columns: Columns, tries: float) -> Scale:  # noqa: ARG001 - scalings share one interface
    """Temperatures for what begins at a good plan: no more heat than lets some moves be tried that do not pay at once."""
    fee = mean_fee(columns)
    return Scale(fee, hot=_HOT * fee, cold=_COLD * fee, icy=_ICY * fee, rent=0.0)
