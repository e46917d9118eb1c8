"""Make room: a workload of a node that is not over steps aside, so that one of a source fits in its place.

It costs a move more than a direct one and is tried last, for sources that stay over for want of room.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from descheduler.policy.problem import Tally
from descheduler.policy.sequence import roomiest
from ullage.model.arrays import IntArray

_TRIES: Final = 8
"""Workloads of a source, and those that could step aside for each, that are looked at; the most useful first."""


def make_room(tally: Tally, candidates: IntArray) -> bool:
    """Move one of `candidates` to a node that another workload leaves for it; ``False`` if none of them can.

    Parameters
    ----------
    tally
        Places so far; gains two moves, or none.
    candidates
        Workloads of a source, the most useful first.
    """
    limit = tally.problem.limit
    if limit is not None and len(tally.away) + 2 > limit:
        return False
    return any(_make_room_for(tally, workload) for workload in candidates[:_TRIES].tolist())


def _make_room_for(tally: Tally, workload: int) -> bool:
    for other in _could_step_aside(tally, workload)[:_TRIES].tolist():
        here = int(tally.node[other])
        fits = tally.fits(np.array([other]))[0]
        fits[tally.problem.sources] = False
        if not fits.any():
            continue
        tally.move(other, roomiest(tally, other, np.flatnonzero(fits)))
        if tally.admits(workload, here):
            tally.move(workload, here)
            return True
        tally.move(other, here)
    return False


def _could_step_aside(tally: Tally, workload: int) -> IntArray:
    """Workloads at home on other nodes that are no sources, without which `workload` would have room there; cheapest first."""
    problem, capacity = tally.problem, tally.capacity
    eligible = problem.movable & (tally.node == problem.home) & problem.open_nodes[problem.home]
    eligible &= ~np.isin(problem.home, problem.sources)
    rows = np.flatnonzero(eligible)
    freed = capacity.room[:, problem.home[rows]].T + capacity.leaving[rows]
    enough = rows[(capacity.landing[workload] <= freed).all(axis=1)]
    cheapest: IntArray = enough[np.argsort(problem.cost[enough], kind="stable")]
    return cheapest
