"""Whether moves that were decided on a while ago may still be made, on the newest state and downstream of what is under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from descheduler.policy.memory import Memory
from descheduler.policy.plan import Goal, PlannedMove
from descheduler.policy.problem import Tally
from descheduler.policy.setting import Setting, problem, setting
from ullage.config.schema import Configuration
from ullage.model.changes import Move, apply
from ullage.model.state import ClusterState

GONE = "workload-gone"
"""The workload is not there any more, or another one has its name."""
ELSEWHERE = "workload-elsewhere"
"""The workload is not where the plan saw it."""
NODE_GONE = "node-gone"
"""The destination is not there any more."""


@dataclass(frozen=True)
class Flight:
    """A move that is under way: which workload, from which node, to which."""

    uid: str
    source: str
    target: str


def recheck(
    state: ClusterState,
    memory: Memory,
    config: Configuration,
    now_seconds: float,
    goal: Goal,
    moves: Sequence[PlannedMove],
    flights: Sequence[Flight],
) -> list[str]:
    """Code of each move: why it may not be made now; empty if it may.

    Moves are looked at in order, each downstream of those before it that may be made, and of all that is under way.

    Parameters
    ----------
    state, memory, config, now_seconds
        As `descheduler.policy.decide.decide` has them.
    goal
        What the plan is for.
    moves
        What is still to be made, in the plan's order.
    flights
        What is under way, of this plan or not.
    """
    rows = {uid: w for w, uid in enumerate(state.workloads.uid)}
    node = {name: n for n, name in enumerate(state.nodes.name)}
    expected = apply(state, _unseen(state, flights, rows, node))
    given = setting(expected, memory, config, now_seconds, must_leave=goal in (Goal.EVACUATE, Goal.CONSOLIDATE))
    sources = sorted({node[m.source] for m in moves if m.source in node})
    task = replace(problem(given, np.array(sources, dtype=np.int64)), limit=None)
    tally = Tally(task)
    room_for = {m.target for m in moves}
    return [_code(tally, given, move, rows, node, makes_room=move.source in room_for) for move in moves]


def _unseen(
    state: ClusterState, flights: Sequence[Flight], rows: Mapping[str, int], node: Mapping[str, int]
) -> list[Move]:
    """Moves under way that the state does not show yet: it shows a migration once its target is named."""
    found = []
    for flight in flights:
        w = rows.get(flight.uid)
        if w is None or flight.target not in node or state.workloads.migration_target[w] >= 0:
            continue
        here = int(state.workloads.node[w])
        if state.nodes.name[here] == flight.source:
            found.append(Move(w, here, node[flight.target]))
    return found


def _code(
    tally: Tally,
    given: Setting,
    move: PlannedMove,
    rows: Mapping[str, int],
    node: Mapping[str, int],
    *,
    makes_room: bool,
) -> str:
    """Code of one move; one that `makes_room` for another of the plan is needed even if its source is not over any more."""
    w, target = rows.get(move.workload.uid), node.get(move.target)
    if w is None:
        return GONE
    if target is None:
        return NODE_GONE
    if given.state.nodes.name[int(tally.node[w])] != move.source:
        return ELSEWHERE
    code = given.eligibility.code(w)
    if code:
        return code
    if move.code == "relieve" and not makes_room and not tally.capacity.excess_of(int(tally.node[w])).any():
        return "not-needed"
    if not tally.fits(np.array([w]))[0, target]:
        return _rejection(tally, w, target)
    tally.move(w, target)
    return ""


def _rejection(tally: Tally, workload: int, target: int) -> str:
    """Code of the first rule that rejects the destination."""
    if not tally.problem.open_nodes[target]:
        return "node-use-unknown"
    for term in tally.terms:
        for code, rejected in term.rejections(workload):
            if rejected[target]:
                return code
    return "same-node"
