"""A Lease in memory that behaves as an API server's, with faults on request, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from descheduler.leading.lease import Held, LeaseChangedError, Record
from ullage.errors import UllageError

ValueT = TypeVar("ValueT")


class Store:
    """The server's side: one Lease that all candidates share."""

    def __init__(self) -> None:
        self.held: Held | None = None
        self.writes: list[tuple[float, str]] = []
        self._version = 0

    def write(self, record: Record, expected: str | None, at: float) -> Held:
        present = self.held.version if self.held else None
        if present != expected:
            raise LeaseChangedError("409 Conflict")
        self._version += 1
        self.held = Held(record, str(self._version), self.held.annotations if self.held else {})
        self.writes.append((at, record.holder_identity))
        return self.held

    def annotate(self) -> None:
        """Someone writes something else into the Lease."""
        assert self.held is not None
        self._version += 1
        self.held = Held(self.held.record, str(self._version), {"touched": str(self._version)})


class Line:
    """One candidate's way to the store. `fault` is asked before each call and may raise, pass time, or lose the reply."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store, self._now = store, now
        self.fault: Callable[[str], bool] = lambda _: False
        self.calls: list[str] = []

    def read(self, timeout_seconds: float) -> Held | None:
        del timeout_seconds
        lost = self._called("read")
        return self._reply(self._store.held, lost=lost)

    def create(self, record: Record, timeout_seconds: float) -> Held:
        del timeout_seconds
        lost = self._called("create")
        return self._reply(self._store.write(record, None, self._now()), lost=lost)

    def replace(self, record: Record, before: Held, timeout_seconds: float) -> Held:
        del timeout_seconds
        lost = self._called("replace")
        return self._reply(self._store.write(record, before.version, self._now()), lost=lost)

    def _called(self, verb: str) -> bool:
        self.calls.append(verb)
        return self.fault(verb)

    @staticmethod
    def _reply(value: ValueT, *, lost: bool) -> ValueT:
        if lost:
            raise UllageError("the reply was lost")
        return value
