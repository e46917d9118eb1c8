"""Host ports (plugin NodePorts of kube-scheduler)."""

from __future__ import annotations

import numpy as np

from ullage.model.arrays import BoolArray, Int32Array
from ullage.model.placement import HostPort
from ullage.scoring.feasibility.context import Context

_ANY = "0.0.0.0"  # noqa: S104 - the wire's own wildcard, nothing is bound here


def conflict(one: HostPort, other: HostPort) -> bool:
    """Whether two workloads cannot have these ports on one node (``HostPortInfo.CheckConflict``)."""
    if (one.port, one.protocol or "TCP") != (other.port, other.protocol or "TCP"):
        return False
    addresses = {one.address or _ANY, other.address or _ANY}
    return len(addresses) == 1 or _ANY in addresses


class HostPorts:
    """Nodes where another workload holds a port that this one wants."""

    code = "host-port"

    def __init__(self, context: Context) -> None:
        self._nodes = len(context.state.nodes)
        self._node = context.bindings.node
        self._placement = context.state.workloads.placement
        ports = [placement.host_ports for placement in context.state.placements]
        self.concerned: BoolArray = np.array([bool(p) for p in ports], dtype=np.bool_)[self._placement]
        wanting = [row for row, p in enumerate(ports) if p]
        self._rivals: dict[int, Int32Array] = {
            row: context.pods.placed(
                [other for other in wanting if any(conflict(p, q) for p in ports[row] for q in ports[other])]
            )
            for row in wanting
        }

    def rejects(self, workload: int) -> BoolArray:
        """Nodes that this rule rejects, bool (N,)."""
        rivals = self._rivals[int(self._placement[workload])]
        result = np.zeros(self._nodes, dtype=np.bool_)
        result[self._node[rivals[rivals != workload]]] = True
        return result
