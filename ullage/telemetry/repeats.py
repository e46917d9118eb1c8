"""Values that stay the same, bit by bit, while the times of their samples move on."""

from __future__ import annotations

import numpy as np

from ullage.model.arrays import BoolArray, FloatArray, Int32Array, IntArray


class Repeats:
    """How often in a row each cell was read with the same value at a new time.

    Attributes
    ----------
    count
        int32 (S, C): readings of the present value.
    """

    def __init__(self, columns: int) -> None:
        self._value: FloatArray = np.zeros((0, columns))
        self._at_seconds: FloatArray = np.zeros((0, columns))
        self.count: Int32Array = np.zeros((0, columns), np.int32)

    def resize(self, slots: int) -> None:
        """Make room for `slots` rows, at least as many as before."""
        more = (slots - len(self._value), self._value.shape[1])
        self._value = np.concatenate((self._value, np.full(more, np.nan)))
        self._at_seconds = np.concatenate((self._at_seconds, np.full(more, np.nan)))
        self.count = np.concatenate((self.count, np.zeros(more, np.int32)))

    def clear(self, slots: IntArray) -> None:
        """Forget what was seen of these rows."""
        self._value[slots], self._at_seconds[slots], self.count[slots] = np.nan, np.nan, 0

    def update(self, slots: IntArray, value: FloatArray, at_seconds: FloatArray) -> Int32Array:
        """Take a reading, float64 (K, C), NaN where there is none; returns the counts of these rows, int32 (K, C)."""
        held, held_at = self._value[slots], self._at_seconds[slots]
        is_new: BoolArray = ~np.isnan(value) & ~(at_seconds <= held_at)
        count = np.where(is_new, np.where(value == held, self.count[slots] + 1, 1), self.count[slots])
        self._value[slots] = np.where(is_new, value, held)
        self._at_seconds[slots] = np.where(is_new, at_seconds, held_at)
        self.count[slots] = count
        return count.astype(np.int32)
