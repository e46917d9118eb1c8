"""Leader election: one step at a time, on a monotonic clock, with a permit that ends before the Lease does.

The rules are those of client-go (``tools/leaderelection/leaderelection.go``): whether a Lease has expired is judged by how long
ago *we* saw it change, never by the times that stand in it, so that clocks may differ. What client-go leaves out is fencing:
here a write is allowed only while, counted from the moment at which our last renewal was *sent*, nobody else can have taken the
Lease before the write ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from random import Random
from threading import Lock
from typing import Final

import msgspec

from descheduler.leading.lease import Held, LeaseChangedError, LeasePort, Record
from ullage.errors import ConfigError, UllageError

_JITTER: Final = 1.2
_RELEASED_SECONDS: Final = 1


class Timing(msgspec.Struct, frozen=True):
    """Times of the election, client-go's defaults.

    Attributes
    ----------
    lease_seconds
        How long others wait after the last renewal that they saw.
    renew_seconds
        How long a leader tries to renew before it gives up.
    retry_seconds
        Time between tries.
    margin_seconds
        How much earlier than the Lease a permit ends: the drift of clocks over one lease, and what a reply may be late.
    """

    lease_seconds: float = 15.0
    renew_seconds: float = 10.0
    retry_seconds: float = 2.0
    margin_seconds: float = 1.0

    def check(self) -> None:
        """Raise `ConfigError` if these times cannot work."""
        if not self.lease_seconds > self.renew_seconds > _JITTER * self.retry_seconds > 0:
            raise ConfigError(
                "leaderElection",
                f"{self.lease_seconds:g} / {self.renew_seconds:g} / {self.retry_seconds:g} s cannot work",
                "the lease must last longer than the renewal, and that longer than 1.2 retries",
            )

    @property
    def call_seconds(self) -> float:
        """Longest time of one call for the Lease."""
        return max(1.0, self.renew_seconds / 2)


class Standing(Enum):
    """What one step left us as."""

    FOLLOWING = auto()
    LEADING = auto()
    LOST = auto()
    """We led until this step."""


@dataclass(frozen=True)
class Clocks:
    """`monotonic` for every decision; `wall` only for what people read in the Lease."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]


class Permit:
    """Whether we may write: read by those who act, set by the election."""

    def __init__(self, monotonic: Callable[[], float], margin_seconds: float) -> None:
        self._monotonic, self._margin = monotonic, margin_seconds
        self._until = float("-inf")
        self._lock = Lock()

    def allows(self, call_seconds: float) -> bool:
        """Whether a call that takes at most `call_seconds` ends while nobody else can lead."""
        with self._lock:
            return self._monotonic() + call_seconds + self._margin < self._until

    def left_seconds(self) -> float:
        """How long writes are allowed, from now; 0 or less if they are not."""
        with self._lock:
            return self._until - self._margin - self._monotonic()

    def extend(self, until: float) -> None:
        """The Lease is ours until this monotonic time."""
        with self._lock:
            self._until = max(self._until, until)

    def revoke(self) -> None:
        """No write any more."""
        with self._lock:
            self._until = float("-inf")


class Election:
    """One candidate. Not thread-safe but for its permit.

    Parameters
    ----------
    port
        The Lease.
    identity
        Who we are, unique among candidates and over restarts.
    timing
        Times.
    clocks
        Time.
    seed
        For the jitter of followers.

    Attributes
    ----------
    permit
        Whether we may write.
    transitions
        How often we became the leader.
    """

    def __init__(self, port: LeasePort, identity: str, timing: Timing, clocks: Clocks, seed: int = 0) -> None:
        timing.check()
        self._port, self._identity, self._timing, self._clocks = port, identity, timing, clocks
        self._random = Random(seed)
        self._held: Held | None = None
        self._seen_at = float("-inf")
        self._renewed_at = float("-inf")
        self._leads = False
        self.permit = Permit(clocks.monotonic, timing.margin_seconds)
        self.transitions = 0
        self.error = ""

    @property
    def leads(self) -> bool:
        """Whether the last step left us as the leader."""
        return self._leads

    @property
    def annotations(self) -> Mapping[str, str]:
        """Annotations of the Lease as it was last seen; a leader sees them with every renewal."""
        held = self._held
        return held.annotations if held else {}

    @property
    def holder(self) -> str:
        """Who leads, as far as we have seen; empty if nobody does."""
        return self._held.record.holder_identity if self._held else ""

    def step(self) -> Standing:
        """Try once to take or renew the Lease. Never raises for what the server does."""
        try:
            self._try_twice()
            self.error = ""
        except UllageError as error:
            self.error = error.message
        late = self._clocks.monotonic() - self._renewed_at >= self._timing.renew_seconds
        if self._leads and (late or self.holder != self._identity):
            return self._lose()
        return Standing.LEADING if self._leads else Standing.FOLLOWING

    def wait_seconds(self) -> float:
        """Time until the next step; followers' times scatter."""
        retry = self._timing.retry_seconds
        return retry if self._leads else retry * (1 + self._random.random() * (_JITTER - 1))

    def release(self) -> None:
        """Give the Lease back. To be called after all guarded work has ended."""
        self.permit.revoke()
        if not self._leads or self._held is None:
            return
        self._leads = False
        try:
            self._give_back(self._held)
        except UllageError as error:
            self.error = error.message

    def _give_back(self, held: Held) -> None:
        """Write that nobody holds it; if it was written in the meantime, such as its annotations, look again at once."""
        given = msgspec.structs.replace(
            held.record, holder_identity="", lease_duration_seconds=_RELEASED_SECONDS, renew_time=self._time()
        )
        timeout = self._timing.call_seconds
        try:
            self._see(self._port.replace(given, held, timeout))
        except LeaseChangedError:
            found = self._port.read(timeout)
            if found is not None and found.record.holder_identity == self._identity:
                self._see(self._port.replace(given, found, timeout))

    def _try_twice(self) -> None:
        """Try; if the Lease was written in the meantime, such as its annotations, look again at once."""
        try:
            self._try(look=not self._leads or bool(self.error))
        except LeaseChangedError:
            self._try(look=True)

    def _lose(self) -> Standing:
        self.permit.revoke()
        self._leads = False
        self._held = None
        return Standing.LOST

    def _try(self, *, look: bool) -> None:
        """Write our record if the Lease is ours or free; a leader that knows of no trouble need not look first."""
        timeout = self._timing.call_seconds
        if look:
            found = self._port.read(timeout)
            if found is None:
                self._take(lambda record: self._port.create(record, timeout), None)
                return
            self._see(found)
        held = self._held
        if held is not None and self._is_free(held.record):
            self._take(lambda record: self._port.replace(record, held, timeout), held.record)

    def _take(self, write: Callable[[Record], Held], before: Record | None) -> None:
        sent_at = self._clocks.monotonic()
        self._see(write(self._record(before)))
        self._renewed_at = sent_at
        if not self._leads:
            self._leads = True
            self.transitions += 1
        # Others count from when they see the change, which is after it was sent.
        self.permit.extend(sent_at + self._timing.lease_seconds)

    def _record(self, before: Record | None) -> Record:
        mine = before is not None and before.holder_identity == self._identity
        now = self._time()
        return Record(
            holder_identity=self._identity,
            lease_duration_seconds=max(1, round(self._timing.lease_seconds)),
            acquire_time=before.acquire_time if mine and before else now,
            renew_time=now,
            lease_transitions=(before.lease_transitions + (not mine)) if before else 0,
        )

    def _see(self, held: Held) -> None:
        if self._held is None or held.version != self._held.version or held.record != self._held.record:
            self._seen_at = self._clocks.monotonic()
        self._held = held

    def _is_free(self, record: Record) -> bool:
        if self._leads and record.holder_identity != self._identity:
            return False  # it was taken from us: we end before we try again
        if not record.holder_identity or record.holder_identity == self._identity:
            return True
        return self._clocks.monotonic() >= self._seen_at + record.lease_duration_seconds

    def _time(self) -> str:
        return datetime.fromtimestamp(self._clocks.wall(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
