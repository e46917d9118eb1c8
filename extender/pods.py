"""What a pod's manifest, or a client's description of it, says that bears on a decision."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from extender.verbs import PodRequest
from ullage.api.v1 import scheduling_pb2 as pb
from ullage.model.resources import CPU, MEMORY
from ullage.sources.objects import (
    Int32,
    KubernetesObject,
    ObjectMeta,
    OwnerReference,
    Pod,
    PodSpec,
    Quantities,
    Resources,
    Wire,
)
from ullage.sources.pod_resources import PodResources, priority_of, resources_of

_APP: Final = "kubevirt.io"
_DOMAIN: Final = "kubevirt.io/domain"
_CREATED_BY: Final = "kubevirt.io/created-by"
_MIGRATION_JOB: Final = "kubevirt.io/migrationJobUID"
_LAUNCHER: Final = "virt-launcher"
_VMI: Final = "VirtualMachineInstance"
_NO_OWNER: Final = OwnerReference()
_ENCODER: Final = msgspec.json.Encoder()
_SPEC: Final = msgspec.json.Decoder(PodSpec)


class Container(Wire):
    """What of a container bears on what a pod asks for."""

    resources: Resources | None = None
    restart_policy: str | None = None


class Spec(Wire, omit_defaults=True):
    """What of a spec bears on what a pod asks for: of pods that are alike, it is the same."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    resources: Resources | None = None
    overhead: Quantities | None = None
    priority: Int32 | None = None
    priority_class_name: str | None = None


class Manifest(KubernetesObject):
    """v1 Pod, as far as a decision depends on it."""

    spec: Spec = msgspec.field(default_factory=Spec)


def pod_request(pod: Manifest) -> PodRequest:
    """A pod from its manifest. A quantity that cannot be read counts as missing."""
    asked = _asked(_ENCODER.encode(pod.spec))
    owner = next((each for each in pod.owners if each.controller), _NO_OWNER)
    labels = pod.labels
    return PodRequest(
        uid=pod.uid,
        namespace=pod.namespace,
        name=pod.name,
        labels=labels,
        owner_kind=owner.kind,
        owner_name=owner.name,
        requests_cpu_cores=asked.resources.requests.get(CPU, 0.0),
        requests_memory_bytes=asked.resources.requests.get(MEMORY, 0.0),
        limits_cpu_cores=asked.resources.limits.get(CPU),
        limits_memory_bytes=asked.resources.limits.get(MEMORY),
        priority=asked.priority,
        domain=_domain(labels, pod.annotations, owner.kind, owner.name),
        created_by=labels.get(_CREATED_BY, ""),
        migration_job_uid=labels.get(_MIGRATION_JOB, ""),
    )


class _Asked(NamedTuple):
    resources: PodResources
    priority: int


@lru_cache(maxsize=256)
def _asked(spec: bytes) -> _Asked:
    """What a pod asks for by its spec: the pods of a workload are alike, and quantities take long to read."""
    pod = Pod(metadata=ObjectMeta(name="any"), spec=_SPEC.decode(spec))
    return _Asked(resources_of(pod, _ignore, is_static=False), priority_of(pod))


def described_pod(described: pb.Pod) -> PodRequest:
    """A pod as a gRPC client describes it."""
    labels, annotations = dict(described.labels), dict(described.annotations)
    return PodRequest(
        uid=described.uid,
        namespace=described.namespace,
        name=described.name,
        labels=labels,
        owner_kind=described.owner_kind,
        owner_name=described.owner_name,
        requests_cpu_cores=described.requests_cpu_cores,
        requests_memory_bytes=described.requests_memory_bytes,
        limits_cpu_cores=described.limits_cpu_cores if described.HasField("limits_cpu_cores") else None,
        limits_memory_bytes=described.limits_memory_bytes if described.HasField("limits_memory_bytes") else None,
        priority=described.priority,
        domain=_domain(labels, annotations, described.owner_kind, described.owner_name),
        created_by=labels.get(_CREATED_BY, ""),
        migration_job_uid=labels.get(_MIGRATION_JOB, ""),
    )


def _domain(labels: dict[str, str], annotations: dict[str, str], owner_kind: str, owner_name: str) -> str:
    """Name of the VMI of a launcher pod; empty for other pods."""
    if labels.get(_APP) != _LAUNCHER and owner_kind != _VMI:
        return ""
    return annotations.get(_DOMAIN) or (owner_name if owner_kind == _VMI else "")


def _ignore(complaint: str) -> None:
    """Who scheduled the pod has read its quantities already: there is nobody to complain to."""
