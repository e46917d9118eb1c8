"""Topology spread constraints (plugin PodTopologySpread of kube-scheduler)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ullage.model.arrays import BoolArray, Int32Array, IntArray
from ullage.model.placement import Placement, Spread
from ullage.scoring.feasibility.context import Context
from ullage.scoring.feasibility.counts import Domains, holds


@dataclass(frozen=True, eq=False)
class Constraint:
    """One spread constraint as the workloads of one namespace and placement see it.

    Attributes
    ----------
    spread
        The constraint.
    domains
        Domains of its key; only nodes that have all keys and that its policies let in count.
    counted
        int32, ascending: workloads that count.
    selected
        int32, ascending: workloads that the selector matches, whether they count or not.
    """

    spread: Spread
    domains: Domains
    counted: Int32Array
    selected: Int32Array

    def least(self, counts: IntArray) -> int:
        """The global minimum of `counts`, int64 (D + 1,), over eligible domains; 0 where these are fewer than demanded."""
        eligible = self.domains.eligible
        enough = int(eligible.sum()) >= max(self.spread.min_domains, 1)
        return int(counts[:-1][eligible].min()) if enough else 0


class Constraints:
    """Spread constraints by placement and namespace."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._domains: dict[tuple[object, ...], Domains] = {}

    def of(self, placement: Placement, namespace: str, *, hard: bool) -> tuple[Constraint, ...]:
        """The DoNotSchedule constraints, or else the ScheduleAnyway ones."""
        spreads = [spread for spread in placement.spread if spread.hard == hard]
        keys = tuple(spread.topology_key for spread in spreads)
        pods = self._context.pods
        return tuple(
            Constraint(
                spread=spread,
                domains=self._domains_of(spread, keys, placement),
                counted=pods.counted(spread.selector, namespace),
                selected=pods.spread(spread.selector, namespace),
            )
            for spread in spreads
        )

    def _domains_of(self, spread: Spread, keys: tuple[str, ...], placement: Placement) -> Domains:
        affinity = (placement.node_selector, placement.node_terms) if spread.honor_affinity else None
        tolerations = placement.tolerations if spread.honor_taints else None
        signature = (spread.topology_key, keys, affinity, tolerations)
        found = self._domains.get(signature)
        if found is None:
            counting = self._counting(spread, keys, placement)
            found = self._domains[signature] = self._context.domains(spread.topology_key, counting)
        return found

    def _counting(self, spread: Spread, keys: tuple[str, ...], placement: Placement) -> BoolArray:
        counting = np.ones(len(self._context.state.nodes), dtype=np.bool_)
        for key in dict.fromkeys(keys):
            counting &= ~self._context.domains(key).outside
        if spread.honor_affinity:
            counting &= ~self._context.outside_affinity(placement)
        if spread.honor_taints:
            counting &= ~self._context.taints.rejects(placement)
        return counting


class TopologySpread:
    """Nodes that lack a topology key, or whose domain would stand too far above the global minimum.

    ``count + self - minimum <= maxSkew``, where self is 1 if the constraint's selector matches the workload itself. Volumes
    count as node affinity here, because a `Placement` does not tell them apart; kube-scheduler looks at affinity alone.
    """

    code = "topology-spread"

    def __init__(self, context: Context) -> None:
        self._nodes = len(context.state.nodes)
        self._placement = context.state.workloads.placement
        self._namespace = context.state.workloads.namespace
        hard = [any(spread.hard for spread in placement.spread) for placement in context.state.placements]
        self.concerned: BoolArray = np.array(hard, dtype=np.bool_)[self._placement]
        constraints = Constraints(context)
        seen = {(self._namespace[w], int(self._placement[w])): None for w in np.flatnonzero(self.concerned)}
        self._tallied = {
            (namespace, row): tuple(
                (constraint, context.bindings.tally(constraint.domains, constraint.counted))
                for constraint in constraints.of(context.state.placements[row], namespace, hard=True)
            )
            for namespace, row in seen
        }

    def rejects(self, workload: int) -> BoolArray:
        """Nodes that this rule rejects, bool (N,)."""
        result = np.zeros(self._nodes, dtype=np.bool_)
        for constraint, tally in self._tallied[self._namespace[workload], int(self._placement[workload])]:
            counts = tally.counts(workload)
            most = constraint.spread.max_skew + constraint.least(counts) - holds(constraint.selected, workload)
            result |= constraint.domains.outside | constraint.domains.nodes(counts > most)
        return result
