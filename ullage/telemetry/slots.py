"""Places in columns for rows that come and go, and the newest value of each cell."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Final

import numpy as np

from ullage.model.arrays import BoolArray, FloatArray, Int8Array, IntArray

_GROWTH: Final = 1.125
_LEAST: Final = 64


class Slots:
    """A slot for every key; a key that was gone for long loses it.

    Attributes
    ----------
    size
        Number of slots that columns need to have.
    """

    def __init__(self) -> None:
        self.size = 0
        self._of: dict[str, int] = {}
        self._keys: list[str] = []
        self._free: list[int] = []
        self._seen = np.zeros(0)
        self._asked: tuple[Sequence[str], IntArray] = ((), np.zeros(0, np.int64))

    def find(self, keys: Sequence[str]) -> IntArray:
        """Slot of each key, int64 (K,); -1 where it has none."""
        known, slots = self._asked
        if keys is not known:
            slots = np.fromiter(map(self._of.get, keys, repeat(-1)), np.int64, len(keys))
            self._asked = (keys, slots)
        return slots

    def take(self, keys: Sequence[str], now_seconds: float) -> IntArray:
        """Slot of each key, int64 (K,): new ones get a slot, and all count as seen now."""
        slots = self.find(keys)
        if (slots < 0).any():
            new = np.flatnonzero(slots < 0).tolist()
            self._grow(len(self._keys) + max(0, len(new) - len(self._free)))
            for row in new:
                self._give(keys[row])
            self._asked = ((), slots[:0])
            slots = self.find(keys)
        self._seen[slots] = np.maximum(self._seen[slots], now_seconds)
        return slots

    def forget(self, before_seconds: float) -> IntArray:
        """Take back the slots of keys that were last seen before that time, int64: their columns must be cleared."""
        gone = np.flatnonzero(self._seen[: len(self._keys)] < before_seconds)
        for slot in gone.tolist():
            del self._of[self._keys[slot]]
        self._free.extend(gone.tolist())
        self._seen[gone] = np.inf
        if len(gone):
            self._asked = ((), gone[:0])
        return gone

    def _give(self, key: str) -> None:
        if key in self._of:
            return
        if self._free:
            slot = self._free.pop()
            self._keys[slot] = key
        else:
            slot = len(self._keys)
            self._keys.append(key)
        self._of[key], self._seen[slot] = slot, -np.inf

    def _grow(self, needed: int) -> None:
        if needed > self.size:
            self.size = max(_LEAST, needed, int(self.size * _GROWTH))
            self._seen = np.concatenate((self._seen, np.full(self.size - len(self._seen), np.inf)))


class Newest:
    """The newest believed value of each cell, with its time and its source; one row per kind of reading.

    Attributes
    ----------
    value, at_seconds
        float64 (M, S), NaN where nothing is known.
    source
        int8 (M, S), -1 where nothing is known.
    """

    def __init__(self, readings: int) -> None:
        self.value: FloatArray = np.zeros((readings, 0))
        self.at_seconds: FloatArray = np.zeros((readings, 0))
        self.source: Int8Array = np.zeros((readings, 0), np.int8)

    def resize(self, slots: int) -> None:
        """Make room for `slots` rows, at least as many as before."""
        more = (len(self.value), slots - self.value.shape[1])
        self.value = np.concatenate((self.value, np.full(more, np.nan)), axis=1)
        self.at_seconds = np.concatenate((self.at_seconds, np.full(more, np.nan)), axis=1)
        self.source = np.concatenate((self.source, np.full(more, -1, np.int8)), axis=1)

    def clear(self, slots: IntArray) -> None:
        """Forget what was seen of these rows."""
        self.value[:, slots], self.at_seconds[:, slots], self.source[:, slots] = np.nan, np.nan, -1

    def inherit(self, slot: int, of: int) -> None:
        """Have one row hold what another one does, where it has nothing of its own."""
        lacks = np.isnan(self.value[:, slot])
        for array in (self.value, self.at_seconds, self.source):
            array[lacks, slot] = array[lacks, of]

    def is_new(self, reading: int, slots: IntArray, value: FloatArray, at_seconds: FloatArray) -> BoolArray:
        """Values that are newer than those held, bool (K,); NaN never is."""
        result: BoolArray = ~np.isnan(value) & ~(at_seconds <= self.at_seconds[reading, slots])
        return result

    def update(self, slots: IntArray, value: FloatArray, at_seconds: FloatArray, source: int) -> BoolArray:
        """Take the values that are newer than those held; returns which, bool (K, M).

        Parameters
        ----------
        slots
            int64 (K,), each at most once.
        value, at_seconds
            float64 (K, M); NaN in `value` is passed over.
        """
        taken = np.zeros(value.shape, np.bool_)
        for reading in np.flatnonzero((~np.isnan(value)).any(axis=0)).tolist():
            is_new = self.is_new(reading, slots, value[:, reading], at_seconds[:, reading])
            chosen = slots[is_new]
            self.value[reading, chosen] = value[is_new, reading]
            self.at_seconds[reading, chosen] = at_seconds[is_new, reading]
            self.source[reading, chosen] = source
            taken[:, reading] = is_new
        return taken
