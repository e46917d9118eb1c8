"""A tiny instance by hand: three nodes of 10 cores and 100 GiB."""

import numpy as np

from benchmarks.instances import Instance

GIB = 2**30


def instance(*vms: tuple[int, float, float], request: float = 0.0) -> Instance:
    """VMs as (node, cores, GiB); each requests `request` GiB."""
    return Instance(
        name="small",
        threshold=0.8,
        nodes=("a", "b", "c"),
        capacity=np.tile([10.0, 100.0 * GIB], (3, 1)),
        home=np.array([node for node, _, _ in vms]),
        use=np.array([(cores, size * GIB) for _, cores, size in vms]),
        requests=np.array([(0.0, request * GIB) for _ in vms]),
        guest_bytes=np.full(len(vms), 64.0 * GIB),
    )
