"""Clusters that have nodes to relieve."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Final

from tests.standin.cluster import StandIn
from tests.standin.nodes import GI, NodeShape, shapes
from tests.standin.readings import NodeReading
from tests.standin.use import Use
from tests.standin.wire import Key

USE: Final = Use(cpu_cores=0.8, working_set_bytes=round(4.6 * GI), dirty_bytes_per_second=10e6)
BASE: Final = Use(cpu_cores=0.3, working_set_bytes=GI)
HIGH: Final = 0.8
WRITERS: Final = 8


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


def crowd(standin: StandIn, namespace: str, counts: Sequence[int], seed: int) -> list[Key]:
    """VMs that use between 1.5 and 5 GiB, so many on each node."""
    random, names = Random(seed), sorted(standin.nodes.shapes)
    homes = [node for node, count in zip(names, counts, strict=True) for _ in range(count)]
    uses = [Use(cpu_cores=0.6, working_set_bytes=round(random.uniform(1.5, 5) * GI)) for _ in homes]

    def create(number: int) -> Key:
        name, use = f"vm-{number:03d}", uses[number]
        return standin.create_vm(name, 6 * GI, 4, namespace=namespace, node=homes[number], use=use)

    with ThreadPoolExecutor(WRITERS) as pool:
        keys = list(pool.map(create, range(len(homes))))
    standin.settle()
    return keys


def fewest(standin: StandIn, high: float = HIGH) -> int:
    """No plan can do with fewer moves: of each node that is over, its largest VMs until it is not."""
    return sum(_fewest(node, high) for node in standin.readings.true().values())


def _fewest(node: NodeReading, high: float) -> int:
    over = node.use.working_set_bytes - high * node.shape.allocatable_bytes
    count = 0
    for size in sorted((each.use.working_set_bytes for each in node.pods), reverse=True):
        if over <= 0:
            break
        over, count = over - size, count + 1
    return count


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
