"""One cycle: the newest state in, a plan out, and what is remembered for the next one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from descheduler.policy.decide import decide
from descheduler.policy.memory import Memory
from descheduler.policy.plan import RebalancePlan
from ullage.config import Configuration
from ullage.model.state import ClusterState
from ullage.sources.ports import StateSource


class Result(StrEnum):
    """What a cycle came to."""

    PLANNED = "planned"
    """There is a plan, maybe one without moves."""
    UNSYNCED = "unsynced"
    """There is no state yet: no verdict."""
    STALE = "stale"
    """The newest state is too old to be judged."""
    FAILED = "failed"
    """A fault in the program; it is in the log."""


@dataclass(frozen=True)
class Clocks:
    """Time: `monotonic` for durations, `wall` in unix seconds."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]


@dataclass(frozen=True, eq=False)
class Cycle:
    """What one cycle came to.

    Attributes
    ----------
    result
        What came of it.
    at_seconds
        Unix time of its start.
    took_seconds
        Its duration.
    state
        What was observed; ``None`` without a plan.
    plan
        What was decided; ``None`` without a verdict.
    """

    result: Result
    at_seconds: float
    took_seconds: float
    state: ClusterState | None = None
    plan: RebalancePlan | None = None


class Cycles:
    """Makes one cycle after the other.

    The plan of a cycle is what `decide` makes of the newest state and of the memory of the cycles before. Nothing is carried
    out: what would have moved is not remembered as moved.

    Parameters
    ----------
    source
        Gives the state.
    clocks
        Time.
    max_age_seconds
        A state that was observed longer ago is not judged.
    """

    def __init__(self, source: StateSource, clocks: Clocks, max_age_seconds: float) -> None:
        self._source = source
        self._clocks = clocks
        self._max_age_seconds = max_age_seconds
        self._memory = Memory.watching()

    def next(self, config: Configuration) -> Cycle:
        """The next cycle, with the configuration in effect."""
        begun, at = self._clocks.monotonic(), self._clocks.wall()
        state = self._source.current()
        if state is None:
            return Cycle(Result.UNSYNCED, at, self._clocks.monotonic() - begun)
        if at - state.observed_at_seconds > self._max_age_seconds:
            return Cycle(Result.STALE, at, self._clocks.monotonic() - begun)
        plan, after = decide(state, self._memory, config, at)
        self._memory = replace(after, moves=self._memory.moves)
        return Cycle(Result.PLANNED, at, self._clocks.monotonic() - begun, state, plan)
