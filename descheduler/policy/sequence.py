"""The order of moves: every prefix is safe, with the memory of the move in flight counted at both ends.

While a workload moves, its source still holds it and its destination already does. A destination that must first lose
something is therefore served after that. What cannot be brought into such an order is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from descheduler.policy.problem import Tally
from descheduler.policy.terms.capacity import MEMORY
from ullage.model.arrays import IntArray
from ullage.model.changes import Move

_ORDERS: Final = 100
_EFFORT: Final = 20_000
"""Orders that are tried at random, and moves in all of them."""


def safe_order(
    tally: Tally, places: dict[int, int], *, elsewhere: bool = False, in_turn: bool = False
) -> tuple[tuple[Move, ...], tuple[int, ...]]:
    """Order in which to bring the workloads to `places`; `tally` is set back to the start first.

    The most endangered source goes first, or with `in_turn` what stands first in `places`; a move whose destination has no
    room yet waits for the moves that make it. With `elsewhere`, what can never get to its place in any such order goes to
    another node that takes it by then.

    Where that leaves some out, other orders of turns are tried, since one that comes too early may take the room that would
    have let two others pass; the one that leaves out fewest counts.

    Returns
    -------
    moves
        In order of execution.
    left_out
        Workloads that would only fit if two or more moves happened at once, as far as was found.
    """
    tally.restore({})
    tries = (_replayed(tally, places, turns) for turns in _turns(tally, places, in_turn=in_turn))
    moves, blocked = next(tries)
    while blocked and (other := next(tries, None)) is not None:
        if len(other[1]) < len(blocked):
            moves, blocked = other
    tally.restore({m.workload: m.target for m in moves})
    found = _elsewhere(tally, blocked) if elsewhere else []
    moved = {m.workload for m in found}
    return (*moves, *found), tuple(w for w in blocked if w not in moved)


def _turns(tally: Tally, places: dict[int, int], *, in_turn: bool) -> Iterator[Sequence[int]]:
    """Orders of turns, the likeliest first; `places` may come from where they were brought about one by one."""
    given = list(places)
    if not in_turn:
        yield _by_urgency(tally, places)
    yield given
    rng = np.random.Generator(np.random.PCG64(tally.problem.seed))
    for _ in range(min(_ORDERS, _EFFORT // max(1, len(given)))):
        yield rng.permutation(given).tolist()


def _replayed(tally: Tally, places: dict[int, int], turns: Sequence[int]) -> tuple[list[Move], list[int]]:
    """Moves from the start, in turn as soon as their destinations have room, and who never got there; `tally` ends there."""
    tally.restore({})
    home, waiting, moves = tally.problem.home, turns, list[Move]()
    while waiting:
        blocked = []
        for workload in waiting:
            if tally.admits(workload, places[workload]):
                moves.append(Move(workload, int(home[workload]), places[workload]))
                tally.move(workload, places[workload])
            else:
                blocked.append(workload)
        if len(blocked) == len(waiting):
            break
        waiting = blocked
    return moves, list(waiting)


def _elsewhere(tally: Tally, workloads: Sequence[int]) -> list[Move]:
    """Moves of `workloads` to the roomiest nodes that take them now, one after the other."""
    moves = []
    for workload in workloads:
        nodes = np.flatnonzero(tally.fits(np.array([workload]))[0])
        if len(nodes):
            target = roomiest(tally, workload, nodes)
            moves.append(Move(workload, int(tally.problem.home[workload]), target))
            tally.move(workload, target)
    return moves


def roomiest(tally: Tally, workload: int, nodes: IntArray) -> int:
    """The one of `nodes` that keeps most room, in the resource where it keeps least."""
    capacity = tally.capacity
    room = (capacity.room[:2, nodes] - capacity.landing[workload, :2, None]) / capacity.scale[nodes, :2].T
    return int(nodes[int(np.argmax(room.min(axis=0)))])


def has_order(tally: Tally) -> bool:
    """Whether the places of `tally` can be brought about move by move.

    Only nodes that both lose and gain can be in the way, and only moves from or to them are replayed. Placement rules that
    depend on others may make an exception, which `safe_order` finds in the end.
    """
    home, away = tally.problem.home, tally.away
    both = {int(home[w]) for w in away} & set(away.values())
    concerned = {w: target for w, target in away.items() if target in both or int(home[w]) in both}
    again = tally.replay()
    again.restore({})
    return not concerned or not _replayed(again, concerned, _by_urgency(again, concerned))[1]


def _by_urgency(tally: Tally, places: dict[int, int]) -> Sequence[int]:
    """Sources in danger of running out of memory first, then the most overloaded; on each the one that relieves most.

    Memory comes before CPU: where CPU is short work is slow, where memory is short it is killed.
    """
    problem, capacity = tally.problem, tally.capacity
    rows = np.array(sorted(places), dtype=np.int64)
    sources = problem.home[rows]
    excess = capacity.excess(sources)
    relief = (capacity.leaving[rows] / capacity.scale[sources]).max(axis=1, initial=0.0)
    keys = (rows, -relief, sources, -excess.max(axis=1, initial=0.0), -excess[:, MEMORY])
    ordered: list[int] = rows[np.lexsort(keys)].tolist()
    return ordered
