"""Trimaran's TargetLoadPacking, as an alternative: fills nodes up to a target CPU use and keeps away from fuller ones."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from ullage.scoring.columns import Column, Float32Array
from ullage.scoring.demand import Demand
from ullage.scoring.landing import Landing, Scorer

TARGET: Final = 0.40
REQUEST_FACTOR: Final = 1.5
DEFAULT_CPU_CORES: Final = 1.0


def cpu_of(demand: Demand) -> float:
    """CPU that the plugin expects of a pod: its limit, else 1.5 times its request, else one core."""
    if math.isfinite(demand.limit_cpu_cores):
        return demand.limit_cpu_cores
    return demand.requested_cpu_cores * REQUEST_FACTOR or DEFAULT_CPU_CORES


def curve(use: Float32Array) -> Float32Array:
    """With ``X = 0.4``: ``(1 - X) U / X + X`` up to X, ``X (1 - U) / (1 - X)`` above it, 0 above 1.

    ``pkg/trimaran/targetloadpacking/targetloadpacking.go`` of scheduler-plugins, over 100. It is the one formula here that
    rises with the load, up to the target: that is what packing means.
    """
    low = (1 - TARGET) / TARGET * use + TARGET
    high = TARGET * (1 - use) / (1 - TARGET)
    return np.clip(np.where(use <= TARGET, low, high), 0.0, 1.0)


def score(at: Landing, out: Float32Array | None = None) -> Float32Array:
    """The plugin's curve on mean CPU use over capacity with the pod and those that no measure shows."""
    use = at.with_mean(cpu_of(at.demand), 0.0)[0]
    result = curve(use / at.column(Column.CPU_CAPACITY_CORES))
    if out is None:
        return result
    out[:] = result
    return out


TARGET_LOAD_PACKING = Scorer("target_load_packing", score, is_monotone=False)
