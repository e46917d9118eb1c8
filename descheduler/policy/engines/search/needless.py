"""Needless moves are taken back: what costs no more at home goes home."""

from __future__ import annotations

import numpy as np

from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.exchange import Exchanges, disjoint
from descheduler.policy.engines.search.position import Position, restart
from descheduler.policy.engines.search.rules import allows, carry
from ullage.model.arrays import IntArray


def take_back(columns: Columns, at: Position) -> int:
    """Send workloads home, what gains most first, until each one left is of use; returns how many went."""
    returned = 0
    while went := _sent(columns, at, _useless(columns, at)):
        returned += went
    if returned:
        restart(columns, at, at.place.copy())
    return returned


def _useless(c: Columns, at: Position) -> IntArray:
    """Workloads that could go home now by themselves at no cost, those that gain most first."""
    away = c.by_size[at.place[c.by_size] != c.home[c.by_size]].astype(np.int64)
    found = _homeward(c, at, away)
    change = found.change()
    rows = np.flatnonzero(found.borne() & (change <= 0))
    useless: IntArray = away[rows[np.lexsort((away[rows], change[rows]))]]
    return useless


def _homeward(c: Columns, at: Position, who: IntArray) -> Exchanges:
    return Exchanges(c, at, who, np.full(len(who), -1), at.place[who].astype(np.int64), c.home[who].astype(np.int64))


def _sent(c: Columns, at: Position, who: IntArray) -> int:
    """Send `who` home in this order, unless others made them useful or their way impossible; returns how many went.

    Those that share no node do not change each other's costs, so that they go together; only groups look at one by one.
    """
    went = 0
    while len(who):
        rows = disjoint(
            np.arange(len(who)), at.place[who].astype(np.int64), c.home[who].astype(np.int64), len(at.sums.price)
        )
        found = _homeward(c, at, who[rows])
        useless = np.flatnonzero(found.borne() & (found.change() <= 0))
        gone = useless[[_noted(c, at, w) for w in who[rows[useless]].tolist()]]
        found.carry_out(gone)
        went, who = went + len(gone), np.delete(who, rows)
    return went


def _noted(c: Columns, at: Position, w: int) -> bool:
    """Let the group of a workload on its way home take note, if its rules still bear it."""
    source, home, group = int(at.place[w]), int(c.home[w]), int(c.groups.of[w])
    if group < 0:
        return True
    if not allows(c.groups, at.members, group, source, home):
        return False
    carry(c.groups, at.members, group, source, home)
    return True
