"""Typed objects cut down to what decisions need, with equal parts shared between objects.

Rows that are read from a slim object equal those of the whole one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from sys import intern
from typing import Any, Final, TypeVar

import msgspec

from ullage.sources.constraints import without_fields
from ullage.sources.guest_memory import OVERHEAD
from ullage.sources.kubevirt_objects import (
    MachineStatus,
    MachineVolume,
    MigrationStatus,
    VirtualMachineInstance,
    VirtualMachineInstanceMigration,
)
from ullage.sources.launchers import DOMAIN
from ullage.sources.machines import CONDITIONS as MACHINE_CONDITIONS
from ullage.sources.nodes import CONDITIONS as NODE_CONDITIONS
from ullage.sources.objects import (
    ClaimReference,
    ClaimSource,
    Condition,
    KubernetesObject,
    Node,
    ObjectMeta,
    OwnerReference,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodSpec,
    PodStatus,
    Present,
    Volume,
)
from ullage.sources.pool import Pool
from ullage.sources.volumes import TOPOLOGY
from ullage.sources.workloads import ANNOTATIONS, controller_kind, has_ended, is_launcher

Part = TypeVar("Part")
Object = TypeVar("Object", bound=KubernetesObject)

_ENCODER: Final = msgspec.json.Encoder()
_KEPT: Final = ANNOTATIONS | {DOMAIN, OVERHEAD}
_PRESENT: Final = Present()
_LOCAL: Final = Volume(empty_dir=_PRESENT)
_PARTS: Final = (
    "containers",
    "init_containers",
    "resources",
    "overhead",
    "priority",
    "node_selector",
    "affinity",
    "tolerations",
    "topology_spread_constraints",
)
"""Parts of the spec of a pod that other pods have, too, each without the others: rows are read by their identity."""


class Slimmer:
    """Makes objects small. The ones that it is given are used up; what it gives shares parts that must not be changed."""

    def __init__(self) -> None:
        self._pools: defaultdict[type | str, Pool[Any]] = defaultdict(Pool)
        self._by_kind: dict[type[KubernetesObject], Callable[[Any], KubernetesObject]] = {
            Pod: self._pod,
            Node: self._node,
            PersistentVolume: self._volume,
            PersistentVolumeClaim: self._claim,
            VirtualMachineInstance: self._machine,
            VirtualMachineInstanceMigration: self._migration,
        }

    def slim(self, found: KubernetesObject) -> KubernetesObject:
        """The object with only what is needed."""
        make = self._by_kind.get(type(found))
        if make is not None:
            return make(found)
        found.metadata = self._meta(found.metadata, labels=found.metadata.labels)
        return found

    def _pod(self, pod: Pod) -> Pod:
        status = pod.status = pod.status or PodStatus()
        if has_ended(pod):
            return Pod(metadata=self._meta(pod.metadata, with_uid=True), status=PodStatus(phase=_one(status.phase)))
        pod.spec = self._pod_spec(pod)
        pod.metadata = self._meta(pod.metadata, labels=pod.metadata.labels, annotations=_KEPT, with_uid=True)
        status.phase, status.qos_class = _one(status.phase), _one(status.qos_class)
        return pod

    def _pod_spec(self, pod: Pod) -> PodSpec:
        spec = pod.spec
        if controller_kind(pod) == "DaemonSet" and not is_launcher(pod):
            # The one field by which the pods of a DaemonSet differ is left out of their placement, too.
            spec.affinity = without_fields(spec).affinity
        for name in _PARTS:
            part = getattr(spec, name)
            if part is not None:
                setattr(spec, name, self._share(part, name))
        spec.node_name, spec.volumes = _one(spec.node_name), self._volumes(spec.volumes)
        spec.priority_class_name = _one(spec.priority_class_name)
        return spec

    def _volumes(self, volumes: list[Volume] | None) -> list[Volume] | None:
        if not volumes:
            return None
        kept = [_mount(each) for each in volumes if each.persistent_volume_claim or each.ephemeral]
        kept += [_LOCAL for each in volumes if each.empty_dir or each.host_path][:1]
        return self._share(kept) if kept else None

    def _machine(self, machine: VirtualMachineInstance) -> VirtualMachineInstance:
        spec, volumes = machine.spec, machine.spec.volumes
        spec.volumes = None
        template = self._share(spec)
        kept = [_disk(each) for each in volumes or () if _matters(each)]
        return VirtualMachineInstance(
            metadata=self._meta(machine.metadata, annotations=_KEPT, with_uid=True),
            spec=msgspec.structs.replace(template, volumes=kept) if kept else template,
            status=self._machine_status(machine.status),
        )

    def _machine_status(self, status: MachineStatus) -> MachineStatus:
        return MachineStatus(
            node_name=_one(status.node_name),
            phase=_one(status.phase),
            conditions=self._conditions(status.conditions, MACHINE_CONDITIONS, with_reason=True),
            migration_state=status.migration_state,
            active_pods=tuple(status.active_pods or ()),  # only the uids matter
            evacuation_node_name=_one(status.evacuation_node_name),
            memory=self._share(status.memory),
            current_cpu_topology=self._share(status.current_cpu_topology),
        )

    def _migration(self, migration: VirtualMachineInstanceMigration) -> VirtualMachineInstanceMigration:
        status = migration.status or MigrationStatus()
        status.phase = _one(status.phase)
        migration.metadata = self._meta(migration.metadata)
        return migration

    def _node(self, node: Node) -> Node:
        node.metadata = self._meta(node.metadata, labels=node.metadata.labels, with_uid=True)
        if node.status is not None:
            node.status.conditions = self._conditions(node.status.conditions, NODE_CONDITIONS)
            node.status.allocatable = self._share(node.status.allocatable)
            node.status.capacity = self._share(node.status.capacity)
            node.status.node_info = self._share(node.status.node_info)
        return node

    def _volume(self, volume: PersistentVolume) -> PersistentVolume:
        labels = {key: value for key, value in volume.labels.items() if key in TOPOLOGY}
        volume.metadata = self._meta(volume.metadata, labels=labels or None)
        if volume.spec is not None:
            volume.spec.claim_ref = _reference(volume.spec.claim_ref)
            volume.spec.node_affinity = self._share(volume.spec.node_affinity)
        return volume

    def _claim(self, claim: PersistentVolumeClaim) -> PersistentVolumeClaim:
        claim.metadata = self._meta(claim.metadata)
        return claim

    def _conditions(
        self, conditions: list[Condition] | None, types: Collection[str], *, with_reason: bool = False
    ) -> list[Condition]:
        kept = [each for each in conditions or () if each.type in types]
        for each in kept:
            each.last_heartbeat_time = None
            if not with_reason:
                each.reason = each.message = None
        return self._share(kept)

    def _meta(
        self,
        meta: ObjectMeta,
        *,
        labels: dict[str, str] | None = None,
        annotations: frozenset[str] = frozenset(),
        with_uid: bool = False,
    ) -> ObjectMeta:
        """Metadata with these labels and annotations only; the version tells objects apart where no state shows uids."""
        if not with_uid:
            meta.name, meta.uid = intern(meta.name), None
        meta.namespace = _one(meta.namespace)
        meta.labels = self._texts(labels)
        if meta.annotations:
            kept = {key: value for key, value in meta.annotations.items() if key in annotations}
            meta.annotations = self._texts(kept)
        meta.owner_references = self._owners(meta.owner_references)
        return meta

    def _owners(self, owners: list[OwnerReference] | None) -> list[OwnerReference] | None:
        if not owners:
            return None
        for each in owners:
            each.uid = ""
        key = _ENCODER.encode(owners)
        pool = self._pools["owners"]
        found: list[OwnerReference] | None = pool.get(key)
        if found is None:
            for each in owners:
                each.kind, each.name = intern(each.kind), intern(each.name)
            found = pool.put(key, owners)
        return found

    def _texts(self, texts: dict[str, str] | None) -> dict[str, str] | None:
        """A map of names whose texts are shared; an empty one is none."""
        if not texts:
            return None
        key = _ENCODER.encode(texts)
        pool = self._pools[dict]
        found: dict[str, str] | None = pool.get(key)
        if found is None:
            found = pool.put(key, {intern(name): intern(value) for name, value in texts.items()})
        return found

    def _share(self, part: Part, name: str = "") -> Part:
        """An equal part of an object that came before, else this one; parts of one name are shared with each other."""
        if part is None:
            return part
        found: Part = self._pools[name or type(part)].share(_ENCODER.encode(part), part)
        return found


def _one(text: str | None) -> str | None:
    """The one string of this text."""
    return text if text is None else intern(text)


def _mount(volume: Volume) -> Volume:
    claim = _source(volume.persistent_volume_claim)
    return (
        Volume(name=volume.name, persistent_volume_claim=claim, ephemeral=_PRESENT)
        if volume.ephemeral
        else Volume(persistent_volume_claim=claim)
    )


def _source(claim: ClaimSource | None) -> ClaimSource | None:
    # Pods, VMIs, claims and volumes name the same claims.
    return claim and ClaimSource(claim_name=intern(claim.claim_name))


def _reference(claim: ClaimReference | None) -> ClaimReference | None:
    return claim and ClaimReference(namespace=_one(claim.namespace), name=_one(claim.name))


def _matters(volume: MachineVolume) -> bool:
    return bool(volume.persistent_volume_claim or volume.data_volume or volume.downward_metrics)


def _disk(volume: MachineVolume) -> MachineVolume:
    return MachineVolume(
        persistent_volume_claim=_source(volume.persistent_volume_claim),
        data_volume=volume.data_volume,
        downward_metrics=volume.downward_metrics,
    )
