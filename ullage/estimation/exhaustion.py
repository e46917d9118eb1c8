"""How long until a node has used up its memory, and its memory and swap together; no answer rather than a wild guess.

Growth is the robust slope of `ullage.telemetry.trend`, with its interval; a horizon is a further guard.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from ullage.model.arrays import FloatArray
from ullage.telemetry.trend import MIN_SAMPLES, MIN_WINDOW_SECONDS
from ullage.telemetry.trend import NORMAL_95 as NORMAL_95
from ullage.telemetry.trend import Trend as Trend
from ullage.telemetry.trend import trend as trend

HORIZON_WINDOWS: Final = 24.0
"""A growth that was seen for one hour is carried on for a day at most."""


class Exhaustion(msgspec.Struct, frozen=True):
    """Time until a capacity is used up at the present growth, on each node.

    Attributes
    ----------
    seconds
        float64 (N,): by the slope; 0 where it is used up now; NaN where nothing can be said.
    earliest_seconds, latest_seconds
        float64 (N,): by the ends of the slope's interval, ``earliest <= seconds <= latest``; NaN where `seconds` is.
    """

    seconds: FloatArray
    earliest_seconds: FloatArray
    latest_seconds: FloatArray


def seconds_left(
    level_bytes: FloatArray,
    capacity_bytes: npt.ArrayLike,
    slope: FloatArray,
    low: FloatArray,
    high: FloatArray,
    horizon_seconds: npt.ArrayLike = np.inf,
) -> Exhaustion:
    """Time until `level_bytes` reaches `capacity_bytes`, from a slope with its interval.

    Parameters
    ----------
    level_bytes, slope, low, high
        float64 (N,), bytes and bytes per second; for a slope known with its standard deviation the interval is
        ``slope -+ 1.96 x deviation``.
    capacity_bytes
        float64 (N,) or scalar; NaN where not reported.
    horizon_seconds
        float64 (N,) or scalar: no answer that lies further away is given.

    Returns
    -------
    Exhaustion
        NaN where anything is NaN, where the interval includes 0 or shrinking, or beyond the horizon. 0 where the level is at
        the capacity already, whatever the slope.
    """
    room = np.maximum(np.asarray(capacity_bytes, dtype=np.float64) - level_bytes, 0.0)
    grows = (low > 0) & (slope > 0) & (high > 0)

    def reach(speed: FloatArray) -> FloatArray:
        result: FloatArray = np.divide(room, speed, out=np.full(room.shape, np.nan), where=grows)
        return result

    expected = reach(slope)
    told = (expected <= np.asarray(horizon_seconds, dtype=np.float64)) & ~np.isnan(expected)
    seconds, earliest, latest = (np.where(told, each, np.nan) for each in (expected, reach(high), reach(low)))
    full = room == 0
    return Exhaustion(*(np.where(full, 0.0, each) for each in (seconds, earliest, latest)))


def time_to_exhaustion(
    times_seconds: FloatArray,
    samples: FloatArray,
    capacity_bytes: npt.ArrayLike,
    *,
    min_samples: int = MIN_SAMPLES,
    min_window_seconds: float = MIN_WINDOW_SECONDS,
    horizon_windows: float = HORIZON_WINDOWS,
) -> Exhaustion:
    """Time until the capacity is used up at the growth within the window.

    For RAM pass the working set and allocatable memory; for RAM and swap `ram_and_swap` and RAM plus swap.

    Parameters
    ----------
    times_seconds, samples
        As for `trend`.
    capacity_bytes
        float64 (N,) or scalar.
    horizon_windows
        How many times its own window a growth is carried on at most.
    """
    found = trend(times_seconds, samples, min_samples=min_samples, min_window_seconds=min_window_seconds)
    return seconds_left(
        found.level_bytes,
        capacity_bytes,
        found.slope_bytes_per_second,
        found.low_bytes_per_second,
        found.high_bytes_per_second,
        horizon_windows * found.window_seconds,
    )


def ram_and_swap(working_set: FloatArray, swap_used: FloatArray) -> FloatArray:
    """Samples of RAM and swap together, float64 (N, T); NaN where either is NaN: missing swap is not zero swap."""
    return working_set + swap_used
