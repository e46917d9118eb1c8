"""Nodes without machines: their objects, and the heartbeats that keep them ready."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from tests.controlplane.rest import Rest
from tests.standin.clock import Clock
from tests.standin.running import Running
from tests.standin.use import NOTHING, Use
from tests.standin.wire import NODES, Json, condition, micro_timestamp, timestamp

GI: Final = 2**30
NOT_READY: Final = "node.kubernetes.io/not-ready"
LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
STATUS_SECONDS: Final = 300.0
"""The kubelet's own period for a status that has not changed."""
LEASE_SECONDS: Final = (10.0, 30.0)
"""Lease period of few and of many nodes: the kubelet's own, and one that fits into the controller's 50 s."""
RENEWALS_PER_SECOND: Final = 50.0
PATIENCE_SECONDS: Final = 3.0
"""A controller that takes no taint away for so long is taken as absent."""
HEARTS: Final = 6
"""Threads that renew Leases: a busy server takes its time with each."""
WRITERS: Final = 8
TICK_SECONDS: Final = 0.5
PLATFORM: Final = {"arch": "amd64", "os": "linux"}
DEVICES: Final = ("kvm", "tun", "vhost-net")


@dataclass(frozen=True)
class NodeShape:
    """A node as it should look.

    Attributes
    ----------
    reserved_cores, reserved_memory_bytes
        Capacity less allocatable.
    swap_bytes
        Swap capacity; ``None``: the node says nothing of swap.
    virtual
        It takes VMs: KubeVirt's labels, and devices.
    base
        What it uses besides its pods.
    resources
        Further resources by name.
    """

    name: str
    cores: float = 16.0
    memory_bytes: int = 64 * GI
    reserved_cores: float = 0.0
    reserved_memory_bytes: int = 0
    pods: int = 250
    swap_bytes: int | None = None
    zone: str = ""
    virtual: bool = True
    base: Use = NOTHING
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()
    resources: Mapping[str, str] = field(default_factory=dict)
    ready: bool = True
    memory_pressure: bool = False
    kubelet_version: str = "v1.36.3"

    @property
    def allocatable_bytes(self) -> int:
        return self.memory_bytes - self.reserved_memory_bytes


def shapes(count: int, prefix: str = "node-", **each: object) -> list[NodeShape]:
    """Nodes that differ in name only: ``node-0001`` and so on."""
    return [NodeShape(f"{prefix}{number:04d}", **each) for number in range(1, count + 1)]  # type: ignore[arg-type]


def node_object(shape: NodeShape, address: str, now: float) -> Json:
    """Node as a kubelet registers it."""
    labels = {
        "kubernetes.io/hostname": shape.name,
        # The kubelet sets the old names, too; without them the controller manager would patch every node.
        **{f"{prefix}kubernetes.io/{key}": value for prefix in ("", "beta.") for key, value in PLATFORM.items()},
        **({"topology.kubernetes.io/zone": shape.zone} if shape.zone else {}),
        **({"kubevirt.io/schedulable": "true"} if shape.virtual else {}),
        **shape.labels,
    }
    taints = {"taints": [dict(each) for each in shape.taints]} if shape.taints else {}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": shape.name, "labels": labels, "annotations": dict(shape.annotations)},
        "spec": taints,
        "status": status_object(shape, address, now),
    }


def status_object(shape: NodeShape, address: str, now: float) -> Json:
    """Status of a node, whole."""
    free = {"cpu": shape.cores - shape.reserved_cores, "memory": shape.allocatable_bytes}
    return {
        "capacity": _resources(shape, shape.cores, shape.memory_bytes),
        "allocatable": _resources(shape, free["cpu"], int(free["memory"])),
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": shape.name}],
        "conditions": _conditions(shape, now),
        "nodeInfo": _info(shape),
    }


def _resources(shape: NodeShape, cores: float, memory: int) -> dict[str, str]:
    devices = {f"devices.kubevirt.io/{name}": "1k" for name in DEVICES} if shape.virtual else {}
    return {
        "cpu": f"{round(1000 * cores)}m",
        "memory": str(memory),
        "pods": str(shape.pods),
        "ephemeral-storage": "200Gi",
        **devices,
        **shape.resources,
    }


def _conditions(shape: NodeShape, now: float) -> list[Json]:
    fine = ("DiskPressure", "KubeletHasNoDiskPressure"), ("PIDPressure", "KubeletHasSufficientPID")
    pressure = "KubeletHasInsufficientMemory" if shape.memory_pressure else "KubeletHasSufficientMemory"
    conditions = [
        condition("MemoryPressure", shape.memory_pressure, now, pressure),
        *(condition(kind, False, now, reason) for kind, reason in fine),
        condition("Ready", shape.ready, now, "KubeletReady" if shape.ready else "KubeletNotReady"),
    ]
    return [{**each, "lastHeartbeatTime": timestamp(now)} for each in conditions]


def _info(shape: NodeShape) -> Json:
    swap = {} if shape.swap_bytes is None else {"swap": {"capacity": shape.swap_bytes}}
    unknown = dict.fromkeys(("machineID", "systemUUID", "bootID"), f"standin-{shape.name}")
    return {
        **unknown,
        "architecture": "amd64",
        "operatingSystem": "linux",
        "osImage": "stand-in",
        "kernelVersion": "6.12.0",
        "containerRuntimeVersion": "cri-o://1.36.0",
        "kubeletVersion": shape.kubelet_version,
        "kubeProxyVersion": "",
        **swap,
    }


@dataclass
class _Beat:
    """When a node is due, and which thread sees to it."""

    share: int
    lease: float
    status: float


@dataclass
class Nodes:
    """Nodes of the stand-in, created and kept alive.

    A few threads renew all Leases, evenly over their period: 10 s for few nodes, longer for many.

    Attributes
    ----------
    longest_seconds
        The longest period; the controller takes a node as lost after ``--node-monitor-grace-period`` (50 s).
    """

    running: Running
    rest: Rest
    clock: Clock
    longest_seconds: float = LEASE_SECONDS[1]
    shapes: dict[str, NodeShape] = field(default_factory=dict)
    _addresses: dict[str, str] = field(default_factory=dict)
    _beats: dict[str, _Beat] = field(default_factory=dict)
    _silent: set[str] = field(default_factory=set)
    _count: int = 0
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        for share in range(HEARTS):
            self.running.every(f"heartbeats-{share}", TICK_SECONDS, partial(self._beat, share))

    @property
    def lease_seconds(self) -> float:
        return min(max(LEASE_SECONDS[0], self._count / RENEWALS_PER_SECOND), self.longest_seconds)

    def address(self, name: str) -> str:
        return self._addresses[name]

    def add(self, shapes: Iterable[NodeShape], timeout_seconds: float = 120.0) -> None:
        """Create nodes, and wait until they take pods."""
        wanted = list(shapes)
        self._count += len(wanted)
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(self._create, wanted))
        self._await_ready({each.name for each in wanted if each.ready}, timeout_seconds)

    def remove(self, name: str) -> None:
        """Remove a node and its Lease; the pods on it are left to the garbage collector."""
        with self._lock:
            self._beats.pop(name, None)
        self.rest.delete(f"{LEASES}/{name}")
        self.rest.delete(f"{NODES}/{name}")
        self.shapes.pop(name, None)

    def change(self, name: str, **fields: object) -> None:
        """Change the shape of a node: its status and what it is made of; labels and taints are those of the API server."""
        shape = replace(self.shapes[name], **fields)  # type: ignore[arg-type]
        self.shapes[name] = shape
        self._write_status(shape)

    def silence(self, name: str) -> None:
        """Have a node stop its heartbeats, as one that is cut off."""
        self._silent.add(name)

    def revive(self, name: str) -> None:
        """Have a silent node speak again."""
        self._silent.discard(name)
        self._write_status(self.shapes[name])

    def is_silent(self, name: str) -> bool:
        return name in self._silent

    def _create(self, shape: NodeShape) -> None:
        with self._lock:
            number = next(self._numbers)
            self.shapes[shape.name] = shape
            self._addresses[shape.name] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        now = self.clock.real()
        self.rest.post(NODES, node_object(shape, self.address(shape.name), self.clock.wall()))
        self._create_lease(shape.name)
        # Spread over the period, however fast they were created.
        delay = number * 0.618034 % 1
        with self._lock:
            lease, status = self.lease_seconds * (1 + delay) / 2, STATUS_SECONDS * (1 + delay)
            self._beats[shape.name] = _Beat(number % HEARTS, now + lease, now + status)

    def _create_lease(self, name: str) -> None:
        spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": micro_timestamp(self.clock.wall())}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}
        self.rest.post(LEASES, body)

    def _await_ready(self, names: set[str], timeout_seconds: float) -> None:
        """Wait until admission's taint is gone; take it away if no controller does."""
        begun = moved = self.clock.real()
        before = len(names)
        while left := self._new(names):
            now = self.clock.real()
            moved = now if len(left) < before else moved
            before = len(left)
            if now - moved > PATIENCE_SECONDS:
                self._untaint(left)
            if now - begun > timeout_seconds or self.running.pause(min(3.0, 0.05 + len(names) / 2000)):
                raise TimeoutError(f"{len(left)} of {len(names)} nodes not ready after {timeout_seconds} s")

    def _new(self, names: set[str]) -> list[Json]:
        """Those of the nodes that still have admission's taint."""
        return [node for node in self.rest.list(NODES) if node["metadata"]["name"] in names and _is_new(node)]

    def _untaint(self, nodes: list[Json]) -> None:
        for node in nodes:
            taints = [each for each in node["spec"]["taints"] if each["key"] != NOT_READY]
            with self.running.recording():
                self.rest.patch(f"{NODES}/{node['metadata']['name']}", {"spec": {"taints": taints or None}})

    def _beat(self, share: int) -> None:
        now = self.clock.real()
        with self._lock:
            due = [(name, beat) for name, beat in self._beats.items() if beat.share == share and beat.lease <= now]
        for name, beat in due:
            if self.running.is_over:
                return
            beat.lease = now + self.lease_seconds
            if name in self._silent:
                continue
            with self.running.recording():
                self._renew(name, beat, now)

    def _renew(self, name: str, beat: _Beat, now: float) -> None:
        renewal = {"spec": {"renewTime": micro_timestamp(self.clock.wall())}}
        self.rest.patch(f"{LEASES}/{name}", renewal)
        if beat.status <= now:
            beat.status = now + STATUS_SECONDS
            self._write_status(self.shapes[name])

    def _write_status(self, shape: NodeShape) -> None:
        status = status_object(shape, self.address(shape.name), self.clock.wall())
        self.rest.patch(f"{NODES}/{shape.name}/status", {"status": status}, "strategic")


def _is_new(node: Json) -> bool:
    return any(each["key"] == NOT_READY for each in node["spec"].get("taints") or ())
