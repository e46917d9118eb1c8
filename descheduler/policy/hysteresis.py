"""When a node that is over counts as over: not at once, and not again right after it was relieved.

A single reading above the threshold is noise as often as not. A node counts once it has been over for a while, and it has been
over without a break until it falls visibly below the threshold. After it was relieved, or took something in, it must rise
visibly above the threshold to be touched again soon: what was brought to the threshold swings around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.policy.memory import Memory
from ullage.config.schema import Hysteresis
from ullage.model.arrays import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class Judgement:
    """Which nodes count as over.

    Attributes
    ----------
    due
        bool (N,): the node is over, and has been for long enough.
    over_since_seconds
        What to remember, by name.
    """

    due: BoolArray
    over_since_seconds: Mapping[str, float]


def judge(
    names: Sequence[str], excess: FloatArray, memory: Memory, hysteresis: Hysteresis, now_seconds: float
) -> Judgement:
    """Which nodes count as over now.

    Parameters
    ----------
    names
        N names of nodes.
    excess
        float64 (N,): by how much the node is above its threshold, as a ratio of allocatable, in the resource where that is
        most; NaN where the node cannot be judged, which ends what was known of it.
    memory
        What was seen and moved before; one that does not watch is for a plan out of the blue, for which all that is over
        counts.
    hysteresis
        How long, and how far.
    now_seconds
        Unix time.
    """
    over = np.nan_to_num(excess, nan=-1.0) > 0
    if memory.over_since_seconds is None:
        return Judgement(over, {})
    before, touched = memory.over_since_seconds, memory.touched_at_seconds()
    due, since = np.zeros(len(over), dtype=np.bool_), {}
    for node in np.flatnonzero(over | np.isin(names, list(before))).tolist():
        name = names[node]
        settling = now_seconds - touched.get(name, -np.inf) < hysteresis.settle_seconds
        enters = hysteresis.reenter_ratio if settling else 0.0
        stays = name in before and not settling and excess[node] > -hysteresis.leave_ratio
        if stays or excess[node] > enters:
            since[name] = before.get(name, now_seconds)
            due[node] = over[node] and now_seconds - since[name] >= hysteresis.persistence_seconds
    return Judgement(due, since)
