"""Relieve: bring every over node under its target; touch nothing else, unless something must step aside to make room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from descheduler.policy.bounds import lower_bound
from descheduler.policy.engines import engine
from descheduler.policy.goals import Outcome, balance
from descheduler.policy.problem import Tally
from descheduler.policy.sequence import safe_order
from descheduler.policy.setting import Setting, problem, with_bound
from descheduler.policy.terms.capacity import Capacity


def relieve(given: Setting, nodes: Sequence[int] = ()) -> Outcome:  # noqa: ARG001 - goals share one interface
    """Outcome of the goal; goes on to balance if the configuration asks for it and no node stays over."""
    sources = np.flatnonzero(given.due)
    task = problem(given, sources)
    bound = lower_bound(Capacity(task.dimensions, task.home), task.home, sources, task.moved_bytes)
    planning = given.config.planning
    task = with_bound(task, planning.minimize, bound.moves, bound.bytes)
    solution = engine(planning.engine)(task, time_limit_seconds=planning.exact_time_limit_seconds)
    asked = set(sources.tolist())
    codes = {w: "relieve" if int(task.home[w]) in asked else "make-room" for w in solution.tally.away}
    if planning.keep_balancing and solution.tally.overload() == 0.0:
        balance.descend(given, solution.tally)
        codes = {w: codes.get(w, "balance") for w in solution.tally.away}
    moves, left_out = safe_order(Tally(task), solution.tally.away, elsewhere=True)
    remarks = [("engine-fallback", solution.remark)] if solution.remark else []
    if left_out:
        remarks.append(("moves-left-out", f"{len(left_out)} moves would only fit at once and were left out."))
    return Outcome(
        problem=task,
        moves=moves,
        codes={w: c for w, c in codes.items() if w not in left_out},
        engine=solution.engine,
        bound=bound,
        subjects=tuple(sources.tolist()),
        remarks=remarks,
    )
