"""Sliding windows over samples of many rows at once: mean, deviation and recent peak in some hundred bytes per row.

A row's samples are gathered in buckets of some minutes, each with count, mean and sum of squared distances (B. P. Welford,
1962), which add up exactly (T. F. Chan et al., 1979): mean and deviation are those of all samples of the window. What is
older is folded into blocks that keep the highest bucket and the mean. Exponentially decayed histograms, as the Vertical Pod
Autoscaler has them, are as small; but they cannot forget what moved away, and buckets can: see `transfer`.
"""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from ullage.model.arrays import BoolArray, FloatArray, Int32Array, IntArray

Scalar = TypeVar("Scalar", bound=np.generic)
Columns: TypeAlias = npt.NDArray[np.float32]
Counts: TypeAlias = npt.NDArray[np.uint16]

NEVER: Final = -(2**62)
"""Number of a bucket or block that holds nothing yet."""


class Span(msgspec.Struct, frozen=True):
    """How far windows reach.

    Attributes
    ----------
    bucket_seconds
        Length of a bucket.
    per_block
        Buckets of a block, and of the window that mean and deviation are taken over.
    blocks
        Blocks of the recent peak, the open one included.
    """

    bucket_seconds: float
    per_block: int
    blocks: int

    @classmethod
    def of(cls, bucket_seconds: float, window_seconds: float, peak_window_seconds: float) -> Span:
        """Span that reaches at least as far as asked for."""
        per_block = max(1, int(np.ceil(window_seconds / bucket_seconds)))
        blocks = int(np.ceil(peak_window_seconds / (per_block * bucket_seconds))) + 1
        return cls(bucket_seconds, per_block, blocks)


class Window:
    """Samples of one quantity of S rows (slots), in a ring of buckets and a ring of blocks.

    The ring of buckets holds the open bucket and as many full ones as a window has.
    """

    def __init__(self, span: Span) -> None:
        self._span = span
        ring = span.per_block + 1
        self._bucket = np.full(ring, NEVER, np.int64)
        self._block = np.full(span.blocks, NEVER, np.int64)
        self._newest = NEVER
        self._count: Counts = np.zeros((ring, 0), np.uint16)
        self._mean: Columns = np.zeros((ring, 0), np.float32)
        self._squares: Columns = np.zeros((ring, 0), np.float32)
        self._folded: Counts = np.zeros((span.blocks, 0), np.uint16)
        self._high: Columns = np.zeros((span.blocks, 0), np.float32)
        self._level: Columns = np.zeros((span.blocks, 0), np.float32)

    def resize(self, slots: int) -> None:
        """Make room for `slots` rows, at least as many as before."""
        self._count, self._folded = _wider(self._count, slots), _wider(self._folded, slots)
        self._mean, self._squares = _wider(self._mean, slots), _wider(self._squares, slots)
        self._high, self._level = _wider(self._high, slots), _wider(self._level, slots)

    def clear(self, slots: IntArray) -> None:
        """Forget what was seen of these rows."""
        for array in (self._count, self._mean, self._squares, self._folded, self._high, self._level):
            array[:, slots] = 0

    def inherit(self, slot: int, of: int) -> None:
        """Have one row hold what another one does."""
        for array in (self._count, self._mean, self._squares, self._folded, self._high, self._level):
            array[:, slot] = array[:, of]

    def add(self, slots: IntArray, value: FloatArray, at_seconds: FloatArray) -> None:
        """Take one sample of each of some rows; what is older than the window is passed over.

        Parameters
        ----------
        slots
            int64 (K,), each at most once.
        value, at_seconds
            float64 (K,), finite.
        """
        if not len(slots):
            return
        bucket = np.floor(at_seconds / self._span.bucket_seconds).astype(np.int64)
        self._advance(int(bucket.max()))
        for number in np.unique(bucket[bucket > self._newest - len(self._bucket)]):
            chosen = bucket == number
            self._take(int(number) % len(self._bucket), slots[chosen], value[chosen])

    def moments(self) -> tuple[FloatArray, FloatArray, IntArray]:
        """Mean, standard deviation (``ddof=1``) and number of samples of the window.

        Returns
        -------
        tuple
            float64 (S,), NaN without a sample; float64 (S,), NaN below two; int64 (S,).
        """
        count = self._count.sum(axis=0, dtype=np.int64)
        at_least_one = np.maximum(count, 1)
        mean = np.zeros(len(count))
        for n, bucket_mean in zip(self._count, self._mean, strict=True):
            mean += n * bucket_mean.astype(np.float64)
        mean /= at_least_one
        squares = np.zeros(len(count))
        for n, bucket_mean, bucket_squares in zip(self._count, self._mean, self._squares, strict=True):
            squares += bucket_squares + n * (bucket_mean - mean) ** 2
        deviation = np.sqrt(squares / np.maximum(count - 1, 1))
        return np.where(count > 0, mean, np.nan), np.where(count > 1, deviation, np.nan), count

    def peak(self) -> FloatArray:
        """Highest mean of a bucket within the reach of the blocks, float64 (S,); NaN without a sample.

        One sample is no peak: a bucket counts once it holds half as many samples as the fullest one of its row.
        """
        full = self._full()
        result = np.where(full, self._mean, -np.inf).max(axis=0, initial=-np.inf)
        oldest = self._newest // self._span.per_block - self._span.blocks
        for number, folded, high in zip(self._block, self._folded, self._high, strict=True):
            if number > oldest:
                result = np.maximum(result, np.where(folded > 0, high, -np.inf))
        return np.where(np.isinf(result), np.nan, result).astype(np.float64)

    def series(self) -> tuple[FloatArray, FloatArray]:
        """Times of the buckets, float64 (T,) ascending, and their means, float64 (S, T), NaN where one does not count."""
        order = np.argsort(self._bucket)
        order = order[self._bucket[order] != NEVER]
        times = (self._bucket[order] + 0.5) * self._span.bucket_seconds
        means = np.where(self._full()[order], self._mean[order].astype(np.float64), np.nan)
        return times, means.T

    def is_tenured(self, slots: IntArray) -> BoolArray:
        """Rows that have been seen for longer than the window, bool (K,)."""
        return np.asarray(self._folded[:, slots].any(axis=0), dtype=np.bool_)

    def shift(self, of: Window, slots: IntArray, into: IntArray, sign: float) -> None:
        """Add (`sign` 1) or take away (-1) what rows `slots` of another window hold, to and from the rows `into`."""
        size = self._count.shape[1]
        for ring in np.flatnonzero((self._bucket == of._bucket) & (self._bucket != NEVER)):
            seen = self._count[ring] > 0
            weight = _sums(into, of._mean[ring, slots], size)
            self._mean[ring] = np.where(seen, np.maximum(self._mean[ring] + sign * weight, 0), 0)
            samples = np.maximum(of._count[ring, slots], 1)
            spread = _sums(into, of._squares[ring, slots] / samples * self._count[ring, into], size)
            self._squares[ring] = np.where(seen, np.maximum(self._squares[ring] + sign * spread, 0), 0)
        for place in np.flatnonzero((self._block == of._block) & (self._block != NEVER)):
            seen, weight = self._folded[place] > 0, _sums(into, of._level[place, slots], size)
            for array in (self._high, self._level):
                array[place] = np.where(seen, np.maximum(array[place] + sign * weight, 0), 0)

    def _full(self) -> BoolArray:
        result: BoolArray = (self._count > 0) & (2 * self._count >= self._count.max(axis=0, initial=0))
        return result

    def _take(self, ring: int, slots: IntArray, value: FloatArray) -> None:
        count, mean, squares = self._count[ring], self._mean[ring], self._squares[ring]
        count[slots] += 1
        before = mean[slots]
        distance = value - before
        after = before + distance / count[slots]
        mean[slots] = after
        squares[slots] += (distance * (value - after)).astype(np.float32)

    def _advance(self, newest: int) -> None:
        if newest <= self._newest:
            return
        ring = len(self._bucket)
        for number in range(max(self._newest + 1, newest - ring + 1), newest + 1):
            self._fold(number % ring)
            self._bucket[number % ring] = number
        self._newest = newest

    def _fold(self, ring: int) -> None:
        """Put a bucket into its block, and empty it."""
        if self._bucket[ring] != NEVER:
            self._put(int(self._bucket[ring]) // self._span.per_block, self._full()[ring], self._mean[ring])
        for array in (self._count, self._mean, self._squares):
            array[ring] = 0

    def _put(self, number: int, counts: BoolArray, mean: Columns) -> None:
        place = number % self._span.blocks
        if number < self._block[place]:
            return
        if number > self._block[place]:
            self._block[place] = number
            for array in (self._folded, self._high, self._level):
                array[place] = 0
        self._folded[place] += counts
        high = np.where(self._folded[place] == counts, mean, np.maximum(self._high[place], mean))
        self._high[place] = np.where(counts, high, self._high[place])
        share = np.where(counts, (mean - self._level[place]) / np.maximum(self._folded[place], 1), 0)
        self._level[place] += share.astype(np.float32)


def transfer(nodes: Window, workloads: Window, slots: IntArray, leave: Int32Array, enter: Int32Array) -> None:
    """Carry the past of workloads from the nodes that they leave to those that they enter.

    A node's window then says what its present workloads have used, and a node that a VM left does not look hot for the rest
    of the day. What a block of a node loses or gains is the mean of the workload over that block.

    Parameters
    ----------
    nodes, workloads
        Windows of one quantity and one span.
    slots
        int64 (K,), the workloads.
    leave, enter
        int32 (K,), slots of nodes; below 0 is none.
    """
    for into, sign in ((leave, -1.0), (enter, 1.0)):
        named = into >= 0
        nodes.shift(workloads, slots[named], into[named].astype(np.int64), sign)


def _sums(into: IntArray, values: npt.NDArray[np.floating], size: int) -> FloatArray:
    return np.bincount(into, weights=values, minlength=size).astype(np.float64)


def _wider(array: npt.NDArray[Scalar], slots: int) -> npt.NDArray[Scalar]:
    result = np.zeros((array.shape[0], slots), array.dtype)
    result[:, : array.shape[1]] = array
    return result
