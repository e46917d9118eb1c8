"""Balance between resources: no CPU is stranded on a node whose memory is full, and the reverse."""

from __future__ import annotations

import numpy as np

from ullage.scoring.columns import Float32Array
from ullage.scoring.landing import Landing, Scorer


def score(at: Landing, out: Float32Array | None = None) -> Float32Array:
    """``1 - |CPU share - memory share|`` after landing.

    Of two resources it is what NodeResourcesBalancedAllocation takes, whose standard deviation is half of that distance
    (``pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go``), on predicted use in place of requests. It is
    the one scorer that load in a single resource may raise. Load in both alike never does; and the sum of all scorers does
    not while this one weighs at most half as much as either peak, whose slope is at least 1/2.
    """
    distance: Float32Array = np.subtract(at.share[0], at.share[1], out=out)
    np.abs(distance, out=distance)
    np.subtract(1.0, distance, out=distance)
    return distance


BALANCE = Scorer("balance", score, is_monotone=False)
