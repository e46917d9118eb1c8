"""What was begun in the last 48 hours, kept where a restart and a new leader find it: in an annotation of the Lease.

A move is written down before it is begun: if the process dies in between, a budget was charged for nothing, which is safe; the
other way round it would be spent twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from descheduler.acting.breakers import Ended
from descheduler.policy.memory import Moved
from ullage.estimation.migration import COOLDOWN_WINDOW_SECONDS

ANNOTATION: Final = "ullage.dev/ledger"
MOST_BYTES: Final = 200_000
"""Annotations of an object may hold 256 KiB in all (``validation.ValidateAnnotationsSize``)."""


class Ledger(msgspec.Struct, frozen=True, array_like=True):
    """What was begun, and how it ended.

    Attributes
    ----------
    begun
        Moves, oldest first.
    ended
        Outcomes of the last moves, oldest first.
    """

    begun: tuple[Moved, ...] = ()
    ended: tuple[Ended, ...] = ()

    def beginning(self, move: Moved) -> Ledger:
        """The ledger with one more move; what is older than 48 hours is dropped."""
        kept = [m for m in self.begun if move.at_seconds - m.at_seconds < COOLDOWN_WINDOW_SECONDS]
        return Ledger((*kept, move), self.ended)

    def ending(self, outcomes: Sequence[Ended], keep: int = 6) -> Ledger:
        """The ledger with those outcomes that it lacks: who wrote one down may have died before the plan said so."""
        known = {(each.plan, each.step) for each in self.ended if each.plan}
        new = [each for each in outcomes if (each.plan, each.step) not in known]
        return Ledger(self.begun, (*self.ended, *new)[-keep:]) if new else self

    def text(self) -> str:
        """As an annotation; the oldest moves make room if it would be too long."""
        ledger = self
        while len(text := _written(ledger)) > MOST_BYTES:
            ledger = Ledger(ledger.begun[len(ledger.begun) // 8 + 1 :], ledger.ended)
        return text

    @classmethod
    def read(cls, text: str) -> Ledger:
        """Ledger of an annotation; an empty one if there is none, or none that can be read."""
        try:
            return _DECODER.decode(text) if text else cls()
        except msgspec.DecodeError:
            return cls()


_DECODER: Final = msgspec.json.Decoder(Ledger)


def _written(ledger: Ledger) -> str:
    return msgspec.json.encode(ledger).decode()


class LedgerPort(Protocol):
    """Keeps the ledger."""

    def read(self) -> Ledger:
        """The ledger as it stands; raises `UllageError` if it cannot be read."""

    def write(self, ledger: Ledger) -> None:
        """Keep `ledger`; raises `UllageError` if it was not kept."""
