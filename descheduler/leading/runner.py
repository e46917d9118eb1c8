"""The thread that keeps trying to lead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

from descheduler.leading.election import Election, Standing

PAUSED: Final = "ullage.dev/paused"
"""Annotation of the Lease that is the kill switch: ``true`` stops every write."""


def pulled(annotations: Mapping[str, str]) -> str:
    """Code of the kill switch if it is pulled by these annotations of the Lease; else empty."""
    return "kill-switch" if annotations.get(PAUSED, "").lower() == "true" else ""


class Leadership:
    """Takes part in an election until it is stopped.

    Parameters
    ----------
    election
        The candidate.
    changed
        Told with `Standing.LEADING` when we became the leader, and `Standing.LOST` when we are it no more.
    wall
        Unix time.
    """

    def __init__(self, election: Election, changed: Callable[[Standing], None], wall: Callable[[], float]) -> None:
        self._election, self._changed, self._wall = election, changed, wall
        self._ends = threading.Event()
        self._leads_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="leader election", daemon=True)

    @property
    def leads_since_seconds(self) -> float | None:
        """Unix time since which we lead; ``None`` if we do not, or may not write any more."""
        return self._leads_since if self._election.permit.allows(0.0) else None

    @property
    def holder(self) -> str:
        """Who leads, as far as we have seen."""
        return self._election.holder

    @property
    def error(self) -> str:
        """Why the last try failed; empty if it did not."""
        return self._election.error

    @property
    def transitions(self) -> int:
        """How often we became the leader."""
        return self._election.transitions

    def why_not(self, call_seconds: float) -> str:
        """Code of why a write that takes at most `call_seconds` must not be sent; empty if it may: the guard of every write."""
        if not self._election.permit.allows(call_seconds):
            return "not-leading"
        return pulled(self._election.annotations)

    def start(self) -> None:
        """Begin to take part."""
        self._thread.start()

    def stop(self) -> None:
        """Give the lead back. To be called after everything that writes has ended."""
        self._ends.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10.0)
        if not self._thread.is_alive():
            self._election.release()

    def _run(self) -> None:
        while not self._ends.is_set():
            self.step()
            self._ends.wait(self._election.wait_seconds())

    def step(self) -> None:
        """Try once, and tell of a change."""
        led = self._election.leads
        standing = self._election.step()
        if standing is Standing.LEADING and not led:
            self._leads_since = self._wall()
            self._changed(standing)
        elif standing is Standing.LOST:
            self._leads_since = None
            self._changed(standing)
