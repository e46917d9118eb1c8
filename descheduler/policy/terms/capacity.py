"""Capacity: every dimension of a destination (predicted use, requests, committed memory) stays under its limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from ullage.model.arrays import BoolArray, FloatArray, IntArray

CPU: Final = 0
MEMORY: Final = 1
"""Columns of predicted use; they come first among the dimensions of every problem."""


@dataclass(frozen=True, eq=False)
class Dimension:
    """One quantity that is summed per node.

    Attributes
    ----------
    code
        Code of the refusal when a destination would pass its limit.
    load
        float64 (N,), sum at the start.
    leaving, landing
        float64 (W,): what a node is rid of when the workload leaves its first place, and what it brings elsewhere.
    target
        float64 (N,), limit of a destination; -inf where nothing may land.
    source
        float64 (N,), what a source must come down to; +inf where nothing is asked.
    scale
        float64 (N,), > 0: divides differences to make dimensions comparable.
    binds_idle
        Whether a destination over its limit is closed to a workload that brings nothing of this. For requests it is not:
        kube-scheduler's NodeResourcesFit looks only at what is asked for.
    """

    code: str
    load: FloatArray
    leaving: FloatArray
    landing: FloatArray
    target: FloatArray
    source: FloatArray
    scale: FloatArray
    binds_idle: bool = True


class Capacity:
    """All dimensions as matrices; loads kept downstream of all accepted moves.

    Attributes
    ----------
    load
        float64 (N, K), present loads.
    room
        float64 (K, N), what is left below the targets; one row per dimension, because it is read by dimension.
    leaving, landing, target, source, scale
        The dimensions' columns side by side.
    """

    def __init__(self, dimensions: tuple[Dimension, ...], home: IntArray) -> None:
        self.codes = tuple(d.code for d in dimensions)
        self.load = np.stack([d.load for d in dimensions], axis=1)
        self.leaving = np.stack([d.leaving for d in dimensions], axis=1)
        self.landing = np.stack([d.landing for d in dimensions], axis=1)
        self.target = np.stack([d.target for d in dimensions], axis=1)
        self.source = np.stack([d.source for d in dimensions], axis=1)
        self.scale = np.stack([d.scale for d in dimensions], axis=1)
        self.room = np.ascontiguousarray((self.target - self.load).T)
        idle = np.array([not d.binds_idle for d in dimensions]) & (self.landing == 0)
        self._asked = np.where(idle, -np.inf, self.landing)
        self._home = home
        self._share = self.leaving / self.scale[home]
        self._return_limit = np.where(np.isfinite(self.source), self.source, np.maximum(self.target, self.load))

    def demand(self, workload: int, node: int) -> FloatArray:
        """Load that `workload` puts on `node`, float64 (K,)."""
        demand: FloatArray = (self.leaving if node == self._home[workload] else self.landing)[workload]
        return demand

    def share(self, workloads: IntArray) -> FloatArray:
        """What each workload takes off its first node, scaled, float64 (len(workloads), K)."""
        share: FloatArray = self._share[workloads]
        return share

    def restrict(self, workloads: IntArray, allowed: BoolArray) -> None:
        """Strike nodes of which some dimension would pass its target."""
        allowed &= (self._asked[workloads].T[:, :, None] <= self.room[:, None, :]).all(axis=0)

    def admits(self, workload: int, node: int) -> bool:
        """Whether no dimension of the node would pass its target."""
        return bool((self._asked[workload] <= self.room[:, node]).all())

    def moved(self, workload: int, source: int, target: int) -> None:
        """Shift the workload's demand from `source` to `target`."""
        self.load[source] -= self.demand(workload, source)
        self.load[target] += self.demand(workload, target)
        for node in (source, target):
            self.room[:, node] = self.target[node] - self.load[node]

    def excess(self, nodes: IntArray) -> FloatArray:
        """How far `nodes` are above what they must come down to, float64 (len(nodes), K), 0 where they are not, scaled."""
        return np.maximum(self.load[nodes] - self.source[nodes], 0.0) / self.scale[nodes]

    def excess_of(self, node: int) -> FloatArray:
        """The same of one node, float64 (K,)."""
        excess: FloatArray = np.maximum(self.load[node] - self.source[node], 0.0) / self.scale[node]
        return excess

    def may_return(self, workload: int) -> bool:
        """Whether the workload's first node could take it back without passing any limit that binds it."""
        home = self._home[workload]
        after = self.load[home] + self.leaving[workload]
        return bool((after <= self._return_limit[home]).all())

    def rejections(self, workload: int) -> Iterator[tuple[str, BoolArray]]:
        """Per dimension the nodes that have no room."""
        for k, code in enumerate(self.codes):
            yield code, self._asked[workload, k] > self.room[k]
