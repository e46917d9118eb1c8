"""Workloads that take the places of others: the past of one that is gone is that of the next one of its owner.

A pod that was evicted comes back under another name and uid, on another node, and does what its predecessor did. Without
this its new node would look as if its load had grown, and its old one as if it were still there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np

from ullage.model.arrays import BoolArray, IntArray
from ullage.model.state import ClusterState, Owner

WAIT_SECONDS: Final = 600.0
"""So long after one went, or came, the other may follow: controllers are faster, unless they back off."""


class Heir(NamedTuple):
    """The workload in slot `slot` takes the place of the one in `of`, which was last at the node in slot `node`."""

    slot: int
    of: int
    node: int


class _Waiting(NamedTuple):
    slot: int
    node: int
    at_seconds: float


class _Look(NamedTuple):
    """Slots of workloads and of their nodes, int64 (W,) each; -1 is none."""

    slots: IntArray
    homes: IntArray
    state: ClusterState

    def rows(self, slots: IntArray) -> Iterator[tuple[int, int, Owner]]:
        """Slot, node and owner of those that have an owner."""
        rows = np.flatnonzero(np.isin(self.slots, slots)) if len(slots) else slots
        for row in rows.tolist():
            owner = int(self.state.workloads.owner[row])
            if owner >= 0:
                yield int(self.slots[row]), int(self.homes[row]), self.state.owners[owner]


class Heirs:
    """Sees who comes and goes."""

    def __init__(self) -> None:
        self._last: _Look | None = None
        self._size = 0
        self._gone: dict[Owner, list[_Waiting]] = {}
        self._come: dict[Owner, list[_Waiting]] = {}

    def look(self, slots: IntArray, homes: IntArray, state: ClusterState, now_seconds: float) -> list[Heir]:
        """Who takes whose place since the last look.

        Parameters
        ----------
        slots, homes
            int64 (W,): slot of each workload and of its node; -1 is none.
        state
            For owners.
        now_seconds
            Time of the look.
        """
        before, self._last = self._last, _Look(slots, homes, state)
        if before is None or before.slots is slots:
            return []
        self._size = max(self._size, 1 + int(slots.max(initial=-1)))
        was, now = _present(before.slots, self._size), _present(slots, self._size)
        self._keep(lambda each: now_seconds - each.at_seconds < WAIT_SECONDS and was[each.slot] == now[each.slot])
        found = []
        for slot, node, owner in before.rows(np.flatnonzero(was & ~now)):
            young = _first(self._come, owner)
            if young is None:
                self._gone.setdefault(owner, []).append(_Waiting(slot, node, now_seconds))
            else:
                found.append(Heir(young.slot, slot, node))
        for slot, node, owner in self._last.rows(np.flatnonzero(now & ~was)):
            old = _first(self._gone, owner)
            if old is None:
                self._come.setdefault(owner, []).append(_Waiting(slot, node, now_seconds))
            else:
                found.append(Heir(slot, old.slot, old.node))
        return found

    def forget(self, slots: IntArray) -> None:
        """These slots are free."""
        freed = set(slots.tolist())
        self._keep(lambda each: each.slot not in freed)
        if self._last is not None and freed:
            kept = np.where(np.isin(self._last.slots, slots), -1, self._last.slots)
            self._last = self._last._replace(slots=kept)

    def _keep(self, wanted: Callable[[_Waiting], bool]) -> None:
        for waiting in (self._gone, self._come):
            for owner in list(waiting):
                waiting[owner] = [each for each in waiting[owner] if wanted(each)]
                if not waiting[owner]:
                    del waiting[owner]


def _present(slots: IntArray, size: int) -> BoolArray:
    """Which slots are among `slots`, bool (size,)."""
    found = np.zeros(size, np.bool_)
    found[slots[slots >= 0]] = True
    return found


def _first(waiting: dict[Owner, list[_Waiting]], owner: Owner) -> _Waiting | None:
    return waiting[owner].pop(0) if waiting.get(owner) else None
