"""The search engine: simulated annealing and exchanges on columns, for problems too large for steps one by one.

It starts from the greedy plan and never ends with a worse one. What it finds is carried over to a `Tally`, whose terms have the
last word, and into an order in which it can be carried out.
"""

from __future__ import annotations

from descheduler.policy.engines import Solution
from descheduler.policy.engines.greedy import solve as solve_greedily
from descheduler.policy.engines.search.improve import improve
from descheduler.policy.engines.search.product import relief
from descheduler.policy.problem import Problem, Tally


def solve(problem: Problem, *, time_limit_seconds: float = 0.0) -> Solution:  # noqa: ARG001 - it has a pace of its own
    """Better the greedy plan for as long as `problem` says.

    Raises
    ------
    EngineError
        The compiled kernel is asked for, and numba is not installed.
    """
    start = solve_greedily(problem)
    if start.optimal or not len(problem.sources):
        return start
    places = improve(problem, relief, start.tally.away)
    found = Tally(problem)
    found.restore(places)
    if _value(found) >= _value(start.tally):
        return start
    return Solution(found, "search", optimal=_value(found) <= (0.0, problem.bound + problem.tolerance))


def _value(tally: Tally) -> tuple[float, float]:
    return (round(tally.overload(), 9), tally.price())
