"""How the next migrations of a VMI go wrong, if a test wants that."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from tests.standin.wire import Key


@dataclass(frozen=True)
class Outcome:
    """What happens to a migration.

    Attributes
    ----------
    reject
        Text with which its creation is refused; empty: it is not.
    hold_target
        Its target pod is bound and never starts.
    fail_at
        It fails when so much of the memory is copied, 0..1; ``None``: it does not.
    reason
        Why it fails.
    stall
        Its copy makes no progress.
    times
        For how many migrations this holds; a rejected one does not count.
    """

    reject: str = ""
    hold_target: bool = False
    fail_at: float | None = None
    reason: str = "operation failed: migration out job: unexpectedly failed"
    stall: bool = False
    times: int = 1


WELL = Outcome()


@dataclass
class Outcomes:
    """What tests have ordered, by VMI."""

    _ordered: dict[Key, tuple[Outcome, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def order(self, machine: Key, outcome: Outcome) -> None:
        """Have the next migrations of a VMI end so."""
        with self._lock:
            self._ordered[machine] = (outcome, outcome.times)

    def cancel(self, machine: Key) -> None:
        """Have the next migrations of a VMI go well again."""
        with self._lock:
            self._ordered.pop(machine, None)

    def of(self, machine: Key) -> Outcome:
        """What is to happen to the migration of a VMI that is under way or comes next."""
        with self._lock:
            return self._ordered.get(machine, (WELL, 0))[0]

    def ended(self, machine: Key) -> None:
        """Count a migration that has ended."""
        with self._lock:
            outcome, left = self._ordered.pop(machine, (WELL, 0))
            if left > 1:
                self._ordered[machine] = (outcome, left - 1)
