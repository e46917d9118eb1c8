"""The Kubernetes objects that ``kubectl get … -o json`` would print for a state.

A dump carries less than a state: of use only the mean of CPU, memory and swap with its age, and of placements only what an
object's own spec says (node terms of volumes and preferences are left out). What it does carry comes back when it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np

from simulator.dump_wire import Json, label_selector, metadata, present, quantities, quantity, timestamp
from simulator.dump_workloads import COMPUTE, CONSOLE_NAME, STRATEGIES, has_console, machine, pod
from ullage.model.labels import Requirement
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.resources import CPU, MEMORY
from ullage.model.state import ClusterState, DisruptionBudget, KubeVirt, NodeFlag, Quota, WorkloadKind

_CONDITIONS: Final = (
    ("MemoryPressure", NodeFlag.MEMORY_PRESSURE, "KubeletHasInsufficientMemory", "KubeletHasSufficientMemory"),
    ("DiskPressure", NodeFlag.DISK_PRESSURE, "KubeletHasDiskPressure", "KubeletHasNoDiskPressure"),
    ("PIDPressure", NodeFlag.PID_PRESSURE, "KubeletHasInsufficientPID", "KubeletHasSufficientPID"),
    ("Ready", NodeFlag.READY, "KubeletReady", "KubeletNotReady"),
)
_METRICS: Final = "metrics.k8s.io/v1beta1"
_WINDOW: Final = "20s"
_SWAP: Final = "swap"
_CONSOLE_BYTES: Final = 2**20


def objects(state: ClusterState) -> Iterator[Json]:
    """Objects of `state`, kind after kind: what holds the cluster together, its workloads, their limits, and metrics."""
    for row, name in enumerate(state.namespaces):
        labels = state.namespace_labels.row(row)
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(name, labels=labels)}
    yield from (_node(state, row) for row in range(len(state.nodes)))
    if state.kubevirt is not None:
        yield _kubevirt(state.kubevirt)
    machines = np.flatnonzero(state.workloads.kind == WorkloadKind.VMI).tolist()
    yield from (machine(state, row) for row in machines)
    yield from (pod(state, row) for row in range(len(state.workloads)))
    yield from (_budget(state, budget) for budget in state.budgets)
    yield from (_quota(quota) for quota in state.quotas)
    yield from _node_metrics(state)
    yield from _pod_metrics(state)


def encode(state: ClusterState) -> bytes:
    """Objects of `state` as one List in JSON, one object to a line."""
    lines = b",\n".join(msgspec.json.encode(each) for each in objects(state))
    return b'{"apiVersion":"v1","kind":"List","metadata":{},"items":[\n' + lines + b"\n]}\n"


def _node(state: ClusterState, row: int) -> Json:
    nodes = state.nodes
    flags = int(nodes.flags[row])
    taints = [present(key=each.key, value=each.value, effect=each.effect) for each in nodes.taints[row]]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata(nodes.name[row], uid=nodes.uid[row], labels=nodes.labels.row(row)),
        "spec": present(unschedulable=bool(flags & NodeFlag.UNSCHEDULABLE) or None, taints=taints),
        "status": {
            "capacity": quantities(state.resources, nodes.capacity[row].tolist()),
            "allocatable": quantities(state.resources, nodes.allocatable[row].tolist()),
            "conditions": [_condition(state, flags, *each) for each in _CONDITIONS],
            "addresses": [{"type": "Hostname", "address": nodes.name[row]}],
            "nodeInfo": _node_info(state, row),
        },
    }


def _condition(state: ClusterState, flags: int, kind: str, flag: NodeFlag, when_true: str, when_false: str) -> Json:
    holds = bool(flags & flag)
    return {
        "type": kind,
        "status": str(holds),
        "reason": when_true if holds else when_false,
        "lastHeartbeatTime": timestamp(state.observed_at_seconds),
    }


def _node_info(state: ClusterState, row: int) -> Json:
    swap = state.nodes.swap_capacity_bytes[row]
    return present(
        architecture="amd64",
        operatingSystem="linux",
        containerRuntimeVersion="cri-o://1.34.2",
        kubeletVersion=state.nodes.kubelet_version[row],
        swap=None if np.isnan(swap) else {"capacity": round(swap)},
    )


def _kubevirt(kubevirt: KubeVirt) -> Json:
    migrations = present(
        parallelMigrationsPerCluster=kubevirt.parallel_migrations_per_cluster,
        parallelOutboundMigrationsPerNode=kubevirt.parallel_outbound_migrations_per_node,
        bandwidthPerMigration=quantity(MEMORY, kubevirt.bandwidth_per_migration_bytes_per_second),
        completionTimeoutPerGiB=round(kubevirt.completion_timeout_per_gib_seconds),
        allowAutoConverge=kubevirt.allow_auto_converge,
        allowPostCopy=kubevirt.allow_post_copy,
    )
    developer = {
        "memoryOvercommit": round(100 * kubevirt.memory_overcommit_ratio),
        "cpuAllocationRatio": round(kubevirt.cpu_allocation_ratio),
    }
    strategy = present(evictionStrategy=STRATEGIES.get(kubevirt.eviction_strategy))
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": metadata("kubevirt", "kubevirt"),
        "spec": {"configuration": {"developerConfiguration": developer, "migrations": migrations, **strategy}},
        "status": {"phase": "Deployed", **present(observedKubeVirtVersion=kubevirt.version)},
    }


def _budget(state: ClusterState, budget: DisruptionBudget) -> Json:
    """Budget over the pods that share the label ``app`` with its first member."""
    app = state.workloads.labels.row(int(budget.members[0])).get("app", "") if len(budget.members) else budget.name
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(budget.name, budget.namespace),
        "spec": {"maxUnavailable": 1, "selector": label_selector([Requirement("app", "In", (app,))])},
        "status": {
            "disruptionsAllowed": budget.disruptions_allowed,
            "currentHealthy": len(budget.members),
            "desiredHealthy": max(0, len(budget.members) - 1),
            "expectedPods": len(budget.members),
        },
    }


def _quota(quota: Quota) -> Json:
    hard, used = (
        {name: quantity(name.removeprefix("requests.").removeprefix("limits."), value) for name, value in each.items()}
        for each in (quota.hard, quota.used)
    )
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": metadata(quota.name, quota.namespace),
        "spec": {"hard": hard},
        "status": {"hard": hard, "used": used},
    }


def _usage(cpu: float, memory: float, swap: float) -> dict[str, str]:
    amounts = {CPU: cpu, MEMORY: memory, _SWAP: swap}
    return {name: quantity(name, value) for name, value in amounts.items() if not np.isnan(value)}


def _node_metrics(state: ClusterState) -> Iterator[Json]:
    measures = state.nodes.measures
    columns = [NodeMeasure.CPU_MEAN_CORES, NodeMeasure.MEMORY_MEAN_BYTES, NodeMeasure.SWAP_USED_BYTES]
    for row in np.flatnonzero(~np.isnan(measures.column(NodeMeasure.MEMORY_MEAN_BYTES))).tolist():
        taken = state.observed_at_seconds - measures.age_seconds[row, NodeMeasure.MEMORY_MEAN_BYTES]
        yield {
            "apiVersion": _METRICS,
            "kind": "NodeMetrics",
            "metadata": metadata(state.nodes.name[row]),
            "timestamp": timestamp(taken),
            "window": _WINDOW,
            "usage": _usage(*measures.value[row, columns].tolist()),
        }


def _pod_metrics(state: ClusterState) -> Iterator[Json]:
    measures, rows = state.workloads.measures, state.workloads
    columns = [WorkloadMeasure.CPU_MEAN_CORES, WorkloadMeasure.MEMORY_MEAN_BYTES, WorkloadMeasure.SWAP_USED_BYTES]
    for row in np.flatnonzero(~np.isnan(measures.column(WorkloadMeasure.MEMORY_MEAN_BYTES))).tolist():
        taken = state.observed_at_seconds - measures.age_seconds[row, WorkloadMeasure.MEMORY_MEAN_BYTES]
        yield {
            "apiVersion": _METRICS,
            "kind": "PodMetrics",
            "metadata": metadata(rows.pod[row], rows.namespace[row]),
            "timestamp": timestamp(taken),
            "window": _WINDOW,
            "containers": _containers(state, row, *measures.value[row, columns].tolist()),
        }


def _containers(state: ClusterState, row: int, cpu: float, memory: float, swap: float) -> list[Json]:
    if state.workloads.kind[row] != WorkloadKind.VMI:
        return [{"name": "main", "usage": _usage(cpu, memory, swap)}]
    if not has_console(state, row) or memory < 2 * _CONSOLE_BYTES:
        return [{"name": COMPUTE, "usage": _usage(cpu, memory, swap)}]
    console = _usage(0.0, _CONSOLE_BYTES, 0.0)
    return [
        {"name": COMPUTE, "usage": _usage(cpu, memory - _CONSOLE_BYTES, swap)},
        {"name": CONSOLE_NAME, "usage": console},
    ]
