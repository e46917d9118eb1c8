"""Robust growth of many rows of samples.

The slope is the Theil-Sen estimate, the median of the slopes of all pairs of samples, which a quarter of outliers does not
move. Its interval is Sen's, from the ranks of these slopes (P. K. Sen, 1968). Neighbouring samples of memory use hang
together, so the interval is somewhat narrow: a least number of samples and a least window guard it further.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from ullage.model.arrays import FloatArray, IntArray

MIN_SAMPLES: Final = 8
MIN_WINDOW_SECONDS: Final = 600.0
NORMAL_95: Final = 1.959963984540054

_CHUNK_PAIRS: Final = 2_000_000


class Trend(msgspec.Struct, frozen=True):
    """Growth of one quantity on each node.

    Attributes
    ----------
    level_bytes
        float64 (N,): the fitted value at the last time of the samples; NaN without a sample.
    slope_bytes_per_second
        float64 (N,): NaN with too few samples or too short a window.
    low_bytes_per_second, high_bytes_per_second
        float64 (N,): interval of the slope; NaN where the slope is.
    window_seconds
        float64 (N,): from the first to the last sample; 0 without two.
    """

    level_bytes: FloatArray
    slope_bytes_per_second: FloatArray
    low_bytes_per_second: FloatArray
    high_bytes_per_second: FloatArray
    window_seconds: FloatArray


def trend(
    times_seconds: FloatArray,
    samples: FloatArray,
    *,
    min_samples: int = MIN_SAMPLES,
    min_window_seconds: float = MIN_WINDOW_SECONDS,
    z: float = NORMAL_95,
) -> Trend:
    """Robust growth of each node.

    Parameters
    ----------
    times_seconds
        float64 (T,), strictly ascending, no NaN.
    samples
        float64 (N, T), bytes; NaN where not measured.
    min_samples, min_window_seconds
        A node with fewer samples, or whose samples span less, has no slope.
    z
        Standard normal quantile of the interval: 1.96 for 95 %.

    Raises
    ------
    ValueError
        Shapes do not fit, or the times do not ascend.
    """
    if samples.ndim != 2 or times_seconds.shape != samples.shape[1:]:
        raise ValueError(f"times of shape {times_seconds.shape} for samples of shape {samples.shape}")
    if np.any(np.diff(times_seconds) <= 0) or np.any(np.isnan(times_seconds)):
        raise ValueError("times must ascend")
    count, window = _extent(times_seconds, samples)
    slope, low, high = _sen(times_seconds, samples, count, z)
    enough = (count >= max(2, min_samples)) & (window >= min_window_seconds)
    slope, low, high = (np.where(enough, each, np.nan) for each in (slope, low, high))
    return Trend(_level(times_seconds, samples, slope), slope, low, high, window)


def _extent(times: FloatArray, samples: FloatArray) -> tuple[IntArray, FloatArray]:
    """Number of samples of each node, and the time that they span."""
    known = ~np.isnan(samples)
    count = known.sum(axis=1)
    first = np.min(np.where(known, times, np.inf), axis=1, initial=np.inf)
    last = np.max(np.where(known, times, -np.inf), axis=1, initial=-np.inf)
    return count, np.where(count > 0, last - first, 0.0) if len(times) else np.zeros(len(samples))


def _sen(
    times: FloatArray, samples: FloatArray, count: IntArray, z: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Theil-Sen slope with Sen's interval, in chunks of nodes, so that memory stays bounded."""
    nodes, (later, earlier) = len(samples), np.tril_indices(len(times), -1)
    result = np.full((3, nodes), np.nan)
    step = max(1, _CHUNK_PAIRS // max(1, len(later)))
    for start in range(0, nodes if len(later) else 0, step):
        rows = slice(start, start + step)
        slopes = (samples[rows, later] - samples[rows, earlier]) / (times[later] - times[earlier])
        # NaN sorts last, so the first pairs of a row are the known ones.
        slopes.sort(axis=1)
        result[:, rows] = _ranks(slopes, count[rows], z)
    return result[0], result[1], result[2]


def _ranks(slopes: FloatArray, count: IntArray, z: float) -> FloatArray:
    """Median and interval of sorted slopes, float64 (3, rows), by rank."""
    pairs = count * (count - 1) // 2
    spread = z * np.sqrt(count * (count - 1) * (2 * count + 5) / 18.0)
    top = np.maximum(pairs - 1, 0)
    middle = (_pick(slopes, top // 2) + _pick(slopes, (top + 1) // 2)) / 2
    low = _pick(slopes, np.clip(np.floor((pairs - spread) / 2).astype(np.int64) - 1, 0, top))
    high = _pick(slopes, np.clip(np.ceil((pairs + spread) / 2).astype(np.int64), 0, top))
    return np.stack((middle, low, high))


def _pick(rows: FloatArray, column: IntArray) -> FloatArray:
    picked: FloatArray = np.take_along_axis(rows, column[:, None], axis=1)[:, 0]
    return picked


def _level(times: FloatArray, samples: FloatArray, slope: FloatArray) -> FloatArray:
    """Median of the samples, each carried to the last time along the slope; the last sample where there is no slope."""
    if not len(times):
        return np.full(len(samples), np.nan)
    carried = samples + np.nan_to_num(slope)[:, None] * (times[-1] - times)
    carried.sort(axis=1)
    top = np.maximum((~np.isnan(samples)).sum(axis=1) - 1, 0)
    median = (_pick(carried, top // 2) + _pick(carried, (top + 1) // 2)) / 2
    newest = len(times) - 1 - np.argmax(~np.isnan(samples[:, ::-1]), axis=1)
    return np.where(np.isnan(slope), _pick(samples, newest), median)
