"""Predicted peak after landing: the fuller the node, the steeper the loss."""

from __future__ import annotations

import numpy as np

from ullage.scoring.columns import Float32Array
from ullage.scoring.landing import Landing, Scorer


def _falling(share: Float32Array, out: Float32Array | None) -> Float32Array:
    """``1 - (share + share^2) / 2``.

    The formula is our own. Its slope grows with the load, from 1/2 to 3/2, so that the sum over all nodes is largest where
    loads are alike, and one node near its limit counts for more than two that are half full.
    """
    score: Float32Array = np.add(share, 1.0, out=out)
    score *= share
    score *= -0.5
    score += 1.0
    return score


def cpu(at: Landing, out: Float32Array | None = None) -> Float32Array:
    """`_falling` of the predicted CPU peak over ``allocatable x limit``; 0 at the limit and above."""
    return _falling(at.share[0], out)


def memory(at: Landing, out: Float32Array | None = None) -> Float32Array:
    """`_falling` of the predicted memory peak over ``allocatable x limit``; 0 at the limit and above."""
    return _falling(at.share[1], out)


PEAK_CPU = Scorer("peak_cpu", cpu)
PEAK_MEMORY = Scorer("peak_memory", memory)
