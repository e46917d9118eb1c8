"""Asks sources of readings in order of preference, again and again, beside everything else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from ullage.errors import UllageError
from ullage.sources.kube_api.clock import Clock
from ullage.sources.ports import ReadingHealth, ReadingSource
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import Problem, Readings

_LOG: Final = logging.getLogger(__name__)


class PollTiming(msgspec.Struct, frozen=True, gc=False):
    """When sources are asked.

    Attributes
    ----------
    period_seconds
        From one reading to the next.
    restored_seconds
        How much of the past is asked for at the start.
    """

    period_seconds: float = 30.0
    restored_seconds: float = 3600.0


class _Answer(msgspec.Struct, frozen=True, gc=False):
    at_seconds: float = float("nan")
    took_seconds: float = float("nan")
    problems: tuple[Problem, ...] = ()
    error: str = ""


class Poller:
    """Takes each reading from the first source that gives one.

    Parameters
    ----------
    sources
        In order of preference.
    clock
        Where time comes from.
    identities
        Names of the nodes now.
    deliver
        Takes each reading, oldest first; says what of it cannot be used.
    timing
        Times.
    """

    def __init__(
        self,
        sources: Sequence[ReadingSource],
        clock: Clock,
        identities: Callable[[], NodeIdentities],
        deliver: Callable[[Readings], tuple[Problem, ...]],
        timing: PollTiming | None = None,
    ) -> None:
        self._sources = tuple(sources)
        self._clock = clock
        self._identities = identities
        self._deliver = deliver
        self._timing = timing or PollTiming()
        self._answers = [_Answer() for _ in self._sources]
        self._has_delivered = False
        self.has_asked = not self._sources
        """Whether every source that was needed has answered or failed once; true if there is none."""

    def run(self, stop: threading.Event) -> None:
        """Ask until told to stop."""
        while self._sources and not stop.is_set():
            started = self._clock.monotonic()
            self.ask(stop)
            self._clock.wait(stop, max(0.0, started + self._timing.period_seconds - self._clock.monotonic()))

    def ask(self, stop: threading.Event) -> bool:
        """Ask once; whether a source has answered."""
        answered = any(self._ask(number, source, stop) for number, source in enumerate(self._sources))
        self.has_asked = True
        return answered

    def health(self) -> tuple[ReadingHealth, ...]:
        """How well each source answers."""
        now = self._clock.monotonic()
        return tuple(
            ReadingHealth(source.name, now - each.at_seconds, each.took_seconds, each.problems, each.error)
            for source, each in zip(self._sources, self._answers, strict=True)
        )

    def _ask(self, number: int, source: ReadingSource, stop: threading.Event) -> bool:
        """Ask one source, the first time for the past, too; whether it has answered."""
        started = self._clock.monotonic()
        try:
            nodes = self._identities()
            self._restore(source, nodes, stop)
            readings = source.read(nodes, self._clock.unix())
            if nodes.names and not readings.nodes.keys:
                raise UllageError("it knows no node of this cluster")
            took_seconds = self._clock.monotonic() - started
            problems = self._deliver(readings)
        except UllageError as error:
            return self._failed(number, error.message)
        except Exception as error:  # noqa: BLE001  # a thread that dies would leave measures stale for good
            _LOG.exception("A reading ended by a program error", extra={"source": source.name})
            return self._failed(number, f"program error: {type(error).__name__}: {error}")
        self._has_delivered = True
        self._answers[number] = _Answer(self._clock.monotonic(), took_seconds, problems)
        return True

    def _restore(self, source: ReadingSource, nodes: NodeIdentities, stop: threading.Event) -> None:
        """Deliver the past, where nothing was delivered yet: what is older than what was seen would be of no use."""
        if self._has_delivered or not self._timing.restored_seconds:
            return
        now = self._clock.unix()
        try:
            for readings in source.history(nodes, now - self._timing.restored_seconds, now):
                self._has_delivered = True
                self._deliver(readings)
                if stop.is_set():
                    return
        except UllageError as error:  # the present may be had all the same
            _LOG.warning("The past could not be read", extra={"source": source.name, "reason": error.message})

    def _failed(self, number: int, message: str) -> bool:
        self._answers[number] = msgspec.structs.replace(self._answers[number], error=message)
        return False
