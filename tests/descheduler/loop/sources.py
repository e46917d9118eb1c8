"""Sources of states for tests: what a test puts in is what the loop sees."""

from __future__ import annotations

from dataclasses import replace

from ullage.model.state import ClusterState
from ullage.sources.ports import Health


class GivenSource:
    """`StateSource` of a state that the test sets."""

    def __init__(self, state: ClusterState | None = None) -> None:
        self.state = state
        self.told = Health(is_synced=state is not None)
        self.is_running = False

    def start(self) -> None:
        self.is_running = True

    def stop(self) -> None:
        self.is_running = False

    def current(self) -> ClusterState | None:
        return self.state

    def wait(self, timeout_seconds: float) -> bool:
        del timeout_seconds
        return self.state is not None

    def health(self) -> Health:
        return self.told


class Time:
    """Clocks that stand still until the test moves them on."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def at(state: ClusterState, seconds: float) -> ClusterState:
    """`state` as it is observed at another time."""
    return replace(state, observed_at_seconds=seconds)
