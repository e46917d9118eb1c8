"""A cluster in which an audit finds nothing, and a small change of it for every finding."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from tests.builders import Cluster
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.state import ClusterState, EvictionStrategy, NodeFlag, WorkloadFlag

NODES = ("a", "b", "c")
Changes = Mapping[str, Mapping[str, Any]]
UNCHANGED: Changes = MappingProxyType({})


def node(**changes: Any) -> dict[str, Any]:
    """A node with reserve and swap as they should be, measured as Prometheus would."""
    measures = {
        NodeMeasure.PSI_MEMORY_SOME_RATIO: 0.01,
        NodeMeasure.SWAP_IN_BYTES_PER_SECOND: 0,
        NodeMeasure.SWAP_OUT_BYTES_PER_SECOND: 0,
        NodeMeasure.KSM_SAVED_BYTES: 0,
        **changes.pop("measures", {}),
    }
    usual = {"memory": "64Gi", "capacity": {"memory": "68Gi"}, "swap": "34Gi", "cpu": 32}
    return {**usual, "measures": measures, **changes}


def vm(**changes: Any) -> dict[str, Any]:
    """A VM as KubeVirt renders it at 150 %, that uses half of its guest."""
    usual = {"guest": "24Gi", "overhead": "300Mi", "use_memory": "13Gi", "swap_request": "16684Mi"}
    measures = {WorkloadMeasure.MEMORY_DEVIATION_BYTES: 0, **changes.pop("measures", {})}
    return {**usual, "measures": measures, **changes}


def cluster(
    nodes: Changes = UNCHANGED,
    vms: Changes = UNCHANGED,
    more: Callable[[Cluster], object] = lambda _: None,
    **kubevirt: Any,
) -> ClusterState:
    """The clean cluster with some changes: three nodes with two VMs each, ``shop/a-1`` to ``shop/c-2``."""
    builder = Cluster().kubevirt(**{"memory_overcommit_ratio": 1.5, **kubevirt})
    for name in NODES:
        builder.node(name, **node(**nodes.get(name, {})))
        for each in (f"{name}-1", f"{name}-2"):
            builder.vm(f"shop/{each}", name, **vm(**vms.get(each, {})))
    more(builder)
    return builder.build()


def measured(**values: Any) -> dict[str, Any]:
    """Changed measures of a node."""
    return {"measures": {NodeMeasure[name.upper()]: value for name, value in values.items()}}


GROWS = measured(memory_growth_bytes_per_second="3Mi", memory_growth_deviation_bytes_per_second="1Ki")
EVERYONE = [f"{name}-{i}" for name in NODES for i in (1, 2)]

PROVOKED: Mapping[str, Callable[[], ClusterState]] = {
    "memory-pressure": lambda: cluster({"a": {"flags": NodeFlag.MEMORY_PRESSURE}}),
    "eviction-near": lambda: cluster({"a": {"use_memory": "67.95Gi"}}),
    "exhaustion-near": lambda: cluster({"a": GROWS}),
    "memory-stalled": lambda: cluster({"a": measured(psi_memory_some_ratio=0.3, psi_memory_full_ratio=0.1)}),
    "swap-storm": lambda: cluster({"a": measured(swap_in_bytes_per_second="2Mi", swap_out_bytes_per_second="1Mi")}),
    "swap-nearly-full": lambda: cluster({"a": {"use_swap": "30Gi"}}),
    "memory-over": lambda: cluster({"a": {"use_memory": "54Gi"}}),
    "worst-case-unfit": lambda: cluster({"a": {"swap": "33Gi"}}, {"a-1": {"guest": "74Gi", "requests_memory": "50Gi"}}),
    "swap-missing": lambda: cluster({"a": {"swap": 0}}),
    "swap-too-small": lambda: cluster({"a": {"swap": "16Gi"}}),
    "swap-unknown": lambda: cluster({"a": {"swap": None}}, {"a-1": {"guest": "48Gi"}}),
    "control-plane-swap": lambda: cluster(
        more=lambda b: b.node("m", **node(swap="4Gi", flags=NodeFlag.CONTROL_PLANE, vm_schedulable=False))
    ),
    "ksm-debt": lambda: cluster({"a": measured(ksm_saved_bytes="39Gi")}),
    "system-reserved-small": lambda: cluster({"a": {"use_memory": "32Gi"}}),
    "high-priority-first": lambda: cluster(vms={"a-1": {"priority": 1000, "use_memory": "16.5Gi"}}),
    "no-spare-node": lambda: cluster({"a": {"cordoned": True}}),
    "overcommit-too-high": lambda: cluster(vms={name: {"use_memory": "16Gi"} for name in EVERYONE}),
    "eviction-kills": lambda: cluster(vms={"a-1": {"eviction_strategy": EvictionStrategy.NONE}}),
    "drain-blocked": lambda: cluster(
        vms={"a-1": {"live_migratable": False, "blocked_reason": "DisksNotLiveMigratable: PVC root is not shared"}}
    ),
    "migration-would-fail": lambda: cluster(vms={"a-1": {"dirty_rate": "200Mi"}}),
    "quota-blocks-migration": lambda: cluster(
        more=lambda b: b.quota("shop/compute", {"requests.memory": "100Gi"}, {"requests.memory": "98Gi"})
    ),
    "memory-limit-tight": lambda: cluster(vms={"a-1": {"limits": {"memory": "20Gi"}, "swap_request": 0}}),
    "memory-limit-set": lambda: cluster(vms={"a-1": {"limits": {"memory": "30Gi"}}}),
    "own-memory-request": lambda: cluster(vms={"a-1": {"flags": WorkloadFlag.MANUAL_REQUEST}}),
    "share-too-small": lambda: cluster(vms={"a-1": {"swap_request": 0}}),
    "guaranteed-vm": lambda: cluster(
        vms={
            "a-1": {
                "limits": {"memory": "24Gi", "cpu": 2},
                "requests_memory": "24Gi",
                "requests_cpu": 2,
                "guest": "23Gi",
                "swap_request": 0,
            }
        }
    ),
    "best-effort-pod": lambda: cluster(
        more=lambda b: b.pod("web/loose", "a", requests_cpu=0, requests_memory=0, use_memory="1Gi")
    ),
    "over-reserved": lambda: cluster(more=lambda b: b.pod("web/idle", "a", requests_memory="8Gi", use_memory="1Gi")),
    "overcommit-room": lambda: cluster(vms={name: {"use_memory": "9Gi"} for name in EVERYONE}),
    "metrics-missing": lambda: cluster({"a": {"age": 900.0}}),
    "psi-off": lambda: cluster({"a": measured(psi_memory_some_ratio=None)}),
}
"""For every code of a finding a cluster in which it is found."""
