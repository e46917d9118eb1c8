"""Clusters of the golden plans: each shows one thing that a plan has to get right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.builders import Cluster
from ullage.model.labels import Requirement
from ullage.model.placement import Placement, PodTerm
from ullage.model.state import ClusterState, KubeVirt

GUARD = Placement(anti_affinity=(PodTerm("kubernetes.io/hostname", (Requirement("app", "In", ("db",)),), ("shop",)),))


@dataclass(frozen=True)
class Case:
    """A state, the fields of `Planning`, and the nodes to evacuate."""

    state: Callable[[], ClusterState]
    planning: Mapping[str, Any] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()


def overcommitted() -> ClusterState:
    """Guests promise more memory than there is; one node is over, partly in swap, with databases that keep apart."""
    cluster = Cluster().kubevirt(KubeVirt(version="1.7.1", memory_overcommit_ratio=1.5))
    for name, swap in (("node-1", "32Gi"), ("node-2", "32Gi"), ("node-3", "32Gi")):
        cluster.node(name, cpu=16, memory="64Gi", swap=swap)
    cluster.node("node-4", cpu=16, memory="64Gi", use_cpu=None, use_memory=None)
    database = {"guest": "24Gi", "overhead": "300Mi", "labels": {"app": "db"}, "placement": GUARD}
    cluster.vm("shop/db-0", "node-1", use_cpu=3, use_memory="21Gi", swap_used="2Gi", dirty_rate="10Mi", **database)
    cluster.vm("shop/db-1", "node-2", use_cpu=2, use_memory="18Gi", **database)
    cluster.vm("shop/build-0", "node-1", guest="24Gi", use_cpu=5, use_memory="20Gi", dirty_rate="200Mi")
    cluster.vm("shop/web-0", "node-1", guest="12Gi", use_cpu=1, use_memory="9Gi", swap_used="1Gi", dirty_rate="2Mi")
    cluster.vm("shop/web-1", "node-1", guest="6Gi", use_cpu=0.5, use_memory="4Gi", live_migratable=False)
    cluster.vm("shop/web-2", "node-3", guest="24Gi", use_cpu=1, use_memory="20Gi")
    cluster.vm("shop/web-3", "node-3", guest="24Gi", use_cpu=1, use_memory="20Gi")
    return cluster.pod("kube-system/agent-1", "node-1", owner=("DaemonSet", "agent"), use_memory="1Gi").build()


def drained() -> ClusterState:
    """A node to empty: one VM fits, one fits nowhere, one may not move, and a DaemonSet's pod belongs to the node."""
    cluster = Cluster().node("node-1").node("node-2").node("node-3", cordoned=True)
    cluster.vm("shop/small", "node-1", use_cpu=1, use_memory="6Gi")
    cluster.vm("shop/wide", "node-1", use_cpu=5, use_memory="6Gi")
    cluster.vm("shop/pinned", "node-1", live_migratable=False, blocked_reason="HostDeviceNotLiveMigratable: uses a GPU")
    cluster.vm("shop/there", "node-2", use_cpu=2, use_memory="20Gi")
    return cluster.pod("kube-system/agent-1", "node-1", owner=("DaemonSet", "agent")).build()


def half_empty() -> ClusterState:
    """Four nodes at a fifth of their capacity: two are enough."""
    cluster = Cluster()
    for n in range(1, 5):
        cluster.node(f"node-{n}").vm(f"shop/vm-{n}", f"node-{n}", use_cpu=1.5, use_memory="12Gi", guest="16Gi")
        cluster.pod(f"kube-system/agent-{n}", f"node-{n}", owner=("DaemonSet", "agent"))
    return cluster.build()


CASES: Mapping[str, Case] = {
    "relieve-overcommitted": Case(overcommitted),
    "evacuate-in-part": Case(drained, {"goal": "evacuate"}, ("node-1",)),
    "consolidate-half-empty": Case(half_empty, {"goal": "consolidate"}),
}
