"""One cycle: the newest state in, a plan out, and, in a mode that acts, one turn of carrying a plan out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from descheduler.acting.actor import Acted, Decided
from descheduler.policy.decide import decide
from descheduler.policy.memory import Memory, Moved
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


class Hands(Protocol):
    """What a mode that acts needs beside a plan. Calls raise `UllageError` if the API server cannot be asked."""

    @property
    def leads_since_seconds(self) -> float | None:
        """Unix time since which this replica leads; ``None`` if it does not."""

    def moves(self) -> tuple[Moved, ...]:
        """What was begun in the last 48 hours."""

    def cycle(self, decided: Decided, config: Configuration, leads_since: float, now_seconds: float) -> Acted:
        """Act on the newest state."""


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
    acted
        What came of acting; ``None`` if it was not this replica's turn.
    """

    result: Result
    at_seconds: float
    took_seconds: float
    state: ClusterState | None = None
    plan: RebalancePlan | None = None
    acted: Acted | None = None


class Cycles:
    """Makes one cycle after the other.

    The plan of a cycle is what `decide` makes of the newest state and of the memory of the cycles before. What is not carried
    out is not remembered as moved.

    Parameters
    ----------
    source
        Gives the state.
    clocks
        Time.
    max_age_seconds
        A state that was observed longer ago is not judged.
    hands
        What carries plans out; ``None`` in a mode that does not act.
    """

    def __init__(self, source: StateSource, clocks: Clocks, max_age_seconds: float, hands: Hands | None = None) -> None:
        self._source = source
        self._hands = hands
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
        leads_since = self._hands.leads_since_seconds if self._hands is not None else None
        moves = self._hands.moves() if self._hands is not None and leads_since is not None else ()
        plan, after = decide(state, replace(self._memory, moves=moves), config, at)
        self._memory = replace(after, moves=())
        acted = None
        if self._hands is not None and leads_since is not None:
            acted = self._hands.cycle(Decided(state, plan, self._memory), config, leads_since, at)
        return Cycle(Result.PLANNED, at, self._clocks.monotonic() - begun, state, plan, acted)
