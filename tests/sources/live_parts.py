"""Small stand-ins for the store, the windows and the sources of readings of a live source."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import msgspec
import numpy as np

from tests.builders import Cluster
from tests.sources.kube_api.sinks import MemorySink
from ullage.errors import UllageError
from ullage.model.state import ClusterState
from ullage.sources.kube_api.clock import SystemClock
from ullage.sources.watched import Resource, Verb
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import NodeReading, Problem, Readings, Table, WorkloadReading


def comes_to(holds: Callable[[], bool], timeout_seconds: float = 10.0) -> bool:
    """Wait until something holds of a live source, which has nothing that wakes us."""
    nobody, deadline = threading.Event(), time.monotonic() + timeout_seconds
    while not holds() and time.monotonic() < deadline:
        nobody.wait(0.005)
    return holds()


class NodeStore:
    """States of nodes that have nothing but names."""

    def __init__(self) -> None:
        self.sinks: dict[Resource, MemorySink] = {}
        self.looks = 0
        self.pause = threading.Lock()
        self._lock = threading.Lock()
        self._state: ClusterState | None = None
        self._is_new = True

    def replace(self, resource: Resource, objects: Iterable[bytes | msgspec.Raw]) -> None:
        self._of(resource).replace(resource, objects)
        self._is_new = True

    def change(self, resource: Resource, verb: Verb, raw: bytes | msgspec.Raw) -> None:
        self._of(resource).change(resource, verb, raw)
        self._is_new = True

    def forget(self, resource: Resource) -> None:
        self._of(resource).forget(resource)
        self._is_new = True

    def publish(self, now_seconds: float) -> ClusterState:
        with self.pause:
            self.looks += 1
            if self._state is None or self._is_new:
                self._is_new = False
                cluster = Cluster()
                for name in self.identities().names:
                    cluster.node(name)
                self._state = replace(cluster.build(), observed_at_seconds=now_seconds)
            return self._state

    def identities(self) -> NodeIdentities:
        with self._lock:
            found = {name for sink in self.sinks.values() for _, name in list(sink.objects)}
        return NodeIdentities.of(dict.fromkeys(found, ()))

    def counts(self) -> Mapping[Resource, tuple[int, int]]:
        with self._lock:
            return {each: (len(sink.objects), sink.quarantined) for each, sink in self.sinks.items()}

    def _of(self, resource: Resource) -> MemorySink:
        with self._lock:
            return self.sinks.setdefault(resource, MemorySink(SystemClock()))


class CountingWindows:
    """Counts readings; every state says in its sources how many there were."""

    def __init__(self) -> None:
        self.observed: list[Readings] = []
        self.joined: list[tuple[str, ...]] = []
        self.problems: tuple[Problem, ...] = ()
        self.fails = False

    def observe(self, readings: Readings, state: ClusterState) -> None:
        assert len(state.nodes.name) > 0
        self.observed.append(readings)
        self.joined.append(state.nodes.name)
        self.problems = (Problem("missing", f"Reading {len(self.observed)}."),)

    def measured(self, state: ClusterState, now_seconds: float) -> ClusterState:
        if self.fails:
            raise ValueError("a broken invariant")
        return replace(state, sources=(f"{len(self.observed)} readings",), observed_at_seconds=now_seconds)

    def set_aside(self, state: ClusterState, now_seconds: float) -> tuple[tuple[str, str, str], ...]:
        return ((state.nodes.name[0], "missing", f"Seen at {now_seconds > 0}."),)


class ListedSource:
    """A source of readings that answers, or fails, as a test says."""

    def __init__(self, name: str, past: int = 0) -> None:
        self.name = name
        self.fails = ""
        self.forgets = False
        self.fails_to_see = False
        self.asked = 0
        self.meanwhile: list[Callable[[], None]] = []
        self.asked_for_past: list[tuple[float, float]] = []
        self._past = past

    def read(self, nodes: NodeIdentities, now_seconds: float) -> Readings:
        self.asked += 1
        while self.meanwhile:
            self.meanwhile.pop()()
        if self.fails == "bug":
            raise ValueError("a broken invariant")
        if self.fails:
            raise UllageError(self.fails)
        return reading(self.name, now_seconds, *(() if self.fails_to_see else nodes.names))

    def history(self, _: NodeIdentities, start_seconds: float, end_seconds: float) -> Iterator[Readings]:
        if self.fails:
            raise UllageError(self.fails)
        self.asked_for_past.append((start_seconds, end_seconds))
        step = (end_seconds - start_seconds) / max(1, self._past)
        for number in range(self._past):
            yield reading(self.name, start_seconds + number * step)
            if self.forgets:
                raise UllageError("too many samples")


def reading(source: str, at_seconds: float, *nodes: str) -> Readings:
    """One CPU core used on each node."""
    value = np.full((len(nodes), len(NodeReading)), np.nan)
    value[:, NodeReading.CPU_CORES] = 1.0
    table = Table(nodes, value, np.where(np.isnan(value), np.nan, at_seconds))
    nothing = Table.empty(WorkloadReading)
    return Readings(source, at_seconds, table, nothing, nothing)
