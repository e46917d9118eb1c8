"""Which workloads a pod term, a spread constraint or a placement selects."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from ullage.model.arrays import BoolArray, Int32Array, IntArray
from ullage.model.labels import Labels, Requirement
from ullage.model.placement import PodTerm
from ullage.model.state import ClusterState, WorkloadFlag

Selector = tuple[Requirement, ...] | None
"""``None`` selects nothing, empty selects all."""


class _Groups:
    """Rows 0..n-1 by a code per row."""

    def __init__(self, code: Int32Array, codes: int) -> None:
        self._order = np.argsort(code, kind="stable").astype(np.int32)
        self._offsets = np.concatenate([[0], np.cumsum(np.bincount(code, minlength=codes))])

    def rows(self, codes: Iterable[int]) -> Int32Array:
        """Rows with one of the distinct `codes`, ascending."""
        parts = [self._order[self._offsets[code] : self._offsets[code + 1]] for code in codes]
        return parts[0] if len(parts) == 1 else np.sort(np.concatenate([np.empty(0, dtype=np.int32), *parts]))


class PodSets:
    """Sets of workload rows, int32 and ascending, found once per distinct selector."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state
        self._known: dict[tuple[Selector, tuple[str, ...], Selector], Int32Array] = {}

    @cached_property
    def _namespace_code(self) -> dict[str, int]:
        names = {*self._state.workloads.namespace, *self._state.namespaces}
        return {name: code for code, name in enumerate(sorted(names))}

    @cached_property
    def _namespace_labels(self) -> Labels:
        """Labels by namespace code; a namespace that the state does not describe has none, as to kube-scheduler."""
        row = {name: i for i, name in enumerate(self._state.namespaces)}
        labels = self._state.namespace_labels
        return Labels.of([labels.row(row[name]) if name in row else {} for name in self._namespace_code])

    @cached_property
    def namespace(self) -> Int32Array:
        """Code of each workload's namespace, int32 (W,)."""
        code = self._namespace_code
        return np.array([code[name] for name in self._state.workloads.namespace], dtype=np.int32)

    @cached_property
    def _terminating(self) -> BoolArray:
        return self._state.workloads.has(WorkloadFlag.TERMINATING)

    @cached_property
    def _by_namespace(self) -> _Groups:
        return _Groups(self.namespace, len(self._namespace_code))

    @cached_property
    def _by_placement(self) -> _Groups:
        return _Groups(self._state.workloads.placement, len(self._state.placements))

    def placed(self, placements: Iterable[int]) -> Int32Array:
        """Workloads with one of the distinct `placements`."""
        return self._by_placement.rows(placements)

    def matched(self, term: PodTerm) -> Int32Array:
        """Workloads that a pod term selects, wherever they stand."""
        key = (term.selector, term.namespaces, term.namespace_selector)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._select(term.selector, self._namespaces(term))
        return found

    def spread(self, selector: Selector, namespace: str) -> Int32Array:
        """Workloads of one namespace that a selector matches."""
        return self.matched(PodTerm("", selector, (namespace,)))

    def counted(self, selector: Selector, namespace: str) -> Int32Array:
        """Those of `spread` that a spread constraint counts: none for an empty selector, and no terminating ones.

        Source: ``countPodsMatchSelector`` in ``plugins/podtopologyspread/common.go`` of kube-scheduler.
        """
        rows = self.spread(selector or None, namespace)
        return rows[~self._terminating[rows]]

    def _namespaces(self, term: PodTerm) -> IntArray:
        code = self._namespace_code
        chosen = np.zeros(len(code), dtype=np.bool_)
        chosen[[code[name] for name in term.namespaces if name in code]] = True
        if term.namespace_selector is not None:
            chosen |= self._namespace_labels.match(term.namespace_selector)
        return np.flatnonzero(chosen)

    def _select(self, selector: Selector, namespaces: IntArray) -> Int32Array:
        rows = self._by_namespace.rows(namespaces.tolist())
        return rows[:0] if selector is None else rows[self._state.workloads.labels.match(selector, rows)]
