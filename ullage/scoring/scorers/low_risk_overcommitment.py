"""Trimaran's LowRiskOverCommitment, as an alternative: limits beyond capacity, and how likely load beyond requests is."""

from __future__ import annotations

from typing import Final

import numpy as np

from ullage.model.arrays import FloatArray
from ullage.scoring.columns import Column, Float32Array
from ullage.scoring.landing import Landing, Scorer
from ullage.scoring.scorers.beta import beta_cdf

WINDOW: Final = 5
LIMIT_WEIGHT: Final = 0.5

_PARTS: Final = (
    (Column.CPU_MEAN_CORES, Column.CPU_DEVIATION_CORES, Column.CPU_REQUESTED_CORES, Column.CPU_LIMITS_CORES),
    (
        Column.MEMORY_MEAN_BYTES,
        Column.MEMORY_DEVIATION_BYTES,
        Column.MEMORY_REQUESTED_BYTES,
        Column.MEMORY_LIMITS_BYTES,
    ),
)
_ALLOCATABLE: Final = (Column.CPU_ALLOCATABLE_CORES, Column.MEMORY_ALLOCATABLE_BYTES)


def limit_risk(requests: FloatArray, limits: FloatArray, capacity: FloatArray) -> FloatArray:
    """``(L - C) / (L - R)`` where limits L pass the capacity C, else 0; requests R are cut to C."""
    beyond, span = limits - capacity, limits - np.minimum(requests, capacity)
    return np.divide(beyond, span, out=np.zeros_like(beyond), where=(beyond > 0) & (span > 0))


def load_risk(mean: FloatArray, deviation: FloatArray, requests: FloatArray, limits: FloatArray) -> FloatArray:
    """Probability that load passes the requests, of a Beta distribution with that mean and deviation; all over capacity.

    The deviation is widened by the root of the smoothing window and kept within ``0.99 mean (1 - mean)``. Where the limits stay
    below capacity, the load cannot pass them, and the distribution is cut there.
    """
    mu = np.clip(mean, 1e-6, 1 - 1e-6)
    variance = np.minimum(deviation * deviation * WINDOW, 0.99 * mu * (1 - mu))
    shape = mu * (1 - mu) / np.maximum(variance, 1e-9) - 1
    below = beta_cdf(requests, mu * shape, (1 - mu) * shape)
    cut = (limits < 1) & (requests <= limits)
    most = np.where(cut, beta_cdf(limits, mu * shape, (1 - mu) * shape), 1.0)
    share = np.divide(below, most, out=np.ones_like(below), where=most > 0)
    return 1 - np.clip(share, 0.0, 1.0)


def score(at: Landing, out: Float32Array | None = None) -> Float32Array:
    """``1 - max over CPU and memory of (w limitRisk + (1 - w) loadRisk)``, w = 0.5; 0 for pods without requests and limits.

    ``pkg/trimaran/lowriskovercommitment`` of scheduler-plugins. Unlike the plugin it counts pods that no measure shows, with
    their expected use, as requests and limits.
    """
    risks = np.stack([_risk(at, resource) for resource in (0, 1)])
    result = np.empty(risks.shape[1], dtype=np.float32) if out is None else out
    result[:] = 0.0 if _is_best_effort(at) else 1 - np.clip(risks.max(axis=0), 0.0, 1.0)
    return result


def _is_best_effort(at: Landing) -> bool:
    demand = at.demand
    limited = np.isfinite([demand.limit_cpu_cores, demand.limit_memory_bytes]).any()
    return not (demand.requested_cpu_cores or demand.requested_memory_bytes or limited)


def _risk(at: Landing, resource: int) -> FloatArray:
    mean, deviation, requests, limits = (at.column(column).astype(np.float64) for column in _PARTS[resource])
    capacity = at.column(_ALLOCATABLE[resource]).astype(np.float64)
    demand = at.demand
    asked = (demand.requested_cpu_cores, demand.requested_memory_bytes)[resource]
    limit = (demand.limit_cpu_cores, demand.limit_memory_bytes)[resource]
    most = max(asked, limit) if np.isfinite(limit) else asked
    extra = 0.0 if at.extra is None else at.extra[resource].astype(np.float64)
    risk = load_risk((mean + extra) / capacity, deviation / capacity, requests / capacity, limits / capacity)
    over = limit_risk(requests + extra + asked, limits + extra + most, capacity)
    result: FloatArray = LIMIT_WEIGHT * over + (1 - LIMIT_WEIGHT) * risk
    return result


LOW_RISK_OVERCOMMITMENT = Scorer("low_risk_overcommitment", score)
