"""Balance: make nodes more alike, one steepest step after the other, as long as each step pays; or by search.

The measure is the sum over nodes and resources of the squared distance of predicted use (over allocatable) from the cluster's
mean. A step must lower it by as much as bringing two nodes each `balance_minimum_gain` nearer to the mean would: less is
within the noise of what was measured. A search pays as much for every move, and may take detours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from descheduler.policy.engines.search.improve import improve
from descheduler.policy.engines.search.product import evenness, mean_of
from descheduler.policy.goals import Outcome
from descheduler.policy.plan import NodeClass
from descheduler.policy.problem import Problem, Tally
from descheduler.policy.sequence import safe_order
from descheduler.policy.setting import Setting, problem
from ullage.model.arrays import BoolArray, FloatArray, IntArray

_LEAST = 1e-9
"""Gain of a step even where the configuration asks for none: a move that changes nothing is not made."""


def balance(given: Setting, nodes: Sequence[int] = ()) -> Outcome:  # noqa: ARG001 - goals share one interface
    """Outcome of the goal."""
    task = problem(given, given.rows(NodeClass.OVER)[:0])
    tally = Tally(task)
    descend(given, tally)
    engine, places = "greedy", dict(tally.away)
    if given.config.planning.engine == "search":
        engine, places = _searched(given, task, places)
    # Greedy steps stand steepest first, so that a plan that ends early has brought most by then; searched ones in a safe order.
    moves, _ = safe_order(Tally(task), places, in_turn=True)
    return Outcome(
        problem=task,
        moves=moves,
        codes={m.workload: "balance" for m in moves},
        engine=engine,
        bound=None,
        subjects=tuple(given.rows(NodeClass.OVER).tolist()),
    )


def _searched(given: Setting, task: Problem, start: dict[int, int]) -> tuple[str, dict[int, int]]:
    """Engine and places after a search from `start`, which stays if nothing better is found."""
    known, worth = given.known(), worth_of(given)
    places = improve(task, evenness(known, worth), start)
    better = price(task, places, known, worth) < price(task, start, known, worth)
    return ("search", places) if better else ("greedy", start)


def price(task: Problem, places: dict[int, int], nodes: BoolArray, worth: float) -> float:
    """What `places` cost: squared distances of `nodes` from their first mean, and `worth` times the price of each move."""
    tally = Tally(task)
    tally.restore(places)
    distances = 0.0
    for r, dimension in enumerate(task.dimensions[:2]):
        ratio = tally.capacity.load[:, r] / dimension.scale
        distances += float(((ratio - mean_of(dimension, nodes))[nodes] ** 2).sum())
    return distances + worth * tally.price()


def worth_of(given: Setting) -> float:
    """What a move must bring at least, times its price: as much as two nodes that each come the least gain nearer."""
    return float(max(2 * given.config.planning.balance_minimum_gain**2, _LEAST))


def descend(given: Setting, tally: Tally) -> None:
    """Take steps on `tally` until none pays, or the limit on moves is reached. No workload moves twice."""
    known = np.flatnonzero(given.known())
    if len(known) < 2:
        return
    worth = worth_of(given)
    passed: set[int] = set()
    while not tally.full() and tally.spent <= tally.problem.effort:
        above = _above_mean(tally, known)
        source = _fullest(known, above, passed)
        if source is None:
            return
        step = _best_step(tally, source, _ratio(tally, known).mean(axis=0), worth)
        if step is None:
            passed.add(source)
        else:
            tally.move(*step)
            passed.discard(step[1])


def _ratio(tally: Tally, nodes: IntArray) -> FloatArray:
    ratio: FloatArray = tally.capacity.load[nodes, :2] / tally.capacity.scale[nodes, :2]
    return ratio


def _above_mean(tally: Tally, known: IntArray) -> FloatArray:
    """How far each node is above the mean in the resource where it is farthest."""
    ratio = _ratio(tally, known)
    above: FloatArray = (ratio - ratio.mean(axis=0)).max(axis=1)
    return above


def _fullest(known: IntArray, above: FloatArray, passed: set[int]) -> int | None:
    """The node farthest above the mean that has not been looked at in vain."""
    for i in np.argsort(-above, kind="stable")[: len(passed) + 1].tolist():
        if above[i] > 0 and int(known[i]) not in passed:
            return int(known[i])
    return None


def _best_step(tally: Tally, source: int, mean: FloatArray, worth: float) -> tuple[int, int] | None:
    """The (workload, destination) that gains most per cost, if it gains at least `worth`."""
    rows = tally.candidates(source)
    if not len(rows):
        return None
    gain = np.where(tally.fits(rows), _gains(tally, rows, mean), -np.inf)
    per_cost = np.where(gain >= worth, gain / tally.problem.cost[rows][:, None], -np.inf)
    best = int(np.argmax(per_cost))
    workload, target = divmod(best, gain.shape[1])
    return (int(rows[workload]), target) if np.isfinite(per_cost.flat[best]) else None


def _gains(tally: Tally, rows: IntArray, mean: FloatArray) -> FloatArray:
    """By how much the sum of squares falls for each (workload, destination), float64 (len(rows), N)."""
    capacity = tally.capacity
    gain = np.zeros((len(rows), len(capacity.load)))
    for r in (0, 1):
        distance = capacity.load[:, r] / capacity.scale[:, r] - mean[r]
        here = tally.node[rows]
        leaves = capacity.leaving[rows, r] / capacity.scale[here, r]
        gain += (distance[here] ** 2 - (distance[here] - leaves) ** 2)[:, None]
        arrives = capacity.landing[rows, r][:, None] / capacity.scale[:, r]
        gain -= arrives * (2 * distance + arrives)
    return gain
