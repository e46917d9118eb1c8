"""Typed objects by kind and name, what they refer to, and what has changed since the last state was made of them."""

from __future__ import annotations

from typing import Final, TypeVar, cast

from ullage.sources.kubevirt_objects import VirtualMachineInstance, VirtualMachineInstanceMigration
from ullage.sources.launchers import Machines, machine_of
from ullage.sources.notes import NoteBook
from ullage.sources.objects import Key, Keys, KubernetesObject, Node, PersistentVolume, PersistentVolumeClaim, Pod
from ullage.sources.volumes import Volumes, claim_of, claims_of, machine_claims_of, volume_of

Object = TypeVar("Object", bound=KubernetesObject)

_OF_CLUSTER: Final = frozenset({Node, PersistentVolume})


class Changes:
    """What has changed: namespaces and names by kind, and claims whose volumes did."""

    def __init__(self) -> None:
        self.objects: dict[type[KubernetesObject], Keys] = {}
        self.claims: set[Key] = set()
        self.volumes: set[str] = set()

    def of(self, kind: type[KubernetesObject]) -> Keys:
        """Objects of a kind that came, changed or went."""
        return self.objects.get(kind, {})

    def add(self, kind: type[KubernetesObject], *keys: Key) -> None:
        """Note that objects of a kind changed."""
        changed = self.objects.setdefault(kind, {})
        for key in keys:
            changed[key] = None

    def __bool__(self) -> bool:
        return bool(self.objects)


class Inventory:
    """Objects by kind, namespace and name.

    Parameters
    ----------
    notes
        Takes claims without volume.
    """

    def __init__(self, notes: NoteBook) -> None:
        self._objects: dict[type[KubernetesObject], dict[Key, KubernetesObject]] = {}
        self._users: dict[Key, tuple[Key, ...]] = {}
        self.machines: Final = Machines(self.of(VirtualMachineInstance))
        self.volumes: Final = Volumes(self.of(PersistentVolume), self.of(PersistentVolumeClaim), notes)
        self.changes = Changes()

    def of(self, kind: type[Object]) -> dict[Key, Object]:
        """Live view of the objects of a kind."""
        return cast("dict[Key, Object]", self._objects.setdefault(kind, {}))

    def sorted_of(self, kind: type[Object]) -> list[Object]:
        """Objects of a kind in order of namespace and name."""
        found = self.of(kind)
        return [found[key] for key in sorted(found)]

    def put(self, found: KubernetesObject) -> None:
        """Take an object in place of the one of its name."""
        self._change(type(found), key_of(found), found)

    def drop(self, kind: type[KubernetesObject], key: Key) -> None:
        """Forget an object, if it is there."""
        if key in self.of(kind):
            self._change(kind, key, None)

    def take_changes(self) -> Changes:
        """What has changed since the last call; pods and VMIs count as changed where the volumes of their claims did."""
        changes, self.changes = self.changes, Changes()
        claims = changes.claims
        if changes.volumes:
            wires = self.of(PersistentVolumeClaim).items()
            claims |= {key for key, claim in wires if volume_of(claim) in changes.volumes}
        users = {user for claim in claims for user in self._users.get(claim, ())}
        for kind in (Pod, VirtualMachineInstance):
            # A user is a pod or a VMI of this name; to read both again does no harm.
            known = self.of(kind)
            changes.add(kind, *(user for user in users if user in known))
        return changes

    def _change(self, kind: type[KubernetesObject], key: Key, new: KubernetesObject | None) -> None:
        objects = self._objects.setdefault(kind, {})
        old = objects.get(key)
        if new is None:
            del objects[key]
        else:
            objects[key] = new
        self.changes.add(kind, key)
        self._follow(kind, key, old, new)

    def _follow(
        self, kind: type[KubernetesObject], key: Key, old: KubernetesObject | None, new: KubernetesObject | None
    ) -> None:
        if kind is Pod:
            self._use(key, _pod_claims(old), _pod_claims(new))
        elif kind is VirtualMachineInstance:
            self.machines.identify(_as(VirtualMachineInstance, old), _as(VirtualMachineInstance, new))
            self._use(key, _machine_claims(old), _machine_claims(new))
        elif kind is VirtualMachineInstanceMigration:
            self._follow_migration(_as(VirtualMachineInstanceMigration, old), _as(VirtualMachineInstanceMigration, new))
        elif kind is PersistentVolume:
            self._follow_volume(key[1], _as(PersistentVolume, old), _as(PersistentVolume, new))
        elif kind is PersistentVolumeClaim:
            self.changes.claims.add(key)

    def _use(self, user: Key, old: set[str], new: set[str]) -> None:
        if not old and not new:
            return
        for claim in old - new:
            rest = list(self._users.pop((user[0], claim)))
            rest.remove(user)
            if rest:
                self._users[user[0], claim] = tuple(rest)
        for claim in new - old:
            self._users[user[0], claim] = (*self._users.get((user[0], claim), ()), user)

    def _follow_migration(
        self, old: VirtualMachineInstanceMigration | None, new: VirtualMachineInstanceMigration | None
    ) -> None:
        self.machines.migrate(old, new)
        self.changes.add(VirtualMachineInstance, *(machine_of(each) for each in (old, new) if each is not None))

    def _follow_volume(self, name: str, old: PersistentVolume | None, new: PersistentVolume | None) -> None:
        self.volumes.look_again()
        self.changes.volumes.add(name)
        self.changes.claims.update(claim for each in (old, new) if each and (claim := claim_of(each)))


def key_of(found: KubernetesObject) -> Key:
    """Namespace and name of an object; objects of the cluster have no namespace, whatever they say."""
    meta = found.metadata
    return "" if type(found) in _OF_CLUSTER else meta.namespace or "", meta.name


def _as(kind: type[Object], found: KubernetesObject | None) -> Object | None:
    return found if isinstance(found, kind) else None


def _pod_claims(found: KubernetesObject | None) -> set[str]:
    return claims_of(found) if isinstance(found, Pod) else set()


def _machine_claims(found: KubernetesObject | None) -> set[str]:
    return machine_claims_of(found) if isinstance(found, VirtualMachineInstance) else set()
