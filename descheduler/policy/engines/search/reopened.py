"""The program of an exact step: the workloads of a few nodes, placed anew among these nodes at least cost.

One binary per workload and node that it may stand on; what passes a threshold, and the crew of which most are away, are
continuous. Where a lane is above its threshold now, its cost is written as if it always was, plus the price of what it may fall
short: what is the same for every plan then drops out, and prices differ by what really differs.

Groups that must cover sites, or that need others in their zone, keep their members in the site and zone where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from descheduler.policy.engines.milp import Entries, Program
from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.position import AWAY, PEAK, Position
from ullage.model.arrays import BoolArray, FloatArray, Int32Array, IntArray


@dataclass(frozen=True, eq=False)
class Reopened:
    """The choices of an exact step, V of them: workload and node of each.

    Attributes
    ----------
    workload, node
        int64 (V,).
    program
        What chooses; its first V variables are the choices.
    hint
        float64, values of all variables for the present places.
    """

    workload: IntArray
    node: IntArray
    program: Program
    hint: FloatArray

    def places(self, place: Int32Array, values: FloatArray) -> Int32Array:
        """`place` with what `values` choose."""
        chosen, after = np.flatnonzero(values[: len(self.node)] > 0.5), place.copy()
        after[self.workload[chosen]] = self.node[chosen]
        return after


def reopen(
    columns: Columns, at: Position, nodes: IntArray, *, before: Position | None = None, stay: bool = False
) -> Reopened:
    """The program for the workloads that stand on `nodes`; the lanes of `columns` must not be curved.

    Parameters
    ----------
    columns, at
        What is searched, and where it stands.
    nodes
        int64 (A,).
    before
        A better position: loads may then not be worse than in it, limits that are broken now must be kept again, and the hint
        is no solution.
    stay
        Whether only nodes are open to which it costs no more to go than to the present one.
    """
    return _Choices.of(columns, at, nodes, before, stay=stay).reopened()


class _Rows(NamedTuple):
    """Rows of a program, numbered from 0.

    Attributes
    ----------
    entries
        Left sides, without what may pass the right ones.
    slack
        float64 (R,), right sides less the left ones of the present places.
    price
        float64 (R,), cost of passing the right side by 1; inf forbids it.
    """

    entries: Entries
    slack: FloatArray
    price: FloatArray


@dataclass(frozen=True, eq=False)
class _Choices:
    """F workloads `who`, A `nodes`, and V choices `(f, a)`, indices into both.

    `slot`, (N,), is the index of a node among `nodes`, -1 if it is not one of them; `away`, bool (V,), whether the node is not
    the workload's home; `brings`, float64 (V, K), what the workload brings there; `unit`, (K,), what lanes are divided by.
    """

    columns: Columns
    at: Position
    before: Position | None
    who: IntArray
    nodes: IntArray
    slot: IntArray
    f: IntArray
    a: IntArray
    away: BoolArray
    brings: FloatArray
    unit: FloatArray

    @classmethod
    def of(cls, c: Columns, at: Position, nodes: IntArray, before: Position | None, *, stay: bool) -> _Choices:
        slot = np.full(len(at.sums.price), -1)
        slot[nodes] = np.arange(len(nodes))
        who = np.sort(c.by_size[slot[at.place[c.by_size]] >= 0]).astype(np.int64)
        f, a = np.nonzero(_open(c, at, who, nodes, stay=stay))
        away = c.home[who[f]] != nodes[a]
        brings = np.where(away[:, None], c.lanes.landing[who[f]], c.lanes.leaving[who[f]])
        unit = np.abs(brings).max(axis=0, initial=0.0)
        return cls(c, at, before, who, nodes, slot, f, a, away, brings, np.where(unit > 0, unit, 1.0))

    def reopened(self) -> Reopened:
        """Variables: the choices, the largest crew that is away, and what passes each of the rows that have a price."""
        rows = _stacked([self._one_place_each(), self._limits(), self._thresholds(), self._apart(), *self._crews()])
        workload, node, choices = self.who[self.f], self.nodes[self.a], len(self.f)
        soft = np.flatnonzero(np.isfinite(rows.price))
        peak = float(self.at.gone.counts[PEAK])
        hint = np.concatenate([self.at.place[workload] == node, [peak], np.zeros(len(soft))])
        left = np.bincount(rows.entries.row, rows.entries.value * hint[rows.entries.column], minlength=len(rows.slack))
        passed = Entries(soft, choices + 1 + np.arange(len(soft)), np.full(len(soft), -1.0))
        program = Program(
            cost=np.concatenate([self._prices(), self.columns.absence.crew_fee, rows.price[soft]]),
            least=np.concatenate([np.zeros(choices), [self._others().max(initial=0)], np.zeros(len(soft))]),
            most=np.concatenate([np.ones(choices), np.full(1 + len(soft), np.inf)]),
            binary=choices,
            entries=_joined([rows.entries, passed]),
            right=left + rows.slack,
            equal=len(self.who),
        )
        return Reopened(workload, node, program, hint)

    def _one_place_each(self) -> _Rows:
        count = len(self.f)
        return _forbidding(Entries(self.f, np.arange(count), np.ones(count)), np.zeros(len(self.who)))

    def _limits(self) -> _Rows:
        """What stands and what is held is borne; a node that was beyond its limit need not come down further."""
        lanes, slack = self.columns.lanes, self.at.sums.slack[self.nodes]
        slack = slack + np.maximum(-(self.before or self.at).sums.slack[self.nodes], 0.0)
        rows = _numbered(np.isfinite(slack))
        home = self.slot[self.columns.home[self.who[self.f]]]
        held = np.where((self.away & (home >= 0))[:, None], lanes.leaving[self.who[self.f]] * (1.0 - lanes.frees), 0.0)
        entries = _joined([_spread(rows[self.a], self.brings / self.unit), _spread(rows[home], held / self.unit)])
        return _forbidding(entries, (slack / self.unit)[rows >= 0])

    def _thresholds(self) -> _Rows:
        """How far a lane may rise that is below its threshold, and how far it may fall that is not; passing costs.

        If it was better `before`, lanes whose nodes together are above their thresholds may not fall further below
        them than they were, and the others may not rise further above.
        """
        price, over = self.columns.lanes.hinge[self.nodes], self.at.sums.over[self.nodes]
        sign, slack = np.where(over < 0, 1.0, -1.0), np.abs(over)
        if self.before is not None:
            least = self.before.sums.over[self.nodes]
            sign = np.broadcast_to(-side_of_cost(self.at), over.shape)
            slack = np.maximum(sign * least, 0.0) - sign * over
        rows = _numbered((price > 0) & np.isfinite(over))
        entries = _spread(rows[self.a], sign[self.a] * self.brings / self.unit)
        passing = price * self.unit if self.before is None else np.full_like(price, np.inf)
        return _Rows(entries, (slack / self.unit)[rows >= 0], passing[rows >= 0])

    def _prices(self) -> FloatArray:
        """Fees, and what lanes charge that are above their thresholds now; float64 (V,), less what is the same everywhere."""
        c, workload, node = self.columns, self.who[self.f], self.nodes[self.a]
        charged = np.where(self.at.sums.over[self.nodes] >= 0, c.lanes.hinge[self.nodes], 0.0) * (self.before is None)
        fee = c.absence.fee[workload]
        if len(c.absence.travel):
            fee = fee + c.absence.travel[c.home[workload], node]
        price = np.einsum("vk,vk->v", self.brings, charged[self.a]) + np.where(self.away, fee, 0.0)
        least = np.full(len(self.who), np.inf)
        np.minimum.at(least, self.f, price)
        above: FloatArray = price - least[self.f]
        return above

    def _apart(self) -> _Rows:
        """No two of a group that stands apart on one node, unless they are there already."""
        groups = self.columns.groups
        group = groups.of[self.who[self.f]].astype(np.int64)
        choice = np.flatnonzero(group >= 0)
        choice = choice[groups.apart[group[choice]]]
        pair, row, count = np.unique(
            group[choice] * len(self.nodes) + self.a[choice], return_inverse=True, return_counts=True
        )
        there = np.bincount(row, self.at.place[self.who[self.f[choice]]] == self.nodes[self.a[choice]], len(pair))
        entries = _picked(_numbered(count > 1)[row], choice)
        return _forbidding(entries, np.maximum(1.0 - there, 0.0)[count > 1])

    def _others(self) -> IntArray:
        """Members of each crew, (C,), that are away and stay where they are."""
        gone = self.who[self.at.place[self.who] != self.columns.home[self.who]]
        return self.at.gone.of_crew - _count(self.columns.absence.crew[gone], len(self.at.gone.of_crew))

    def _crews(self) -> list[_Rows]:
        """Quotas of crews, the crew of which most are away, and how many may be away in all."""
        absence, gone, others = self.columns.absence, self.at.gone, self._others()
        crew = absence.crew[self.who[self.f]]
        could = others + _count(absence.crew[self.who], len(others))
        away = np.flatnonzero(self.away)
        crewed = away[crew[away] >= 0]
        quota = _numbered(could > absence.quota)
        peak = _numbered((could > others.max(initial=0)) & (absence.crew_fee[0] > 0))
        quotas, largest = (_picked(rows[crew[crewed]], crewed) for rows in (quota, peak))
        highest = np.flatnonzero(peak >= 0)
        shared = Entries(peak[highest], np.full(len(highest), len(self.f)), np.full(len(highest), -1.0))
        room = absence.most[0] - gone.counts[AWAY]
        return [
            _forbidding(quotas, np.maximum(absence.quota - gone.of_crew, 0)[quota >= 0]),
            _forbidding(_joined([largest, shared]), (gone.counts[PEAK] - gone.of_crew)[peak >= 0]),
            _forbidding(
                Entries(np.zeros(len(away), dtype=np.int64), away, np.ones(len(away))), np.array([max(room, 0)])
            ),
        ]


def side_of_cost(at: Position) -> FloatArray:
    """The side of the thresholds of each lane, (K,), on which all nodes together stand: 1 above them, -1 below.

    If they are above, the cost of a load that any node bears is the same, and none of them should be below; and the reverse.
    """
    total = np.where(np.isfinite(at.sums.over), at.sums.over, 0.0).sum(axis=0)
    return np.where(total < 0, -1.0, 1.0)


def _open(c: Columns, at: Position, who: IntArray, nodes: IntArray, *, stay: bool) -> BoolArray:
    """Where workloads may stand, bool (F, A): where they do, and where places and rules of groups let them."""
    here = at.place[who][:, None] == nodes
    open_to = c.open_to[c.place_class[who]][:, nodes] | (c.home[who][:, None] == nodes)
    if stay:
        travel = c.absence.travel[c.home[who]]
        open_to &= travel[:, nodes] <= np.take_along_axis(travel, at.place[who][:, None].astype(np.int64), axis=1)
    groups, grouped = c.groups, np.flatnonzero(c.groups.of[who] >= 0)
    group = groups.of[who[grouped]]
    members = np.zeros((len(groups.apart), len(nodes)), dtype=np.int64)
    np.add.at(members, group, here[grouped])
    stays = at.members.on_node[group][:, nodes] > members[group]
    tied = (groups.least_sites > 1) | (np.diff(groups.asks_at) > 0) | (np.diff(groups.asked_at) > 0)
    elsewhere = np.zeros((len(grouped), len(nodes)), dtype=np.bool_)
    for part in (groups.site, groups.zone):
        elsewhere |= part[at.place[who[grouped]]][:, None] != part[nodes]
    open_to[grouped] &= ~((groups.apart[group][:, None] & stays) | (tied[group][:, None] & elsewhere))
    allowed: BoolArray = open_to | here
    return allowed


def _numbered(rows: BoolArray) -> IntArray:
    """Number of each row that is wanted, -1 for the others; of the same shape."""
    return np.where(rows, np.cumsum(rows).reshape(rows.shape) - 1, -1)


def _spread(rows: IntArray, values: FloatArray) -> Entries:
    """Entries of a row per choice and lane, both (V, K); without those of no row, and without zeros."""
    choice, lane = np.nonzero((rows >= 0) & (values != 0))
    return Entries(rows[choice, lane], choice, values[choice, lane])


def _picked(rows: IntArray, choice: IntArray) -> Entries:
    """Ones in a row per choice; without those of no row."""
    some = rows >= 0
    return Entries(rows[some], choice[some], np.ones(int(some.sum())))


def _count(which: Int32Array, size: int) -> IntArray:
    return np.bincount(which[which >= 0], minlength=size)


def _forbidding(entries: Entries, slack: FloatArray) -> _Rows:
    return _Rows(entries, slack, np.full(len(slack), np.inf))


def _joined(parts: list[Entries]) -> Entries:
    row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Entries(row, column, value)


def _stacked(blocks: list[_Rows]) -> _Rows:
    """All rows, one block after the other."""
    first = np.cumsum([0, *(len(block.slack) for block in blocks)])
    entries = [
        block.entries._replace(row=block.entries.row + begin) for block, begin in zip(blocks, first, strict=False)
    ]
    slack, price = (np.concatenate([part[i] for part in blocks]) for i in (1, 2))
    return _Rows(_joined(entries), slack, price)
