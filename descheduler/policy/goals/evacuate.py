"""Evacuate: empty the named nodes to checked destinations; DaemonSet and mirror pods stay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from descheduler.policy.bounds import Bound
from descheduler.policy.engines import engine
from descheduler.policy.goals import Outcome
from descheduler.policy.problem import Tally
from descheduler.policy.sequence import safe_order
from descheduler.policy.setting import Setting, problem, stays_anyway, with_bound


def evacuate(given: Setting, nodes: Sequence[int]) -> Outcome:
    """Outcome of the goal for the rows `nodes`.

    The bound is exact: everything that may leave has to, and whatever may not keeps the node from being emptied.
    """
    sources = np.array(sorted(nodes), dtype=np.int64)
    task = problem(given, sources, empty=True)
    leaves = np.isin(task.home, sources) & ~stays_anyway(given.state)
    bound = Bound(int(leaves.sum()), float(task.moved_bytes[leaves].sum()), bool(task.movable[leaves].all()))
    movable = leaves & task.movable
    task = with_bound(task, given.config.planning.minimize, int(movable.sum()), float(task.moved_bytes[movable].sum()))
    planning = given.config.planning
    solution = engine(planning.engine)(task, time_limit_seconds=planning.exact_time_limit_seconds)
    moves, _ = safe_order(Tally(task), solution.tally.away, elsewhere=True)
    return Outcome(
        problem=task,
        moves=moves,
        codes={m.workload: "evacuate" for m in moves},
        engine=solution.engine,
        bound=bound,
        subjects=tuple(sources.tolist()),
        remarks=[("engine-fallback", solution.remark)] if solution.remark else [],
    )
