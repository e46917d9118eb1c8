"""What a pod requests and may use, as kube-scheduler and the kubelet count it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import msgspec

from ullage.model.qos import ContainerResources, QoS, qos_of
from ullage.model.resources import CPU, HUGEPAGES_PREFIX, MEMORY, PODS
from ullage.sources.objects import Container, Pod, Resources
from ullage.sources.pool import ByIdentity, Pool
from ullage.sources.wire_values import Complaint, amounts

CRITICAL_PRIORITY: Final = 2_000_000_000
"""Priority from which on a pod is system-critical."""

_ENCODER: Final = msgspec.json.Encoder()
_QOS: Final = {"BestEffort": QoS.BEST_EFFORT, "Burstable": QoS.BURSTABLE, "Guaranteed": QoS.GUARANTEED}
_CLASSES: Final = {"system-cluster-critical": CRITICAL_PRIORITY, "system-node-critical": CRITICAL_PRIORITY + 1000}


class PodResources(NamedTuple):
    """Resources of a pod.

    Attributes
    ----------
    requests
        By resource name, base units, `PODS` included.
    limits
        By resource name; only what every container limits.
    swap_request_bytes
        Memory requests of the containers that LimitedSwap gives swap to.
    qos
        QoS class.
    has_hugepages
        Whether hugepages are requested.
    """

    requests: dict[str, float]
    limits: dict[str, float]
    swap_request_bytes: float
    qos: QoS
    has_hugepages: bool


class _Amounts(NamedTuple):
    name: str
    requests: dict[str, float]
    limits: dict[str, float]
    init: bool = False
    sidecar: bool = False


def priority_of(pod: Pod) -> int:
    """Priority of a pod; from the name of a built-in class where the number is missing, else 0."""
    if pod.spec.priority is not None:
        return pod.spec.priority
    return _CLASSES.get(pod.spec.priority_class_name or "", 0)


def resources_of(pod: Pod, complain: Complaint, *, is_static: bool) -> PodResources:
    """Requests, limits, QoS class and swap share of a pod.

    Requests follow ``PodRequests`` of ``k8s.io/component-helpers/resource``: the sum of containers and sidecars, or what an
    init container needs together with the sidecars started before it, whichever is more; requests of the pod as a whole
    win for CPU, memory and hugepages; RuntimeClass overhead is added. A container's missing request is its limit, else 0.
    Resizes in progress are not looked at.

    Parameters
    ----------
    pod
        The pod.
    complain
        Takes quantities that cannot be read; they count as missing.
    is_static
        A mirror or static pod, which gets no swap.
    """
    spec = pod.spec
    containers = [_container(each, complain) for each in spec.containers or ()]
    init = [_container(each, complain, init=True) for each in spec.init_containers or ()]
    whole = _resources("", spec.resources, complain)
    overhead = amounts(spec.overhead, complain)
    running = containers + [each for each in init if each.sidecar]
    limited = set.intersection(*(set(each.limits) for each in running)) if running else set()
    requests = _total([c.requests for c in containers], [(c.requests, c.sidecar) for c in init])
    limits = _total([c.limits for c in containers], [(c.limits, c.sidecar) for c in init])
    limits = _overruled({name: limits[name] for name in limited}, whole.limits)
    requests = _sum(_overruled(requests, whole.requests), overhead)
    limits = {name: value + overhead.get(name, 0.0) for name, value in limits.items()}
    requests[PODS] = 1.0
    qos = _qos(pod, containers + init, whole)
    swap = 0.0 if is_static or priority_of(pod) >= CRITICAL_PRIORITY else _swap_request(running, qos)
    has_hugepages = any(name.startswith(HUGEPAGES_PREFIX) and value for name, value in requests.items())
    return PodResources(requests, limits, swap, qos, has_hugepages)


class ResourceReader:
    """Reads as `resources_of`, and remembers: pods of one template have the same resources."""

    def __init__(self) -> None:
        self._known: Pool[tuple[PodResources, tuple[str, ...]]] = Pool()
        self._same: ByIdentity[tuple[PodResources, tuple[str, ...]]] = ByIdentity()

    def read(self, pod: Pod, complain: Complaint, *, is_static: bool) -> PodResources:
        """Resources of a pod, which nobody may change; parameters as those of `resources_of`."""
        spec, status = pod.spec, pod.status
        wanted = (spec.containers, spec.init_containers, spec.resources, spec.overhead, status and status.qos_class)
        parts = (*wanted, is_static, priority_of(pod))
        found = self._same.get(parts) or self._same.put(parts, self._equal(parts, pod, is_static=is_static))
        for complaint in found[1]:
            complain(complaint)
        return found[0]

    def _equal(self, parts: tuple[object, ...], pod: Pod, *, is_static: bool) -> tuple[PodResources, tuple[str, ...]]:
        key = _ENCODER.encode(parts)
        found = self._known.get(key)
        if found is None:
            complaints: list[str] = []
            resources = resources_of(pod, complaints.append, is_static=is_static)
            found = self._known.put(key, (resources, tuple(complaints)))
        return found


def _container(container: Container, complain: Complaint, *, init: bool = False) -> _Amounts:
    found = _resources(container.name, container.resources, complain)
    return found._replace(init=init, sidecar=init and container.restart_policy == "Always")


def _resources(name: str, resources: Resources | None, complain: Complaint) -> _Amounts:
    if resources is None:
        return _Amounts(name, {}, {})
    limits = amounts(resources.limits, complain) if resources.limits else {}
    requests = amounts(resources.requests, complain) if resources.requests else {}
    return _Amounts(name, {**limits, **requests}, limits)


def _total(regular: Sequence[dict[str, float]], init: Sequence[tuple[dict[str, float], bool]]) -> dict[str, float]:
    if not init and len(regular) == 1:
        return dict(regular[0])
    total: dict[str, float] = {}
    for each in regular:
        total = _sum(total, each)
    sidecars: dict[str, float] = {}
    highest: dict[str, float] = {}
    for each, is_sidecar in init:
        now = _sum(sidecars, each)
        if is_sidecar:
            sidecars, total = now, _sum(total, each)
        highest = _most(highest, now)
    return _most(total, highest)


def _sum(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {**one, **{name: one.get(name, 0.0) + value for name, value in other.items()}} if other else one


def _most(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {**one, **{name: max(one.get(name, 0.0), value) for name, value in other.items()}} if other else one


def _overruled(own: dict[str, float], whole: dict[str, float]) -> dict[str, float]:
    return {**own, **{n: v for n, v in whole.items() if n in (CPU, MEMORY) or n.startswith(HUGEPAGES_PREFIX)}}


def _qos(pod: Pod, containers: Collection[_Amounts], whole: _Amounts) -> QoS:
    said = _QOS.get((pod.status.qos_class if pod.status else None) or "")
    if said is not None:
        return said
    judged = [whole] if whole.requests else containers
    return qos_of([_judged(each) for each in judged])


def _judged(container: _Amounts) -> ContainerResources:
    return ContainerResources(
        name=container.name,
        requests_cpu_cores=container.requests.get(CPU),
        requests_memory_bytes=container.requests.get(MEMORY),
        limits_cpu_cores=container.limits.get(CPU),
        limits_memory_bytes=container.limits.get(MEMORY),
        init=container.init,
        restartable_init=container.sidecar,
    )


def _swap_request(running: Collection[_Amounts], qos: QoS) -> float:
    # KEP-2400: Burstable pods only; a container whose request is its limit gets none.
    if qos is not QoS.BURSTABLE:
        return 0.0
    wanted = (each.requests.get(MEMORY, 0.0) for each in running if _may_swap(each))
    return math.fsum(wanted)


def _may_swap(container: _Amounts) -> bool:
    return container.requests.get(MEMORY, 0.0) != container.limits.get(MEMORY, math.nan)
