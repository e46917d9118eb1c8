"""The static instances of ``rebalance-instances``: as raw columns, as cluster states, and their published optima.

The data stand beside the project (``ULLAGE_DATA``, else ``../shared/data``) and are only read.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from ullage.model.arrays import FloatArray, IntArray, frozen
from ullage.model.changes import requested_sums
from ullage.model.labels import Labels
from ullage.model.measures import Measures, NodeMeasure, WorkloadMeasure
from ullage.model.placement import Placement
from ullage.model.resources import BASE
from ullage.model.state import ClusterState, NodeColumns, NodeFlag, WorkloadColumns, WorkloadFlag, WorkloadKind

MIB = 2**20
ABSENT = "rebalance-instances are not there (ULLAGE_DATA, else ../shared/data): nothing to measure"
"""What benchmarks say without the data."""


@dataclass(frozen=True, eq=False)
class Instance:
    """One instance as its file has it, in base units; column 0 is CPU (cores), column 1 memory (bytes).

    Attributes
    ----------
    name
        Name of the instance.
    threshold
        Ratio of capacity above which a node is hot.
    nodes
        Names, ascending.
    capacity
        float64 (N, 2).
    home
        int64 (V,), node of each VM.
    use, requests
        float64 (V, 2).
    guest_bytes
        float64 (V,), what each VM was given.
    """

    name: str
    threshold: float
    nodes: tuple[str, ...]
    capacity: FloatArray
    home: IntArray
    use: FloatArray
    requests: FloatArray
    guest_bytes: FloatArray

    @property
    def vms(self) -> tuple[str, ...]:
        """Names of the VMs, ascending: the files have none."""
        return tuple(f"vm-{i:05d}" for i in range(len(self.home)))

    def load(self, places: IntArray) -> FloatArray:
        """Use of each node, float64 (N, 2), with the VMs at `places`, int64 (V,)."""
        return per_node(len(self.nodes), places, self.use)

    def hot(self, places: IntArray) -> IntArray:
        """Nodes above the threshold in CPU or memory."""
        most = self.threshold * self.capacity * (1 + 1e-12)
        return np.flatnonzero((self.load(places) > most).any(axis=1))


def per_node(nodes: int, places: IntArray, values: FloatArray) -> FloatArray:
    """Sums of a column pair, float64 (V, 2), by node: float64 (N, 2)."""
    return np.stack([np.bincount(places, weights=values[:, r], minlength=nodes) for r in (0, 1)], axis=1)


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


def read(name: str) -> Instance:
    """Instance of that name; raises `FileNotFoundError` if the data are not there."""
    found = folder()
    if found is None:
        raise FileNotFoundError("no rebalance-instances: set ULLAGE_DATA")
    return parse(json.loads(gzip.decompress((found / f"{name}.json.gz").read_bytes())))


def parse(document: Mapping[str, Any]) -> Instance:
    """Instance from its JSON; what each key means stands in the SOURCE.md of the data."""
    nodes, vms = document["nodes"], {key: np.array(column) for key, column in document["vms"].items()}
    return Instance(
        name=document["name"],
        threshold=document["threshold"],
        nodes=tuple(node["name"] for node in nodes),
        capacity=np.array([[node["cpu_cores"], node["mem_mib"] * MIB] for node in nodes], dtype=np.float64),
        home=vms["node"].astype(np.int64),
        use=np.stack([vms["cpu_used_cores"], vms["mem_used_mib"] * MIB], axis=1),
        requests=np.stack([vms["cpu_req_cores"], vms["mem_req_mib"] * MIB], axis=1),
        guest_bytes=vms["mem_capacity_mib"] * float(MIB),
    )


def load(name: str, *, requests: bool = True) -> ClusterState:
    """State of the instance of that name, as `state` has it."""
    return state(read(name), requests=requests)


def state(instance: Instance, *, requests: bool = True) -> ClusterState:
    """State of an instance: every VM a live-migratable VMI, use as measured; without `requests` only use binds."""
    demand = np.zeros((len(instance.home), len(BASE)))
    if requests:
        demand[:, :2] = instance.requests
    demand[:, 2] = 1
    rows = len(instance.nodes)
    allocatable = np.hstack([instance.capacity, np.tile([500.0, 0.0], (rows, 1))])
    requested = requested_sums(rows, instance.home, demand)
    return ClusterState(
        generation=1,
        observed_at_seconds=0.0,
        resources=BASE,
        nodes=_nodes(list(instance.nodes), allocatable, requested, instance.load(instance.home)),
        workloads=_workloads(instance, demand),
        placements=(Placement(virtual_machine=True),),
        sources=("trace",),
    )


def _nodes(names: list[str], allocatable: FloatArray, requested: FloatArray, use: FloatArray) -> NodeColumns:
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


def _workloads(instance: Instance, demand: FloatArray) -> WorkloadColumns:
    vm_names, use = instance.vms, instance.use
    w = len(vm_names)
    nan, zero = frozen(np.full(w, np.nan), np.float64), frozen(np.zeros(w), np.int32)
    return WorkloadColumns(
        kind=frozen(np.full(w, int(WorkloadKind.VMI)), np.int8),
        namespace=("vms",) * w,
        name=vm_names,
        uid=tuple(f"uid-{x}" for x in vm_names),
        pod=tuple(f"virt-launcher-{x}" for x in vm_names),
        node=frozen(instance.home, np.int32),
        requests=frozen(demand, np.float64),
        limits=frozen(np.full(demand.shape, np.nan), np.float64),
        guest_memory_bytes=frozen(instance.guest_bytes, np.float64),
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


def _measures(rows: int, axis: type[IntEnum], cpu: int, memory: int, use: FloatArray) -> Measures:
    value = np.full((rows, len(axis)), np.nan)
    value[:, [cpu, memory]] = use
    known = ~np.isnan(value)
    return Measures(
        value=frozen(value, np.float64),
        age_seconds=frozen(np.where(known, 0.0, np.nan), np.float64),
        source=frozen(np.where(known, 0, -1), np.int8),
    )
