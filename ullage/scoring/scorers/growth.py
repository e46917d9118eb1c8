"""Headroom left for growth: what stays free of memory if the node goes on growing."""

from __future__ import annotations

import numpy as np

from ullage.scoring.columns import Float32Array
from ullage.scoring.landing import Landing, Scorer


def score(at: Landing, out: Float32Array | None = None) -> Float32Array:
    """``1 - (memory share after landing + growth over the horizon / (allocatable x limit))``, at least 0.

    Growth is the robust slope of the working set where its 95 % interval lies above 0, else 0 (as
    `ullage.estimation.danger.time_to_exhaustion_of` judges it); the horizon is ``scoring.growthHorizonSeconds``.
    """
    used: Float32Array = np.add(at.share[1], at.growth, out=out)
    np.minimum(used, 1.0, out=used)
    np.subtract(1.0, used, out=used)
    return used


GROWTH = Scorer("growth", score)
