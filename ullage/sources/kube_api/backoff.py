"""How long to wait after a failure: exponential, jittered, forgotten after health; the shape of client-go's reflector.

client-go waits 0.8 s, twice as long each time, times 1 to 2 at random, and starts anew after 2 min without a failure
(``tools/cache/reflector.go``). Its longest wait is 30 to 60 s. Ours is 8 s: a cache has to equal the server within 10 s of the
end of a fault, and a request per 6 s and resource, as it comes to, is about what client-go sends in the first minute.
"""

from __future__ import annotations

import math
from random import Random
from typing import Final

import msgspec

LONGEST_RETRY_AFTER_SECONDS: Final = 60.0
"""A ``Retry-After`` beyond it is cut: an hour of blindness would cost more than one request."""


class Pace(msgspec.Struct, frozen=True, gc=False):
    """Parameters of a back-off.

    Attributes
    ----------
    first_seconds, most_seconds
        Shortest and longest wait.
    factor
        Growth from one failure to the next.
    jitter
        Share of a wait that is added at random, 0 and up.
    healthy_seconds
        How long after a wait a failure counts as the first one again.
    """

    first_seconds: float = 0.8
    most_seconds: float = 8.0
    factor: float = 2.0
    jitter: float = 1.0
    healthy_seconds: float = 120.0


class Backoff:
    """Waits between attempts; a function of the failures' times and the random source alone.

    Parameters
    ----------
    pace
        Its parameters.
    random
        Source of the jitter.
    """

    def __init__(self, pace: Pace, random: Random) -> None:
        self._pace = pace
        self._random = random
        self._failures = 0
        self._ends_at = -math.inf

    def after(self, now_seconds: float, retry_after_seconds: float = 0.0) -> float:
        """Seconds to wait after a failure at `now_seconds` (monotonic), at least what the server asks for."""
        if now_seconds - self._ends_at >= self._pace.healthy_seconds:
            self._failures = 0
        wait = max(self._drawn(), min(retry_after_seconds, LONGEST_RETRY_AFTER_SECONDS))
        self._failures += 1
        self._ends_at = now_seconds + wait
        return wait

    def _drawn(self) -> float:
        pace = self._pace
        # The jitter is inside the limit: without it, all clients would come back at once where it matters most.
        limit = max(pace.first_seconds, pace.most_seconds / (1 + pace.jitter))
        steps = min(self._failures, 64)
        return min(pace.first_seconds * pace.factor**steps, limit) * (1 + pace.jitter * self._random.random())
