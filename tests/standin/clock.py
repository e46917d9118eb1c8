"""Time of the stand-ins: it can run faster than that of the machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Clock:
    """Time that runs ``speed`` times as fast as this machine's.

    Parameters
    ----------
    speed
        What lasts (a migration, a backoff, a deadline) lasts ``1 / speed`` of its length.
    stamps_run
        Time stamps that the stand-ins write run at this speed, too: for a program under test that has the same clock.
        Otherwise they are real time, as are those that the API server writes.
    machine
        Unix seconds of the machine.
    """

    speed: float = 1.0
    stamps_run: bool = False
    machine: Callable[[], float] = time.time  # noqa: TID251 - this is the clock
    _started: float = field(default_factory=time.monotonic)
    _epoch: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_epoch", self.machine())

    def now(self) -> float:
        """Seconds since the clock was made, as they last here."""
        return self.real() * self.speed

    def real(self) -> float:
        """Seconds since the clock was made, as they last for the machine: what counters of a real Prometheus go by."""
        return time.monotonic() - self._started

    def wall(self) -> float:
        """Unix seconds for time stamps; those that do not run follow the machine's clock when it is set."""
        return self._epoch + self.now() if self.stamps_run else self.machine()
