"""The use as Prometheus scrapes it: as node_exporter, kubelet, cAdvisor and KubeVirt name it.

Every series says of which node it is (``instance``, or ``node`` where KubeVirt says so): scrape with ``honor_labels``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from tests.standin.https import Answer, Request
from tests.standin.meters import CPU, PASSED, SWAP_IN, SWAP_OUT, Meter, Meters
from tests.standin.readings import NodeReading, PodReading, Readings

CONTENT: Final = "text/plain; version=0.0.4; charset=utf-8"

STALLS: Final = (
    ("cpu_waiting", "cpu_ratio"),
    ("memory_waiting", "memory_ratio"),
    ("memory_stalled", "memory_full_ratio"),
    ("io_waiting", "io_ratio"),
    ("io_stalled", "io_full_ratio"),
)


class Sample(NamedTuple):
    """A sample of a metric."""

    name: str
    kind: str
    value: float
    labels: Mapping[str, str]


Values: TypeAlias = Mapping[Meter, float]

NODE_GAUGES: Final[Mapping[str, Callable[[NodeReading], float]]] = {
    "node_memory_MemTotal_bytes": lambda node: node.shape.memory_bytes,
    "node_memory_MemAvailable_bytes": lambda node: node.available_bytes,
    "node_memory_MemFree_bytes": lambda node: max(0, node.available_bytes - node.use.cache_bytes),
    "node_memory_Cached_bytes": lambda node: node.use.cache_bytes,
    "node_memory_AnonPages_bytes": lambda node: node.use.working_set_bytes,
    "node_memory_SwapTotal_bytes": lambda node: node.shape.swap_bytes or 0,
    "node_memory_SwapFree_bytes": lambda node: node.swap_free_bytes,
    "node_memory_SwapCached_bytes": lambda _: 0,
}
POD_GAUGES: Final[Mapping[str, Callable[[PodReading], float]]] = {
    "container_memory_working_set_bytes": lambda pod: pod.use.working_set_bytes,
    "container_memory_rss": lambda pod: pod.use.working_set_bytes,
    "container_memory_cache": lambda pod: pod.use.cache_bytes,
    "container_memory_swap": lambda pod: pod.use.swap_bytes,
    "container_memory_usage_bytes": lambda pod: pod.use.working_set_bytes + pod.use.cache_bytes,
}


def node_exporter(nodes: Iterable[NodeReading], values: Values) -> Iterator[Sample]:
    """What node_exporter says of each node."""
    for node in nodes:
        labels = {"instance": node.shape.name}
        yield from (Sample(name, "gauge", read(node), labels) for name, read in NODE_GAUGES.items())
        yield from _stalls("node", node.shape.name, values, labels)
        yield from _cpu_seconds(node, values, labels)
        for name, meter in (("pswpin", SWAP_IN), ("pswpout", SWAP_OUT)):
            yield Sample(f"node_vmstat_{name}", "untyped", values.get((node.shape.name, meter), 0.0), labels)


def _stalls(prefix: str, whose: str, values: Values, labels: Mapping[str, str]) -> Iterator[Sample]:
    for name, meter in STALLS:
        yield Sample(f"{prefix}_pressure_{name}_seconds_total", "counter", values.get((whose, meter), 0.0), labels)


def _cpu_seconds(node: NodeReading, values: Values, labels: Mapping[str, str]) -> Iterator[Sample]:
    """Busy and idle seconds, evenly over the CPUs."""
    cpus = max(1, round(node.shape.cores))
    busy = values.get((node.shape.name, CPU), 0.0) / cpus
    passed = values.get((node.shape.name, PASSED), 0.0)
    for cpu in map(str, range(cpus)):
        of_cpu = {**labels, "cpu": cpu}
        yield Sample("node_cpu_seconds_total", "counter", busy, {**of_cpu, "mode": "user"})
        yield Sample("node_cpu_seconds_total", "counter", max(0.0, passed - busy), {**of_cpu, "mode": "idle"})


def cadvisor(nodes: Iterable[NodeReading], values: Values) -> Iterator[Sample]:
    """What the kubelet's ``/metrics/cadvisor`` says of each container."""
    for node in nodes:
        for pod in node.pods:
            labels = _container(pod)
            yield from (Sample(name, "gauge", read(pod), labels) for name, read in POD_GAUGES.items())
            cpu = values.get((pod.pod["metadata"]["uid"], CPU), 0.0)
            yield Sample("container_cpu_usage_seconds_total", "counter", cpu, {**labels, "cpu": "total"})
            yield from _stalls("container", pod.pod["metadata"]["uid"], values, labels)


def _container(pod: PodReading) -> dict[str, str]:
    namespace, name = pod.key
    uid = pod.pod["metadata"]["uid"]
    path = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid.replace('-', '_')}.slice"
    return {"instance": pod.node, "namespace": namespace, "pod": name, "container": pod.containers[0], "id": path}


def kubelet(nodes: Iterable[NodeReading], values: Values) -> Iterator[Sample]:
    """What the kubelet's ``/metrics/resource`` says."""
    for node in nodes:
        labels = {"instance": node.shape.name}
        cpu = values.get((node.shape.name, CPU), 0.0)
        yield Sample("node_cpu_usage_seconds_total", "counter", cpu, labels)
        yield Sample("node_memory_working_set_bytes", "gauge", node.use.working_set_bytes, labels)
        yield Sample("node_swap_usage_bytes", "gauge", node.use.swap_bytes, labels)
        for pod in node.pods:
            of_pod = {name: value for name, value in _container(pod).items() if name not in ("id", "container")}
            yield Sample(
                "pod_cpu_usage_seconds_total", "counter", values.get((pod.pod["metadata"]["uid"], CPU), 0.0), of_pod
            )
            yield Sample("pod_memory_working_set_bytes", "gauge", pod.use.working_set_bytes, of_pod)
            yield Sample("pod_swap_usage_bytes", "gauge", pod.use.swap_bytes, of_pod)


def text(samples: Iterable[Sample]) -> bytes:
    """Samples in the text format, those of a metric together."""
    families: dict[str, list[str]] = {}
    for sample in samples:
        head = [f"# TYPE {sample.name} {sample.kind}"]
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
        families.setdefault(sample.name, head).append(f"{sample.name}{{{labels}}} {sample.value!r}")
    return "".join(f"{line}\n" for lines in families.values() for line in lines).encode()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


Exporter: TypeAlias = Callable[[Iterable[NodeReading], Values], Iterable[Sample]]


class Exposition:
    """Answers scrapes of ``/node``, ``/cadvisor``, ``/resource`` and more; ``?node=NAME`` is one node only.

    Parameters
    ----------
    exporters
        By path, besides those of nodes and kubelets.
    """

    def __init__(self, readings: Readings, meters: Meters, exporters: Mapping[str, Exporter] | None = None) -> None:
        self._readings, self._meters = readings, meters
        own: dict[str, Exporter] = {"/node": node_exporter, "/cadvisor": cadvisor, "/resource": kubelet}
        self._exporters = {**own, **(exporters or {})}

    def route(self, request: Request) -> Answer:
        """Answer of one scrape."""
        exporter = self._exporters.get(request.path)
        if exporter is None:
            return Answer(b"not found\n", 404, "text/plain")
        values = self._meters.advance()
        nodes = self._readings.now()
        wanted = request.query.get("node")
        chosen = [node for name, node in nodes.items() if wanted in (None, name)]
        samples = (_spoiled(each, self._readings.spoiled) for each in exporter(chosen, values))
        return Answer(text(samples), content=CONTENT)


def _spoiled(sample: Sample, nodes: Container[str]) -> Sample:
    node = sample.labels.get("instance") or sample.labels.get("node")
    return sample._replace(value=math.nan) if node in nodes else sample
