"""The order of moves: every prefix is safe, with the memory of the move in flight counted at both ends.

While a workload moves, its source still holds it and its destination already does. A destination that must first lose
something is therefore served after that. What cannot be brought into such an order is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from descheduler.policy.problem import Problem, Tally
from ullage.model.changes import Move


def safe_order(problem: Problem, places: dict[int, int]) -> tuple[tuple[Move, ...], tuple[int, ...]]:
    """Order in which to bring the workloads to `places`.

    The most endangered source goes first; a move whose destination has no room yet waits for the moves that make it.

    Returns
    -------
    moves
        In order of execution.
    left_out
        Workloads that would only fit if two or more moves happened at once.
    """
    tally = Tally(problem)
    waiting = _by_urgency(tally, places)
    moves: list[Move] = []
    while waiting:
        blocked = []
        for workload in waiting:
            if tally.fits(np.array([workload]))[0, places[workload]]:
                moves.append(Move(workload, int(problem.home[workload]), places[workload]))
                tally.move(workload, places[workload])
            else:
                blocked.append(workload)
        if len(blocked) == len(waiting):
            return tuple(moves), tuple(blocked)
        waiting = blocked
    return tuple(moves), ()


def _by_urgency(tally: Tally, places: dict[int, int]) -> Sequence[int]:
    """Workloads of the most overloaded source first, there the one that relieves most."""
    problem, capacity = tally.problem, tally.capacity
    rows = np.array(sorted(places), dtype=np.int64)
    sources = problem.home[rows]
    worst = capacity.excess(sources).max(axis=1, initial=0.0)
    relief = (capacity.leaving[rows] / capacity.scale[sources]).max(axis=1, initial=0.0)
    ordered: list[int] = rows[np.lexsort((rows, -relief, sources, -worst))].tolist()
    return ordered
