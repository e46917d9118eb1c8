"""Nodes without machines: their objects, and the heartbeats that keep them ready."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from tests.controlplane.rest import PATCHES, Rest
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
FEW: Final = 500
"""Up to so many nodes each gets its Lease with the node; of more, each with its first heartbeat."""
TTL_ANNOTATION: Final = "node.alpha.kubernetes.io/ttl"
TTL_SECONDS: Final = ((100, 0), (500, 15), (1000, 30), (2000, 60))
"""Sizes of a cluster, and the value below them, as the controller of this annotation has them (``pkg/controller/ttl``)."""
LONGEST_TTL_SECONDS: Final = 300
PATIENCE_SECONDS: Final = 3.0
"""A controller that takes no taint away for so long is taken as absent."""
ASKED_FOR_ALONE: Final = 20
"""So few nodes are read one by one."""
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
    has_lease: bool


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
        self._await_ready([each.name for each in wanted if each.ready], timeout_seconds)

    def remove(self, name: str) -> None:
        """Remove a node and its Lease; the pods on it are left to the garbage collector."""
        with self._lock:
            beat = self._beats.pop(name, None)
        if beat is not None and beat.has_lease:
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
        wire = node_object(shape, self.address(shape.name), self.clock.wall())
        # As the controller would set it: it patches every node that has another value.
        wire["metadata"]["annotations"].setdefault(TTL_ANNOTATION, str(_ttl_seconds(number)))
        self.rest.raw("POST", NODES, wire)
        has_lease = self._count <= FEW
        if has_lease:
            self._create_lease(shape.name)
        # Spread over the period, however fast they were created.
        delay = number * 0.618034 % 1
        with self._lock:
            lease, status = self.lease_seconds * (1 + delay) / 2, STATUS_SECONDS * (1 + delay)
            self._beats[shape.name] = _Beat(number % HEARTS, now + lease, now + status, has_lease)

    def _create_lease(self, name: str) -> None:
        spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": micro_timestamp(self.clock.wall())}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}
        self.rest.raw("POST", LEASES, body)

    def _await_ready(self, names: list[str], timeout_seconds: float) -> None:
        """Wait until admission's taint is gone; take it away if no controller does.

        Of very many the controller takes the first and we the last, since it does no more than eight at a time.
        """
        begun = moved = self.clock.real()
        left = names
        while new := self._new(left):
            now = self.clock.real()
            moved = now if len(new) < len(left) else moved
            left = [node["metadata"]["name"] for node in new]
            if len(new) > FEW or now - moved > PATIENCE_SECONDS:
                self._untaint(new[-FEW:])
            if now - begun > timeout_seconds or self._pauses_until_ready(left[-1], min(10.0, 0.05 + len(left) / 500)):
                raise TimeoutError(f"{len(left)} of {len(names)} nodes not ready after {timeout_seconds} s")

    def _new(self, names: list[str]) -> list[Json]:
        """Those of the nodes that still have admission's taint, in this order."""
        if len(names) <= ASKED_FOR_ALONE:
            found = [self.rest.get(f"{NODES}/{name}") for name in names]
        else:
            known = {node["metadata"]["name"]: node for node in self.rest.list(NODES)}
            found = [known[name] for name in names if name in known]
        return [node for node in found if _is_new(node)]

    def _pauses_until_ready(self, name: str, seconds: float) -> bool:
        """Wait until a node is ready, for some seconds at most; true if the end came.

        The controller takes the nodes in their order, and to read all of them costs as much as to create hundreds.
        """
        end = self.clock.real() + seconds
        while self.clock.real() < end:
            if self.running.pause(min(seconds, 0.25)):
                return True
            if not _is_new(self.rest.get(f"{NODES}/{name}")):
                break
        return False

    def _untaint(self, nodes: list[Json]) -> None:
        def take(node: Json) -> None:
            taints = [each for each in node["spec"]["taints"] if each["key"] != NOT_READY]
            with self.running.recording():
                self.rest.patch(f"{NODES}/{node['metadata']['name']}", {"spec": {"taints": taints or None}})

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(take, nodes))

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
        if beat.has_lease:
            renewal = {"spec": {"renewTime": micro_timestamp(self.clock.wall())}}
            self.rest.raw("PATCH", f"{LEASES}/{name}", renewal, content=PATCHES["merge"])
        else:
            self._create_lease(name)
            beat.has_lease = True
        if beat.status <= now:
            beat.status = now + STATUS_SECONDS
            self._write_status(self.shapes[name])

    def _write_status(self, shape: NodeShape) -> None:
        status = status_object(shape, self.address(shape.name), self.clock.wall())
        self.rest.patch(f"{NODES}/{shape.name}/status", {"status": status}, "strategic")


def _ttl_seconds(size: int) -> int:
    return next((seconds for most, seconds in TTL_SECONDS if size <= most), LONGEST_TTL_SECONDS)


def _is_new(node: Json) -> bool:
    return any(each["key"] == NOT_READY for each in node["spec"].get("taints") or ())
