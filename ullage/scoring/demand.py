"""What a pod will use: measured where its VM runs already, else learnt from its siblings, else from what it asks for."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ullage.estimation.forecast import Forecast
from ullage.model.arrays import frozen
from ullage.model.measures import WorkloadMeasure
from ullage.model.resources import CPU_INDEX, MEMORY_INDEX
from ullage.model.state import ClusterState, Owner, WorkloadKind

if TYPE_CHECKING:
    from ullage.scoring.columns import NodeView

CPU_FACTOR: Final = 0.85
MEMORY_FACTOR: Final = 0.70
DEFAULT_CPU_CORES: Final = 0.25
DEFAULT_MEMORY_BYTES: Final = 200.0 * 2**20

_MOST_KNOWN: Final = 1024

Source: TypeAlias = Literal["vmi", "siblings", "requests", "default"]


class Pending(Protocol):
    """A pod that waits for a node, as far as its use can be told from it.

    Attributes
    ----------
    domain
        Name of its VMI; empty for other pods.
    limits_cpu_cores, limits_memory_bytes
        ``None`` where some container has no limit.
    """

    @property
    def namespace(self) -> str: ...  # noqa: D102
    @property
    def domain(self) -> str: ...  # noqa: D102
    @property
    def owner_kind(self) -> str: ...  # noqa: D102
    @property
    def owner_name(self) -> str: ...  # noqa: D102
    @property
    def requests_cpu_cores(self) -> float: ...  # noqa: D102
    @property
    def requests_memory_bytes(self) -> float: ...  # noqa: D102
    @property
    def limits_cpu_cores(self) -> float | None: ...  # noqa: D102
    @property
    def limits_memory_bytes(self) -> float | None: ...  # noqa: D102


@dataclass(frozen=True)
class Demand:
    """What a pod is expected to bring wherever it lands; all >= 0, no NaN.

    Attributes
    ----------
    cpu_cores, memory_bytes
        Predicted peak.
    cpu_deviation_cores, memory_deviation_bytes
        Measured deviation of itself or its siblings; 0 if unknown.
    committed_bytes
        What it may take in the worst case: guest and overhead, a pod's limit, else its peak.
    requested_cpu_cores, requested_memory_bytes, limit_cpu_cores, limit_memory_bytes
        As the pod says; a limit that is not set is infinite.
    source
        Where the use comes from.
    """

    cpu_cores: float = 0.0
    memory_bytes: float = 0.0
    cpu_deviation_cores: float = 0.0
    memory_deviation_bytes: float = 0.0
    committed_bytes: float = 0.0
    requested_cpu_cores: float = 0.0
    requested_memory_bytes: float = 0.0
    limit_cpu_cores: float = math.inf
    limit_memory_bytes: float = math.inf
    source: Source = "default"

    @property
    def amounts(self) -> tuple[float, float, float]:
        """Cores, bytes and committed bytes, in the order of `ullage.scoring.columns.Room`."""
        return self.cpu_cores, self.memory_bytes, self.committed_bytes

    @cached_property
    def brought(self) -> npt.NDArray[np.float32]:
        """The amounts, the third twice, as `ullage.scoring.landing` adds them: float32 (4, 1)."""
        return frozen(
            [[self.cpu_cores], [self.memory_bytes], [self.committed_bytes], [self.committed_bytes]], np.float32
        )


@dataclass(frozen=True)
class _Use:
    cpu: float
    memory: float
    committed: float
    source: Source
    cpu_deviation: float = 0.0
    memory_deviation: float = 0.0


def estimate(view: NodeView, pod: Pending) -> Demand:
    """Demand of a pod: of its VMI if the state holds it, else of its owner's measured siblings, else of what it asks for.

    The VMI is there when the pod is the target of a live migration, or when a VM of that name ran a moment ago. A virt-launcher
    pod whose VMI is not there stands for a guest of its request times the cluster's overcommit, by which KubeVirt divided
    (``pkg/virt-controller/services/renderresources.go``); its overhead, which is small, is scaled with it.
    """
    # a pod is asked about twice and then counted, and the pods of a burst are alike
    key = (
        pod.namespace,
        pod.domain,
        pod.owner_kind,
        pod.owner_name,
        pod.requests_cpu_cores,
        pod.requests_memory_bytes,
        pod.limits_cpu_cores,
        pod.limits_memory_bytes,
    )
    known = view.demands.get(key)
    if known is None:
        if len(view.demands) >= _MOST_KNOWN:
            view.demands.clear()
        known = view.demands[key] = _estimate(view, pod)
    return known


def _estimate(view: NodeView, pod: Pending) -> Demand:
    use = _of_vmi(view, pod) or _of_siblings(view, pod) or _of_requests(view, pod)
    cpu_limit, memory_limit = _bound(pod.limits_cpu_cores), _bound(pod.limits_memory_bytes)
    return Demand(
        cpu_cores=use.cpu,
        memory_bytes=use.memory,
        cpu_deviation_cores=use.cpu_deviation,
        memory_deviation_bytes=use.memory_deviation,
        committed_bytes=use.committed,
        requested_cpu_cores=_amount(pod.requests_cpu_cores),
        requested_memory_bytes=_amount(pod.requests_memory_bytes),
        limit_cpu_cores=cpu_limit,
        limit_memory_bytes=memory_limit,
        source=use.source,
    )


def scaled(request: float, limit: float, factor: float) -> float:
    """Use that is expected of a request and a limit: ``factor * max(request, limit)``, at most the limit.

    Koordinator's default estimator (``pkg/scheduler/plugins/loadaware/estimator``): 85 % for CPU, 70 % for memory. An infinite
    limit is none.
    """
    wanted = max(request, limit) if math.isfinite(limit) else request
    return min(wanted * factor, limit)


def find(state: ClusterState, namespace: str, name: str, kind: WorkloadKind) -> int | None:
    """Row of a workload, from the order in which rows stand; ``None`` if the state does not hold it."""
    workloads = state.workloads
    key = (namespace, name)
    row = bisect_left(range(len(workloads)), key, key=lambda i: (workloads.namespace[i], workloads.name[i]))
    while row < len(workloads) and (workloads.namespace[row], workloads.name[row]) == key:
        if workloads.kind[row] == kind:
            return row
        row += 1
    return None


def _amount(value: float | None) -> float:
    """A finite amount, or 0."""
    return value if value is not None and math.isfinite(value) and value > 0 else 0.0


def _bound(limit: float | None) -> float:
    """A limit; 0 and what is no number are none, as Kubernetes has it."""
    return _amount(limit) or math.inf


def _of_vmi(view: NodeView, pod: Pending) -> _Use | None:
    row = find(view.state, pod.namespace, pod.domain, WorkloadKind.VMI) if pod.domain else None
    if row is None:
        return None
    workloads, expected = view.state.workloads, view.forecast
    cpu, memory = expected.use.landing[row].tolist()
    guest = float(workloads.guest_memory_bytes[row]) + _amount(float(workloads.overhead_bytes[row]))
    deviation = _deviation(view.state, expected, row)
    return _Use(cpu, memory, guest if math.isfinite(guest) else _commit(pod, memory), "vmi", *deviation)


def _deviation(state: ClusterState, expected: Forecast, row: int) -> tuple[float, float]:
    value = state.workloads.measures.value[row]
    names = (WorkloadMeasure.CPU_DEVIATION_CORES, WorkloadMeasure.MEMORY_DEVIATION_BYTES)
    cpu, memory = (_amount(float(value[name])) if expected.measured[row] else 0.0 for name in names)
    return cpu, memory


def _of_siblings(view: NodeView, pod: Pending) -> _Use | None:
    row = view.owners.get(Owner(pod.owner_kind, pod.namespace, pod.owner_name)) if pod.owner_name else None
    if row is None:
        return None
    cpu, memory, cpu_deviation, memory_deviation = view.siblings[row].tolist()
    if math.isnan(cpu) or math.isnan(memory):
        return None
    return _Use(cpu, memory, _commit(pod, memory), "siblings", _amount(cpu_deviation), _amount(memory_deviation))


def _of_requests(view: NodeView, pod: Pending) -> _Use:
    request = _amount(pod.requests_memory_bytes) * (_overcommit(view.state) if pod.domain else 1.0)
    cpu = scaled(_amount(pod.requests_cpu_cores), _bound(pod.limits_cpu_cores), CPU_FACTOR)
    memory = scaled(request, _bound(pod.limits_memory_bytes), MEMORY_FACTOR)
    asked: Source = "requests" if cpu or memory else "default"
    memory = memory or min(DEFAULT_MEMORY_BYTES, _bound(pod.limits_memory_bytes))
    committed = max(request, memory) if pod.domain else _commit(pod, memory)
    return _Use(cpu or min(DEFAULT_CPU_CORES, _bound(pod.limits_cpu_cores)), memory, committed, asked)


def _overcommit(state: ClusterState) -> float:
    return max(1.0, state.kubevirt.memory_overcommit_ratio) if state.kubevirt else 1.0


def _commit(pod: Pending, memory: float) -> float:
    return _amount(pod.limits_memory_bytes) or memory


def request_factors() -> tuple[tuple[int, float, float], ...]:
    """Column of the resource axis, factor and default of CPU and memory."""
    return (CPU_INDEX, CPU_FACTOR, DEFAULT_CPU_CORES), (MEMORY_INDEX, MEMORY_FACTOR, DEFAULT_MEMORY_BYTES)
