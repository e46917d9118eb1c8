"""Needless moves are taken back: what costs no more at home goes home."""

from __future__ import annotations

import numpy as np

from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.exchange import Exchanges
from descheduler.policy.engines.search.position import Position, restart
from descheduler.policy.engines.search.rules import carry
from ullage.model.arrays import IntArray


def take_back(columns: Columns, at: Position) -> int:
    """Send workloads home, what gains most first, until each one left is of use; returns how many went."""
    returned = 0
    while went := sum(_returned(columns, at, w) for w in _useless(columns, at).tolist()):
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


def _returned(c: Columns, at: Position, w: int) -> bool:
    """Send one workload home, unless those that went before it have made it useful or its way impossible."""
    found = _homeward(c, at, np.array([w]))
    if found.change()[0] > 0 or not found.borne()[0]:
        return False
    source, group = int(at.place[w]), int(c.groups.of[w])
    found.carry_out(np.array([0]))
    if group >= 0:
        carry(c.groups, at.members, group, source, int(c.home[w]))
    return True
