"""A planning problem as arrays, and the tally that engines move workloads on.

The problem is a value; the tally is the one mutable thing of a planning run: present places, loads and counts downstream of
all accepted moves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from descheduler.policy.pace import Pace
from descheduler.policy.terms import Term
from descheduler.policy.terms.capacity import Capacity, Dimension
from descheduler.policy.terms.standing import Standing
from ullage.model.arrays import BoolArray, FloatArray, IntArray

_CALL = 100_000
"""Comparisons that take as long as the fixed part of one look for destinations."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be reached, and within which constraints.

    Attributes
    ----------
    home
        int64 (W,), node of each workload at the start.
    movable
        bool (W,).
    open_nodes
        bool (N,): nodes that may receive at all.
    sources
        int64, nodes that must come down to the `source` limits of the dimensions, in order of row.
    dimensions
        Loads and limits.
    terms
        Makes fresh constraint terms besides capacity; called once per tally.
    cost
        float64 (W,), > 0: price of moving each workload.
    moved_bytes
        float64 (W,): memory that a move copies.
    preference
        float64 (W, ) to (N,) by call: 0..1, how much a workload would like each node.
    worthwhile
        Least scaled relief of a single move off a source that cannot come down all the way.
    limit
        Largest number of moves; ``None`` for no limit.
    bound
        No solution costs less than this.
    tolerance
        A solution that costs at most this much more than `bound` is as good as any (the part of `cost` that only breaks ties).
    seed
        Of all tie-breaking and randomization.
    rounds
        How much improvement is worth trying, in rounds of an engine.
    effort
        The same in work (`Tally.spent`), so that large problems end in time too.
    standing
        Rules that hold whoever is where, as columns; called once per search.
    pace
        Clock and listener of engines that search for a given time.
    search_seconds, search_kernel
        That time, and the name of the kernel.
    """

    home: IntArray
    movable: BoolArray
    open_nodes: BoolArray
    sources: IntArray
    dimensions: tuple[Dimension, ...]
    terms: Callable[[], tuple[Term, ...]]
    cost: FloatArray
    moved_bytes: FloatArray
    preference: Callable[[int], FloatArray]
    standing: Callable[[], Standing]
    worthwhile: float = 0.0
    limit: int | None = None
    bound: float = 0.0
    tolerance: float = 1e-9
    seed: int = 2
    rounds: int = 96
    effort: int = 1_000_000_000
    pace: Pace = field(default_factory=Pace)
    search_seconds: float = 10.0
    search_kernel: str = "auto"


class Tally:
    """Places and loads downstream of all accepted moves.

    Attributes
    ----------
    problem
        What it was made from.
    capacity
        The loads.
    node
        int64 (W,), present place of each workload.
    away
        Workloads that are not at home, with their present node.
    spent
        Work done so far, in comparisons of a demand with a limit: the clock of engines, which repeats itself.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.capacity = Capacity(problem.dimensions, problem.home)
        self.terms: tuple[Term, ...] = (*problem.terms(), self.capacity)
        self.node = problem.home.copy()
        self.away: dict[int, int] = {}
        self.spent = 0
        self._replay: Tally | None = None
        order = np.argsort(problem.home, kind="stable")
        order = order[problem.movable[order]]
        self._members = order
        self._starts = np.searchsorted(problem.home[order], np.arange(len(problem.open_nodes) + 1))

    def replay(self) -> Tally:
        """A second tally of the same problem to try orders on; made once, because terms are dear to make."""
        if self._replay is None:
            self._replay = Tally(self.problem)
        return self._replay

    def candidates(self, node: int) -> IntArray:
        """Movable workloads of `node` that are still there, ascending."""
        members: IntArray = self._members[self._starts[node] : self._starts[node + 1]]
        present: IntArray = members[self.node[members] == node]
        return present

    def fits(self, workloads: IntArray) -> BoolArray:
        """Nodes that each workload may go to now, bool (len(workloads), N); never its present one."""
        result = np.repeat(self.problem.open_nodes[None, :], len(workloads), axis=0)
        self.spent += _CALL + result.size * len(self.capacity.codes)
        for term in self.terms:
            term.restrict(workloads, result)
        result[np.arange(len(workloads)), self.node[workloads]] = False
        return result

    def admits(self, workload: int, node: int) -> bool:
        """Whether a workload that is elsewhere may go to `node` now."""
        return bool(self.problem.open_nodes[node]) and all(term.admits(workload, node) for term in self.terms)

    def full(self) -> bool:
        """Whether the limit on moves is reached."""
        return self.problem.limit is not None and len(self.away) >= self.problem.limit

    def move(self, workload: int, target: int) -> None:
        """Move a workload, home included, and tell all terms."""
        source = int(self.node[workload])
        for term in self.terms:
            term.moved(workload, source, target)
        self.node[workload] = target
        if target == self.problem.home[workload]:
            self.away.pop(workload, None)
        else:
            self.away[workload] = target

    def home_is_free(self, workload: int) -> bool:
        """Whether the workload may go back home without passing a limit or a rule."""
        if not self.capacity.may_return(workload):
            return False
        home = int(self.problem.home[workload])
        return all(term.admits(workload, home) for term in self.terms[:-1])

    def restore(self, places: dict[int, int]) -> None:
        """Bring about exactly the places of an earlier `away`."""
        for workload in [w for w in self.away if w not in places]:
            self.move(workload, int(self.problem.home[workload]))
        for workload, target in places.items():
            if self.node[workload] != target:
                self.move(workload, target)

    def overload(self) -> float:
        """Scaled excess of all sources together; 0 when the goal is reached."""
        return float(self.capacity.excess(self.problem.sources).sum())

    def price(self) -> float:
        """Cost of all moves."""
        return float(sum(self.problem.cost[w] for w in sorted(self.away)))
