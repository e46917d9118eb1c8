"""Pressure: how much of the time tasks stall already."""

from __future__ import annotations

import numpy as np

from ullage.scoring.columns import Column, Float32Array
from ullage.scoring.landing import Landing, Scorer


def score(at: Landing, out: Float32Array | None = None) -> Float32Array:
    """1 less the worst of: CPU some, memory some, memory full over its hard limit; each a share of time, at least 0.

    Pressure stall information of the kernel (``Documentation/accounting/psi.rst``). Full counts for more: the limit
    ``scoring.limits.memoryStalled`` is where the filter rejects the node.
    """
    limit = max(at.view.config.scoring.limits.memory_stalled, 1e-6)
    worst: Float32Array = np.divide(at.column(Column.PSI_MEMORY_FULL_RATIO), limit, out=out)
    np.maximum(worst, at.column(Column.PSI_MEMORY_SOME_RATIO), out=worst)
    np.maximum(worst, at.column(Column.PSI_CPU_SOME_RATIO), out=worst)
    np.minimum(worst, 1.0, out=worst)
    np.subtract(1.0, worst, out=worst)
    return worst


PRESSURE = Scorer("pressure", score, is_fixed=True)
