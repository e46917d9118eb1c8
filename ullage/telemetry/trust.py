"""Which nodes count: those whose CPU and memory were believed often enough in a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from ullage.model.arrays import BoolArray, FloatArray, IntArray

Reason = tuple[str, str]
"""Code and sentence."""

_NEVER: Final = ("missing", "Its CPU and memory were not read.")


class Trust:
    """Believed readings in a row of every node, and why there is none.

    Parameters
    ----------
    minimum
        Readings in a row from which a node counts.
    gap_seconds
        After a gap as long as this a row of readings begins anew.
    """

    def __init__(self, minimum: int, gap_seconds: float) -> None:
        self._minimum, self._gap_seconds = minimum, gap_seconds
        self._streak: IntArray = np.zeros(0, np.int64)
        self._at_seconds: FloatArray = np.zeros(0)
        self._reasons: dict[int, Reason] = {}

    def resize(self, slots: int) -> None:
        """Make room for `slots` rows, at least as many as before."""
        more = slots - len(self._streak)
        self._streak = np.concatenate((self._streak, np.zeros(more, np.int64)))
        self._at_seconds = np.concatenate((self._at_seconds, np.full(more, np.nan)))

    def clear(self, slots: IntArray) -> None:
        """Forget what was seen of these rows."""
        self._streak[slots], self._at_seconds[slots] = 0, np.nan
        for slot in slots.tolist():
            self._reasons.pop(slot, None)

    def update(self, slots: IntArray, at_seconds: FloatArray, reasons: Mapping[int, Reason]) -> None:
        """Take a reading.

        Parameters
        ----------
        slots, at_seconds
            Nodes with new, believed CPU and memory, and the time of the older of both samples.
        reasons
            Nodes that were not believed, by slot.
        """
        gap = ~(at_seconds - self._at_seconds[slots] <= self._gap_seconds)
        self._streak[slots] = np.where(gap, 1, self._streak[slots] + 1)
        self._at_seconds[slots] = at_seconds
        for slot in slots[self._streak[slots] >= self._minimum].tolist():
            self._reasons.pop(slot, None)
        self._streak[np.array(list(reasons), np.int64)] = 0
        self._reasons.update(reasons)

    def counts(self) -> BoolArray:
        """Nodes that count, bool (S,)."""
        result: BoolArray = self._streak >= self._minimum
        return result

    def reason(self, slot: int) -> Reason:
        """Why a node does not count; a slot below 0 was never seen."""
        if slot < 0:
            return _NEVER
        seen = int(self._streak[slot])
        if seen == 0:
            return self._reasons.get(slot, _NEVER)
        code, before = self._reasons.get(slot, ("few-readings", "It has just come."))
        return code, f"{seen} of {self._minimum} readings in a row were believed. {before}"
