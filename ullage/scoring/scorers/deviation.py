"""Deviation risk: the load of a node that swings cannot be foreseen."""

from __future__ import annotations

import numpy as np

from ullage.scoring.columns import Column, Float32Array
from ullage.scoring.landing import Landing, Scorer


def score(at: Landing, out: Float32Array | None = None) -> Float32Array:
    """``1 - k x deviation / allocatable`` of the worse of CPU and memory, at least 0; k is ``prediction.deviations``.

    The deviation is the node's own, as in LoadVariationRiskBalancing (scheduler-plugins); what the pod brings is in its peak.
    """
    deviation = at.pair(Column.CPU_DEVIATION_CORES) / at.pair(Column.CPU_ALLOCATABLE_CORES)
    worst: Float32Array = np.maximum(deviation[0], deviation[1], out=out)
    worst *= at.view.config.prediction.deviations
    np.minimum(worst, 1.0, out=worst)
    np.subtract(1.0, worst, out=worst)
    return worst


DEVIATION = Scorer("deviation", score, is_fixed=True)
