"""Who dies next: the order in which the kubelet evicts and the kernel kills, and what protects memory before that.

Sources, Kubernetes 1.36: ``pkg/kubelet/qos/policy.go`` (oom_score_adj), ``pkg/kubelet/eviction/helpers.go`` (ranking,
thresholds), ``pkg/kubelet/cm`` (qos-reserved), KEP-2570 (MemoryQoS); of the kernel ``mm/oom_kill.c``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from ullage.errors import ConfigError, QuantityError
from ullage.estimation.swap import CRITICAL_PRIORITY, PAGE_BYTES
from ullage.model.arrays import BoolArray, FloatArray, IntArray
from ullage.model.qos import ContainerResources, QoS, qos_of
from ullage.model.quantity import to_float

KUBELET_ADJ: Final = -999
GUARANTEED_ADJ: Final = -997
BEST_EFFORT_ADJ: Final = 1000
NEVER_KILLED_ADJ: Final = -1000
NODE_CRITICAL_CLASS: Final = "system-node-critical"

EVICTION_INTERVAL_SECONDS: Final = 10.0
"""The kubelet looks every 10 s and evicts at most one pod each time."""
EVICTION_CLEANUP_SECONDS: Final = 30.0
"""How long it waits for the evicted pod to be gone before it looks again."""
PRESSURE_SECONDS: Final = 300.0
"""How long the condition MemoryPressure stays after its cause is gone (``evictionPressureTransitionPeriod``)."""


def is_critical(priority: npt.ArrayLike, static: npt.ArrayLike) -> BoolArray:
    """Pods that the kubelet never evicts: static and mirror pods, and those of priority 2,000,000,000 and more."""
    critical: BoolArray = (np.asarray(priority) >= CRITICAL_PRIORITY) | np.asarray(static, dtype=np.bool_)
    return critical


def is_node_critical(*, priority: int, static: bool, priority_class: str) -> bool:
    """Whether a pod is critical and of class ``system-node-critical``, which gives it -997 whatever its QoS."""
    return bool(is_critical(priority, static)) and priority_class == NODE_CRITICAL_CLASS


def oom_score_adj(
    qos: npt.ArrayLike,
    request_bytes: npt.ArrayLike,
    capacity_bytes: npt.ArrayLike,
    *,
    node_critical: npt.ArrayLike = False,
) -> FloatArray:
    """``oom_score_adj`` of containers.

    Guaranteed and node-critical -997, BestEffort 1000; Burstable ``1000 - floor(1000 x request / capacity)``, at least 3 and
    at most 999. A request that overcommit made smaller raises it.

    Parameters
    ----------
    qos
        int, `QoS`.
    request_bytes
        float64, whole bytes: the container's memory request; of a sidecar `sidecar_request_bytes`.
    capacity_bytes
        float64, the node's RAM, > 0.
    node_critical
        bool.

    Returns
    -------
    FloatArray
        Whole numbers, -997..1000; NaN for a Burstable container on a node of unknown capacity.
    """
    classes = np.asarray(qos)
    permille = np.floor_divide(
        1000 * np.asarray(request_bytes, dtype=np.float64), np.asarray(capacity_bytes, dtype=np.float64)
    )
    burstable = np.clip(1000.0 - permille, 1000 + GUARANTEED_ADJ, BEST_EFFORT_ADJ - 1)
    adj = np.where(classes == QoS.BEST_EFFORT, float(BEST_EFFORT_ADJ), burstable)
    safe = np.asarray(node_critical, dtype=np.bool_) | (classes == QoS.GUARANTEED)
    result: FloatArray = np.where(safe, float(GUARANTEED_ADJ), adj)
    return result


def sidecar_request_bytes(own_bytes: float, regular_bytes: Sequence[float]) -> float:
    """Request that counts for a sidecar: its own, but at least the smallest one of a regular container.

    So a sidecar is never killed before the containers that it serves.
    """
    return max(own_bytes, min(regular_bytes, default=0.0))


def spread_request_bytes(pod_request_bytes: int, containers: Sequence[ContainerResources]) -> int:
    """What each container gets of a pod-level memory request that its containers have not asked for, rounded down.

    Source: KEP-2837. Add it to each container's request before `oom_score_adj`. 0 without a pod-level request.

    Parameters
    ----------
    pod_request_bytes
        ``spec.resources.requests.memory``; 0 if not set.
    containers
        All containers of the pod, init containers included.
    """
    if not pod_request_bytes or not containers:
        return 0
    asked = sum(int(each.requests_memory_bytes or 0) for each in containers)
    return max(0, pod_request_bytes - asked) // len(containers)


def pod_oom_score_adj(
    containers: Sequence[ContainerResources], capacity_bytes: float, *, node_critical: bool = False
) -> tuple[int, ...]:
    """``oom_score_adj`` of every container of a pod, in the order given; sidecars by `sidecar_request_bytes`."""
    regular = [each.requests_memory_bytes or 0.0 for each in containers if not each.init]
    requests = [
        sidecar_request_bytes(each.requests_memory_bytes or 0.0, regular)
        if each.restartable_init
        else each.requests_memory_bytes or 0.0
        for each in containers
    ]
    adj = oom_score_adj(qos_of(containers), np.array(requests), capacity_bytes, node_critical=node_critical)
    return tuple(int(each) for each in adj)


def eviction_order(
    working_set_bytes: FloatArray,
    request_bytes: FloatArray,
    priority: npt.ArrayLike,
    critical: npt.ArrayLike,
    key_rank: npt.ArrayLike,
    *,
    node: npt.ArrayLike = 0,
    missing_first: bool = False,
) -> IntArray:
    """Order in which the kubelet would evict pods under memory pressure.

    Those above their request first; then the lower priority; then the larger excess of working set over request; then
    `key_rank`. The kubelet itself leaves ties to chance. Swap plays no part.

    Parameters
    ----------
    working_set_bytes, request_bytes
        float64 (P,), of the whole pod.
    priority
        int (P,).
    critical
        bool (P,), `is_critical`; these are left out.
    key_rank
        int (P,), unique: rank of the pod's key.
    node
        int (P,), row of the pod's node; the result is grouped by node, ascending. A scalar means one node.
    missing_first
        A pod whose working set is NaN goes to the front of its node, where the kubelet puts one that it has no figures of.
        By default it goes to the back: that *we* have no figure does not mean that the kubelet has none.

    Returns
    -------
    IntArray
        int64, rows of the pods that are not critical, the first victim first.
    """
    rows = np.flatnonzero(~np.asarray(critical, dtype=np.bool_))
    used, requested = working_set_bytes[rows], request_bytes[rows]
    missing = np.isnan(used)
    excess = np.nan_to_num(used - requested, nan=0.0)
    nodes = np.broadcast_to(np.asarray(node), working_set_bytes.shape)[rows]
    order = np.lexsort(
        (np.asarray(key_rank)[rows], -excess, np.asarray(priority)[rows], excess <= 0, missing ^ missing_first, nodes)
    )
    result: IntArray = rows[order].astype(np.int64)
    return result


def badness(
    resident_bytes: npt.ArrayLike,
    swapped_bytes: npt.ArrayLike,
    page_table_bytes: npt.ArrayLike,
    virtual_memory_bytes: npt.ArrayLike,
    adj: npt.ArrayLike,
) -> FloatArray:
    """Score by which the kernel picks a process when it is out of memory; the highest one dies.

    ``(resident + swapped + page tables) / (RAM + swap) x 1000 + oom_score_adj``. When a container hits its own limit,
    `virtual_memory_bytes` is that limit and only its own processes compete.

    Parameters
    ----------
    resident_bytes, swapped_bytes, page_table_bytes
        float64, of the process; for a VM that is QEMU.
    virtual_memory_bytes
        float64, > 0: RAM plus swap of the node.
    adj
        float64, `oom_score_adj`.

    Returns
    -------
    FloatArray
        -1000..2000; NaN where any input is NaN; minus infinity for -1000, which the kernel never kills.
    """
    held = np.asarray(resident_bytes, dtype=np.float64) + np.asarray(swapped_bytes) + np.asarray(page_table_bytes)
    adjust = np.asarray(adj, dtype=np.float64)
    score = held / np.asarray(virtual_memory_bytes, dtype=np.float64) * 1000 + adjust
    result: FloatArray = np.where(adjust == NEVER_KILLED_ADJ, -np.inf, score)
    return result


def kill_order(score: FloatArray, key_rank: npt.ArrayLike, *, node: npt.ArrayLike = 0) -> IntArray:
    """Order in which the kernel would kill.

    Parameters
    ----------
    score
        float64 (P,), `badness`. Minus infinity is left out; NaN goes last.
    key_rank
        int (P,), unique, breaks ties.
    node
        int (P,) or scalar; the result is grouped by node, ascending.

    Returns
    -------
    IntArray
        int64, rows, the first victim first.
    """
    rows = np.flatnonzero(score != -np.inf)
    nodes = np.broadcast_to(np.asarray(node), score.shape)[rows]
    # NaN sorts last, also after negation.
    order = np.lexsort((np.asarray(key_rank)[rows], -score[rows], nodes))
    result: IntArray = rows[order].astype(np.int64)
    return result


class EvictionThreshold(msgspec.Struct, frozen=True, gc=False):
    """A threshold on ``memory.available``: bytes, or a ratio of the node's capacity (0..1); one of the two is ``None``."""

    absolute_bytes: float | None = None
    ratio: float | None = None

    @classmethod
    def parse(cls, text: str) -> EvictionThreshold:
        """Threshold from ``100Mi`` or ``5%``.

        Raises
        ------
        ConfigError
            Neither a quantity >= 0 nor a percentage within 0..100.
        """
        path, hint = "evictionHard[memory.available]", "write it as 100Mi or 5%"
        percent = text.strip().removesuffix("%")
        try:
            value = to_float(percent)
        except QuantityError as error:
            raise ConfigError(path, f"{text!r} is neither a quantity nor a percentage", hint) from error
        relative = percent != text.strip()
        if value < 0 or (relative and value > 100):
            raise ConfigError(path, f"{text!r} is out of range", hint)
        return cls(ratio=value / 100) if relative else cls(absolute_bytes=value)

    def bytes_of(self, capacity_bytes: npt.ArrayLike) -> FloatArray:
        """Threshold in bytes on nodes of `capacity_bytes`, cut to whole bytes; NaN for an unknown capacity."""
        capacity = np.asarray(capacity_bytes, dtype=np.float64)
        if self.ratio is not None:
            return np.trunc(capacity * self.ratio)
        result: FloatArray = np.where(np.isnan(capacity), np.nan, float(self.absolute_bytes or 0.0))
        return result


DEFAULT_HARD: Final = EvictionThreshold(absolute_bytes=100.0 * 2**20)
"""``memory.available<100Mi``, the kubelet's default on Linux; there is no soft threshold by default."""


def eviction_distance_bytes(
    capacity_bytes: npt.ArrayLike, working_set_bytes: npt.ArrayLike, threshold: EvictionThreshold = DEFAULT_HARD
) -> FloatArray:
    """How far a node is from evicting: ``capacity - working set - threshold``; below 0 the kubelet evicts now.

    The kubelet does not look at swap: it evicts before the kernel has swapped much (kubernetes#120800). NaN where unknown.
    """
    capacity = np.asarray(capacity_bytes, dtype=np.float64)
    distance: FloatArray = capacity - np.asarray(working_set_bytes, dtype=np.float64) - threshold.bytes_of(capacity)
    return distance


def pressure_left_seconds(
    seconds_since_observed: npt.ArrayLike, transition_seconds: float = PRESSURE_SECONDS
) -> FloatArray:
    """How long the condition MemoryPressure still stands after the threshold was last met; 0 once it is over.

    Meanwhile the node carries ``node.kubernetes.io/memory-pressure:NoSchedule`` and the kubelet refuses BestEffort pods. A node
    that has never been under pressure is passed as infinity; NaN gives NaN.
    """
    left: FloatArray = np.maximum(transition_seconds - np.asarray(seconds_since_observed, dtype=np.float64), 0.0)
    return left


def memory_high_bytes(
    qos: npt.ArrayLike,
    request_bytes: npt.ArrayLike,
    ceiling_bytes: npt.ArrayLike,
    throttling_ratio: float = 0.9,
    page_bytes: int = PAGE_BYTES,
) -> FloatArray:
    """``memory.high`` that MemoryQoS sets (alpha until 1.36, off by default): above it the kernel reclaims, into swap if any.

    ``floor((request + ratio x (ceiling - request)) / page) x page``.

    Parameters
    ----------
    qos
        int, `QoS`; Guaranteed gets none.
    request_bytes
        float64, memory request of the container; 0 if none.
    ceiling_bytes
        float64, its memory limit, or the node's allocatable memory without one.
    throttling_ratio
        ``memoryThrottlingFactor``, 0..1.

    Returns
    -------
    FloatArray
        Bytes; infinity where none is set (Guaranteed, or not above the request).
    """
    request = np.asarray(request_bytes, dtype=np.float64)
    ceiling = np.asarray(ceiling_bytes, dtype=np.float64)
    high = np.floor((request + throttling_ratio * (ceiling - request)) / page_bytes) * page_bytes
    unset = (np.asarray(qos) == QoS.GUARANTEED) | (high <= request)
    result: FloatArray = np.where(unset, np.inf, high)
    return result


class Protection(msgspec.Struct, frozen=True):
    """``memory.min`` and ``memory.low`` of containers, float64 bytes, 0 where not set."""

    min_bytes: FloatArray
    low_bytes: FloatArray


def tiered_reservation(qos: npt.ArrayLike, request_bytes: npt.ArrayLike) -> Protection:
    """What MemoryQoS protects with ``memoryReservationPolicy: TieredReservation``; the default policy protects nothing.

    Guaranteed: the request is never reclaimed (``memory.min``). Burstable: it is reclaimed last (``memory.low``).
    """
    classes, request = np.asarray(qos), np.asarray(request_bytes, dtype=np.float64)
    return Protection(
        min_bytes=np.where(classes == QoS.GUARANTEED, request, 0.0),
        low_bytes=np.where(classes == QoS.BURSTABLE, request, 0.0),
    )


class QoSCeilings(msgspec.Struct, frozen=True):
    """Memory limits of the kubelet's QoS cgroups on each node, float64 bytes."""

    burstable_bytes: FloatArray
    best_effort_bytes: FloatArray


def qos_reserved(
    allocatable_bytes: npt.ArrayLike,
    guaranteed_bytes: npt.ArrayLike,
    burstable_bytes: npt.ArrayLike,
    reserved_ratio: float,
) -> QoSCeilings:
    """Ceilings under ``qosReserved: memory`` (feature gate QOSReserved, alpha).

    Burstable pods together get what is allocatable less the reserved share of Guaranteed requests; BestEffort pods get that
    less the reserved share of Burstable requests.

    Parameters
    ----------
    allocatable_bytes, guaranteed_bytes, burstable_bytes
        float64 (N,): allocatable memory, and the sums of requests of the two classes.
    reserved_ratio
        0..1, in steps of 0.01: the kubelet takes whole percent and divides integers.
    """
    percent = round(reserved_ratio * 100)
    burstable = np.asarray(allocatable_bytes, dtype=np.float64) - np.asarray(guaranteed_bytes) * percent // 100
    best_effort = burstable - np.asarray(burstable_bytes) * percent // 100
    return QoSCeilings(burstable_bytes=burstable, best_effort_bytes=best_effort)
