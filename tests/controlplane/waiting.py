"""Waiting, with a bound, for what other processes do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

STEP_SECONDS = 0.05
T = TypeVar("T")


def until(probe: Callable[[], T | None], what: str, *, seconds: float = 30.0) -> T:
    """First answer of ``probe`` that is true.

    Parameters
    ----------
    probe
        Asked every 50 ms.
    what
        What is waited for, as the error says it.
    seconds
        How long at most.

    Raises
    ------
    TimeoutError
        There was none; the text holds the last answer.
    """
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not (found := probe()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:g} s, the last answer was {found!r}")
        pause.wait(STEP_SECONDS)
    return found
