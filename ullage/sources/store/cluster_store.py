"""The store that lists and watches fill and that publishes states of the cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Final

import msgspec

from ullage.model.state import ClusterState
from ullage.sources.objects import Node
from ullage.sources.store.assembly import Assembly
from ullage.sources.store.shelf import Shelf, identify
from ullage.sources.store.slim import Slimmer
from ullage.sources.watched import PODS, WATCHED, Resource, Verb
from ullage.telemetry.identity import NodeIdentities

_HOSTNAME: Final = "kubernetes.io/hostname"
_OF_ONE_STATE: Final = frozenset({"generation", "observed_at_seconds"})


class ClusterStore:
    """Objects of the cluster as decisions need them, and the states that they make; an `ObjectSink`.

    Every method may be called from any thread; calls for one resource must come one after another. Objects are decoded
    before the lock is taken. An object that cannot be read is put aside: what was known of it does not count any more, and
    the state's notes name it.

    Parameters
    ----------
    departed
        Called with the uid of each pod whose deletion a watch event tells, in the thread that brings it.
    """

    def __init__(self, departed: Callable[[str], None] = lambda _: None) -> None:
        self._lock = threading.Lock()
        self._departed = departed
        self._slimmer = Slimmer()
        self._assembly = Assembly()
        inventory, notes = self._assembly.inventory, self._assembly.notes
        self._shelves = {resource: Shelf(resource, inventory, notes) for resource in WATCHED}
        self._state: ClusterState | None = None

    def replace(self, resource: Resource, objects: Iterable[bytes | msgspec.Raw]) -> None:
        """Take a full list; nothing changes before `objects` has come to its end, nor if it raises.

        Objects are read one by one, so that the list need not be held as a whole.
        """
        shelf = self._shelves[resource]
        found = [shelf.same(shelf.read(raw, self._slimmer)) for raw in objects]
        with self._lock:
            shelf.replace(found)

    def change(self, resource: Resource, verb: Verb, raw: bytes | msgspec.Raw) -> None:
        """Take one event; one that is older than what is known changes nothing."""
        shelf = self._shelves[resource]
        if verb is Verb.DELETED:
            identity = identify(raw)
            with self._lock:
                shelf.delete(identity)
            if resource == PODS and identity.uid:
                self._departed(identity.uid)
            return
        found = shelf.read(raw, self._slimmer)
        with self._lock:
            shelf.take(found)

    def forget(self, resource: Resource) -> None:
        """Drop all objects of a resource."""
        with self._lock:
            self._shelves[resource].replace(())

    def publish(self, now_seconds: float) -> ClusterState:
        """State of the cluster as it is known now, without measures; the last one again if nothing has changed.

        Parameters
        ----------
        now_seconds
            Unix time, which a new state is observed at.
        """
        with self._lock:
            state = self._state
            if state is None or self._assembly.has_news:
                state = self._state = self._next(state, now_seconds)
            return state

    def identities(self) -> NodeIdentities:
        """By which names measures may call the nodes."""
        with self._lock:
            nodes = list(self._assembly.inventory.of(Node).values())
        return NodeIdentities.of({node.name: tuple(_aliases(node)) for node in nodes})

    def counts(self) -> Mapping[Resource, tuple[int, int]]:
        """Objects held, and objects that could not be read, by resource."""
        with self._lock:
            return {resource: shelf.counts() for resource, shelf in self._shelves.items()}

    def _next(self, last: ClusterState | None, now_seconds: float) -> ClusterState:
        found = self._assembly.state(last.generation + 1 if last else 1, now_seconds)
        return found if last is None or not _is_same(last, found) else last


def _is_same(last: ClusterState, found: ClusterState) -> bool:
    """Whether two states say the same: what did not change is the same object."""
    names = (each.name for each in fields(ClusterState) if each.name not in _OF_ONE_STATE)
    pairs = ((getattr(last, name), getattr(found, name)) for name in names)
    return all(before is after or before == after for before, after in pairs)


def _aliases(node: Node) -> Iterator[str]:
    if _HOSTNAME in node.labels:
        yield node.labels[_HOSTNAME]
    for each in (node.status.addresses if node.status else None) or ():
        yield each.address
