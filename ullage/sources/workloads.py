"""Pods of the wire as workload rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ullage.model.placement import Placement
from ullage.model.resources import MEMORY
from ullage.model.state import Owner, WorkloadFlag, WorkloadKind
from ullage.sources.constraints import Placements
from ullage.sources.notes import NoteBook
from ullage.sources.objects import KubernetesObject, OwnerReference, Pod, PodStatus
from ullage.sources.pod_resources import CRITICAL_PRIORITY, PodResources, ResourceReader, priority_of
from ullage.sources.rows import Row
from ullage.sources.wire_values import Complaint, seconds

LAUNCHER_LABEL: Final = "kubevirt.io"
LAUNCHER: Final = "virt-launcher"
EVICTION_IN_PROGRESS: Final = "descheduler.alpha.kubernetes.io/eviction-in-progress"

# request-evict-only sets no flag: KubeVirt puts it on every virt-launcher pod so that others evict it by request only, which
# is how VMs are moved here; on other pods it says the same of an eviction, which asks the API server first in any case.
_ANNOTATIONS: Final = {
    "descheduler.alpha.kubernetes.io/prefer-no-eviction": WorkloadFlag.PREFER_NO_EVICTION,
    "descheduler.alpha.kubernetes.io/evict": WorkloadFlag.EVICT,
    EVICTION_IN_PROGRESS: WorkloadFlag.EVICTION_IN_PROGRESS,
}
_MIRROR: Final = "kubernetes.io/config.mirror"
_SOURCE: Final = "kubernetes.io/config.source"
ANNOTATIONS: Final = frozenset({*_ANNOTATIONS, _MIRROR, _SOURCE})
"""Annotations of pods and VMIs that are looked at here."""

_ENDED: Final = ("Succeeded", "Failed")
_NO_STATUS: Final = PodStatus()


def placed_pods(pods: Iterable[Pod], nodes: Mapping[str, int], notes: NoteBook) -> list[Pod]:
    """Pods that hold something on a known node; ended ones are left out, others that are not placed are noted."""
    placed = []
    for pod in pods:
        if has_ended(pod):
            continue
        if not pod.spec.node_name:
            notes.add("pod-not-placed", pod.key)
        elif pod.spec.node_name not in nodes:
            notes.add("pod-on-unknown-node", pod.key)
        else:
            placed.append(pod)
    return placed


def has_ended(pod: Pod) -> bool:
    """Whether a pod has come to its end and holds nothing any more."""
    return (pod.status or _NO_STATUS).phase in _ENDED


def is_launcher(pod: Pod) -> bool:
    """Whether a pod runs a virtual machine."""
    return pod.labels.get(LAUNCHER_LABEL) == LAUNCHER


class PodReader:
    """Reads pods into rows.

    Parameters
    ----------
    nodes
        Row of each node by name.
    placements
        Gives each pod's placement.
    notes
        Takes what could not be read.
    """

    def __init__(self, nodes: Mapping[str, int], placements: Placements, notes: NoteBook) -> None:
        self._nodes = nodes
        self._placements = placements
        self._notes = notes
        self._resources = ResourceReader()

    def node(self, pod: Pod) -> int:
        """Row of the node that a placed pod is bound to."""
        return self._nodes[pod.spec.node_name or ""]

    def read(self, pod: Pod) -> Row:
        """Row of a placed pod; of a launcher, the row of the pod alone."""
        row = self.read_shell(pod, self._placement(pod))
        row.owner = owner_of(pod)
        row.flags |= _own_flags(pod)
        return row

    def read_shell(self, pod: Pod, placement: Placement) -> Row:
        """Row of a placed pod with what a VM shares with it: no owner, and no flags that only ordinary pods have."""
        is_static = _is_static(pod)
        resources = self._resources.read(pod, self._complain(pod), is_static=is_static)
        return Row(
            kind=WorkloadKind.POD,
            namespace=pod.namespace,
            name=pod.name,
            uid=pod.uid,
            pod=pod.name,
            node=self.node(pod),
            requests=resources.requests,
            limits=resources.limits,
            swap_request_bytes=resources.swap_request_bytes,
            qos=resources.qos,
            priority=priority_of(pod),
            owner=None,
            placement=placement,
            flags=_shared_flags(pod, resources, is_static=is_static),
            labels=pod.labels,
            started_at_seconds=seconds((pod.status or _NO_STATUS).start_time),
        )

    def _placement(self, pod: Pod) -> Placement:
        if is_launcher(pod):
            return self._placements.of_launcher(pod)
        return self._placements.of_pod(pod, is_daemonset=controller_kind(pod) == "DaemonSet")

    def _complain(self, pod: Pod) -> Complaint:
        return lambda message: self._notes.add("malformed-object", f"Pod {pod.key}", message)


def owner_of(found: KubernetesObject) -> Owner | None:
    """Controller of an object, else its first owner; a node, which owns its mirror pods, is none."""
    reference = _controller(found)
    if reference is None or reference.kind == "Node":
        return None
    return Owner(reference.kind, found.namespace, reference.name)


def flags_of(found: Iterable[tuple[WorkloadFlag, object]]) -> int:
    """Bits of the flags that hold."""
    # Enums are slow to add up, and this is done for every workload.
    bits = 0
    for flag, holds in found:
        if holds:
            bits |= flag._value_
    return bits


def _shared_flags(pod: Pod, resources: PodResources, *, is_static: bool) -> int:
    """Flags that are read alike for a pod and for a VMI's launcher pod."""
    return annotation_flags(pod) | flags_of(
        (
            (WorkloadFlag.CRITICAL, priority_of(pod) >= CRITICAL_PRIORITY),
            (WorkloadFlag.TERMINATING, pod.metadata.deletion_timestamp),
            (WorkloadFlag.PENDING, (pod.status or _NO_STATUS).phase == "Pending"),
            (WorkloadFlag.MEMORY_LIMIT, MEMORY in resources.limits),
            (WorkloadFlag.MIRROR, is_static),
            (WorkloadFlag.HOST_DIRECT, resources.has_hugepages),
        )
    )


def annotation_flags(found: KubernetesObject) -> int:
    """Flags that annotations set; their presence counts, whatever they say."""
    present = found.metadata.annotations
    if not present or _ANNOTATIONS.keys().isdisjoint(present):
        return 0
    return flags_of((flag, name in present) for name, flag in _ANNOTATIONS.items())


def _own_flags(pod: Pod) -> int:
    """Flags of pods that are no virtual machines."""
    owners, volumes = pod.metadata.owner_references, pod.spec.volumes
    bits = WorkloadFlag.DAEMONSET._value_ if controller_kind(pod) == "DaemonSet" else 0
    # Without owner, or owned by another pod, as those that attach a launcher's hotplugged disks: nothing brings it back.
    if not owners or all(each.kind == "Pod" for each in owners):
        bits |= WorkloadFlag.BARE._value_
    if volumes and any(each.empty_dir or each.host_path for each in volumes):
        bits |= WorkloadFlag.LOCAL_STORAGE._value_
    return bits


def _is_static(pod: Pod) -> bool:
    annotations = pod.metadata.annotations
    return annotations is not None and (_MIRROR in annotations or annotations.get(_SOURCE, "api") != "api")


def _controller(found: KubernetesObject) -> OwnerReference | None:
    owners = found.metadata.owner_references
    if not owners:
        return None
    return owners[0] if owners[0].controller else next((each for each in owners if each.controller), owners[0])


def controller_kind(pod: Pod) -> str:
    """Kind of the controller of a pod, else of its first owner; empty without one."""
    controller = _controller(pod)
    return controller.kind if controller else ""
