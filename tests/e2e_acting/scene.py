"""Clusters that have nodes to relieve."""

from __future__ import annotations

from typing import Final

from tests.standin.cluster import StandIn
from tests.standin.nodes import GI, NodeShape, shapes
from tests.standin.use import Use
from tests.standin.wire import Key

USE: Final = Use(cpu_cores=0.8, working_set_bytes=round(4.6 * GI), dirty_bytes_per_second=10e6)
BASE: Final = Use(cpu_cores=0.3, working_set_bytes=GI)
HIGH: Final = 0.8


def nodes(count: int) -> list[NodeShape]:
    """Nodes of 16 cores and 64Gi."""
    return shapes(count, base=BASE)


def fill(standin: StandIn, namespace: str, *vms: int, use: Use = USE, **traits: object) -> list[Key]:
    """So many VMs on each node; eleven of them are too many for one."""
    names = sorted(standin.nodes.shapes)
    keys: list[Key] = []
    for node, count in zip(names, vms, strict=True):
        for _ in range(count):
            name = f"vm-{len(keys):03d}"
            keys.append(standin.create_vm(name, 8 * GI, 2, namespace=namespace, node=node, use=use, **traits))
    standin.settle()
    return keys


def some(standin: StandIn, namespace: str, prefix: str, node: str, count: int, **traits: object) -> list[Key]:
    """So many VMs on one node, that may still be starting."""
    return [
        standin.create_vm(f"{prefix}-{number}", 8 * GI, 2, namespace=namespace, node=node, use=USE, **traits)
        for number in range(count)
    ]


def ratios(standin: StandIn) -> dict[str, float]:
    """What each node really uses, of CPU or of memory, whichever is more."""
    true = standin.readings.true()
    return {
        name: max(each.use.cpu_cores / each.shape.cores, each.use.working_set_bytes / each.shape.allocatable_bytes)
        for name, each in true.items()
    }


def over(standin: StandIn, high: float = HIGH) -> list[str]:
    """Nodes that really are over."""
    return sorted(name for name, ratio in ratios(standin).items() if ratio > high)
