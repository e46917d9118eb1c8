"""A cluster as it is now: watched objects and readings as one state after the other.

Threads: one reflector per resource feeds the store; the poller feeds the windows; the publisher makes a state of both and swaps
one reference. Whoever decides takes that reference and holds no lock.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import msgspec

from ullage.model.state import ClusterState
from ullage.sources.kube_api.reflector import Reflector, Server, Timing
from ullage.sources.polling import Poller, PollTiming
from ullage.sources.ports import Health, KindHealth, ObjectSink, ReadingSource, SetAside
from ullage.sources.store.collector import keep
from ullage.sources.watched import WATCHED, Resource
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import Problem, Readings

_LOG: Final = logging.getLogger(__name__)
_JOIN_SECONDS: Final = 2.0
_FIRST_LOOK_SECONDS: Final = 0.05
"""From one look to the next as long as no state was shown, and none could be wrong."""


class Store(ObjectSink, Protocol):
    """Objects that are watched, and the states that they make."""

    def publish(self, now_seconds: float) -> ClusterState:
        """State without measures; the same value again if nothing has changed."""

    def identities(self) -> NodeIdentities:
        """Names of the nodes."""

    def counts(self) -> Mapping[Resource, tuple[int, int]]:
        """Objects held and put aside, by resource."""


class Windows(Protocol):
    """Readings over time, and the measures that they make; one call at a time."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What of the last reading could not be used, what its source said of it included."""

    def observe(self, readings: Readings, state: ClusterState) -> None:
        """Take one reading, joined by the names of a state."""

    def measured(self, state: ClusterState, now_seconds: float) -> ClusterState:
        """The state with measures."""

    def set_aside(self, state: ClusterState, now_seconds: float) -> tuple[tuple[str, str, str], ...]:
        """Nodes that cannot be judged, each with a code and a sentence."""


@dataclass(frozen=True)
class Parts:
    """What a live source is made of.

    Attributes
    ----------
    server
        The API server.
    store
        Takes objects.
    windows
        Takes readings.
    readings
        Sources of readings in order of preference; may be empty.
    resources
        What is watched.
    """

    server: Server
    store: Store
    windows: Windows
    readings: Sequence[ReadingSource] = ()
    resources: Sequence[Resource] = WATCHED


class LiveTiming(msgspec.Struct, frozen=True, gc=False):
    """Times of a live source.

    Attributes
    ----------
    publish_seconds
        From one look for changes to the next.
    longest_seconds
        Without any change a state is published all the same after so long, so that ages are true.
    watch, poll
        Times of its parts.
    seed
        Of the jitter; replicas should differ.
    """

    publish_seconds: float = 1.0
    longest_seconds: float = 15.0
    watch: Timing = Timing()
    poll: PollTiming = PollTiming()
    seed: int = 0


class LiveSource:
    """`StateSource` of a running cluster.

    Parameters
    ----------
    parts
        What it is made of.
    timing
        Times.
    """

    def __init__(self, parts: Parts, timing: LiveTiming | None = None) -> None:
        self._parts = parts
        self._timing = timing or LiveTiming()
        self._clock = parts.server.connection.clock
        self._stop = threading.Event()
        self._objects_known = threading.Event()
        self._first = threading.Event()
        self._reflectors = tuple(self._reflector(resource) for resource in parts.resources)
        self._poller = Poller(parts.readings, self._clock, parts.store.identities, self._observe, self._timing.poll)
        self._threads = (self._thread(self._publishes, "publish"), self._thread(self._polls, "poll"))
        self._windows_lock = threading.Lock()
        self._has_observed = False
        self._published = threading.Condition()
        self._begun = 0
        self._bare_number = 0
        self._bare: ClusterState | None = None
        self._shown_bare: ClusterState | None = None
        self._shown_at_seconds = -math.inf
        self._shown: tuple[ClusterState | None, tuple[SetAside, ...]] = (None, ())
        self._error = ""

    def start(self) -> None:
        """Begin to follow the cluster."""
        for reflector in self._reflectors:
            reflector.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; a request that no one answers is left to its timeout."""
        self._stop.set()
        self._objects_known.set()
        with self._published:
            self._published.notify_all()
        for reflector in self._reflectors:
            reflector.stop()
        end = self._clock.monotonic() + _JOIN_SECONDS
        for each in self._reflectors:
            each.join(max(0.0, end - self._clock.monotonic()))
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, end - self._clock.monotonic()))

    def current(self) -> ClusterState | None:
        """Newest state, with measures; ``None`` before the first full sync and the first answer (or failure) of telemetry."""
        return self._shown[0]

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the first state; whether it is there."""
        return self._first.wait(timeout_seconds)

    def health(self) -> Health:
        """How well the cluster is known now."""
        counts = self._parts.store.counts()
        kinds = tuple(_counted(each.health(), counts.get(each.resource, (0, 0))) for each in self._reflectors)
        is_synced = all(each.is_synced for each in kinds) and not self._error
        requests = self._parts.server.connection.requests()
        counted = tuple((verb, code, count) for (verb, code), count in sorted(requests.items()))
        return Health(is_synced, kinds, self._poller.health(), self._shown[1], counted)

    def _reflector(self, resource: Resource) -> Reflector:
        parts = self._parts
        return Reflector(resource, parts.server, parts.store, self._timing.watch, self._timing.seed)

    def _thread(self, target: Callable[[], None], name: str) -> threading.Thread:
        return threading.Thread(target=target, name=name, daemon=True)

    def _polls(self) -> None:
        self._objects_known.wait()
        self._poller.run(self._stop)

    def _publishes(self) -> None:
        while not self._stop.is_set():
            try:
                self._publish()
                self._error = ""
            except Exception as error:  # noqa: BLE001  # the state that there is must survive whatever a cluster holds
                _LOG.exception("A state could not be published")
                self._error = f"{type(error).__name__}: {error}"
            self._clock.wait(self._stop, self._look_seconds())

    def _look_seconds(self) -> float:
        is_begun = self._shown_bare is not None or bool(self._error)
        return self._timing.publish_seconds if is_begun else min(_FIRST_LOOK_SECONDS, self._timing.publish_seconds)

    def _publish(self) -> None:
        """Show the newest state if there is anything new."""
        if not all(each.health().is_synced for each in self._reflectors):
            return
        if self._bare is not None and not self._poller.has_asked:
            return  # it is shown with its measures, which are on their way
        now = self._clock.unix()
        self._begun += 1
        bare = self._parts.store.publish(now)
        with self._published:
            self._bare, self._bare_number = bare, self._begun
            self._published.notify_all()
        self._objects_known.set()
        if self._poller.has_asked and self._is_due(bare):
            self._show(bare, now)

    def _is_due(self, bare: ClusterState) -> bool:
        age = self._clock.monotonic() - self._shown_at_seconds
        return bare is not self._shown_bare or self._has_observed or age >= self._timing.longest_seconds

    def _show(self, bare: ClusterState, now_seconds: float) -> None:
        windows = self._parts.windows
        with self._windows_lock:
            self._has_observed = False
            state = windows.measured(bare, now_seconds)
            aside = tuple(SetAside(*each) for each in windows.set_aside(state, now_seconds))
        before = self._shown[0]
        generation = bare.generation if before is None else before.generation + 1
        self._shown = replace(state, generation=generation), aside
        if before is None:
            keep()  # most of it stays
        self._shown_bare, self._shown_at_seconds = bare, self._clock.monotonic()
        self._first.set()

    def _observe(self, readings: Readings) -> tuple[Problem, ...]:
        state = self._bare if self._shown[0] is None else self._later_bare()
        if state is None:  # the poller does not begin before the objects are known
            raise ValueError("a reading before the first state")
        with self._windows_lock:
            self._parts.windows.observe(readings, state)
            self._has_observed = True
            return self._parts.windows.problems

    def _later_bare(self) -> ClusterState | None:
        """Objects as they are after a reading: what moved just before it would else be counted twice, by it and as a move."""
        number = self._begun
        with self._published:
            self._published.wait_for(
                lambda: self._bare_number > number or self._stop.is_set(), self._timing.longest_seconds
            )
            return self._bare


def _counted(health: KindHealth, counts: tuple[int, int]) -> KindHealth:
    return msgspec.structs.replace(health, objects=counts[0], quarantined=counts[1])
