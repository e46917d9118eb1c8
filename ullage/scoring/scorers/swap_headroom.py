"""Swap headroom: how much of the swap that the overcommit needs is still free."""

from __future__ import annotations

import numpy as np

from ullage.scoring.columns import Column, Float32Array
from ullage.scoring.landing import Landing, Scorer


def score(at: Landing, out: Float32Array | None = None) -> Float32Array:
    """``free swap / swap needed``, at most 1.

    Needed is RAM x (overcommit - 1), as OpenShift recommends (`ullage.estimation.swap.swap_needed_bytes`); where nothing is
    overcommitted, the node's own swap. So a node without swap gets 0 in an overcommitted cluster.
    """
    left, needed = at.pair(Column.SWAP_LEFT_BYTES)
    result: Float32Array = np.divide(left, np.maximum(needed, 1.0), out=out)
    np.clip(result, 0.0, 1.0, out=result)
    return result


SWAP_HEADROOM = Scorer("swap_headroom", score, is_fixed=True)
