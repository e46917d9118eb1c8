"""Pods of the wire as workload rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from ullage.model.placement import Placement
from ullage.model.resources import MEMORY
from ullage.model.state import Owner, WorkloadFlag, WorkloadKind
from ullage.sources.constraints import Placements
from ullage.sources.notes import NoteBook
from ullage.sources.objects import KubernetesObject, OwnerReference, Pod, PodStatus
from ullage.sources.pod_resources import CRITICAL_PRIORITY, PodResources, ResourceReader, priority_of
from ullage.sources.pool import ByIdentity
from ullage.sources.rows import Row
from ullage.sources.wire_values import seconds

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
_NO_LABELS: Final[dict[str, str]] = {}
_NO_PLACEMENT: Final = Placement()


def placed_pods(pods: Iterable[Pod], nodes: Mapping[str, int], notes: NoteBook) -> list[Pod]:
    """Pods that hold something on a known node; ended ones are left out, others that are not placed are noted."""
    return [pod for pod in pods if is_placed(pod, nodes, notes)]


def is_placed(pod: Pod, nodes: Mapping[str, int], notes: NoteBook) -> bool:
    """Whether a pod holds something on a known node; noted if it has not ended and does not."""
    if has_ended(pod):
        return False
    node = pod.spec.node_name
    if not node:
        notes.add("pod-not-placed", pod.key)
        return False
    if node not in nodes:
        notes.add("pod-on-unknown-node", pod.key)
        return False
    return True


def has_ended(pod: Pod) -> bool:
    """Whether a pod has come to its end and holds nothing any more."""
    return (pod.status or _NO_STATUS).phase in _ENDED


def is_launcher(pod: Pod) -> bool:
    """Whether a pod runs a virtual machine."""
    return pod.labels.get(LAUNCHER_LABEL) == LAUNCHER


class _Template(NamedTuple):
    """The row of some pod, and what was wrong with it: both are those of others of its template but for what is their own."""

    row: Row
    complaints: tuple[str, ...]


class PodReader:
    """Reads pods into rows; what pods of one template share is read once.

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
        self._templates: ByIdentity[_Template] = ByIdentity()

    def node(self, pod: Pod) -> int:
        """Row of the node that a placed pod is bound to."""
        return self._nodes[pod.spec.node_name or ""]

    def read(self, pod: Pod) -> Row:
        """Row of a placed pod; of a launcher, the row of the pod alone."""
        controller = _controller(pod)
        kind = controller.kind if controller else ""
        row = self.read_shell(pod, self._placement(pod, kind))
        row.owner = _owner(controller, row.namespace)
        row.flags |= _own_flags(pod, kind)
        return row

    def read_shell(self, pod: Pod, placement: Placement) -> Row:
        """Row of a placed pod with what a VM shares with it: no owner, and no flags that only ordinary pods have."""
        template, meta, status = self._template(pod), pod.metadata, pod.status or _NO_STATUS
        for complaint in template.complaints:
            self._notes.add("malformed-object", f"Pod {pod.key}", complaint)
        row = msgspec.structs.replace(
            template.row,
            namespace=meta.namespace or "",
            name=meta.name,
            uid=meta.uid or "",
            pod=meta.name,
            node=self._nodes[pod.spec.node_name or ""],
            placement=placement,
            labels=meta.labels or _NO_LABELS,
            started_at_seconds=seconds(status.start_time),
        )
        if meta.annotations:
            row.flags |= annotation_flags(pod)
        return row

    def _template(self, pod: Pod) -> _Template:
        spec, status = pod.spec, pod.status or _NO_STATUS
        is_static, is_leaving = _is_static(pod), bool(pod.metadata.deletion_timestamp)
        parts = (
            *(spec.containers, spec.init_containers, spec.resources, spec.overhead),
            *(spec.priority, spec.priority_class_name, status.phase, status.qos_class, is_static, is_leaving),
        )
        found = self._templates.get(parts)
        return found or self._templates.put(parts, self._new_template(pod, is_static=is_static))

    def _new_template(self, pod: Pod, *, is_static: bool) -> _Template:
        complaints: list[str] = []
        resources = self._resources.read(pod, complaints.append, is_static=is_static)
        row = Row(
            kind=WorkloadKind.POD,
            namespace="",
            name="",
            uid="",
            pod="",
            node=-1,
            requests=resources.requests,
            limits=resources.limits,
            swap_request_bytes=resources.swap_request_bytes,
            qos=resources.qos,
            priority=priority_of(pod),
            owner=None,
            placement=_NO_PLACEMENT,
            flags=_shared_flags(pod, resources, is_static=is_static),
            labels=_NO_LABELS,
            started_at_seconds=math.nan,
        )
        return _Template(row, tuple(complaints))

    def _placement(self, pod: Pod, controller: str) -> Placement:
        if is_launcher(pod):
            return self._placements.of_launcher(pod)
        return self._placements.of_pod(pod, is_daemonset=controller == "DaemonSet")


def owner_of(found: KubernetesObject) -> Owner | None:
    """Controller of an object, else its first owner; a node, which owns its mirror pods, is none."""
    return _owner(_controller(found), found.namespace)


def _owner(reference: OwnerReference | None, namespace: str) -> Owner | None:
    if reference is None or reference.kind == "Node":
        return None
    return Owner(reference.kind, namespace, reference.name)


def flags_of(found: Iterable[tuple[WorkloadFlag, object]]) -> int:
    """Bits of the flags that hold."""
    # Enums are slow to add up, and this is done for every workload.
    bits = 0
    for flag, holds in found:
        if holds:
            bits |= flag._value_
    return bits


def _shared_flags(pod: Pod, resources: PodResources, *, is_static: bool) -> int:
    """Flags that are read alike for a pod and for a VMI's launcher pod, but for those of annotations."""
    return flags_of(
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


def _own_flags(pod: Pod, controller: str) -> int:
    """Flags of pods that are no virtual machines; `controller` is the kind of the pod's controller."""
    owners, volumes = pod.metadata.owner_references, pod.spec.volumes
    bits = WorkloadFlag.DAEMONSET._value_ if controller == "DaemonSet" else 0
    # Without owner, or owned by another pod, as those that attach a launcher's hotplugged disks: nothing brings it back.
    if not owners or (controller == "Pod" and all(each.kind == "Pod" for each in owners)):
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
