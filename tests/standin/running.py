"""Threads that end together, and what goes wrong in them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from urllib3.exceptions import HTTPError

from tests.controlplane.rest import RestError

PASSING = frozenset({404, 409, 429, 500, 503, 504})
"""Answers after which a controller looks again at the next sync: gone, changed meanwhile, too busy."""
TERMINATING = b"NamespaceTerminating"
"""Nothing can be created in a namespace that is being deleted."""


def is_passing(error: BaseException | None) -> bool:
    """Whether an error says only that the world has moved on."""
    if not isinstance(error, RestError):
        return False
    return error.status in PASSING or (error.status == 403 and TERMINATING in error.body)


class Running:
    """Daemon threads of one stand-in.

    Attributes
    ----------
    failures
        Errors that are not part of a controller's life; a test asserts that there are none.
    """

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self._threads: list[threading.Thread] = []
        self._end = threading.Event()

    @property
    def is_over(self) -> bool:
        return self._end.is_set()

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run ``work`` in a thread of its own; it watches `is_over`."""
        thread = threading.Thread(target=self._guarded, args=(work,), name=f"standin-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def every(self, name: str, seconds: float, work: Callable[[], None]) -> None:
        """Run ``work`` again and again, ``seconds`` of the machine's time apart."""

        def again() -> None:
            while not self.pause(seconds):
                self._guarded(work)

        self.start(name, again)

    def pause(self, seconds: float) -> bool:
        """Wait; true if the end came."""
        return self._end.wait(seconds)

    def recording(self) -> Recording:
        """Context in which an error is kept and not raised."""
        return Recording(self)

    def stop(self, seconds: float = 2.0) -> None:
        """End all threads, and wait for those that do not hang in a watch."""
        self._end.set()
        for thread in self._threads:
            if not thread.name.endswith("-watch") and thread is not threading.current_thread():
                thread.join(seconds)

    def _guarded(self, work: Callable[[], None]) -> None:
        with self.recording():
            work()


class Recording:
    """Keeps an error for the test, unless it is of the passing kind or comes while all is ending.

    Attributes
    ----------
    error
        What was caught; ``None`` if nothing was.
    """

    def __init__(self, running: Running) -> None:
        self._running = running
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        self.error = error
        lost = isinstance(error, HTTPError | OSError) and self._running.is_over
        if not (is_passing(error) or lost):
            self._running.failures.append(error)
        return True
