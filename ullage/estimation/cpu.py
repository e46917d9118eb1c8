"""What a CPU request and a CPU limit become in the kernel.

Sources: ``pkg/kubelet/cm/helpers_linux.go`` (shares, quota), runc and opencontainers/cgroups (weight), Kubernetes 1.36.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ullage.estimation.swap import plausible
from ullage.model.arrays import FloatArray, IntArray

MIN_SHARES: Final = 2
MAX_SHARES: Final = 262_144
PERIOD_MICROSECONDS: Final = 100_000

_MIN_QUOTA_MICROSECONDS: Final = 1_000


def shares(request_millis: npt.ArrayLike) -> IntArray:
    """CPU shares of a request: ``millicores x 1024 / 1000``, cut and kept within 2..262144; no request counts as 2.

    Parameters
    ----------
    request_millis
        int, millicores, >= 0.
    """
    millis = np.asarray(request_millis, dtype=np.int64)
    result: IntArray = np.clip(millis * 1024 // 1000, MIN_SHARES, MAX_SHARES)
    return result


def weight_old(cpu_shares: npt.ArrayLike) -> IntArray:
    """``cpu.weight`` of cgroup v2 as runtimes set it before 2025: linear, 1..10000."""
    values = np.asarray(cpu_shares, dtype=np.int64)
    return 1 + (values - MIN_SHARES) * 9999 // (MAX_SHARES - MIN_SHARES)


def weight_new(cpu_shares: npt.ArrayLike) -> IntArray:
    """``cpu.weight`` as newer runtimes set it: 1, 100 and 10000 for 2, 1024 and 262144 shares, quadratic in the logarithm.

    ``ceil(10^((l^2 + 125 l) / 612 - 7 / 34))`` with ``l = log2(shares)``. Which formula a node uses depends on its runtime
    only, so two nodes of one cluster may weigh the same VM differently.
    """
    values = np.asarray(cpu_shares, dtype=np.float64)
    log = np.log2(np.clip(values, MIN_SHARES, MAX_SHARES))
    weight = np.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))
    result: IntArray = np.where(values <= MIN_SHARES, 1, np.where(values >= MAX_SHARES, 10_000, weight)).astype(
        np.int64
    )
    return result


def quota_microseconds(limit_millis: npt.ArrayLike, period_microseconds: int = PERIOD_MICROSECONDS) -> IntArray:
    """CFS quota per period of a CPU limit: at least 1 ms; -1 (no quota) for a limit of 0.

    Parameters
    ----------
    limit_millis
        int, millicores, >= 0; 0 is no limit.
    period_microseconds
        CFS period.
    """
    millis = np.asarray(limit_millis, dtype=np.int64)
    result: IntArray = np.where(
        millis == 0, -1, np.maximum(millis * period_microseconds // 1000, _MIN_QUOTA_MICROSECONDS)
    )
    return result


def throttled_ratio(throttled_periods: npt.ArrayLike, periods: npt.ArrayLike) -> FloatArray:
    """Share of the CFS periods in which a container was throttled, 0..1.

    Parameters
    ----------
    throttled_periods, periods
        float64, growth of ``container_cpu_cfs_throttled_periods_total`` and ``container_cpu_cfs_periods_total``.

    Returns
    -------
    FloatArray
        NaN where either is NaN, negative (a reset counter), or no period passed.
    """
    throttled, total = plausible(throttled_periods), plausible(periods)
    shape = np.broadcast_shapes(throttled.shape, total.shape)
    ratio: FloatArray = np.divide(throttled, total, out=np.full(shape, np.nan), where=total > 0)
    return np.minimum(ratio, 1.0)
