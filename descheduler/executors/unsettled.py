"""Writes of which no reply came: for a while they may still take effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

SETTLES_SECONDS: Final = 30.0
"""An API server asks a webhook for 10 s, and tries for 10 s to count down a disruption budget; both with some time to spare."""


class Unsettled:
    """Remembers such writes until they must have had their effect. Not thread-safe; a restart takes longer than they do.

    Parameters
    ----------
    monotonic
        Seconds that never step.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._until: dict[str, float] = {}

    def note(self, key: str) -> None:
        """A write on `key` was sent just now, and no reply came."""
        now = self._monotonic()
        self._until = {each: until for each, until in self._until.items() if until > now}
        self._until[key] = now + SETTLES_SECONDS

    def holds(self, key: str) -> bool:
        """Whether a write on `key` may still take effect."""
        return self._monotonic() < self._until.get(key, float("-inf"))
