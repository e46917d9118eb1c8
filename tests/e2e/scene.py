"""A cluster in which requests and use contradict each other."""

from __future__ import annotations

from typing import Final

from tests.controlplane.rest import Rest
from tests.standin.cluster import StandIn
from tests.standin.nodes import GI, NodeShape
from tests.standin.use import Use

HOT: Final = NodeShape("hot", base=Use(cpu_cores=15.5, working_set_bytes=62 * GI))
"""Beyond the hard limits, and nothing is requested."""
WARM: Final = NodeShape("warm", base=Use(cpu_cores=11, working_set_bytes=44 * GI))
"""Rather full, and nothing is requested."""
CALM: Final = tuple(NodeShape(f"calm-{number}") for number in range(1, 5))
"""Half of each is requested, and next to nothing used."""
NODES: Final = (HOT, WARM, *CALM)
EMPTY_BY_REQUESTS: Final = {HOT.name, WARM.name}
EMPTY_BY_USE: Final = {each.name for each in CALM}
LONG_AGO: Final = "2026-01-01T00:00:00Z"


def fill(cluster: StandIn, admin: Rest, namespace: str) -> None:
    """Have pods on the calm nodes request much and use little, for long already."""
    use = Use(cpu_cores=0.5, working_set_bytes=2 * GI)
    for node in CALM:
        traits = {"namespace": namespace, "node": node.name, "use": use}
        cluster.create_pod(f"idle-{node.name}", cores=8, memory_bytes=32 * GI, **traits)
    settle_long_ago(cluster, admin, namespace)


def settle_long_ago(cluster: StandIn, admin: Rest, namespace: str) -> None:
    """Have all pods that run in a namespace have started long ago: measures show all of their use."""
    cluster.settle()
    path = f"/api/v1/namespaces/{namespace}/pods"
    for pod in admin.list(path):
        status = f"{path}/{pod['metadata']['name']}/status"
        admin.patch(status, {"status": {"startTime": LONG_AGO}}, "strategic")
