"""What a workload would rather have: preferred terms, soft taints and soft spread as one number per node.

kube-scheduler scales each of its scores by the best node of one scheduling cycle. Here every part has an absolute scale, so
that a node's preference does not depend on which other nodes there are; the parts are weighed as its plugins are by default.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ullage.model.arrays import BoolArray, FloatArray
from ullage.model.placement import Placement, PreferredPod
from ullage.scoring.feasibility.context import Context
from ullage.scoring.feasibility.counts import Tally
from ullage.scoring.feasibility.spread import Constraint, Constraints

TAINT_WEIGHT: Final = 3.0
NODE_WEIGHT: Final = 2.0
POD_WEIGHT: Final = 2.0
SPREAD_WEIGHT: Final = 2.0
INDIFFERENT: Final = 0.5

Part = tuple[float, FloatArray]
"""Weight and value, float64 (N,) in [0, 1]."""


class Preference:
    """Preferences of workloads at the present bindings.

    The parts, of which those that say something are averaged by weight:

    - soft taints: 1 / (1 + number of taints PreferNoSchedule that are not tolerated), if any node has one;
    - preferred node terms: sum of the weights of the terms that the node meets, over the sum of all;
    - preferred pod terms: sum of the absolute weights of the terms that get their will, over the sum of all. An affinity
      gets it where another selected workload is in the node's domain, an anti-affinity where none is. Preferences that
      other workloads have towards this one are not looked at;
    - soft spread: mean over the constraints of (1 + global minimum) / (1 + count in the node's domain), at most 1, and 0 on
      a node without the key.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._constraints = Constraints(context)
        self._fixed: dict[int, tuple[Part, ...]] = {}

    def of(self, workload: int) -> FloatArray:
        """Preference of each node, float64 (N,) in [0, 1]; `INDIFFERENT` everywhere if the workload has none."""
        row = int(self._context.state.workloads.placement[workload])
        placement = self._context.state.placements[row]
        if row not in self._fixed:
            self._fixed[row] = (*self._taints(placement), *self._nodes(placement))
        parts = (*self._fixed[row], *self._pods(placement, workload), *self._spread(placement, workload))
        if not parts:
            return np.full(len(self._context.state.nodes), INDIFFERENT)
        weights = [weight for weight, _ in parts]
        return np.average(np.stack([value for _, value in parts]), axis=0, weights=weights)

    def _taints(self, placement: Placement) -> list[Part]:
        count = self._context.taints.untolerated_soft(placement).astype(np.float64)
        return [(TAINT_WEIGHT, 1.0 / (1.0 + count))] if count.any() else []

    def _nodes(self, placement: Placement) -> list[Part]:
        terms = placement.preferred_nodes
        met = [(term.weight, self._context.affinity.match(term.term)) for term in terms]
        return [(NODE_WEIGHT, _share(met))] if terms else []

    def _pods(self, placement: Placement, workload: int) -> list[Part]:
        terms = placement.preferred_pods
        return [(POD_WEIGHT, _share([self._wish(term, workload) for term in terms]))] if terms else []

    def _wish(self, preferred: PreferredPod, workload: int) -> tuple[int, BoolArray]:
        """Absolute weight of a term, and the nodes that grant it, bool (N,)."""
        rows = self._context.pods.matched(preferred.term)
        domains = self._context.domains(preferred.term.topology_key)
        near = Tally(domains, rows, self._context.bindings.node).occupied(workload)
        return abs(preferred.weight), near if preferred.weight > 0 else ~near

    def _spread(self, placement: Placement, workload: int) -> list[Part]:
        namespace = self._context.state.workloads.namespace[workload]
        soft = self._constraints.of(placement, namespace, hard=False)
        return [(SPREAD_WEIGHT, np.mean([self._evenness(c, workload) for c in soft], axis=0))] if soft else []

    def _evenness(self, constraint: Constraint, workload: int) -> FloatArray:
        domains = constraint.domains
        counts = Tally(domains, constraint.counted, self._context.bindings.node).counts(workload)
        value = np.minimum((1.0 + constraint.least(counts)) / (1.0 + counts), 1.0)
        value[domains.size] = 0.0
        result: FloatArray = value[domains.of_node]
        return result


def _share(granted: list[tuple[int, BoolArray]]) -> FloatArray:
    """Weight that is granted over all weight, float64 (N,)."""
    total = sum(weight for weight, _ in granted)
    return sum((weight * nodes for weight, nodes in granted), start=np.zeros(1)) / max(total, 1)
