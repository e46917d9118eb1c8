"""From places of a plan to better ones, for any aim."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import numpy as np

from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.product import Aim, columns_of
from descheduler.policy.engines.search.run import Scaling, Style, kernel_name, search
from descheduler.policy.engines.search.schedule import Scale, mean_fee, scale
from descheduler.policy.pace import Progress
from descheduler.policy.problem import Problem
from ullage.model.arrays import Int32Array

STEPS_PER_SECOND: Final = MappingProxyType({"numpy": 500, "numba": 4_000_000})
"""What counts as a second without a clock."""


def improve(problem: Problem, aim: Aim, places: dict[int, int], scaling: Scaling = scale) -> dict[int, int]:
    """Places, by workload that is away, that cost no more than `places` by what `aim` charges.

    Parameters
    ----------
    problem
        Constraints, time and seed.
    aim
        Costs.
    places
        Where to start; ``{}`` is home.
    scaling
        Temperatures.
    """
    columns = columns_of(problem, aim)
    kernel = kernel_name(problem.search_kernel)
    best = search(
        columns,
        _place(problem, places),
        lambda: problem.pace.budget(problem.search_seconds, STEPS_PER_SECOND[kernel]),
        Style(kernel, problem.seed, scaling),
        _teller(problem),
    )
    return {w: int(best.place[w]) for w in np.flatnonzero(best.place != columns.home).tolist()}


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
    """Temperatures for a plan that is nearly as short as can be: no more heat than lets a few more moves be tried."""
    fee = mean_fee(columns)
    return Scale(fee, hot=0.8 * fee, cold=0.2 * fee, icy=0.02 * fee, rent=0.0)
