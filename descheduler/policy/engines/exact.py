"""The exact engine: a mixed-integer program on HiGHS, with the greedy plan as its start and its fallback.

Variables say which workload of a source goes to which node that its placement rules allow at the start; rows keep every
dimension of every node within its limit. Workloads of other nodes do not move: the model is reduced, and what it proves holds
for plans that only move workloads of sources. Rules that depend on where others are (pod affinity, spread, ports, budgets)
are checked on the solution; if one is broken, the greedy plan stands.

Formulation: one binary per (workload, node), ``sum_n y[i,n] <= 1``, and per node and dimension ``load + arrivals - departures
<= limit``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, cast

import numpy as np

from descheduler.policy.engines import Solution
from descheduler.policy.engines.greedy import settle
from descheduler.policy.engines.greedy import solve as solve_greedily
from descheduler.policy.problem import Problem, Tally
from descheduler.policy.sequence import safe_order
from ullage.errors import EngineError
from ullage.model.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    import highspy

_TIGHTEN = 1e-7
"""Relative distance that rows keep from limits, because a solver is content with less than exact."""
_LARGEST = 400_000
"""Variables above which the model is not tried: it would not be solved in any time that people wait."""


def solve(problem: Problem, *, time_limit_seconds: float) -> Solution:
    """Solve `problem` to proven optimality if the time allows; see the module for how.

    Raises
    ------
    EngineError
        HiGHS is not installed.
    """
    start = solve_greedily(problem)
    if start.optimal:
        return Solution(start.tally, "exact", optimal=True)
    model = _Model.of(problem)
    if not len(model.workload) or len(model.workload) > _LARGEST:
        remark = f"A model of {len(model.workload)} variables was not tried; the greedy plan stands."
        return Solution(start.tally, "greedy", optimal=False, remark=remark)
    places, proven = model.solve(start.tally, time_limit_seconds)
    tally = Tally(problem)
    tally.restore(places)
    if not _better(tally, start.tally) or safe_order(problem, places)[1]:
        remark = "The solver found nothing better in its time; the greedy plan stands."
        return Solution(start.tally, "greedy", optimal=False, remark=remark)
    settle(tally)
    return Solution(tally, "exact", optimal=proven)


def _better(tally: Tally, than: Tally) -> bool:
    """Whether `tally` is no worse in overload, then in cost; limits on moves hold."""
    limit = tally.problem.limit
    if limit is not None and len(tally.away) > limit:
        return False
    mine, other = round(tally.overload(), 7), round(than.overload(), 7)
    return (mine, tally.price()) <= (other, than.price())


@dataclass(frozen=True, eq=False)
class _Model:
    """Variables (workload, node) in order, and what they are made from."""

    problem: Problem
    workload: IntArray
    node: IntArray

    @classmethod
    def of(cls, problem: Problem) -> _Model:
        movable = np.flatnonzero(problem.movable & np.isin(problem.home, problem.sources))
        roomy = Tally(problem)
        roomy.capacity.load[:] = np.minimum(roomy.capacity.load, 0.0)
        row, node = np.nonzero(roomy.fits(movable)) if len(movable) else (movable, movable)
        return cls(problem, movable[row], node.astype(np.int64))

    def solve(self, start: Tally, time_limit_seconds: float) -> tuple[dict[int, int], bool]:
        """Places of the best solution found, and whether it is proven to be the best."""
        highs = _import()
        solver = highs.Highs()
        for option, value in _options(self.problem, time_limit_seconds).items():
            solver.setOptionValue(option, value)
        solver.passModel(self._program(highs))
        hint = highs.HighsSolution()
        hint.col_value = [float(start.away.get(int(w)) == n) for w, n in zip(self.workload, self.node, strict=True)]
        solver.setSolution(hint)
        solver.run()
        chosen = np.flatnonzero(np.array(solver.getSolution().col_value) > 0.5)
        places = {int(self.workload[i]): int(self.node[i]) for i in chosen}
        return places, bool(solver.getModelStatus() == highs.HighsModelStatus.kOptimal)

    def _program(self, highs: ModuleType) -> highspy.HighsLp:
        rows, columns, values, upper = self._entries()
        order = np.lexsort((columns, rows))
        program = highs.HighsLp()
        program.num_col_, program.num_row_ = len(self.workload), len(upper)
        program.col_cost_ = self.problem.cost[self.workload]
        program.col_lower_, program.col_upper_ = np.zeros(len(self.workload)), np.ones(len(self.workload))
        program.row_lower_, program.row_upper_ = np.full(len(upper), -np.inf), upper
        program.a_matrix_.format_ = highs.MatrixFormat.kRowwise
        program.a_matrix_.start_ = np.searchsorted(rows[order], np.arange(len(upper) + 1))
        program.a_matrix_.index_, program.a_matrix_.value_ = columns[order], values[order]
        program.integrality_ = [highs.HighsVarType.kInteger] * len(self.workload)
        return cast("highspy.HighsLp", program)

    def _entries(self) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
        """Matrix as (row, column, value) and the upper bounds of the rows."""
        problem, variables = self.problem, np.arange(len(self.workload))
        _, place = np.unique(self.workload, return_inverse=True)
        upper = [np.ones(place.max() + 1)]
        entries = [(place, variables, np.ones(len(variables)))]
        home = problem.home[self.workload]
        for d in problem.dimensions:
            first = sum(map(len, upper))
            limit = np.where(np.isfinite(d.source), d.source, np.maximum(d.target, d.load))
            finite = np.isfinite(limit)
            upper.append(np.where(finite, (limit - d.load) / d.scale - _TIGHTEN, np.inf))
            entries.append((first + self.node, variables, d.landing[self.workload] / d.scale[self.node]))
            entries.append((first + home, variables, -d.leaving[self.workload] / d.scale[home]))
        if problem.limit is not None:
            entries.append((np.full(len(variables), sum(map(len, upper))), variables, np.ones(len(variables))))
            upper.append(np.array([float(problem.limit)]))
        rows, columns, values = (np.concatenate(part) for part in zip(*entries, strict=True))
        kept = values != 0
        return rows[kept], columns[kept], values[kept], np.concatenate(upper)


def _options(problem: Problem, time_limit_seconds: float) -> dict[str, object]:
    """One thread and a fixed seed, so that a run that is not cut off by its time repeats itself."""
    return {
        "output_flag": False,
        "threads": 1,
        "random_seed": problem.seed,
        "time_limit": time_limit_seconds,
        "mip_feasibility_tolerance": 1e-9,
        "mip_abs_gap": problem.tolerance,
        "mip_rel_gap": 0.0,
    }


def _import() -> ModuleType:
    try:
        return import_module("highspy")
    except ImportError:
        raise EngineError("the engine exact needs HiGHS", "install it: pip install 'ullage[exact]'") from None
