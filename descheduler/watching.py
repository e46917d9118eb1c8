"""A planning run that a person watches: the clock, a line of progress, and Ctrl-C for the best plan so far."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType
from typing import Final

from descheduler.policy.pace import Pace, Progress
from ullage.commands import Console

_BETWEEN_SECONDS: Final = 0.2
"""Time between two lines of progress."""


class Watch:
    """Shows progress, and knows whether the person has had enough.

    Parameters
    ----------
    console
        Where progress is shown.
    now
        Clock in seconds.
    """

    def __init__(self, console: Console, now: Callable[[], float] = monotonic) -> None:
        self._console, self._now = console, now
        self._start = now()
        self._shown_at = -_BETWEEN_SECONDS
        self.stopped = False

    def pace(self) -> Pace:
        """The pace of the run."""
        return Pace(self._now, lambda: self.stopped, self._tell)

    def stop(self, number: int = 0, frame: FrameType | None = None) -> None:  # noqa: ARG002 - as signals call it
        """Have the best plan so far; a second Ctrl-C ends the program as usual."""
        self.stopped = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _tell(self, best: Progress) -> None:
        seconds = self._now() - self._start
        if seconds - self._shown_at < _BETWEEN_SECONDS:
            return
        self._shown_at = seconds
        size = f"{best.moves:,} moves, {best.moved_bytes / 2**30:,.1f} GiB"
        self._console.progress(f"cost {best.cost:,.5g}, {size}, {seconds:.0f} s; Ctrl-C takes this plan")


@contextmanager
def watched(console: Console) -> Iterator[Watch]:
    """A watch whose Ctrl-C asks for the best plan so far, where signals can be had."""
    watch = Watch(console)
    if threading.current_thread() is not threading.main_thread():
        yield watch
        return
    before = signal.signal(signal.SIGINT, watch.stop)
    try:
        yield watch
    finally:
        signal.signal(signal.SIGINT, before)
