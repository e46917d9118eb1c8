"""Four nodes: one that is over, two that have room, and one that is between them; VMs, pods and a budget."""

from __future__ import annotations

from typing import Final

from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.standin.cluster import StandIn
from tests.standin.nodes import GI, NodeShape
from tests.standin.use import Pressure, Use

HOT: Final = "hot"
ROOMY: Final = ("roomy-1", "roomy-2")
MIDDLE: Final = "middle"
NODES: Final = tuple(
    NodeShape(name, swap_bytes=8 * GI, base=Use(working_set_bytes=GI)) for name in (HOT, MIDDLE, *ROOMY)
)
VM: Final = Use(cpu_cores=2, working_set_bytes=18 * GI, dirty_bytes_per_second=30e6)
SWAPPED: Final = 2 * GI
STALLS: Final = Pressure(memory_ratio=0.2, memory_full_ratio=0.05, swap_in_pages_per_second=100)


def fill(cluster: StandIn, admin: Rest, namespace: str) -> None:
    """Three VMs fill the hot node, one of them half in swap; two are on the middle one; pods of a service elsewhere."""
    for number, node in enumerate((HOT, HOT, HOT, MIDDLE, MIDDLE)):
        cluster.create_vm(f"vm-{number}", 20 * GI, 2, namespace=namespace, node=node, use=VM)
    cluster.uses.change((namespace, "vm-0"), swap_bytes=SWAPPED)
    for number, node in enumerate(ROOMY):
        use = Use(cpu_cores=0.5, working_set_bytes=2 * GI)
        cluster.create_pod(f"web-{number}", namespace=namespace, node=node, labels={"app": "web"}, use=use)
    cluster.readings.press(HOT, STALLS)
    _budget(admin, namespace)
    cluster.settle()


def _budget(admin: Rest, namespace: str) -> None:
    path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": spec}
    admin.post(path, body)
    until(lambda: admin.get(f"{path}/web").get("status", {}).get("currentHealthy") == 2, "a budget that was counted")
