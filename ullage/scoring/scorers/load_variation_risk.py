"""Trimaran's LoadVariationRiskBalancing, as an alternative: mean and deviation of the load, balanced."""

from __future__ import annotations

from typing import Final

import numpy as np

from ullage.scoring.columns import Column, Float32Array
from ullage.scoring.landing import Landing, Scorer

MARGIN: Final = 1.0
SENSITIVITY: Final = 1.0


def risk(mean: Float32Array, deviation: Float32Array) -> Float32Array:
    """``(mu + min(1, margin x sigma^(1 / sensitivity))) / 2`` of utilizations cut to 0..1."""
    sigma = np.clip(deviation, 0.0, 1.0) ** (1.0 / SENSITIVITY)
    result: Float32Array = (np.clip(mean, 0.0, 1.0) + np.clip(MARGIN * sigma, 0.0, 1.0)) / 2
    return result


def score(at: Landing, out: Float32Array | None = None) -> Float32Array:
    """``1 - risk`` of the worse of CPU and memory; the pod counts with its requests.

    ``pkg/trimaran/loadvariationriskbalancing`` of scheduler-plugins. What the plugin does not do: pods that no measure shows
    count here.
    """
    use = at.with_mean(at.demand.requested_cpu_cores, at.demand.requested_memory_bytes)
    allocatable = at.pair(Column.CPU_ALLOCATABLE_CORES)
    both = risk(use / allocatable, at.pair(Column.CPU_DEVIATION_CORES) / allocatable)
    worst: Float32Array = np.maximum(both[0], both[1], out=out)
    np.subtract(1.0, worst, out=worst)
    return worst


LOAD_VARIATION_RISK = Scorer("load_variation_risk", score)
