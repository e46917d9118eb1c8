"""Which workloads a PodDisruptionBudget covers, followed as rows change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from ullage.model.arrays import IntArray
from ullage.model.labels import Labels, Requirement
from ullage.model.state import DisruptionBudget, WorkloadColumns
from ullage.sources.objects import Key, PodDisruptionBudget
from ullage.sources.policies import allowed_disruptions, is_of_kubevirt, members_wanted
from ullage.sources.store.splice import Splice, sealed
from ullage.sources.store.tables import span


class Budgets:
    """PodDisruptionBudgets with their members, without those that KubeVirt made for its VMs and migrations."""

    def __init__(self) -> None:
        self._allowed: dict[Key, int] = {}
        self._wanted: dict[Key, tuple[Requirement, ...] | None] = {}
        self._stale: set[Key] = set()
        self._has_changed = False
        # Members of all budgets in one: `_rows[i]` is covered by the budget `_keys[_of[i]]`.
        self._keys: tuple[Key, ...] = ()
        self._of = np.empty(0, dtype=np.int64)
        self._rows = np.empty(0, dtype=np.int64)
        self._last: tuple[DisruptionBudget, ...] = ()
        self._namespaces: tuple[str, ...] = ()
        self._labels: Labels | None = None

    def change(self, changes: Mapping[Key, PodDisruptionBudget | None]) -> None:
        """Take budgets anew, ``None`` for one that is gone; members of those that select otherwise are found later."""
        self._has_changed |= bool(changes)
        for key, budget in changes.items():
            if budget is None or is_of_kubevirt(budget):
                self._allowed.pop(key, None)
                self._wanted.pop(key, None)
                continue
            self._allowed[key] = allowed_disruptions(budget)
            wanted = members_wanted(budget)
            if key not in self._wanted or self._wanted[key] != wanted:
                self._wanted[key] = wanted
                self._stale.add(key)

    def follow(self, splice: Splice, workloads: WorkloadColumns) -> tuple[DisruptionBudget, ...]:
        """Budgets in order of namespace and name.

        Parameters
        ----------
        splice
            How the rows changed since the last call.
        workloads
            The rows now.
        """
        # The same rows with the same labels, whatever else is new about them, are covered by the same budgets.
        is_same = workloads.namespace is self._namespaces and workloads.labels is self._labels
        self._namespaces, self._labels = workloads.namespace, workloads.labels
        if not self._has_changed and (splice.is_nothing or (is_same and splice.keeps_order)):
            return self._last
        keys = tuple(sorted(self._wanted))
        of, rows = self._moved(keys, splice)
        found = [(of, rows), *self._matching(keys, splice, workloads)]
        of, rows = (np.concatenate(each) for each in zip(*found, strict=True))
        order = np.lexsort((rows, of))
        of, rows = of[order], rows[order]
        if self._has_changed or not (np.array_equal(of, self._of) and np.array_equal(rows, self._rows)):
            self._keys, self._of, self._rows = keys, of, rows
            self._last = self._made()
        self._stale.clear()
        self._has_changed = False
        return self._last

    def _made(self) -> tuple[DisruptionBudget, ...]:
        members = sealed(self._rows.astype(np.int32))
        cuts = np.searchsorted(self._of, np.arange(len(self._keys) + 1)).tolist()
        return tuple(
            DisruptionBudget(key[0], key[1], self._allowed[key], members[first:last])
            for key, (first, last) in zip(self._keys, pairwise(cuts), strict=True)
        )

    def _moved(self, keys: Sequence[Key], splice: Splice) -> tuple[IntArray, IntArray]:
        """Members that stay: as numbers of `keys`, and rows."""
        number = {key: i for i, key in enumerate(keys) if key not in self._stale}
        of = np.array([number.get(key, -1) for key in self._keys], dtype=np.int64)[self._of]
        rows = splice.moved[self._rows]
        stays = (of >= 0) & (rows >= 0)
        return of[stays], rows[stays]

    def _matching(
        self, keys: Sequence[Key], splice: Splice, workloads: WorkloadColumns
    ) -> list[tuple[IntArray, IntArray]]:
        """Members that come, as `_moved`: fresh rows, and all rows of budgets that select otherwise than before."""
        fresh = _by_namespace(splice, workloads)
        found = []
        for number, key in enumerate(keys):
            rows = np.arange(*span(workloads.namespace, key[0])) if key in self._stale else fresh.get(key[0])
            wanted = self._wanted[key]
            if wanted is not None and rows is not None and len(rows):
                covered = rows[workloads.labels.match(wanted, rows)]
                found.append((np.full(len(covered), number), covered))
        return found


def _by_namespace(splice: Splice, workloads: WorkloadColumns) -> dict[str, IntArray]:
    """Fresh rows by namespace."""
    found: dict[str, list[int]] = {}
    for row in splice.fresh.tolist():
        found.setdefault(workloads.namespace[row], []).append(row)
    return {space: np.array(rows, dtype=np.int64) for space, rows in found.items()}
