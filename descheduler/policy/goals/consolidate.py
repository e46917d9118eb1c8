"""Consolidate: empty as many nodes as possible, all or nothing per node, and keep every other node under its target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from descheduler.policy.engines.search.improve import improve
from descheduler.policy.engines.search.product import emptiness
from descheduler.policy.goals import Outcome
from descheduler.policy.plan import NodeClass
from descheduler.policy.problem import Problem, Tally
from descheduler.policy.sequence import safe_order
from descheduler.policy.setting import Setting, problem, stays_anyway
from ullage.model.arrays import BoolArray, IntArray
from ullage.model.changes import Move

_ORDERS = 4
"""Orders of nodes that are tried; the one that empties most nodes with the least cost counts."""
_WORTH = 3.0
"""What emptying a node is worth to a search, in prices of all that moves off it."""
_FAILURES = 48
"""Nodes in a row that could not be emptied, after which an order is given up."""


def consolidate(given: Setting, nodes: Sequence[int] = ()) -> Outcome:  # noqa: ARG001 - goals share one interface
    """Outcome of the goal."""
    task = problem(given, given.rows(NodeClass.OVER)[:0])
    candidates = _candidates(given, task)
    rng = np.random.Generator(np.random.PCG64(task.seed))
    best: tuple[tuple[int, float], Tally, list[int]] | None = None
    spent = 0
    for order in _orders(given, task, candidates, rng):
        if spent > task.effort:
            break
        tally = Tally(task)
        emptied = _empty_in_order(given, tally, order)
        spent += tally.spent
        value = (-len(emptied), tally.price())
        if best is None or value < best[0]:
            best = (value, tally, emptied)
    moves, engine = _whole(task, best[1].away if best else {}), "greedy"
    if given.config.planning.engine == "search" and len(candidates):
        searched = _searched(given, task, candidates, {m.workload: m.target for m in moves})
        if _value(task, searched) < _value(task, moves):
            moves, engine = searched, "search"
    return Outcome(
        problem=task,
        moves=moves,
        codes={m.workload: "consolidate" for m in moves},
        engine=engine,
        bound=None,
        subjects=(),
    )


def _searched(given: Setting, task: Problem, nodes: IntArray, start: dict[int, int]) -> tuple[Move, ...]:
    """Moves that a search finds from `start`, without those of nodes that it does not empty.

    Nodes that hold what a search does not move are left as `start` has them.
    """
    stuck = task.movable & ~task.standing().covered
    stuck[list(start)] = False
    nodes = nodes[np.bincount(task.home[stuck], minlength=len(task.open_nodes))[nodes] == 0]
    if not len(nodes):
        return ()
    price = _WORTH * float(np.bincount(task.home[task.movable], weights=task.cost[task.movable])[nodes].mean())
    open_to = replace(task, open_nodes=task.open_nodes & _inhabited(given))
    places = improve(open_to, emptiness(nodes, price), start)
    return _whole(task, _of_emptied(task, nodes, places))


def _of_emptied(task: Problem, nodes: IntArray, places: dict[int, int]) -> dict[int, int]:
    """Those of `places` whose home is one of `nodes` and keeps nothing that moves, and gets nothing."""
    node = task.home.copy()
    node[list(places)] = list(places.values())
    filled = np.bincount(node[task.movable], minlength=len(task.open_nodes)) > 0
    emptied = set(nodes[~filled[nodes]].tolist())
    return {w: n for w, n in places.items() if int(task.home[w]) in emptied}


def _value(task: Problem, moves: Sequence[Move]) -> tuple[int, float]:
    """Nodes that `moves` empty, negative, and their price: less is better."""
    left = {m.source for m in moves} - {m.target for m in moves}
    return -len(left), float(task.cost[[m.workload for m in moves]].sum())


def _inhabited(given: Setting) -> BoolArray:
    """Nodes that can be judged and hold something that is not theirs anyway."""
    home = given.state.workloads.node[~stays_anyway(given.state)]
    return given.known() & (np.bincount(home, minlength=len(given.state.nodes)) > 0)


def _whole(task: Problem, places: dict[int, int]) -> tuple[Move, ...]:
    """Moves in a safe order, without those of nodes that could only be emptied in part."""
    moves, left_out = safe_order(Tally(task), places)
    while left_out:
        partly = {int(task.home[w]) for w in left_out}
        places = {w: n for w, n in places.items() if int(task.home[w]) not in partly}
        moves, left_out = safe_order(Tally(task), places)
    return moves


def _candidates(given: Setting, task: Problem) -> IntArray:
    """Nodes that can be judged, hold something that moves, and nothing that neither moves nor belongs to the node."""
    state = given.state
    blocks = ~task.movable & ~stays_anyway(state)
    blocked = np.bincount(task.home[blocks], minlength=len(state.nodes)) > 0
    filled = np.bincount(task.home[task.movable], minlength=len(state.nodes)) > 0
    return np.flatnonzero(given.known() & filled & ~blocked)


def _orders(given: Setting, task: Problem, nodes: IntArray, rng: np.random.Generator) -> list[IntArray]:
    """Cheapest to empty first, least used first, and a few with noise on the price."""
    price = np.bincount(task.home[task.movable], weights=task.cost[task.movable], minlength=len(given.state.nodes))
    used = given.ratio[nodes].max(axis=1, initial=0.0)
    orders = [nodes[np.argsort(price[nodes], kind="stable")], nodes[np.argsort(used, kind="stable")]]
    for _ in range(_ORDERS - len(orders)):
        noisy = price[nodes] * rng.lognormal(0.0, 0.25, size=len(nodes))
        orders.append(nodes[np.argsort(noisy, kind="stable")])
    return orders


def _empty_in_order(given: Setting, tally: Tally, order: IntArray) -> list[int]:
    """Empty node after node where possible; what received something is not emptied.

    Nodes come roughly from the easiest to the hardest: after many failures in a row nothing more is to be expected.
    """
    open_nodes = _inhabited(given)
    emptied: list[int] = []
    received: set[int] = set()
    failures = 0
    for node in order.tolist():
        if node in received or failures > _FAILURES:
            continue
        open_nodes[node] = False
        targets = _empty(tally, node, open_nodes)
        if targets is None:
            open_nodes[node] = True
            failures += 1
        else:
            failures = 0
            received.update(targets)
            emptied.append(node)
    return emptied


def _empty(tally: Tally, node: int, open_nodes: BoolArray) -> list[int] | None:
    """Move all off `node`, largest first, each to the fullest node that takes it; undo and say ``None`` if one does not fit."""
    members = tally.candidates(node)
    size = (tally.capacity.landing[members, :2] / tally.capacity.scale[node, :2]).max(axis=1, initial=0.0)
    moved: list[int] = []
    targets: list[int] = []
    for workload in members[np.argsort(-size, kind="stable")].tolist():
        fits = tally.fits(np.array([workload]))[0] & open_nodes
        if not fits.any() or tally.full():
            for w in moved:
                tally.move(w, node)
            return None
        rows = np.flatnonzero(fits)
        full = (tally.capacity.load[rows, :2] / tally.capacity.scale[rows, :2]).max(axis=1)
        targets.append(int(rows[int(np.argmax(full))]))
        tally.move(workload, targets[-1])
        moved.append(workload)
    return targets
