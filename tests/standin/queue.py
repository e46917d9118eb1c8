"""A controller's work queue: each key once, never twice at a time, again later after a passing error."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from tests.standin.running import Running, is_passing

K = TypeVar("K", bound=Hashable)

RETRY_SECONDS: Final = 0.1
TRIES: Final = 50


class WorkQueue(Generic[K]):
    """Keys whose objects are to be looked at.

    Parameters
    ----------
    running
        Where the workers run and errors go.
    name
        Name of the workers.
    sync
        Brings one object to where it should be; a passing error (see `is_passing`) has it called again.
    workers
        How many keys are handled at a time.
    """

    def __init__(self, running: Running, name: str, sync: Callable[[K], None], workers: int = 4) -> None:
        self._running, self._name, self._sync, self._workers = running, name, sync, workers
        self._changed = threading.Condition()
        self._order = itertools.count()
        self._heap: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._busy: set[K] = set()
        self._tries: dict[K, int] = {}

    def start(self) -> None:
        for number in range(self._workers):
            self._running.start(f"{self._name}-{number}", self._work)

    def add(self, key: K, after_seconds: float = 0.0) -> None:
        """Have the key looked at, once, however often it is added until then."""
        due = time.monotonic() + after_seconds
        with self._changed:
            if due < self._due.get(key, float("inf")):
                self._due[key] = due
                heapq.heappush(self._heap, (due, next(self._order), key))
                self._changed.notify()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is being handled."""
        with self._changed:
            return not (self._due or self._busy)

    def _work(self) -> None:
        while not self._running.is_over:
            key = self._take()
            if key is not None:
                self._handle(*key)

    def _take(self) -> tuple[K] | None:
        """Next key that is due and not being handled; nothing if there is none for a moment."""
        with self._changed:
            while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
                heapq.heappop(self._heap)
            wait = self._heap[0][0] - time.monotonic() if self._heap else 0.2
            if wait > 0:
                self._changed.wait(min(wait, 0.2))
                return None
            key = heapq.heappop(self._heap)[2]
            del self._due[key]
            if key not in self._busy:
                self._busy.add(key)
                return (key,)
        self.add(key, RETRY_SECONDS / 4)
        return None

    def _handle(self, key: K) -> None:
        with self._running.recording() as recording:
            self._sync(key)
        with self._changed:
            self._busy.discard(key)
            tries = self._tries.pop(key, 0) + 1
        if is_passing(recording.error):
            self._again(key, tries, recording.error)

    def _again(self, key: K, tries: int, error: Exception | None) -> None:
        if tries < TRIES:
            self._tries[key] = tries
            self.add(key, min(RETRY_SECONDS * tries, 2.0))
        elif error is not None:
            self._running.failures.append(error)
