"""A clock that skips waits: minutes of back-off pass in milliseconds, and can be measured exactly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class SkippingClock:
    """Real time, plus every wait that was asked of it; an appointment is kept by the thread whose wait passes it."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._skipped = 0.0
        self._appointments: list[tuple[float, Callable[[], None]]] = []
        self._moved = threading.Condition()

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped

    def unix(self) -> float:
        return 1_700_000_000.0 + self.monotonic()

    def at(self, seconds: float, happens: Callable[[], None]) -> None:
        """Have something happen when the clock passes a time."""
        with self._moved:
            self._appointments = sorted([*self._appointments, (seconds, happens)], key=lambda each: each[0])

    def wait(self, event: threading.Event, seconds: float) -> bool:
        with self._moved:
            self.waits.append(seconds)
            end = self.monotonic() + seconds
            while self._appointments and self._appointments[0][0] <= end:
                at, happens = self._appointments.pop(0)
                self._skipped += max(0.0, at - self.monotonic())
                happens()
            self._skipped += max(0.0, end - self.monotonic())
            self._moved.notify_all()
        return event.is_set()

    def reached(self, at_seconds: float, timeout_seconds: float = 20.0) -> bool:
        """Wait (really) until the clock shows at least `at_seconds`."""
        deadline = time.monotonic() + timeout_seconds
        with self._moved:
            while self.monotonic() < at_seconds:
                if deadline <= time.monotonic():
                    return False
                self._moved.wait(0.05)
        return True
