"""Who lives on a made-up cluster: nodes of several shapes, and VMs and pods with their names and requests.

Namespaces are ``apps-…`` with ReplicaSets, ``kubevirt`` and ``monitoring`` with one DaemonSet each, and ``team-…`` with VMs, in
this order; within them all names are padded. So rows come out in key order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.names import padded, random_suffixes, rising_suffixes
from simulator.shapes import GIB, GUEST_LADDER_GIB, MIB, guest_sizes, vcpus
from simulator.spec import ClusterSpec
from ullage.estimation.overhead import KubeVirtVersion, Machine, overhead_bytes
from ullage.estimation.requests import Guest, sidecars
from ullage.model.arrays import BoolArray, FloatArray, IntArray
from ullage.model.resources import axis

VERSION: Final = KubeVirtVersion(1, 9)
DEVICES: Final = tuple(f"devices.kubevirt.io/{name}" for name in ("kvm", "tun", "vhost-net"))
RESOURCES: Final = axis(DEVICES)
CPU_ALLOCATION_RATIO: Final = 10
CONSOLE: Final = sidecars(Guest(guest_memory_bytes=GIB))[0]
"""The sidecar that logs the serial console."""
LAUNCHER_STORAGE_BYTES: Final = 50_000_000
DAEMONS: Final = ("virt-handler", "node-exporter")
DAEMON_NAMESPACES: Final = ("kubevirt", "monitoring")
DAEMON_PRIORITY: Final = (1_000_000_000, 2_000_001_000)
_DAEMON_REQUESTS: Final = ((0.01, 325 * MIB), (0.02, 64 * MIB))
_PODS_PER_NODE: Final = 250
_POD_MEMORY_SHARE: Final = 0.1
_PIN_LARGEST: Final = 0.5


@dataclass(frozen=True, eq=False)
class Machines:
    """N nodes: index of their shape, int64 (N,), and allocatable and capacity, float64 (N, R)."""

    shape: IntArray
    allocatable: FloatArray
    capacity: FloatArray


def draw_machines(spec: ClusterSpec, rng: np.random.Generator) -> Machines:
    """Nodes of the shapes of `spec` by their weights; every shape comes about as often as its weight says."""
    weights = np.array([shape.weight for shape in spec.shapes])
    marks = (np.arange(spec.nodes) + 0.5) / spec.nodes
    shape = rng.permutation(np.searchsorted(np.cumsum(weights / weights.sum())[:-1], marks))
    storage = 400.0 * GIB
    rest = (float(_PODS_PER_NODE), storage, *[1000.0] * len(DEVICES))
    allocatable = np.array([(s.allocatable_cores, s.allocatable_bytes, *rest) for s in spec.shapes], np.float64)
    capacity = np.array([(s.cores, s.memory_gib * GIB, *rest) for s in spec.shapes], np.float64)
    return Machines(shape, allocatable[shape], capacity[shape])


@dataclass(frozen=True, eq=False)
class Population:
    """W workloads in key order: pods of ReplicaSets, pods of DaemonSets, VMs.

    Attributes
    ----------
    namespace, name, pod
        Names; `pod` of a VM is its launcher's.
    replica_sets
        ReplicaSets by (namespace, name).
    replica_set
        int64 (A,), the ReplicaSet of each of the first A rows.
    daemons
        int64 (B,), the DaemonSet of each of the next B rows, which run on node ``row number modulo N``.
    guest_bytes, vcpus, overhead_bytes
        int64 (V,), of the last V rows, the VMs.
    requests
        float64 (W, R).
    memory_limit_bytes
        float64 (W,), NaN without one.
    """

    namespace: list[str]
    name: list[str]
    pod: list[str]
    replica_sets: list[tuple[str, str]]
    replica_set: IntArray
    daemons: IntArray
    guest_bytes: IntArray
    vcpus: IntArray
    overhead_bytes: IntArray
    requests: FloatArray
    memory_limit_bytes: FloatArray

    @property
    def first_vm(self) -> int:
        """Row of the first VM."""
        return len(self.replica_set) + len(self.daemons)

    @property
    def is_vm(self) -> BoolArray:
        """Rows that are VMs, bool (W,)."""
        return np.arange(len(self.name)) >= self.first_vm


def draw_population(spec: ClusterSpec, machines: Machines, rng: np.random.Generator) -> Population:
    """Workloads of `spec`, with sizes that fill the share of the memory that is to be requested."""
    nodes = spec.nodes
    vms = round(spec.vm_share * spec.total)
    daemon_sets = min(len(DAEMONS), (spec.total - vms) // nodes)
    apps = spec.total - vms - daemon_sets * nodes
    replica_set, sets, app_names = _apps(apps, rng)
    daemons = np.repeat(np.arange(daemon_sets), nodes)
    each_node = np.arange(nodes)
    daemon_names = [
        f"{DAEMONS[d]}-{end}"
        for d in range(daemon_sets)
        for end in rising_suffixes(rng, each_node, np.full(nodes, nodes))
    ]
    vm_names = padded("vm", vms, 5)
    launchers = [f"virt-launcher-{name}-{end}" for name, end in zip(vm_names, random_suffixes(rng, vms), strict=True)]
    pods, limits = _pod_requests(apps, daemons, machines, rng)
    guest, cpus = _guests(spec, machines, vms, float(pods[:, 1].sum()), rng)
    overhead = _overhead(cpus)
    return Population(
        namespace=[
            *[sets[i][0] for i in replica_set.tolist()],
            *[DAEMON_NAMESPACES[d] for d in daemons.tolist()],
            *_parts("team", vms, max(1, round(vms**0.5 / 3))),
        ],
        name=[*app_names, *daemon_names, *vm_names],
        pod=[*app_names, *daemon_names, *launchers],
        replica_sets=sets,
        replica_set=replica_set,
        daemons=daemons,
        guest_bytes=guest,
        vcpus=cpus,
        overhead_bytes=overhead,
        requests=np.concatenate([pods, _vm_requests(spec, guest, cpus, overhead)]),
        memory_limit_bytes=np.concatenate([limits, np.full(vms, np.nan)]),
    )


def _parts(prefix: str, rows: int, parts: int) -> list[str]:
    """A namespace for each of `rows` rows, in `parts` runs of about equal length."""
    names = padded(prefix, parts, 2)
    return [names[i] for i in (np.arange(rows) * parts // max(rows, 1)).tolist()]


def _apps(count: int, rng: np.random.Generator) -> tuple[IntArray, list[tuple[str, str]], list[str]]:
    """ReplicaSet of each of `count` pods, the ReplicaSets, and the pods' names."""
    sizes = rng.integers(1, 6, size=count)
    ends = np.cumsum(sizes)
    sizes = sizes[: int(np.searchsorted(ends, count)) + 1] if count else sizes
    replica_set = np.repeat(np.arange(len(sizes)), sizes)[:count]
    namespaces = _parts("apps", len(sizes), max(1, round(count**0.5 / 4)))
    hashes = random_suffixes(rng, len(sizes))
    names = [f"{app}-{end}" for app, end in zip(padded("app", len(sizes), 4), hashes, strict=True)]
    counts = np.bincount(replica_set, minlength=len(sizes))
    positions = np.arange(count) - np.repeat(np.cumsum(counts) - counts, counts)
    ends_of = rising_suffixes(rng, positions, counts[replica_set])
    pods = [f"{names[i]}-{end}" for i, end in zip(replica_set.tolist(), ends_of, strict=True)]
    return replica_set, list(zip(namespaces, names, strict=True)), pods


def _pod_requests(
    apps: int, daemons: IntArray, machines: Machines, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Requests, float64 (A + B, R), and memory limits, float64 (A + B,), of pods; six in ten pods of ReplicaSets have one."""
    requests = np.zeros((apps + len(daemons), len(RESOURCES)))
    memory = np.minimum(256 * np.exp(rng.standard_normal(apps)), 4096)
    room = _POD_MEMORY_SHARE * machines.allocatable[:, 1].sum() / MIB
    memory = np.maximum(np.floor(memory * min(1.0, room / max(memory.sum(), 1.0)) / 16), 1) * 16 * MIB
    requests[:apps, 0] = rng.choice(
        np.array([0.05, 0.1, 0.25, 0.5, 1.0]), apps, p=np.array([0.3, 0.3, 0.2, 0.15, 0.05])
    )
    requests[:apps, 1] = memory
    requests[apps:, :2] = np.array(_DAEMON_REQUESTS)[daemons]
    requests[:, 2] = 1
    limits = np.full(len(requests), np.nan)
    limits[:apps] = np.where(rng.random(apps) < 0.6, 2 * memory, np.nan)
    return requests, limits


def _guests(
    spec: ClusterSpec, machines: Machines, vms: int, taken: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Guest memory and vCPUs, so that all requests together come to the share that is to be requested."""
    room = spec.memory_requested * float(machines.allocatable[:, 1].sum()) - taken
    smallest = float(machines.allocatable[:, 1].min()) / GIB
    fixed = float(_overhead(np.array([4]))[0]) + float(CONSOLE.requests_memory_bytes or 0)
    mean = max((room / max(vms, 1) - fixed) * spec.overcommit_ratio / GIB, GUEST_LADDER_GIB[0])
    guest = guest_sizes(rng, vms, mean, smallest * _PIN_LARGEST * spec.overcommit_ratio)
    return guest, vcpus(rng, guest, min(shape.cores for shape in spec.shapes))


def _overhead(cpus: IntArray) -> IntArray:
    """KubeVirt's overhead, int64; it is linear in the vCPUs."""
    one, two = (overhead_bytes(Machine(vcpus=n), VERSION) for n in (1, 2))
    return one + (two - one) * (cpus - 1)


def _vm_requests(spec: ClusterSpec, guest: IntArray, cpus: IntArray, overhead: IntArray) -> FloatArray:
    """What virt-launcher pods request, float64 (V, R): the same as `ullage.estimation.requests.render` with the console log."""
    requests = np.ones((len(guest), len(RESOURCES)))
    own = guest * 100 // round(100 * spec.overcommit_ratio)
    requests[:, 0] = -(-cpus * 1000 // CPU_ALLOCATION_RATIO) / 1000 + (CONSOLE.requests_cpu_cores or 0)
    requests[:, 1] = own + overhead + round(CONSOLE.requests_memory_bytes or 0)
    requests[:, 3] = LAUNCHER_STORAGE_BYTES
    return requests
