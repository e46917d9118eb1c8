"""Koordinator's LoadAwareScheduling, as an alternative: the least used node."""

from __future__ import annotations

from typing import Final

import numpy as np

from ullage.scoring.columns import Column, Float32Array
from ullage.scoring.landing import Landing, Scorer

DOMINANT_WEIGHT: Final = 0.0


def score(at: Landing, out: Float32Array | None = None) -> Float32Array:
    """``(sum_r s_r + w min_r s_r) / (2 + w)`` with ``s_r = (allocatable - used) / allocatable``, 0 where used is more.

    ``pkg/scheduler/plugins/loadaware`` of Koordinator with its default weights (1, 1, dominant w = 0). Used is the mean use
    with the pod's estimate and the pods that no measure shows.
    """
    allocatable = at.pair(Column.CPU_ALLOCATABLE_CORES)
    used = at.with_mean(at.demand.cpu_cores, at.demand.memory_bytes)
    free = np.clip((allocatable - used) / allocatable, 0.0, 1.0)
    result: Float32Array = np.add(free[0], free[1], out=out)
    result += DOMINANT_WEIGHT * np.minimum(free[0], free[1])
    result /= 2 + DOMINANT_WEIGHT
    return result


LOAD_AWARE = Scorer("load_aware", score)
