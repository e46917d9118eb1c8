"""How long an engine may search, and whom it tells; the pure core gets a clock only here, as an argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol


@dataclass(frozen=True)
class Progress:
    """The best plan so far.

    Attributes
    ----------
    cost
        By the search's own measure, in its units.
    moves, moved_bytes
        Size of the plan before needless moves are taken back and moves without a safe order are left out.
    """

    cost: float
    moves: int
    moved_bytes: float


class Budget(Protocol):
    """How much of what may be spent is spent."""

    @property
    def timed(self) -> bool:
        """Whether it is time that is spent, so that parts may be limited in seconds; otherwise everything must be counted."""
        ...

    def progress(self) -> float:
        """0 at the start, 1 or more at the end."""
        ...

    def spend(self, steps: int) -> None:
        """Take note of steps."""
        ...


@dataclass
class Steps:
    """A budget of steps: the same seed gives the same plan."""

    total: int
    spent: int = 0
    timed: Final = False

    def progress(self) -> float:
        """Share of the steps that are spent."""
        return self.spent / self.total if self.total > 0 else 1.0

    def spend(self, steps: int) -> None:
        """Count them."""
        self.spent += steps


class Clock:
    """A budget of seconds by the caller's clock; it may be stopped early.

    Parameters
    ----------
    now
        The clock, in seconds.
    seconds
        How long.
    stopped
        Asked again and again; once it is true the time is up.
    """

    timed: Final = True

    def __init__(self, now: Callable[[], float], seconds: float, stopped: Callable[[], bool] = lambda: False) -> None:
        self._now, self._seconds, self._stopped = now, seconds, stopped
        self._start = now()

    def progress(self) -> float:
        """Share of the time that has passed; 1 if stopped."""
        if self._stopped() or self._seconds <= 0:
            return 1.0
        return (self._now() - self._start) / self._seconds

    def spend(self, steps: int) -> None:
        """Time passes by itself."""


@dataclass
class Part:
    """The part of a budget from one progress to another, as a budget of its own."""

    of: Budget
    begin: float
    end: float

    @property
    def timed(self) -> bool:
        """As the whole."""
        return self.of.timed

    def progress(self) -> float:
        """Progress within the part."""
        return (self.of.progress() - self.begin) / max(self.end - self.begin, 1e-12)

    def spend(self, steps: int) -> None:
        """Pass on."""
        self.of.spend(steps)


@dataclass(frozen=True)
class Pace:
    """Clock and listener of a planning run.

    Attributes
    ----------
    now
        A clock in seconds; without one, seconds of a limit are counted as steps of a machine of the usual speed, and the same
        input gives the same plan.
    stopped
        Whether the best plan so far is wanted at once.
    tell
        Called whenever there is a better plan.
    """

    now: Callable[[], float] | None = None
    stopped: Callable[[], bool] = lambda: False
    tell: Callable[[Progress], None] | None = None

    def budget(self, seconds: float, steps_per_second: int) -> Budget:
        """A budget of so many seconds, that begins now."""
        if self.now is None:
            return Steps(int(seconds * steps_per_second))
        return Clock(self.now, seconds, self.stopped)
