"""Where a pod's volumes tie it to: node affinity and zone labels of the volumes behind its claims."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ullage.model.labels import Requirement
from ullage.model.placement import NodeTerm
from ullage.sources.collection import Collection
from ullage.sources.kubevirt_objects import VirtualMachineInstance
from ullage.sources.notes import NoteBook
from ullage.sources.objects import PersistentVolume, PersistentVolumeClaim, Pod
from ullage.sources.selectors import node_terms

_TOPOLOGY: Final = {
    "topology.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}
_NO_TOPOLOGY: Final = NodeTerm(labels=tuple(Requirement(key, "DoesNotExist") for key in sorted(_TOPOLOGY)))


class Volumes:
    """Node terms by claim.

    Parameters
    ----------
    objects
        PersistentVolumes and PersistentVolumeClaims; a claim or volume that is not there ties nothing.
    notes
        Takes claims without volume.
    """

    def __init__(self, objects: Collection, notes: NoteBook) -> None:
        self._notes = notes
        terms = {volume.name: _terms(volume) for volume in objects.of(PersistentVolume)}
        bound = _bound(objects)
        self._terms = {claim: terms[volume] for claim, volume in bound.items() if volume in terms}

    def terms(self, namespace: str, claims: Iterable[str], *, matter: bool = True) -> tuple[tuple[NodeTerm, ...], ...]:
        """Node terms of `claims` in `namespace`, each an entry of `Placement.node_terms`; sorted, without duplicates.

        A claim without its volume is noted if it could `matter`.
        """
        found: set[tuple[NodeTerm, ...]] = set()
        for claim in claims:
            terms = self._terms.get((namespace, claim))
            if terms is None and matter:
                self._notes.add("volume-unknown", f"{namespace}/{claim}")
            found.update(terms or ())
        return tuple(sorted(found, key=repr))


def claims_of(pod: Pod) -> set[str]:
    """Names of the claims that a pod mounts; a generic ephemeral volume's is named after the pod."""
    volumes = pod.spec.volumes or ()
    named = {v.persistent_volume_claim.claim_name for v in volumes if v.persistent_volume_claim}
    return named | {f"{pod.name}-{v.name}" for v in volumes if v.ephemeral}


def machine_claims_of(machine: VirtualMachineInstance) -> set[str]:
    """Names of the claims that a VMI mounts, hotplugged ones too; a data volume's claim has its name."""
    volumes = machine.spec.volumes or ()
    named = {v.persistent_volume_claim.claim_name for v in volumes if v.persistent_volume_claim}
    return named | {v.data_volume.name for v in volumes if v.data_volume}


def _bound(objects: Collection) -> dict[tuple[str, str], str]:
    bound = {}
    for volume in objects.of(PersistentVolume):
        claim = volume.spec.claim_ref if volume.spec else None
        if claim and claim.name:
            bound[claim.namespace or "", claim.name] = volume.name
    for each in objects.of(PersistentVolumeClaim):
        if each.spec and each.spec.volume_name:
            bound[each.namespace, each.name] = each.spec.volume_name
    return bound


def _terms(volume: PersistentVolume) -> tuple[tuple[NodeTerm, ...], ...]:
    affinity = volume.spec.node_affinity if volume.spec else None
    required = affinity.required if affinity else None
    entries = [node_terms(required)] if required else []
    zone = _zone_term(volume.labels)
    if zone.labels:
        # The scheduler's VolumeZone plugin lets a node without any zone or region label pass.
        entries.append((zone, _NO_TOPOLOGY))
    return tuple(entries)


def _zone_term(labels: dict[str, str]) -> NodeTerm:
    found = {
        Requirement(key, "In", tuple(sorted(set(labels[label].split("__")))))
        for label, key in _TOPOLOGY.items()
        if label in labels
    }
    return NodeTerm(labels=tuple(sorted(found, key=repr)))
