"""A sink that keeps objects by name, as a store does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

import msgspec

from ullage.sources.kube_api.clock import Clock
from ullage.sources.watched import Resource, Verb


class Meta(msgspec.Struct):
    name: str
    uid: str
    namespace: str = ""
    labels: dict[str, str] | None = None


class Object(msgspec.Struct):
    metadata: Meta


Held = dict[tuple[str, str], tuple[str, dict[str, str]]]


class MemorySink:
    """Objects by namespace and name: uid and labels. What does not parse is put aside."""

    def __init__(self, clock: Clock) -> None:
        self.objects: Held = {}
        self.quarantined = 0
        self.calls: list[str] = []
        self.changed_at_seconds = 0.0
        self._clock = clock
        self._changed = threading.Condition()

    def replace(self, _: Resource, objects: Iterable[bytes | msgspec.Raw]) -> None:
        before, self.quarantined = self.quarantined, 0
        found: Held = {}
        try:
            for raw in objects:
                self._put(found, raw)
        except Exception:
            self.quarantined = before
            raise
        with self._changed:
            self.objects = found
            self._note("replace")

    def change(self, _: Resource, verb: Verb, raw: bytes | msgspec.Raw) -> None:
        with self._changed:
            if verb is Verb.DELETED:
                meta = msgspec.json.decode(raw, type=Object).metadata
                if self.objects.get((meta.namespace, meta.name), ("", {}))[0] == meta.uid:
                    del self.objects[meta.namespace, meta.name]
            else:
                self._put(self.objects, raw)
            self._note(verb.value)

    def forget(self, _: Resource) -> None:
        with self._changed:
            self.objects = {}
            self._note("forget")

    def comes_to(self, holds: Callable[[], bool], timeout_seconds: float = 10.0) -> bool:
        """Wait until something holds; it is looked at after every change."""
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            while not holds():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 0.1))
        return True

    def _note(self, what: str) -> None:
        self.calls.append(what)
        self.changed_at_seconds = self._clock.monotonic()
        self._changed.notify_all()

    def _put(self, held: Held, raw: bytes | msgspec.Raw) -> None:
        try:
            meta = msgspec.json.decode(raw, type=Object).metadata
        except msgspec.DecodeError:
            self.quarantined += 1
        else:
            held[meta.namespace, meta.name] = meta.uid, meta.labels or {}
