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

import numpy as np

from descheduler.policy.engines import Solution, milp
from descheduler.policy.engines.greedy import settle
from descheduler.policy.engines.greedy import solve as solve_greedily
from descheduler.policy.problem import Problem, Tally
from descheduler.policy.sequence import has_order, safe_order
from descheduler.policy.terms.capacity import Dimension
from ullage.model.arrays import BoolArray, FloatArray, IntArray

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
    milp.load()
    start = solve_greedily(problem)
    if not len(problem.sources):
        return Solution(start.tally, "exact", optimal=True)
    movable, fits = _choices(problem)
    variables = int(fits.sum())
    if not 0 < variables <= _LARGEST:
        return _fallback(start, f"A model of {variables} variables was not tried")
    row, node = np.nonzero(fits)
    verdict = _Model(problem, movable[row], node.astype(np.int64)).solve(start.tally, time_limit_seconds)
    if verdict.infeasible:
        return _fallback(start, "The solver's model has no plan that reaches the goal in full")
    tally = Tally(problem)
    tally.restore(verdict.places)
    if not _better(tally, start.tally) or safe_order(Tally(problem), verdict.places)[1]:
        return _fallback(start, "The solver found nothing better that can be carried out move by move")
    settle(tally)
    if not has_order(tally):
        tally.restore(verdict.places)
    remark = "" if verdict.proven else "The solver's time was up before it could prove that no plan costs less."
    return Solution(tally, "exact", optimal=verdict.proven, remark=remark)


def _fallback(start: Solution, why: str) -> Solution:
    return Solution(start.tally, "greedy", optimal=False, remark=f"{why}; the greedy plan stands.")


def _choices(problem: Problem) -> tuple[IntArray, BoolArray]:
    """Movable workloads of the sources, and the nodes, bool (len, N), that each could go to if all nodes were empty."""
    movable = np.flatnonzero(problem.movable & np.isin(problem.home, problem.sources))
    roomy = Tally(problem)
    roomy.capacity.room[:] = np.maximum(roomy.capacity.room, roomy.capacity.target.T)
    return movable, roomy.fits(movable)


def _better(tally: Tally, than: Tally) -> bool:
    """Whether `tally` is no worse in overload, then in cost; limits on moves hold."""
    limit = tally.problem.limit
    if limit is not None and len(tally.away) > limit:
        return False
    mine, other = round(tally.overload(), 7), round(than.overload(), 7)
    return (mine, tally.price()) <= (other, than.price())


@dataclass(frozen=True)
class _Verdict:
    """Places of the solver's best solution; whether it is proven to be the best, or proven that there is none."""

    places: dict[int, int]
    proven: bool
    infeasible: bool


@dataclass(frozen=True, eq=False)
class _Model:
    """Variables (workload, node) in order, and what they are made from."""

    problem: Problem
    workload: IntArray
    node: IntArray

    def solve(self, start: Tally, time_limit_seconds: float) -> _Verdict:
        """The best solution found in the time."""
        hint = [float(start.away.get(int(w)) == n) for w, n in zip(self.workload, self.node, strict=True)]
        answer = milp.solve(self._program(), np.array(hint), _options(self.problem, time_limit_seconds))
        chosen = np.flatnonzero(answer.values > 0.5)
        places = {int(self.workload[i]): int(self.node[i]) for i in chosen}
        return _Verdict(places, proven=answer.proven, infeasible=answer.infeasible)

    def _program(self) -> milp.Program:
        entries, right = self._entries()
        count = len(self.workload)
        return milp.Program(
            cost=self.problem.cost[self.workload],
            least=np.zeros(count),
            most=np.ones(count),
            binary=count,
            entries=entries,
            right=right,
        )

    def _entries(self) -> tuple[milp.Entries, FloatArray]:
        """Matrix and the upper bounds of the rows."""
        problem, variables = self.problem, np.arange(len(self.workload))
        _, place = np.unique(self.workload, return_inverse=True)
        upper = [np.ones(place.max() + 1)]
        entries = [(place, variables, np.ones(len(variables)))]
        home = problem.home[self.workload]
        for d in problem.dimensions:
            first = sum(map(len, upper))
            upper.append(_room(d))
            entries.append((first + self.node, variables, d.landing[self.workload] / d.scale[self.node]))
            entries.append((first + home, variables, -d.leaving[self.workload] / d.scale[home]))
        if problem.limit is not None:
            entries.append((np.full(len(variables), sum(map(len, upper))), variables, np.ones(len(variables))))
            upper.append(np.array([float(problem.limit)]))
        rows, columns, values = (np.concatenate(part) for part in zip(*entries, strict=True))
        return milp.Entries(rows, columns, values), np.concatenate(upper)


def _room(d: Dimension) -> FloatArray:
    """Scaled room below the limit of each node, less what the solver may be off by; inf without a limit.

    What is full takes nothing more, and a source that is to be emptied cannot lose more than all.
    """
    limit = np.where(np.isfinite(d.source), d.source, np.maximum(d.target, d.load))
    room = np.where(np.isfinite(limit), (limit - d.load) / d.scale, np.inf)
    tight = np.where(d.source > 0, room - _TIGHTEN, room)
    return np.where(room >= 0, np.maximum(room - _TIGHTEN, 0.0), tight)


def _options(problem: Problem, time_limit_seconds: float) -> dict[str, object]:
    """A fixed seed, so that a run that is not cut off by its time repeats itself."""
    return {"random_seed": problem.seed, "time_limit": time_limit_seconds, "mip_abs_gap": 1e-6}
