"""The static instances of ``rebalance-instances`` as cluster states and as dumps, with their published optima.

The data stand beside the project (``ULLAGE_DATA``, else ``../shared/data``) and are only read.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from ullage.model.arrays import frozen
from ullage.model.changes import requested_sums
from ullage.model.labels import Labels
from ullage.model.measures import Measures, NodeMeasure, WorkloadMeasure
from ullage.model.placement import Placement
from ullage.model.resources import BASE
from ullage.model.state import ClusterState, NodeColumns, NodeFlag, WorkloadColumns, WorkloadFlag, WorkloadKind

MIB = 2**20


def folder() -> Path | None:
    """Folder of the instances, or ``None`` if the data are not there."""
    root = Path(os.environ.get("ULLAGE_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
    path = root / "rebalance-instances"
    return path if path.is_dir() else None


def names(prefix: str = "bb") -> list[str]:
    """Names of the instances, sorted."""
    found = folder()
    return sorted(p.name.removesuffix(".json.gz") for p in found.glob(f"{prefix}*.json.gz")) if found else []


def optima() -> dict[str, Mapping[str, Any]]:
    """Published optima by name of the instance."""
    found = folder()
    return {o["name"]: o for o in json.loads((found / "optima.json").read_text())} if found else {}


def load(name: str, *, requests: bool = True) -> ClusterState:
    """State of an instance: every VM a live-migratable VMI, use as measured; without `requests` only use binds."""
    found = folder()
    if found is None:
        raise FileNotFoundError("no rebalance-instances: set ULLAGE_DATA")
    document = json.loads(gzip.decompress((found / f"{name}.json.gz").read_bytes()))
    return _state(document["nodes"], {k: np.array(v) for k, v in document["vms"].items()}, requests=requests)


def _state(nodes: list[dict[str, Any]], vms: Mapping[str, np.ndarray], *, requests: bool) -> ClusterState:
    demand = np.zeros((len(vms["node"]), len(BASE)))
    if requests:
        demand[:, 0], demand[:, 1] = vms["cpu_req_cores"], vms["mem_req_mib"] * MIB
    demand[:, 2] = 1
    use = np.stack([vms["cpu_used_cores"], vms["mem_used_mib"] * MIB], axis=1)
    allocatable = np.array([[n["cpu_cores"], n["mem_mib"] * MIB, 500.0, 0.0] for n in nodes])
    home = vms["node"].astype(np.int64)
    node_use = np.stack([np.bincount(home, weights=use[:, r], minlength=len(nodes)) for r in (0, 1)], axis=1)
    return ClusterState(
        generation=1,
        observed_at_seconds=0.0,
        resources=BASE,
        nodes=_nodes([n["name"] for n in nodes], allocatable, requested_sums(len(nodes), home, demand), node_use),
        workloads=_workloads(home, demand, use, vms["mem_capacity_mib"] * MIB),
        placements=(Placement(virtual_machine=True),),
        sources=("trace",),
    )


def _nodes(names: list[str], allocatable: np.ndarray, requested: np.ndarray, use: np.ndarray) -> NodeColumns:
    n = len(names)
    return NodeColumns(
        name=tuple(names),
        uid=tuple(f"node-{x}" for x in names),
        allocatable=frozen(allocatable, np.float64),
        capacity=frozen(allocatable, np.float64),
        requested=frozen(requested, np.float64),
        swap_capacity_bytes=frozen(np.full(n, np.nan), np.float64),
        flags=frozen(np.full(n, int(NodeFlag.READY | NodeFlag.VM_SCHEDULABLE)), np.int32),
        taints=((),) * n,
        labels=Labels.of([{"kubernetes.io/hostname": x, "kubevirt.io/schedulable": "true"} for x in names]),
        kubelet_version=("v1.36.3",) * n,
        measures=_measures(n, NodeMeasure, NodeMeasure.CPU_MEAN_CORES, NodeMeasure.MEMORY_MEAN_BYTES, use),
    )


def _workloads(home: np.ndarray, demand: np.ndarray, use: np.ndarray, guest: np.ndarray) -> WorkloadColumns:
    w = len(home)
    nan, zero = frozen(np.full(w, np.nan), np.float64), frozen(np.zeros(w), np.int32)
    vm_names = tuple(f"vm-{i:05d}" for i in range(w))
    return WorkloadColumns(
        kind=frozen(np.full(w, int(WorkloadKind.VMI)), np.int8),
        namespace=("vms",) * w,
        name=vm_names,
        uid=tuple(f"uid-{x}" for x in vm_names),
        pod=tuple(f"virt-launcher-{x}" for x in vm_names),
        node=frozen(home, np.int32),
        requests=frozen(demand, np.float64),
        limits=frozen(np.full(demand.shape, np.nan), np.float64),
        guest_memory_bytes=frozen(guest, np.float64),
        overhead_bytes=nan,
        swap_request_bytes=nan,
        qos=frozen(np.ones(w), np.int8),
        priority=zero,
        owner=frozen(np.full(w, -1), np.int32),
        placement=zero,
        flags=frozen(np.full(w, int(WorkloadFlag.LIVE_MIGRATABLE)), np.int32),
        eviction_strategy=frozen(np.full(w, 2), np.int8),
        migration_target=frozen(np.full(w, -1), np.int32),
        started_at_seconds=nan,
        last_moved_at_seconds=nan,
        blocked_reason=("",) * w,
        labels=Labels.of([{}] * w),
        measures=_measures(w, WorkloadMeasure, WorkloadMeasure.CPU_MEAN_CORES, WorkloadMeasure.MEMORY_MEAN_BYTES, use),
    )


def _measures(rows: int, axis: type[IntEnum], cpu: int, memory: int, use: np.ndarray) -> Measures:
    value = np.full((rows, len(axis)), np.nan)
    value[:, [cpu, memory]] = use
    known = ~np.isnan(value)
    return Measures(
        value=frozen(value, np.float64),
        age_seconds=frozen(np.where(known, 0.0, np.nan), np.float64),
        source=frozen(np.where(known, 0, -1), np.int8),
    )
