"""Overcommit risk: what RAM does not hold if guests are full has to be carried by swap."""

from __future__ import annotations

import numpy as np

from ullage.scoring.columns import Float32Array
from ullage.scoring.landing import Landing, Scorer


def score(at: Landing, out: Float32Array | None = None) -> Float32Array:
    """1 while all guests fit into RAM after landing, 0 where they need twice the RAM: ``2 - commit / allocatable`` in between.

    The formula is our own. Twice is 200 % of memory overcommit, the most that KubeVirt's guides speak of.
    """
    result: Float32Array = np.subtract(2.0, at.commit[0], out=out)
    np.minimum(result, 1.0, out=result)
    np.maximum(result, 0.0, out=result)
    return result


OVERCOMMIT = Scorer("overcommit", score)
