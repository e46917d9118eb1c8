"""The rules in the order of kube-scheduler's filters: a new one is a file of its own and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from ullage.model.arrays import BoolArray
from ullage.model.placement import Placement
from ullage.model.state import NodeColumns
from ullage.scoring.feasibility.context import Context
from ullage.scoring.feasibility.node_affinity import NodeAffinity, NodeSelector
from ullage.scoring.feasibility.node_state import AllocatableKnown, KubevirtNode, NodeReady, NodeUncordoned
from ullage.scoring.feasibility.pod_affinity import PodAffinity, PodAntiAffinity
from ullage.scoring.feasibility.ports import HostPorts
from ullage.scoring.feasibility.spread import TopologySpread
from ullage.scoring.feasibility.taints import Taints


class NodeRule(Protocol):
    """A rule on a node and a placement, whoever else stands there."""

    code: str
    """The code of `ullage.model.codes` that a rejection carries."""

    def rejects(self, placement: Placement, /) -> BoolArray:
        """Nodes that the rule rejects, bool (N,), not to be written."""


class PlaceRule(Protocol):
    """A rule that depends on where other workloads stand."""

    code: str
    """The code of `ullage.model.codes` that a rejection carries."""
    concerned: BoolArray
    """bool (W,): workloads that the rule may reject a node for."""

    def rejects(self, workload: int, /) -> BoolArray:
        """Nodes that the rule rejects for a workload that it concerns, with the workload taken out of its node first."""


NODE_RULES: Final[tuple[Callable[[NodeColumns], NodeRule], ...]] = (
    NodeReady,
    NodeUncordoned,
    AllocatableKnown,
    Taints,
    KubevirtNode,
    NodeSelector,
    NodeAffinity,
)
PLACE_RULES: Final[tuple[Callable[[Context], PlaceRule], ...]] = (
    HostPorts,
    PodAffinity,
    PodAntiAffinity,
    TopologySpread,
)
