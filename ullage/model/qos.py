"""Quality of service of a pod, by the kubelet's own rule."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import msgspec


class QoS(IntEnum):
    """QoS class of a pod; the higher, the later the kernel kills it."""

    BEST_EFFORT = 0
    BURSTABLE = 1
    GUARANTEED = 2


class ContainerResources(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What one container of a pod requests, and its limits.

    Attributes
    ----------
    name
        The container's name.
    requests_cpu_cores, requests_memory_bytes, limits_cpu_cores, limits_memory_bytes
        Base units, >= 0; ``None`` if not set. Zero means the same as not set, as it does to the kubelet. The API server
        copies a limit into a missing request; values that did not come from it must have this done before.
    init
        An init container.
    restartable_init
        A sidecar: an init container with ``restartPolicy: Always``.
    """

    name: str
    requests_cpu_cores: float | None = None
    requests_memory_bytes: float | None = None
    limits_cpu_cores: float | None = None
    limits_memory_bytes: float | None = None
    init: bool = False
    restartable_init: bool = False


def qos_of(containers: Sequence[ContainerResources]) -> QoS:
    """QoS class of a pod.

    Guaranteed if every container, init containers included, has limits on CPU and memory that equal its requests; BestEffort
    if no container requests or limits either; else Burstable. Other resources (hugepages, devices) do not count. Source:
    ``pkg/apis/core/v1/helper/qos/qos.go`` of Kubernetes 1.36, which compares sums over the containers; as a request never
    exceeds its limit, that is the same. A pod with pod-level resources is judged by them alone: pass these as one container.

    Parameters
    ----------
    containers
        All containers of the pod, in any order; none at all is BestEffort.
    """
    if not any(_amounts(container) for container in containers):
        return QoS.BEST_EFFORT
    return QoS.GUARANTEED if all(map(_is_guaranteed, containers)) else QoS.BURSTABLE


def _amounts(container: ContainerResources) -> bool:
    return bool(
        container.requests_cpu_cores
        or container.requests_memory_bytes
        or container.limits_cpu_cores
        or container.limits_memory_bytes
    )


def _is_guaranteed(container: ContainerResources) -> bool:
    limits = (container.limits_cpu_cores, container.limits_memory_bytes)
    return all(limits) and limits == (container.requests_cpu_cores, container.requests_memory_bytes)
