"""Where a pod's volumes tie it to: node affinity and zone labels of the volumes behind its claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from ullage.model.labels import Requirement
from ullage.model.placement import NodeTerm
from ullage.sources.kubevirt_objects import VirtualMachineInstance
from ullage.sources.notes import NoteBook
from ullage.sources.objects import Key, PersistentVolume, PersistentVolumeClaim, Pod
from ullage.sources.selectors import node_terms

_TOPOLOGY: Final = {
    "topology.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}
TOPOLOGY: Final = frozenset(_TOPOLOGY)
"""Labels of a volume that name its zone or region."""

_NO_TOPOLOGY: Final = NodeTerm(labels=tuple(Requirement(key, "DoesNotExist") for key in sorted(_TOPOLOGY)))

Terms: TypeAlias = tuple[tuple[NodeTerm, ...], ...]


class Volumes:
    """Node terms by claim.

    Parameters
    ----------
    volumes, claims
        Live views of the PersistentVolumes and PersistentVolumeClaims by namespace and name; a claim or volume that is not
        there ties nothing.
    notes
        Takes claims without volume.
    """

    def __init__(
        self, volumes: Mapping[Key, PersistentVolume], claims: Mapping[Key, PersistentVolumeClaim], notes: NoteBook
    ) -> None:
        self._volumes = volumes
        self._claims = claims
        self._notes = notes
        self._bound: dict[Key, str] | None = None

    def look_again(self) -> None:
        """Forget what volumes say of their claims: one of them has changed."""
        self._bound = None

    def terms(self, namespace: str, claims: Iterable[str], *, matter: bool = True) -> Terms:
        """Node terms of `claims` in `namespace`, each an entry of `Placement.node_terms`; sorted, without duplicates.

        A claim without its volume is noted if it could `matter`.
        """
        found: set[tuple[NodeTerm, ...]] = set()
        for claim in claims:
            terms = self._terms(namespace, claim)
            if terms is None and matter:
                self._notes.add("volume-unknown", f"{namespace}/{claim}")
            found.update(terms or ())
        return tuple(sorted(found, key=repr)) if found else ()

    def _terms(self, namespace: str, claim: str) -> Terms | None:
        wire = self._claims.get((namespace, claim))
        # What the claim says goes before what volumes say.
        name = (volume_of(wire) if wire else "") or self._by_claim().get((namespace, claim), "")
        volume = self._volumes.get(("", name))
        return None if volume is None else terms_of(volume)

    def _by_claim(self) -> dict[Key, str]:
        """Volume that says it is bound to a claim; the last one in order of name, if there are several."""
        if self._bound is None:
            # Few claims do not name their volume, so that an index kept all the time would cost more than it gives.
            named = sorted((each.name, claim) for each in self._volumes.values() if (claim := claim_of(each)))
            self._bound = {claim: name for name, claim in named}
        return self._bound


def claims_of(pod: Pod) -> set[str]:
    """Names of the claims that a pod mounts; a generic ephemeral volume's is named after the pod."""
    volumes = pod.spec.volumes
    if not volumes:
        return set()
    named = {v.persistent_volume_claim.claim_name for v in volumes if v.persistent_volume_claim}
    return named | {f"{pod.name}-{v.name}" for v in volumes if v.ephemeral}


def machine_claims_of(machine: VirtualMachineInstance) -> set[str]:
    """Names of the claims that a VMI mounts, hotplugged ones too; a data volume's claim has its name."""
    volumes = machine.spec.volumes
    if not volumes:
        return set()
    named = {v.persistent_volume_claim.claim_name for v in volumes if v.persistent_volume_claim}
    return named | {v.data_volume.name for v in volumes if v.data_volume}


def claim_of(volume: PersistentVolume) -> Key | None:
    """Namespace and name of the claim that a volume says it is bound to."""
    claim = volume.spec.claim_ref if volume.spec else None
    return (claim.namespace or "", claim.name) if claim and claim.name else None


def volume_of(claim: PersistentVolumeClaim) -> str:
    """Name of the volume that a claim says it is bound to; empty without one."""
    return (claim.spec.volume_name if claim.spec else None) or ""


def terms_of(volume: PersistentVolume) -> Terms:
    """Node terms of one volume, by its node affinity and its zone."""
    affinity = volume.spec.node_affinity if volume.spec else None
    required = affinity.required if affinity else None
    entries = [node_terms(required)] if required else []
    zone = _zone_term(volume.labels) if volume.metadata.labels else None
    if zone is not None and zone.labels:
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
