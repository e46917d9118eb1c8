"""Closed-form lower bounds on what any relief costs.

Per over node, moves into it only make matters worse and every move leaves one node, so the bounds of single nodes add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.policy.terms.capacity import Capacity
from ullage.model.arrays import FloatArray, IntArray

_SLACK = 1e-9


@dataclass(frozen=True)
class Bound:
    """Least number of moves and of bytes that bring every source down; `possible` is False if no plan can."""

    moves: int
    bytes: float
    possible: bool


def lower_bound(capacity: Capacity, home: IntArray, sources: IntArray, moved_bytes: FloatArray) -> Bound:
    """Bound over all `sources`, with every workload on them taken as movable.

    Moves: the least k such that the k largest uses cover the excess, the worst resource counts. Bytes: the fractional
    knapsack that covers the excess at the best relief per byte, the worst resource counts. Relief is impossible if a node
    cannot come down even when it is emptied, or if all nodes together have less room than excess.
    """
    moves, volume, coverable = 0, 0.0, True
    for source in sources.tolist():
        members = np.flatnonzero(home == source)
        excess = (capacity.load - capacity.source)[source]
        for_node = [
            _cover(capacity.leaving[members, k], moved_bytes[members], excess[k] - _SLACK * capacity.scale[source, k])
            for k in np.flatnonzero(excess > 0)
        ]
        moves += max((m for m, _, _ in for_node), default=0)
        volume += max((b for _, b, _ in for_node), default=0.0)
        coverable &= all(ok for _, _, ok in for_node)
    return Bound(moves, volume, coverable and _room(capacity))


def _cover(relief: FloatArray, volume: FloatArray, excess: float) -> tuple[int, float, bool]:
    if relief.sum() < excess:
        return len(relief), float(volume.sum()), False
    moves = int(np.searchsorted(np.cumsum(np.sort(relief)[::-1]), excess)) + 1
    order = np.argsort(-relief / np.maximum(volume, 1.0), kind="stable")
    covered = np.cumsum(relief[order])
    last = int(np.searchsorted(covered, excess))
    spent = float(volume[order[:last]].sum())
    missing = excess - (covered[last - 1] if last else 0.0)
    part = missing / relief[order[last]] if relief[order[last]] > 0 else 0.0
    return moves, spent + float(volume[order[last]]) * min(1.0, max(0.0, part)), True


def _room(capacity: Capacity) -> bool:
    """Whether the room of all nodes together is at least the excess of all sources, in every dimension that binds sources."""
    binds = np.isfinite(capacity.source).any(axis=0) & (capacity.leaving.sum(axis=0) > 0)
    excess = np.maximum(capacity.load - capacity.source, 0.0)[:, binds].sum(axis=0)
    target = np.where(np.isfinite(capacity.target), capacity.target, -np.inf)
    room = np.maximum(target - capacity.load, 0.0)[:, binds].sum(axis=0)
    return bool((excess <= room * (1 + _SLACK)).all())
