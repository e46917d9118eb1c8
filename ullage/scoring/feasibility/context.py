"""What the rules that depend on other workloads share."""

from __future__ import annotations

from dataclasses import dataclass, field

from ullage.model.arrays import BoolArray
from ullage.model.placement import Placement
from ullage.model.state import ClusterState
from ullage.scoring.feasibility.counts import Bindings, Domains
from ullage.scoring.feasibility.node_affinity import NodeAffinity, NodeSelector
from ullage.scoring.feasibility.pods import PodSets
from ullage.scoring.feasibility.taints import Taints


@dataclass(frozen=True, eq=False)
class Context:
    """State, bindings and selections of one planning run.

    Attributes
    ----------
    state
        The state that the run started from; only its bindings are outdated by moves.
    bindings
        Where workloads stand now.
    pods
        Sets of workloads by selector.
    selector, affinity, taints
        The rules on nodes that others build on.
    """

    state: ClusterState
    bindings: Bindings
    pods: PodSets
    selector: NodeSelector
    affinity: NodeAffinity
    taints: Taints
    _domains: dict[str, Domains] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, state: ClusterState) -> Context:
        """Context of a run that starts from `state`."""
        nodes = state.nodes
        bindings = Bindings(state.workloads.node)
        return cls(state, bindings, PodSets(state), NodeSelector(nodes), NodeAffinity(nodes), Taints(nodes))

    def domains(self, key: str, counting: BoolArray | None = None) -> Domains:
        """Domains of a topology key; `counting`, bool (N,), says whose workloads count."""
        if counting is not None:
            return Domains.of(self.state.nodes.labels, key, counting)
        if key not in self._domains:
            self._domains[key] = Domains.of(self.state.nodes.labels, key)
        return self._domains[key]

    def outside_affinity(self, placement: Placement) -> BoolArray:
        """Nodes that the node selector or the required node affinity rules out, bool (N,)."""
        return self.selector.rejects(placement) | self.affinity.rejects(placement)
