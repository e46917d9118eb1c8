"""All rules as masks over nodes, kept true while workloads move."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ullage.model.arrays import BoolArray, FloatArray, Int32Array, IntArray
from ullage.model.placement import Placement
from ullage.model.state import ClusterState
from ullage.scoring.feasibility.context import Context
from ullage.scoring.feasibility.preference import Preference
from ullage.scoring.feasibility.registry import NODE_RULES, PLACE_RULES

SAME_NODE = "same-node"


class Feasibility:
    """Which node may take which workload, kept true while workloads move. Mutable, owned by one planning run.

    The rules are those of kube-scheduler's filters for pods as they would be scheduled anew, and of KubeVirt's node selector
    for VMs, but two are stricter: a node that is not ready or that is cordoned takes nothing, whatever is tolerated.
    Requests against allocatable and predicted use are not looked at; a node that does not say what it can allocate takes
    nothing.

    Parameters
    ----------
    state
        The state that the run starts from. It is not touched.
    """

    def __init__(self, state: ClusterState) -> None:
        self._state = state
        self._context = Context.of(state)
        self._node_rules = tuple(rule(state.nodes) for rule in NODE_RULES)
        self._place_rules = tuple(rule(self._context) for rule in PLACE_RULES)
        self._preference = Preference(self._context)
        self._by_placement: dict[int, BoolArray] = {}
        self._by_signature: dict[tuple[object, ...], BoolArray] = {}
        self._dynamic: BoolArray = np.logical_or.reduce([rule.concerned for rule in self._place_rules])
        self._dynamic.flags.writeable = False

    def static(self, workload: int) -> BoolArray:
        """Nodes that pass all rules on nodes, whoever stands there, bool (N,), read-only; its own node may be among them."""
        return self._static(int(self._state.workloads.placement[workload]))

    def static_many(self, workloads: IntArray | Int32Array) -> BoolArray:
        """`static` of K workloads, bool (K, N), a new array."""
        result = np.empty((len(workloads), len(self._state.nodes)), dtype=np.bool_)
        for i, row in enumerate(self._state.workloads.placement[workloads].tolist()):
            result[i] = self._static(row)
        return result

    def dynamic(self) -> BoolArray:
        """Workloads for which `allowed` may differ from `static`, bool (W,), read-only.

        These have host ports, pod affinity, pod anti-affinity or hard spread constraints, or another workload has an
        anti-affinity against them.
        """
        return self._dynamic

    def allowed(self, workload: int) -> BoolArray:
        """Nodes that pass all rules at the present bindings, bool (N,), a new array; its own node may be among them.

        The workload itself is taken out of its node first.
        """
        result = self.static(workload).copy()
        for rule in self._place_rules:
            if rule.concerned[workload]:
                result &= ~rule.rejects(workload)
        return result

    def move(self, workload: int, target: int) -> None:
        """Bind `workload` to node `target`, allowed or not."""
        self._context.bindings.move(workload, target)

    def node_of(self, workload: int) -> int:
        """The node that `workload` is bound to now."""
        return int(self._context.bindings.node[workload])

    def rejections(self, workload: int) -> Iterator[tuple[str, BoolArray]]:
        """Why nodes do not take `workload`, in the order of the filters.

        Yields
        ------
        code, nodes
            Code of `ullage.model.codes`, and the nodes that the rule rejects, bool (N,), at least one. A node may be
            rejected by several rules; the first one is ``same-node``, which `allowed` does not look at.
        """
        own = np.zeros(len(self._state.nodes), dtype=np.bool_)
        own[self.node_of(workload)] = True
        yield SAME_NODE, own
        placement = self._state.placements[int(self._state.workloads.placement[workload])]
        for rule in self._node_rules:
            yield from _if_any(rule.code, rule.rejects(placement))
        for place_rule in self._place_rules:
            if place_rule.concerned[workload]:
                yield from _if_any(place_rule.code, place_rule.rejects(workload))

    def preference(self, workload: int) -> FloatArray:
        """What `workload` would rather have, float64 (N,) in [0, 1], larger is better; 0.5 everywhere if it does not care.

        See `ullage.scoring.feasibility.preference.Preference` for the formula.
        """
        return self._preference.of(workload)

    def _static(self, row: int) -> BoolArray:
        found = self._by_placement.get(row)
        if found is None:
            placement = self._state.placements[row]
            signature = _signature(placement)
            found = self._by_signature.get(signature)
            if found is None:
                found = self._by_signature[signature] = self._pass(placement)
            self._by_placement[row] = found
        return found

    def _pass(self, placement: Placement) -> BoolArray:
        result: BoolArray = ~np.logical_or.reduce([rule.rejects(placement) for rule in self._node_rules])
        result.flags.writeable = False
        return result


def _signature(placement: Placement) -> tuple[object, ...]:
    """What the rules on nodes look at."""
    return (placement.node_selector, placement.node_terms, placement.tolerations, placement.virtual_machine)


def _if_any(code: str, nodes: BoolArray) -> Iterator[tuple[str, BoolArray]]:
    if nodes.any():
        yield code, nodes.copy()
