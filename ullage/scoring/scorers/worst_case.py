"""Worst-case commit: what is left of RAM and swap if all guests are full."""

from __future__ import annotations

import numpy as np

from ullage.scoring.columns import Float32Array
from ullage.scoring.landing import Landing, Scorer


def score(at: Landing, out: Float32Array | None = None) -> Float32Array:
    """``1 - commit / (allocatable + swap)`` after landing, at least 0 (`ullage.estimation.danger.worst_case_of`)."""
    result: Float32Array = np.subtract(1.0, at.commit[1], out=out)
    np.maximum(result, 0.0, out=result)
    return result


WORST_CASE = Scorer("worst_case", score)
