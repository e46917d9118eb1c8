"""Exact steps: a few nodes at a time, with all that stands on them, placed anew by a mixed-integer program.

Large neighbourhood search (Shaw, "Using constraint programming and local search methods to solve vehicle routing problems",
1998). It pays where what is left to gain is the way of a few workloads that are far from home: to bring one back, several
others have to change places at once, and none of these moves is worth anything by itself.

A *homecoming* supposes that one of them is home, and repairs what that breaks, first around the node that it left and then
around its home; nobody else goes farther. Whether that can be is known in milliseconds, where the best of all plans for both
ends takes a tenth of a second. A *mending* spreads loads that are uneven, a *tidying* sends home who is away for little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Final

import numpy as np

from descheduler.policy.engines import milp
from descheduler.policy.engines.search.anneal import Best
from descheduler.policy.engines.search.columns import Columns, cheapest, far
from descheduler.policy.engines.search.position import Position, go, position, restart
from descheduler.policy.engines.search.reopened import reopen, side_of_cost
from descheduler.policy.engines.search.rules import may_return
from descheduler.policy.engines.search.schedule import mean_fee
from descheduler.policy.pace import Budget
from ullage.model.arrays import BoolArray, FloatArray, Int32Array, IntArray

_CROWD: Final = 20
"""How many movable workloads there may be for each node. With 10 (a1_2) exact steps pay, with 50 (b_02) annealing does."""
_MENDED: Final = 6
_TIDIED: Final = 4
"""Nodes of a mending, and of a tidying."""
_REPAIRED: Final = (4, 5, 6)
"""Nodes of each end of a homecoming."""
_MENDING: Final = 0.5
"""Share of steps that are mendings as long as loads are uneven."""
_OTHERWISE: Final = 0.75
"""Share of homecomings that are left to others, if there are any."""
_RELATED: Final = 0.7
"""Probability that one more node is one that a workload went to from a chosen one, or came from, and not one near by."""
_DRAWN: Final = 20
"""Sets of nodes of which the roomiest is tried."""
_LEAVERS: Final = 0.5
"""Largest share of those who are far of whom the likeliest to come home is tried."""
_TRIES: Final = 8
"""Sets of nodes that are tried around a home."""
_REPAIR_SECONDS: Final = 0.12
_MEND_SECONDS: Final = 0.25
_TIDY_SECONDS: Final = 0.4
"""Longest time for the program of each."""
_COUNTED: Final[Mapping[str, object]] = MappingProxyType({"mip_max_nodes": 1})
"""What limits programs where time does not count."""
_ROUNDING: Final = 1e-9
"""How far below nothing the room of nodes may be."""
_ANY: Final = 1e9
"""How far from the best a repair may be."""
_STEPS: Final = 250
"""Steps of a compiled kernel that take as long as an iteration of the simplex method."""


def applicable(columns: Columns) -> bool:
    """Whether programs can be stated for `columns`, and solved: where many stand on each node, that takes too long."""
    few = len(columns.by_size) <= _CROWD * len(columns.lanes.start)
    return few and milp.available() and not columns.lanes.curved and len(columns.absence.travel) > 1


@dataclass(frozen=True, eq=False)
class ExactSteps:
    """Exact steps on a position.

    Attributes
    ----------
    columns, at
        What is searched, and where it stands.
    best
        Told of every improvement.
    random
        Chooses workloads and nodes.
    timed
        Whether programs are limited in time; otherwise the same `random` makes the same steps.
    """

    columns: Columns
    at: Position
    best: Best
    random: np.random.Generator
    timed: bool = True
    _failed: set[tuple[int, ...]] = field(default_factory=set)

    @cached_property
    def _near(self) -> BoolArray:
        return cheapest(self.columns.absence.travel)

    def bring_home(self, budget: Budget, otherwise: Callable[[], int] | None = None) -> None:
        """Make homecomings until `budget` is spent or nobody is away; tidy where none can be thought of.

        Some of them are left to `otherwise`, which returns the steps of a compiled kernel that it took.
        """
        self._run(budget, lambda: self._otherwise(otherwise) or self._bring_home() or self._tidy())

    def tidy(self, budget: Budget) -> None:
        """Tidy until `budget` is spent or nobody is away."""
        self._run(budget, self._tidy)

    def _run(self, budget: Budget, step: Callable[[], int]) -> None:
        """Every other step is a mending while loads are uneven; each returns its effort."""
        restart(self.columns, self.at, self.at.place.copy())
        while budget.progress() < 1.0 and (self.at.place != self.columns.home).any():
            uneven = unevenness(self.columns, self.at)
            mend = uneven.any() and self.random.random() < _MENDING
            budget.spend(_STEPS * (self._mend(uneven) if mend else step()))
            self.best.take(self.at)

    def _otherwise(self, step: Callable[[], int] | None) -> int:
        return -(-step() // _STEPS) if step is not None and self.random.random() < _OTHERWISE else 0

    def _mend(self, uneven: FloatArray) -> int:
        """Let a node that could bear more, or should bear less, and some others be even; returns the effort.

        Others are near by, or half of the time near a node that may be far, too.
        """
        nodes = {self._drawn(uneven), *self.random.integers(len(uneven), size=int(self.random.integers(2))).tolist()}
        over = self.at.sums.over
        even = self.at._replace(sums=self.at.sums._replace(over=side_of_cost(self.at) * np.abs(over)))
        program = reopen(self.columns, self.at, self._widened(sorted(nodes), _MENDED), before=even)
        options = self._limited(_MEND_SECONDS) | {"mip_abs_gap": mean_fee(self.columns)}
        answer = milp.solve(program.program, None, options)
        if answer.found:
            self._go(program.places(self.at.place, answer.values))
        return answer.iterations + 1

    def _tidy(self) -> int:
        """Place anew at least cost what stands around a workload that is away, without going farther; returns the effort."""
        away = np.flatnonzero(self.at.place != self.columns.home)
        w = self.random.choice(away)
        nodes = self._widened([int(self.columns.home[w]), int(self.at.place[w])], _TIDIED)
        program = reopen(self.columns, self.at, nodes, stay=True)
        answer = milp.solve(program.program, program.hint, self._limited(_TIDY_SECONDS))
        self._go(program.places(self.at.place, answer.values))
        return answer.iterations + 1

    def _go(self, place: Int32Array) -> bool:
        """Go to `place` unless it costs more, or the solver was content with less than all limits; returns whether it went."""
        return go(self.columns, self.at, place, self.at.cost())

    def _bring_home(self) -> int:
        """One homecoming; returns the effort, 0 if nobody can be thought to come home."""
        w, nodes = self._leaver()
        if w < 0:
            return 0
        home = int(self.columns.home[w])
        place = self.at.place.copy()
        place[w] = home
        left, effort = self._repaired(place, lambda _: nodes, tries=1)
        whole, more = (
            (None, 0) if left is None else self._repaired(left, lambda at: self._roomiest(at, home)[0], _TRIES)
        )
        if whole is not None and self._go(whole):
            self._failed.clear()
        else:
            self._failed.add((w, *nodes.tolist()))
        return effort + more

    def _repaired(
        self, place: Int32Array, nodes: Callable[[Position], IntArray], tries: int
    ) -> tuple[Int32Array | None, int]:
        """Places with loads on some `nodes` as good as now, and within limits, if they are found; and the effort."""
        broken, effort = position(self.columns, place), 0
        for _ in range(tries):
            program = reopen(self.columns, broken, nodes(broken), before=self.at, stay=True)
            options = self._limited(_REPAIR_SECONDS) | {"mip_abs_gap": _ANY, "mip_rel_gap": _ANY}
            answer = milp.solve(program.program, None, options)
            effort += answer.iterations + 1
            if answer.found:
                return program.places(place, answer.values), effort
        return None, effort

    def _leaver(self) -> tuple[int, IntArray]:
        """A workload that is far, and nodes around its place that can miss it; -1 if there is none."""
        c, place = self.columns, self.at.place
        away = far(c, place)
        some = self.random.permutation(away)[: max(1, int(self.random.random() * _LEAVERS * len(away)))]
        best, chosen = -_ROUNDING, (-1, np.zeros(0, dtype=np.int64))
        for w in some.tolist():
            nodes, score = self._roomiest(self.at, int(place[w]), w)
            if score > best and (w, *nodes.tolist()) not in self._failed and may_return(self.columns, self.at, w):
                best, chosen = score, (w, nodes)
        return chosen

    def _roomiest(self, at: Position, node: int, leaver: int | None = None) -> tuple[IntArray, float]:
        """Of some sets of nodes near `node`, and it, the roomiest: ascending, and its room in workloads of mean size.

        Room is what loads on them together have to the side of the threshold that costs; less what one that leaves takes along,
        or what is free below the limits, too, where one has come.
        """
        lanes = self.columns.lanes
        sign = side_of_cost(at)
        near = np.flatnonzero(self._near[node])
        sets = np.argsort(self.random.random((_DRAWN, len(near))), axis=1)[:, : int(self.random.choice(_REPAIRED)) - 1]
        nodes = np.concatenate([np.full((_DRAWN, 1), node), near[sets]], axis=1)
        costs = np.isfinite(at.sums.over) & (lanes.hinge > 0)
        room = np.where(costs, sign * at.sums.over, np.inf)[nodes].sum(axis=1)
        if leaver is None:
            room = np.minimum(room, at.sums.slack[nodes].sum(axis=1))
        else:
            room -= sign * lanes.landing[leaver]
        size = np.abs(lanes.landing[self.columns.by_size]).mean(axis=0)
        scores = (room / np.where(size > 0, size, 1.0)).min(axis=1)
        best = int(scores.argmax())
        return np.sort(nodes[best]), float(scores[best])

    def _widened(self, nodes: list[int], most: int) -> IntArray:
        """`nodes` and others that are related to them or near, as many as `most` in all; ascending."""
        chosen = set(nodes)
        for _ in range(8 * most):
            if len(chosen) >= most:
                break
            chosen.add(self._another(int(self.random.choice(sorted(chosen)))))
        return np.array(sorted(chosen))

    def _another(self, node: int) -> int:
        home, place = self.columns.home, self.at.place
        away = home != place
        related = np.concatenate([place[away & (home == node)], home[away & (place == node)]])
        some = related if len(related) and self.random.random() < _RELATED else np.flatnonzero(self._near[node])
        return int(self.random.choice(some))

    def _drawn(self, weight: FloatArray) -> int:
        return int(self.random.choice(len(weight), p=weight / weight.sum()))

    def _limited(self, seconds: float) -> dict[str, object]:
        limit = {"time_limit": seconds} if self.timed else _COUNTED
        return {"random_seed": int(self.random.integers(1 << 20)), **limit}


def unevenness(columns: Columns, at: Position) -> FloatArray:
    """What each node adds to the cost of loads beyond what it would be if they were spread over all nodes at will, (N,).

    If the nodes together are above the threshold of a lane, those below theirs let others pay for what they could bear; if they
    are below it, those above theirs pay.
    """
    over = np.where(np.isfinite(at.sums.over), at.sums.over, 0.0)
    beyond = np.maximum(-side_of_cost(at) * over, 0.0)
    share: FloatArray = np.einsum("nk,nk->n", beyond, columns.lanes.hinge)
    return share
