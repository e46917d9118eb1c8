"""A planning problem as columns of a search, and what the goals charge for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np

from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.draft import Draft, Quantity, SearchTerm, enter_all
from descheduler.policy.engines.search.terms.capacity import Capacity
from descheduler.policy.engines.search.terms.crews import Crews, MostAway
from descheduler.policy.engines.search.terms.evenness import Evenness
from descheduler.policy.engines.search.terms.journey import Leaving
from descheduler.policy.engines.search.terms.load import Load
from descheduler.policy.engines.search.terms.openness import Openness
from descheduler.policy.problem import Problem
from descheduler.policy.terms.capacity import Dimension
from ullage.model.arrays import BoolArray, IntArray

Aim: TypeAlias = Callable[[Problem, Sequence[Quantity]], Iterable[SearchTerm]]
"""Costs of a goal, given the quantities of the problem's dimensions."""
_SOMETHING: Final = 1e-12
"""What a workload brings at least where a full node is closed even to those that bring nothing; over the scale of nodes."""
_RELIEF: Final = 1e4
"""Cost of a node that is over by all that it has, in mean prices of a move: a thousandth of a node is worth ten moves."""


def columns_of(problem: Problem, aim: Aim) -> Columns:
    """The problem as a search sees it.

    Room that is left is free for others: moves stand in an order (`sequence.safe_order`), and one that needs it comes later.
    To hold it until all has moved would bar what greedy steps do. Who stands on a node that is neither open nor a source stays:
    its use is not known, and no plan may rest on it.
    """
    quantities = [_quantity(d) for d in problem.dimensions]
    groups = np.full(len(problem.home), -1, dtype=np.int64)
    standing = problem.standing()
    judged = problem.open_nodes.copy()
    judged[problem.sources] = True
    movable = problem.movable & standing.covered & judged[problem.home]
    draft = Draft(problem.home, len(problem.open_nodes), groups, 0, movable=movable)
    room = [Capacity(q, d.target, held=False) for q, d in zip(quantities, problem.dimensions, strict=True)]
    rules: list[SearchTerm] = [
        Openness(standing.place_class, standing.open_to & problem.open_nodes),
        Crews(standing.budget, len(standing.allowed), standing.allowed),
    ]
    if problem.limit is not None:
        rules.append(MostAway(problem.limit))
    return enter_all((*room, *aim(problem, quantities), *rules), draft)


def _quantity(of: Dimension) -> Quantity:
    least = _SOMETHING * float(of.scale.mean()) if of.binds_idle and len(of.scale) else 0.0
    return Quantity(of.load, of.leaving, np.maximum(of.landing, least))


def relief(problem: Problem, quantities: Sequence[Quantity]) -> Iterator[SearchTerm]:
    """Sources come down; moves cost their price."""
    price = _RELIEF * float(problem.cost.mean()) if len(problem.cost) else 0.0
    for quantity, dimension in zip(quantities, problem.dimensions, strict=True):
        bound = np.isfinite(dimension.source)
        if bound.any():
            safe = np.where(bound, dimension.source, 0.0)
            yield Load(quantity, safe, np.where(bound, price / dimension.scale, 0.0))
    yield Leaving(problem.cost)


def evenness(nodes: BoolArray, worth: float) -> Aim:
    """`nodes` come near their mean use of CPU and of memory; a move costs `worth` times its price."""

    def terms(problem: Problem, quantities: Sequence[Quantity]) -> Iterator[SearchTerm]:
        for quantity, dimension in zip(quantities[:2], problem.dimensions[:2], strict=True):
            yield Evenness(quantity, mean_of(dimension, nodes) * dimension.scale, nodes / dimension.scale**2)
        yield Leaving(worth * problem.cost)

    return terms


def mean_of(dimension: Dimension, nodes: BoolArray) -> float:
    """Mean ratio of load to scale over `nodes`."""
    return float((dimension.load / dimension.scale)[nodes].mean()) if nodes.any() else 0.0


def emptiness(nodes: IntArray, price: float) -> Aim:
    """`nodes` lose what may move; one that is empty is worth `price`, and one that is half empty half of it.

    ``price * min(1, left / first)`` per node, as two hinges: none of it is lost by filling nodes that stay.
    """

    def terms(problem: Problem, quantities: Sequence[Quantity]) -> Iterator[SearchTerm]:  # noqa: ARG001
        movable = problem.movable.astype(np.float64)
        rows = len(problem.open_nodes)
        for start in (0.0, 1.0):
            count = Quantity.counted(movable, problem.home, rows)
            rate = np.zeros(rows)
            rate[nodes] = price / count.start[nodes] * (1.0 if start == 0.0 else -1.0)
            yield Load(count, start * count.start, rate)
        yield Leaving(problem.cost)

    return terms
