"""The catalogue of metrics: what every reading is called by those who export it, and the few queries that ask for all of it.

An entry has alternatives, the best first, since names changed between versions and since not every cluster scrapes
everything. In an expression ``$s`` stands for further label matchers, ``$w`` for the window of rates; every selector has
braces, so that the names in use can be read off it. Sources of names: node_exporter 1.x, collectors meminfo, vmstat,
pressure, ksmd and cpu; Kubernetes 1.36, ``pkg/kubelet/metrics/collectors/resource_metrics.go`` (``/metrics/resource``) and
cAdvisor's ``metrics/prometheus.go`` (``/metrics/cadvisor``, PSI since Kubernetes 1.33); KubeVirt 1.0 to 1.9,
``docs/observability/metrics.md``.

A rate counts over its whole window: a container that started within the window shows less than it uses (Prometheus extrapolates
by half a scrape interval at most), and never more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from enum import Enum, IntEnum
from typing import Final

import msgspec
import numpy as np

from ullage.model.arrays import FloatArray, frozen
from ullage.telemetry.readings import NodeReading, WorkloadReading

PAGE_BYTES: Final = 4096
"""Unit of the kernel's page counters on amd64, and on arm64 with pages of 4 KiB."""

MARK: Final = "ullage"
"""Label that says which reading (or, in queries for times, which exporter) a series of an answer is."""

NODE_LABELS: Final = ("node", "kubernetes_node", "nodename", "instance")
"""Labels that may name a node, the surest first: the kubelet's jobs set ``node``; node_exporter has only ``instance``."""

MAX_AGE_SECONDS: Final = 90.0
"""cAdvisor's own rounds take 10-15 s and scrapes up to 30 s: three of them (`reliability` rule: max(90 s, 3 scrapes))."""

_ORIGIN_LABELS: Final = ("job", "prometheus_replica", "replica")  # two of them for one node are duplicates, not a sum
_REFERENCE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})")
_MOST_BYTES: Final = float(2**63)  # swap of cAdvisor under cgroup v2 wraps around to values above it
_MOST_RATE: Final = float(2**40)


class Exporter(IntEnum):
    """Who exports a metric: all samples of one scrape of it have the same time."""

    NODE_EXPORTER = 0
    RESOURCE = 1
    """Kubelet, ``/metrics/resource``."""
    CADVISOR = 2
    """Kubelet, ``/metrics/cadvisor``."""
    KUBEVIRT = 3
    """virt-handler."""


class Axis(Enum):
    """What the rows of an answer are; the value holds the labels that tell them apart."""

    NODES = (*NODE_LABELS, *_ORIGIN_LABELS)
    PODS = ("namespace", "pod")
    MACHINES = ("exported_namespace", "namespace", "name")

    @property
    def readings(self) -> type[IntEnum]:
        """Columns of its table."""
        return NodeReading if self is Axis.NODES else WorkloadReading


class Alternative(msgspec.Struct, frozen=True):
    """One way to ask for a reading.

    Attributes
    ----------
    expression
        PromQL whose series are reduced to rows.
    exporter
        Who exports it.
    since
        Version that brought the name or, after "until", the last one that had it; empty where it was always so.
    """

    expression: str
    exporter: Exporter
    since: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Metrics that it needs."""
        return tuple(name for name, _ in _REFERENCE.findall(self.expression))

    @property
    def reference(self) -> str:
        """First metric with its matchers: it stands for the time of the scrape."""
        found = _REFERENCE.search(self.expression)
        assert found is not None, self.expression  # noqa: S101 - the catalogue is a constant
        return found.group()


class Metric(msgspec.Struct, frozen=True):
    """An entry of the catalogue.

    Attributes
    ----------
    reading
        Which column; its name ends in the unit.
    reducer
        How the series of one row become one: ``max``, ``sum`` or ``avg``. ``containers`` is the sum over containers of the
        maximum within each, so that a pod that two jobs scrape does not count twice.
    alternatives
        Ways to ask for it, the best first.
    high
        Largest value that can be true; the smallest is 0. A ratio may be a tenth above 1, since ``rate`` extrapolates.
    max_age_seconds
        From this age on a value says nothing about now.
    """

    reading: NodeReading | WorkloadReading
    reducer: str
    alternatives: tuple[Alternative, ...]
    high: float
    max_age_seconds: float = MAX_AGE_SECONDS


class Query(msgspec.Struct, frozen=True):
    """One query.

    Attributes
    ----------
    axis
        What its rows are.
    promql
        Its text.
    is_time
        Whether its values are times of samples by `Exporter`, and not readings.
    """

    axis: Axis
    promql: str
    is_time: bool = False


def _high(reading: NodeReading | WorkloadReading) -> float:
    name = reading.name
    if name.endswith("_RATIO"):
        return 1.0
    if name.endswith("_PER_SECOND"):
        return _MOST_RATE
    return 65_536.0 if name.endswith("_CORES") else _MOST_BYTES


def _metric(reading: NodeReading | WorkloadReading, reducer: str, *alternatives: Alternative) -> Metric:
    return Metric(reading, reducer, alternatives, _high(reading))


def _node(expression: str, since: str = "") -> Alternative:
    return Alternative(expression, Exporter.NODE_EXPORTER, since)


def _resource(expression: str, since: str = "") -> Alternative:
    return Alternative(expression, Exporter.RESOURCE, since)


def _cadvisor(expression: str, since: str = "") -> Alternative:
    return Alternative(expression, Exporter.CADVISOR, since)


def _kubevirt(expression: str, since: str = "") -> Alternative:
    return Alternative(expression, Exporter.KUBEVIRT, since)


def _pressure(reading: NodeReading, resource: str, state: str) -> Metric:
    return _metric(
        reading,
        "max",
        _node(f"rate(node_pressure_{resource}_{state}_seconds_total{{$s}}[$w])", "needs psi=1 on RHEL"),
        _cadvisor(f'rate(container_pressure_{resource}_{state}_seconds_total{{id="/",$s}}[$w])', "Kubernetes 1.33"),
    )


_C: Final = 'container!="",container!="POD",pod!="",$s'  # cgroups of pods, and of their sandboxes, are no containers

NODE_GAUGES: Final = (
    _metric(
        NodeReading.MEMORY_BYTES,
        "max",
        _resource("node_memory_working_set_bytes{$s}"),
        _cadvisor('container_memory_working_set_bytes{id="/",$s}'),
        # The kubelet takes the root's use from meminfo as total less free (libcontainer, cgroup v2).
        _node("node_memory_MemTotal_bytes{$s} - node_memory_MemFree_bytes{$s} - node_memory_Inactive_file_bytes{$s}"),
    ),
    _metric(NodeReading.MEMORY_TOTAL_BYTES, "max", _node("node_memory_MemTotal_bytes{$s}")),
    _metric(NodeReading.MEMORY_AVAILABLE_BYTES, "max", _node("node_memory_MemAvailable_bytes{$s}")),
    _metric(
        NodeReading.MEMORY_ANONYMOUS_BYTES,
        "max",
        _node("node_memory_AnonPages_bytes{$s}"),
        _cadvisor('container_memory_rss{id="/",$s}'),
    ),
    _metric(
        NodeReading.MEMORY_CACHE_BYTES,
        "max",
        _node("node_memory_Active_file_bytes{$s} + node_memory_Inactive_file_bytes{$s}"),
        _node("node_memory_Cached_bytes{$s} - node_memory_Shmem_bytes{$s}"),
    ),
    _metric(NodeReading.MEMORY_COMMITTED_BYTES, "max", _node("node_memory_Committed_AS_bytes{$s}")),
    _metric(NodeReading.SWAP_TOTAL_BYTES, "max", _node("node_memory_SwapTotal_bytes{$s}")),
    _metric(
        NodeReading.SWAP_USED_BYTES,
        "max",
        _node("node_memory_SwapTotal_bytes{$s} - node_memory_SwapFree_bytes{$s}"),
        _resource("node_swap_usage_bytes{$s}", "Kubernetes 1.28"),
    ),
    _metric(
        NodeReading.KSM_SAVED_BYTES,
        "max",
        _node(f"node_ksmd_pages_sharing{{$s}} * {PAGE_BYTES}", "collector ksmd is off by default"),
    ),
)
NODE_RATES: Final = (
    _metric(
        NodeReading.CPU_CORES,
        "sum",
        _resource("rate(node_cpu_usage_seconds_total{$s}[$w])"),
        _cadvisor('rate(container_cpu_usage_seconds_total{id="/",$s}[$w])'),
        _node('rate(node_cpu_seconds_total{mode!~"idle|iowait|steal",$s}[$w])'),
    ),
    _metric(NodeReading.SWAP_IN_BYTES_PER_SECOND, "max", _node(f"rate(node_vmstat_pswpin{{$s}}[$w]) * {PAGE_BYTES}")),
    _metric(NodeReading.SWAP_OUT_BYTES_PER_SECOND, "max", _node(f"rate(node_vmstat_pswpout{{$s}}[$w]) * {PAGE_BYTES}")),
    _metric(NodeReading.MAJOR_FAULTS_PER_SECOND, "max", _node("rate(node_vmstat_pgmajfault{$s}[$w])")),
    _pressure(NodeReading.PSI_CPU_SOME_RATIO, "cpu", "waiting"),
    # The kernel leaves "full" of CPU at 0 for the whole system; for the pods' cgroup it means something.
    _metric(
        NodeReading.PSI_CPU_FULL_RATIO,
        "max",
        _cadvisor(
            'rate(container_pressure_cpu_stalled_seconds_total{id=~"/kubepods([.]slice)?",$s}[$w])', "Kubernetes 1.33"
        ),
    ),
    _pressure(NodeReading.PSI_MEMORY_SOME_RATIO, "memory", "waiting"),
    _pressure(NodeReading.PSI_MEMORY_FULL_RATIO, "memory", "stalled"),
    _pressure(NodeReading.PSI_IO_SOME_RATIO, "io", "waiting"),
    _pressure(NodeReading.PSI_IO_FULL_RATIO, "io", "stalled"),
)
POD_CPU: Final = (
    _metric(
        WorkloadReading.CPU_CORES,
        "containers",
        _resource("rate(pod_cpu_usage_seconds_total{$s}[$w])"),
        _cadvisor(f"rate(container_cpu_usage_seconds_total{{{_C}}}[$w])"),
    ),
    _metric(
        WorkloadReading.CPU_THROTTLED_RATIO,
        "max",  # of containers; one without a CPU limit has no such series
        _cadvisor(
            f"rate(container_cpu_cfs_throttled_periods_total{{{_C}}}[$w])"
            f" / (rate(container_cpu_cfs_periods_total{{{_C}}}[$w]) > 0)"
        ),
    ),
    _metric(
        WorkloadReading.PSI_MEMORY_SOME_RATIO,
        "max",  # the pod's own cgroup has at least what each container has
        _cadvisor('rate(container_pressure_memory_waiting_seconds_total{pod!="",$s}[$w])', "Kubernetes 1.33"),
    ),
)
POD_MEMORY: Final = (
    _metric(
        WorkloadReading.MEMORY_BYTES,
        "containers",
        _resource("pod_memory_working_set_bytes{$s}"),
        _cadvisor(f"container_memory_working_set_bytes{{{_C}}}"),
    ),
    _metric(
        WorkloadReading.SWAP_USED_BYTES,
        "containers",
        _resource("pod_swap_usage_bytes{$s}", "Kubernetes 1.28"),  # of containers it said 0 up to 1.35
        _cadvisor(f"container_memory_swap{{{_C}}}", "kube-prometheus-stack drops it"),
    ),
)
POD_PARTS: Final = (
    _metric(WorkloadReading.MEMORY_ANONYMOUS_BYTES, "containers", _cadvisor(f"container_memory_rss{{{_C}}}")),
    _metric(WorkloadReading.MEMORY_CACHE_BYTES, "containers", _cadvisor(f"container_memory_cache{{{_C}}}")),
)
# While a VM migrates both nodes export it; the end that does not run it yet, or any more, has less.
MACHINES: Final = (
    _metric(
        WorkloadReading.CPU_CORES,
        "max",
        _kubevirt("rate(kubevirt_vmi_cpu_usage_seconds_total{$s}[$w])", "KubeVirt 1.1"),
        _kubevirt("rate(kubevirt_vmi_cpu_usage_seconds{$s}[$w])", "until KubeVirt 1.0"),
    ),
    _metric(WorkloadReading.MEMORY_ANONYMOUS_BYTES, "max", _kubevirt("kubevirt_vmi_memory_resident_bytes{$s}")),
    _metric(WorkloadReading.BALLOON_BYTES, "max", _kubevirt("kubevirt_vmi_memory_actual_balloon_bytes{$s}")),
    _metric(
        WorkloadReading.DIRTY_RATE_BYTES_PER_SECOND,
        "max",
        _kubevirt("kubevirt_vmi_dirty_rate_bytes_per_second{$s}", "KubeVirt 1.6"),
    ),
    _metric(
        WorkloadReading.CPU_DELAY_RATIO,
        "avg",  # over vCPUs
        _kubevirt("rate(kubevirt_vmi_vcpu_delay_seconds_total{$s}[$w])", "KubeVirt 1.1"),
    ),
    _metric(
        WorkloadReading.MIGRATED_RATIO,
        "max",
        *(
            _kubevirt(
                "clamp_min(1 - kubevirt_vmi_migration_data_remaining_bytes{$s}"
                f" / (kubevirt_vmi_migration_data_{total}{{$s}} > 0), 0)",
                since,
            )
            for total, since in (("bytes_total", "KubeVirt 1.8"), ("total_bytes", "until KubeVirt 1.7"))
        ),
    ),
)

GROUPS: Final = (
    (Axis.NODES, NODE_GAUGES),
    (Axis.NODES, NODE_RATES),
    (Axis.PODS, POD_CPU),
    (Axis.PODS, POD_MEMORY),
    (Axis.PODS, POD_PARTS),
    (Axis.MACHINES, MACHINES),
)
"""What is asked together: one body each, of tens of megabytes at most in a cluster of 100,000 pods."""


def metrics(axis: Axis) -> tuple[Metric, ...]:
    """Entries of one axis."""
    return tuple(metric for of, group in GROUPS if of is axis for metric in group)


def known_names() -> tuple[str, ...]:
    """Names of all metrics that some entry needs, sorted."""
    alternatives = (each for _, group in GROUPS for metric in group for each in metric.alternatives)
    return tuple(sorted({name for each in alternatives for name in each.names}))


def highest(axis: Axis) -> FloatArray:
    """Largest value that can be true of each reading, float64 (M,); NaN where the axis has no metric for it."""
    return _column(axis, {metric.reading: metric.high for metric in metrics(axis)})


def max_ages_seconds(axis: Axis) -> FloatArray:
    """Age from which a reading says nothing about now, float64 (M,); NaN where the axis has no metric for it."""
    return _column(axis, {metric.reading: metric.max_age_seconds for metric in metrics(axis)})


def _column(axis: Axis, values: Mapping[NodeReading | WorkloadReading, float]) -> FloatArray:
    result = np.full(len(axis.readings), math.nan)
    for reading, value in values.items():
        result[reading] = value
    return frozen(result, np.float64)


Chosen = Mapping[tuple[Axis, int], Alternative]
"""Which alternative stands for a reading of an axis; those that nobody exports are not in it."""


class Scope(msgspec.Struct, frozen=True):
    """What all queries have in common.

    Attributes
    ----------
    rate_window_seconds
        Window of rates; it must hold two scrapes, better four.
    matchers
        Further label matchers for every metric, such as ``cluster="north"``; empty for none.
    """

    rate_window_seconds: int
    matchers: str = ""

    def fill(self, expression: str) -> str:
        """An expression of the catalogue with window and matchers."""
        return expression.replace("$s", self.matchers).replace("$w", f"{self.rate_window_seconds}s")


def queries(chosen: Chosen, scope: Scope, *, is_split: bool = False) -> tuple[Query, ...]:
    """Queries for all that was chosen: at most one per group, and one per axis for the times of samples.

    Parameters
    ----------
    chosen
        The alternatives in use.
    scope
        Window and matchers.
    is_split
        One query per reading instead, for ranges of time whose bodies would be too large together.
    """
    found = []
    for axis, group in GROUPS:
        parts = [
            _part(axis, metric, chosen[axis, metric.reading]) for metric in group if (axis, metric.reading) in chosen
        ]
        texts = parts if is_split else _together(parts)
        found += [Query(axis, scope.fill(text)) for text in texts]
    for axis in Axis:
        texts = _times(axis, chosen) if is_split else _together(_times(axis, chosen))
        found += [Query(axis, scope.fill(text), is_time=True) for text in texts]
    return tuple(found)


def presence(alternatives: Iterable[Alternative], scope: Scope) -> str:
    """Query for the number of series of each alternative, marked by its position; none where there is no series."""
    counts = (_marked(f"count({each.reference})", position) for position, each in enumerate(alternatives))
    return scope.fill(" or ".join(counts))


def _together(parts: Iterable[str]) -> list[str]:
    text = " or ".join(parts)
    return [text] if text else []


def _part(axis: Axis, metric: Metric, alternative: Alternative) -> str:
    labels, expression = ", ".join(axis.value), alternative.expression
    if metric.reducer == "containers":
        reduced = f"sum by ({labels}) (max by ({labels}, container) ({expression}))"
    else:
        reduced = f"{metric.reducer} by ({labels}) ({expression})"
    return _marked(reduced, int(metric.reading))


def _times(axis: Axis, chosen: Chosen) -> list[str]:
    first: dict[Exporter, str] = {}
    for metric in sorted(metrics(axis), key=_rarity):
        alternative = chosen.get((axis, int(metric.reading)))
        if alternative is not None:
            first.setdefault(alternative.exporter, alternative.reference)
    labels = ", ".join(axis.value)
    return [_marked(f"min by ({labels}) (timestamp({first[each]}))", int(each)) for each in sorted(first)]


def _rarity(metric: Metric) -> int:
    """Memory is there for every row; a ratio often is not, such as throttling where there is no limit."""
    name = metric.reading.name
    return 0 if name.startswith("MEMORY") else 2 if name.endswith("_RATIO") else 1


def _marked(expression: str, mark: int) -> str:
    return f'label_replace({expression}, "{MARK}", "{mark}", "", "")'
