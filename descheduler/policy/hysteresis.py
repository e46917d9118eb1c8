"""When a node that is over counts as over: not at once, and not again right after it was relieved.

A single reading above the threshold is noise as often as not. A node counts once it has been over for a while, and it has been
over without a break until it falls visibly below the threshold. After it was relieved it must rise visibly above the
threshold to be touched again soon: what was brought down to the threshold swings around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.policy.memory import Standing
from ullage.config.schema import Hysteresis
from ullage.model.arrays import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class Judgement:
    """Which nodes count as over.

    Attributes
    ----------
    due
        bool (N,): the node is over, and has been for long enough.
    standing
        What to remember, by name: nodes that are over or were relieved a while ago.
    """

    due: BoolArray
    standing: Mapping[str, Standing]


def judge(
    names: Sequence[str],
    excess: FloatArray,
    remembered: Mapping[str, Standing] | None,
    hysteresis: Hysteresis,
    now_seconds: float,
) -> Judgement:
    """Which nodes count as over now.

    Parameters
    ----------
    names
        N names of nodes.
    excess
        float64 (N,): by how much the node is above its threshold, as a ratio of allocatable, in the resource where that is
        most; NaN where the node cannot be judged, which ends what was known of it.
    remembered
        Standing of nodes; ``None`` for a plan out of the blue, for which all that is over counts.
    hysteresis
        How long, and how far.
    now_seconds
        Unix time.
    """
    over = np.nan_to_num(excess, nan=-1.0) > 0
    if remembered is None:
        return Judgement(over, {})
    due, standing = np.zeros(len(over), dtype=np.bool_), {}
    for node in np.flatnonzero(over | np.isin(names, list(remembered))).tolist():
        before = remembered.get(names[node], Standing())
        after = _standing(before, float(excess[node]), hysteresis, now_seconds)
        if after != Standing():
            standing[names[node]] = after
        since = after.over_since_seconds
        due[node] = over[node] and since is not None and now_seconds - since >= hysteresis.persistence_seconds
    return Judgement(due, standing)


def _standing(before: Standing, excess: float, hysteresis: Hysteresis, now_seconds: float) -> Standing:
    relieved = before.relieved_at_seconds
    if relieved is not None and now_seconds - relieved >= hysteresis.settle_seconds:
        relieved = None
    since = before.over_since_seconds
    enters = 0.0 if relieved is None else hysteresis.reenter_ratio
    stays = since is not None and relieved is None and excess > -hysteresis.leave_ratio
    if not (stays or excess > enters):
        return Standing(None, relieved)
    return Standing(now_seconds if since is None else since, relieved)
