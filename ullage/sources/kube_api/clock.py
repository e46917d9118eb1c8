"""Where time comes from, and how threads wait."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Times and waits; tests bring one that skips the waits."""

    def monotonic(self) -> float:
        """Seconds that never step, from an arbitrary start."""

    def unix(self) -> float:
        """Unix time in seconds."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event, for at most `seconds`; whether it is set."""


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Seconds that never step, from an arbitrary start."""
        return time.monotonic()

    def unix(self) -> float:
        """Unix time in seconds."""
        return time.time()  # noqa: TID251  # the one place that it comes from

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event, for at most `seconds`; whether it is set."""
        return event.wait(seconds)
