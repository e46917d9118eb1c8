"""Taints and tolerations (plugin TaintToleration of kube-scheduler)."""

from __future__ import annotations

import numpy as np

from ullage.model.arrays import BoolArray, IntArray
from ullage.model.placement import Placement, Taint, Toleration
from ullage.model.state import NodeColumns


class Taints:
    """Nodes with a taint NoSchedule or NoExecute that is not tolerated.

    Few distinct lists of taints stand on many nodes, so that tolerations are looked at once per list.
    """

    code = "taint"

    def __init__(self, nodes: NodeColumns) -> None:
        index: dict[tuple[Taint, ...], int] = {}
        self._list_of = np.array([index.setdefault(taints, len(index)) for taints in nodes.taints], dtype=np.int64)
        self._lists = tuple(index)
        self._known: dict[tuple[Toleration, ...], BoolArray] = {}

    def rejects(self, placement: Placement) -> BoolArray:
        """Nodes that this rule rejects, bool (N,)."""
        found = self._known.get(placement.tolerations)
        if found is None:
            keeps_away = self._untolerated(placement.tolerations, soft=False) > 0
            found = self._known[placement.tolerations] = keeps_away
        return found

    def untolerated_soft(self, placement: Placement) -> IntArray:
        """Number of taints PreferNoSchedule that are not tolerated, int64 (N,)."""
        return self._untolerated(placement.tolerations, soft=True)

    def _untolerated(self, tolerations: tuple[Toleration, ...], *, soft: bool) -> IntArray:
        counts = [
            sum(
                (taint.effect == "PreferNoSchedule") == soft and not any(t.tolerates(taint) for t in tolerations)
                for taint in taints
            )
            for taints in self._lists
        ]
        result: IntArray = np.array(counts, dtype=np.int64)[self._list_of]
        return result
