"""Classes of nodes by predicted use: over, fit, under, unknown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.policy.plan import NodeClass
from ullage.model.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Limits:
    """Ratios of allocatable per resource, float64 (2,) each: CPU, memory; low <= target <= high."""

    low: FloatArray
    high: FloatArray
    target: FloatArray


def classify(ratio: FloatArray, limits: Limits) -> tuple[NodeClass, ...]:
    """Class of each node.

    Over if any resource is above `high`, under if all are below `low`, unknown if any is NaN; fit else.

    Parameters
    ----------
    ratio
        float64 (N, 2), predicted use over allocatable.
    limits
        Thresholds.
    """
    over = (ratio > limits.high).any(axis=1)
    under = (ratio < limits.low).all(axis=1)
    unknown = np.isnan(ratio).any(axis=1)
    chosen = np.select([unknown, over, under], [0, 1, 2], default=3)
    names = (NodeClass.UNKNOWN, NodeClass.OVER, NodeClass.UNDER, NodeClass.FIT)
    return tuple(names[c] for c in chosen)
