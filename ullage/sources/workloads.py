"""Pods of the wire as workload rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ullage.model.placement import Placement
from ullage.model.resources import HUGEPAGES_PREFIX, MEMORY
from ullage.model.state import Owner, WorkloadFlag, WorkloadKind
from ullage.sources.constraints import Placements
from ullage.sources.notes import NoteBook
from ullage.sources.objects import KubernetesObject, OwnerReference, Pod, PodStatus
from ullage.sources.pod_resources import CRITICAL_PRIORITY, PodResources, priority_of, resources_of
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

    def node(self, pod: Pod) -> int:
        """Row of the node that a placed pod is bound to."""
        return self._nodes[pod.spec.node_name or ""]

    def read(self, pod: Pod, placement: Placement | None = None) -> Row:
        """Row of a placed pod; of a launcher, the row of the pod alone, unless another `placement` is given."""
        is_static = _is_static(pod)
        resources = resources_of(pod, self._complain(pod), is_static=is_static)
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
            owner=owner_of(pod),
            placement=placement or self._placement(pod),
            flags=int(shared_flags(pod, resources) | _own_flags(pod, resources)),
            labels=pod.labels,
            started_at_seconds=seconds((pod.status or _NO_STATUS).start_time),
        )

    def _placement(self, pod: Pod) -> Placement:
        if is_launcher(pod):
            return self._placements.of_launcher(pod)
        return self._placements.of_pod(pod, is_daemonset=_controller_kind(pod) == "DaemonSet")

    def _complain(self, pod: Pod) -> Complaint:
        return lambda message: self._notes.add("malformed-object", f"Pod {pod.key}", message)


def owner_of(found: KubernetesObject) -> Owner | None:
    """Controller of an object, else its first owner; a node, which owns its mirror pods, is none."""
    reference = _controller(found)
    if reference is None or reference.kind == "Node":
        return None
    return Owner(reference.kind, found.namespace, reference.name)


def shared_flags(pod: Pod, resources: PodResources) -> WorkloadFlag:
    """Flags that are read alike for a pod and for a VMI's launcher pod."""
    flags = annotation_flags(pod)
    status = pod.status or _NO_STATUS
    if priority_of(pod) >= CRITICAL_PRIORITY:
        flags |= WorkloadFlag.CRITICAL
    if pod.metadata.deletion_timestamp:
        flags |= WorkloadFlag.TERMINATING
    if status.phase == "Pending":
        flags |= WorkloadFlag.PENDING
    if MEMORY in resources.limits:
        flags |= WorkloadFlag.MEMORY_LIMIT
    return flags


def annotation_flags(found: KubernetesObject) -> WorkloadFlag:
    """Flags that annotations set; their presence counts, whatever they say."""
    flags = WorkloadFlag(0)
    for annotation in found.annotations.keys() & _ANNOTATIONS.keys():
        flags |= _ANNOTATIONS[annotation]
    return flags


def _own_flags(pod: Pod, resources: PodResources) -> WorkloadFlag:
    """Flags of pods that are no virtual machines."""
    flags = WorkloadFlag(0)
    if _controller_kind(pod) == "DaemonSet":
        flags |= WorkloadFlag.DAEMONSET
    if _is_static(pod):
        flags |= WorkloadFlag.MIRROR
    if all(each.kind == "Pod" for each in pod.owners):
        # No owner, or another pod, as a launcher owns the pods that attach its hotplugged disks: nothing brings it back.
        flags |= WorkloadFlag.BARE
    if any(volume.empty_dir or volume.host_path for volume in pod.spec.volumes or ()):
        flags |= WorkloadFlag.LOCAL_STORAGE
    if any(name.startswith(HUGEPAGES_PREFIX) and value for name, value in resources.requests.items()):
        flags |= WorkloadFlag.HOST_DIRECT
    return flags


def _is_static(pod: Pod) -> bool:
    return _MIRROR in pod.annotations or pod.annotations.get(_SOURCE, "api") != "api"


def _controller(found: KubernetesObject) -> OwnerReference | None:
    owners = found.owners
    return next((each for each in owners if each.controller), owners[0] if owners else None)


def _controller_kind(pod: Pod) -> str:
    controller = _controller(pod)
    return controller.kind if controller else ""
