"""Work for the moment after an answer, in which nobody waits for the next one yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

_PAUSE_SECONDS: Final = 0.0005
"""kube-scheduler takes longer than this from one pod's scores to the next pod's first question."""


class Idle:
    """Does one piece of work once nothing was asked for a moment. It is used in the thread of an event loop."""

    def __init__(self) -> None:
        self._waits: Callable[[], None] | None = None
        self._is_due = False
        self._looks = False

    def then(self, work: Callable[[], None]) -> None:
        """Have this done, in place of what waits."""
        self._waits, self._is_due = work, False
        if not self._looks:
            self._look_later()

    def drop(self) -> None:
        """Something is asked: what waits is not done."""
        self._waits = None

    def _look_later(self) -> None:
        # one timer for all that comes while it runs: a timer for each answer would cost as much as some answers do
        self._looks = True
        asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._look)

    def _look(self) -> None:
        """Do what has waited since the last look; what has come after it waits for the next one."""
        self._looks = False
        work = self._waits
        if work is None:
            return
        if not self._is_due:
            self._is_due = True
            self._look_later()
            return
        self._waits = None
        work()
