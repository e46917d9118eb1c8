"""Needless moves are taken back: what costs no more at home goes home."""

from __future__ import annotations

import numpy as np

from descheduler.policy.engines.search.columns import Columns
from descheduler.policy.engines.search.exchange import Exchanges
from descheduler.policy.engines.search.position import Position, restart
from descheduler.policy.engines.search.rules import allows, carry
from ullage.model.arrays import IntArray


def take_back(columns: Columns, at: Position) -> int:
    """Send workloads home, what gains most first, until each one left is of use; returns how many went."""
    returned = 0
    while len(rows := _batch(columns, at)):
        returned += rows.sum()
        restart(columns, at, at.place.copy())
    return int(returned)


def _batch(c: Columns, at: Position) -> IntArray:
    """Send home all that may and of which no two share a node; returns ones for those that went."""
    away = c.by_size[at.place[c.by_size] != c.home[c.by_size]].astype(np.int64)
    here, there = at.place[away].astype(np.int64), c.home[away].astype(np.int64)
    found = Exchanges(c, at, away, np.full(len(away), -1), here, there)
    change = found.change()
    useful = np.flatnonzero(found.borne() & (change <= 0))
    order = useful[np.lexsort((away[useful], change[useful]))]
    first = disjoint(order, here, there, len(at.sums.price))
    passed = np.array(
        [r for r in first.tolist() if _noted(c, at, int(away[r]), int(here[r]), int(there[r]))], dtype=np.int64
    )
    found.carry_out(passed)
    return np.ones(len(passed), dtype=np.int64)


def disjoint(order: IntArray, here: IntArray, there: IntArray, nodes: int) -> IntArray:
    """Those of `order` both of whose nodes, out of `nodes`, no earlier one of `order` has."""
    rank, first = np.arange(len(order)), np.full(nodes, len(order))
    np.minimum.at(first, here[order], rank)
    np.minimum.at(first, there[order], rank)
    kept: IntArray = order[(first[here[order]] == rank) & (first[there[order]] == rank)]
    return kept


def _noted(c: Columns, at: Position, w: int, source: int, target: int) -> bool:
    group = int(c.groups.of[w])
    if group < 0:
        return True
    if not allows(c.groups, at.members, group, source, target):
        return False
    carry(c.groups, at.members, group, source, target)
    return True
