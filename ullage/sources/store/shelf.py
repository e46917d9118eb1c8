"""Objects of one resource: which version of each counts, and which could not be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

from ullage.sources.collection import decoder_of, is_older
from ullage.sources.notes import NoteBook
from ullage.sources.objects import Key, KubernetesObject
from ullage.sources.store.inventory import Inventory, key_of
from ullage.sources.store.slim import Slimmer
from ullage.sources.watched import Resource

_REMEMBERED: Final = 1024
"""Uids of deleted objects that are remembered per resource, so that a late event does not bring one back."""


class Identity(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Which object, and which version of it."""

    name: str = ""
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return self.namespace or "", self.name


class Unreadable(msgspec.Struct, frozen=True, gc=False):
    """An object that could not be decoded, as far as it could be, and why."""

    identity: Identity
    reason: str


class _Envelope(msgspec.Struct, gc=False):
    metadata: Identity = Identity()


Read: TypeAlias = KubernetesObject | Unreadable

_ENVELOPES: Final = msgspec.json.Decoder(_Envelope)


def identify(raw: bytes | msgspec.Raw) -> Identity:
    """Identity of an object; empty if not even that can be read."""
    try:
        return _ENVELOPES.decode(raw).metadata
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return Identity()


class Shelf:
    """Keeps an inventory's objects of one resource true to what is heard of them.

    Parameters
    ----------
    resource
        The resource; its kind must be one that bears on decisions.
    inventory
        Holds the objects.
    notes
        Takes what could not be read.
    """

    def __init__(self, resource: Resource, inventory: Inventory, notes: NoteBook) -> None:
        decoder = decoder_of(resource.group, resource.kind)
        if decoder is None:
            raise ValueError(f"objects of {resource.name} bear on no decision")
        self.resource = resource
        self._decoder = decoder
        self._kind: type[KubernetesObject] = decoder.type
        self._inventory = inventory
        self._notes = notes
        self._held = inventory.of(self._kind)
        self._unreadable: dict[Key, Identity] = {}
        self._deleted: dict[str, None] = {}

    def counts(self) -> tuple[int, int]:
        """Objects held, and objects that could not be read."""
        return len(self._held), len(self._unreadable)

    def read(self, raw: bytes | msgspec.Raw, slimmer: Slimmer) -> Read:
        """The object, slim; it does not look at what is held, and needs no lock."""
        try:
            return slimmer.slim(self._decoder.decode(raw))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            return Unreadable(identify(raw), str(error))

    def take(self, found: Read) -> None:
        """Take an object as an event brings it, unless a newer version is known, or that it was deleted."""
        identity = _identity(found)
        if not self._is_past(identity):
            self._put(identity.key, self.same(found))

    def delete(self, identity: Identity) -> None:
        """Forget an object as an event demands, unless another one has its name by now."""
        known = self._known(identity.key)
        if identity.uid:
            self._deleted[identity.uid] = None
            if len(self._deleted) > _REMEMBERED:
                del self._deleted[next(iter(self._deleted))]
        is_another = bool(known and known.uid and identity.uid and known.uid != identity.uid)
        if known and not is_another and not is_older(identity.resource_version, known.resource_version):
            self._drop(identity.key)

    def replace(self, found: Iterable[Read]) -> None:
        """Take a full list: what is not in it is gone, and what is in it counts, whatever was known before."""
        newest: dict[Key, Read] = {}
        for each in found:
            key = _key(each)
            present = newest.get(key)
            if present is None or not is_older(_version(each), _version(present)):
                newest[key] = each
        for key in [key for key in (*self._held, *self._unreadable) if key not in newest]:
            self._drop(key)
        self._deleted.clear()
        for key, each in newest.items():
            self._put(key, each)

    def same(self, found: Read) -> Read:
        """The object that is held, if `found` says the same of it; it takes the version of `found`."""
        if isinstance(found, Unreadable):
            return found
        held = self._held.get(key_of(found))
        if held is None or not _says_the_same(held, found):
            return found
        held.metadata.resource_version = found.metadata.resource_version
        return held

    def _put(self, key: Key, found: Read) -> None:
        if isinstance(found, Unreadable):
            self._drop(key)
            self._unreadable[key] = found.identity
            self._notes.about((self._kind, key))
            self._notes.add("malformed-object", self._name(found.identity), found.reason)
            return
        self._release(key)
        if self._held.get(key) is not found:
            self._inventory.put(found)

    def _drop(self, key: Key) -> None:
        self._release(key)
        self._inventory.drop(self._kind, key)

    def _release(self, key: Key) -> None:
        if self._unreadable and self._unreadable.pop(key, None) is not None:
            self._notes.about((self._kind, key))

    def _known(self, key: Key) -> Identity | None:
        held = self._held.get(key)
        return self._unreadable.get(key) if held is None else _identity(held)

    def _is_past(self, identity: Identity) -> bool:
        if identity.uid in self._deleted:
            return True
        known = self._known(identity.key)
        return known is not None and is_older(identity.resource_version, known.resource_version)

    def _name(self, identity: Identity) -> str:
        if not identity.name:
            return f"{self.resource.kind} without a name"
        return f"{self.resource.kind} {'/'.join(part for part in identity.key if part)}"


def _identity(found: Read) -> Identity:
    if isinstance(found, Unreadable):
        return found.identity
    (namespace, name), meta = key_of(found), found.metadata
    return Identity(name, namespace, meta.uid, meta.resource_version)


def _key(found: Read) -> Key:
    return found.identity.key if isinstance(found, Unreadable) else key_of(found)


def _version(found: Read) -> str | None:
    return found.identity.resource_version if isinstance(found, Unreadable) else found.metadata.resource_version


def _says_the_same(held: KubernetesObject, found: KubernetesObject) -> bool:
    """Whether two versions of an object differ in nothing but the version; `found` is nobody else's yet."""
    version, found.metadata.resource_version = found.metadata.resource_version, held.metadata.resource_version
    is_same = held == found
    found.metadata.resource_version = version
    return is_same
