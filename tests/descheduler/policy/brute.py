"""All plans of a tiny cluster, tried one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from descheduler.policy.plan import NodeClass, RebalancePlan
from tests.descheduler.policy.checking import landing, leaving, may_move, measured, node_use
from ullage.config.schema import Configuration
from ullage.model.state import ClusterState

_RELATIVE = 1e-8
Places = frozenset[tuple[int, int]]


class Brute:
    """Breadth-first search over sets of moves: each workload moves at most once, every step is safe. No placement rules."""

    def __init__(self, state: ClusterState, config: Configuration) -> None:
        workloads = range(len(state.workloads))
        bands = config.thresholds
        self.state = state
        self.target = np.array([bands.cpu.target, bands.memory.target]) * state.nodes.allocatable[:, :2]
        self.high = np.array([bands.cpu.high, bands.memory.high]) * state.nodes.allocatable[:, :2]
        uses = [node_use(state, n, config) for n in range(len(state.nodes))]
        self.known = np.array([use is not None for use in uses])
        self.use = np.array([use or (0.0, 0.0) for use in uses])
        self.out = np.array([leaving(state, w, config) for w in workloads])
        self.into = np.array([landing(state, w, config) for w in workloads])
        self.over = np.flatnonzero((self.use > self.high).any(axis=1) & self.known)
        movable = [w for w in workloads if may_move(state, w, config) and measured(state, w, config)]
        self.victims = [w for w in movable if state.workloads.node[w] in self.over]
        self.movable = movable

    def fewest(self, victims: list[int] | None = None) -> int | None:
        """Fewest moves that bring every over node to its target; ``None`` if no plan does."""
        layer: set[Places] = {frozenset()}
        for count in range(len(self.movable) + 1):
            if any(self._relieved(places) for places in layer):
                return count
            layer = {n for places in layer for n in self._next(places, self.victims if victims is None else victims)}
        return None

    def _load(self, places: Places) -> np.ndarray:
        load = self.use.copy()
        for w, n in places:
            load[self.state.workloads.node[w]] -= self.out[w]
            load[n] += self.into[w]
        return load

    def _relieved(self, places: Places) -> bool:
        return bool((self._load(places)[self.over] <= self.target[self.over] * (1 + _RELATIVE)).all())

    def _next(self, places: Places, victims: list[int]) -> Iterator[Places]:
        load, gone = self._load(places), {w for w, _ in places}
        requested = self._requested(places)
        for w in victims:
            for n in np.flatnonzero(self.known).tolist():
                here = n == self.state.workloads.node[w]
                if w not in gone and not here and self._fits(w, n, load, requested):
                    yield places | {(w, n)}

    def _requested(self, places: Places) -> np.ndarray:
        requested = self.state.nodes.requested.copy()
        for w, n in places:
            requested[self.state.workloads.node[w]] -= self.state.workloads.requests[w]
            requested[n] += self.state.workloads.requests[w]
        return requested

    def _fits(self, w: int, n: int, load: np.ndarray, requested: np.ndarray) -> bool:
        use = load[n] + self.into[w] <= self.target[n] * (1 - _RELATIVE)
        room = requested[n] + self.state.workloads.requests[w] <= self.state.nodes.allocatable[n]
        return bool(use.all() and room.all())


def over(made: RebalancePlan) -> list[str]:
    """Nodes that stay over."""
    return [n.name for n in made.status.nodes if n.after.node_class is NodeClass.OVER]


def above(made: RebalancePlan, target: float) -> list[str]:
    """Nodes that were over and did not come down to the target."""
    sources = [n for n in made.status.nodes if n.before.node_class is NodeClass.OVER]
    return [n.name for n in sources if max(n.after.cpu_ratio, n.after.memory_ratio) > target]
