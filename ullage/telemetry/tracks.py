"""What is kept of nodes, or of workloads: the newest values, and windows of CPU and memory."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import numpy as np

from ullage.model.arrays import BoolArray, FloatArray, Int32Array, IntArray
from ullage.telemetry.heirs import Heir
from ullage.telemetry.slots import Newest, Slots
from ullage.telemetry.windows import Span, Window, transfer

SETTLE_SECONDS: Final = 180.0
"""So long after a workload moved, rates of its nodes may still hold it: a window of 150 s and a scrape of 30 s."""

SETTLE_RATIO: Final = 0.02
"""Share of a node that a workload must use for this to matter."""

_NEW: Final = -2  # home of a workload that was not seen before


class Track:
    """Columns over slots, one slot for each uid.

    Parameters
    ----------
    axis
        What is read.
    use
        Its columns for CPU and memory.
    span
        How far windows reach.
    """

    def __init__(self, axis: type[IntEnum], use: Sequence[int], span: Span) -> None:
        self.slots = Slots()
        self.newest = Newest(len(axis))
        self.windows = (Window(span), Window(span))
        self._use = tuple(use)

    def take(self, keys: Sequence[str], now_seconds: float) -> IntArray:
        """Slot of each key, int64 (K,), with room in all columns."""
        slots = self.slots.take(keys, now_seconds)
        if self.slots.size > self.newest.value.shape[1]:
            for part in (self.newest, *self.windows):
                part.resize(self.slots.size)
        return slots

    def inherit(self, slot: int, of: int) -> None:
        """Have one row hold the past of another."""
        for part in (self.newest, *self.windows):
            part.inherit(slot, of)

    def forget(self, before_seconds: float) -> IntArray:
        """Forget what was last seen before that time; returns the slots that are free now."""
        gone = self.slots.forget(before_seconds)
        if len(gone):
            for part in (self.newest, *self.windows):
                part.clear(gone)
        return gone

    def update(
        self,
        slots: IntArray,
        value: FloatArray,
        at_seconds: FloatArray,
        source: int,
        is_settled: BoolArray | None = None,
    ) -> BoolArray:
        """Take believed values, float64 (K, M), NaN where there is none; returns which were new, bool (K, M).

        Rows that are not `is_settled`, bool (K,), stay out of the windows.
        """
        is_new = self.newest.update(slots, value, at_seconds, source)
        for column, window in zip(self._use, self.windows, strict=True):
            chosen = is_new[:, column] if is_settled is None else is_new[:, column] & is_settled
            window.add(slots[chosen], value[chosen, column], at_seconds[chosen, column])
        return is_new


class Homes:
    """On which node every workload is, and what follows for the past of nodes when it moves.

    Parameters
    ----------
    nodes, workloads
        What is kept of both.
    """

    def __init__(self, nodes: Track, workloads: Track) -> None:
        self._nodes, self._workloads = nodes, workloads
        self._home: Int32Array = np.zeros(0, np.int32)

    def follow(self, slots: IntArray, nodes: IntArray) -> tuple[IntArray, IntArray]:
        """Carry the past of workloads that moved, went or came back to where they are.

        What has run for less than a window and goes is taken for load that comes and goes, such as jobs: it stays in the
        past of its node.

        Parameters
        ----------
        slots, nodes
            int64 (W,): slot of each workload, and of its node. Workloads that are not among them are gone.

        Returns
        -------
        tuple
            Slots of the workloads whose past was carried, and int64 (2, K) of the nodes that they left and entered (-1: none).
        """
        self._grow()
        now = np.where(self._home == _NEW, _NEW, -1).astype(np.int32)
        now[slots] = nodes
        changed = np.flatnonzero((now != self._home) & (self._home != _NEW))
        leave, enter = self._home[changed], now[changed]
        stays = self._workloads.windows[0].is_tenured(changed) | ((leave >= 0) & (enter >= 0))
        self._home = now
        changed, leave, enter = changed[stays], leave[stays], enter[stays]
        if len(changed):
            for of_node, of_workload in zip(self._nodes.windows, self._workloads.windows, strict=True):
                transfer(of_node, of_workload, changed, leave, enter)
        return changed, np.stack((leave, enter)).astype(np.int64)

    def inherit(self, heirs: Sequence[Heir]) -> None:
        """Workloads take the places of others, with their past; `follow` then takes them for moved."""
        self._grow()
        for heir in heirs:
            self._workloads.inherit(heir.slot, heir.of)
            left = int(self._home[heir.of])
            if left == -1 and not self._workloads.windows[0].is_tenured(np.array([heir.of]))[0]:
                left = heir.node  # its past has stayed there
            self._home[heir.slot], self._home[heir.of] = left, _NEW

    def _grow(self) -> None:
        more = self._workloads.slots.size - len(self._home)
        self._home = np.concatenate((self._home, np.full(more, _NEW, np.int32)))

    def forget(self, slots: IntArray) -> None:
        """These slots are free: who gets them is new."""
        self._home[slots] = _NEW


class Settling:
    """Nodes whose samples may still hold a workload that has moved away, or lack one that has come.

    Their windows hold what they will use by then, since the past of the workload was carried; samples of the passage, which
    fit neither, stay out.
    """

    def __init__(self) -> None:
        self._until_seconds = np.zeros(0)

    def resize(self, slots: int) -> None:
        """Make room for `slots` nodes, at least as many as before."""
        more = np.full(slots - len(self._until_seconds), -np.inf)
        self._until_seconds = np.concatenate((self._until_seconds, more))

    def clear(self, slots: IntArray) -> None:
        """Forget what was seen of these nodes."""
        self._until_seconds[slots] = -np.inf

    def begin(self, between: IntArray, use: FloatArray, nodes: tuple[IntArray, FloatArray], now_seconds: float) -> None:
        """Workloads have moved.

        Parameters
        ----------
        between
            int64 (2, K), slots of the nodes that they left and entered; -1: none.
        use
            float64 (K, 2), cores and bytes, NaN where not known.
        nodes
            Slots of nodes, int64 (N,), and what they have, float64 (N, 2).
        """
        slots, capacity = nodes
        least = np.full((len(self._until_seconds), 2), np.inf)
        least[slots[slots >= 0]] = SETTLE_RATIO * capacity[slots >= 0]
        for into in between:
            named = into >= 0
            matters = (use[named] > least[into[named]]).any(axis=1)
            self._until_seconds[into[named][matters]] = now_seconds + SETTLE_SECONDS

    def is_over(self, slots: IntArray, at_seconds: FloatArray) -> BoolArray:
        """Whether samples of these times tell the use of their nodes, bool (K,); NaN does."""
        return ~(at_seconds < self._until_seconds[slots])
