"""Moves that are only written down: the executor of dry runs."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from descheduler.executors.port import Receipt, Step, Verdict

RECORDED: Final = Receipt(Verdict.DONE, "recorded", "It would have been done; this is a dry run.")


class Call(StrEnum):
    """What was asked of the executor."""

    PROBE = "probe"
    BEGIN = "begin"
    LOOK = "look"
    CANCEL = "cancel"


class Recorded(msgspec.Struct, frozen=True):
    """What would have been asked of the cluster."""

    call: Call
    step: Step


class RecordingExecutor:
    """`MoveExecutor` that writes nothing, and remembers what it would have done.

    Parameters
    ----------
    begun, looked
        What it answers when a move is begun, and when it is looked at.
    note
        Told of every call, for the log.
    """

    name = "record"

    def __init__(
        self,
        begun: Receipt = RECORDED,
        looked: Receipt = RECORDED,
        note: Callable[[Recorded], None] = lambda _: None,
    ) -> None:
        self._begun, self._looked, self._note = begun, looked, note
        self._calls: list[Recorded] = []

    @property
    def calls(self) -> tuple[Recorded, ...]:
        """Everything that was asked, in order."""
        return tuple(self._calls)

    def probe(self, step: Step) -> Receipt:
        """Write it down; what is only recorded is always feasible."""
        self._record(Call.PROBE, step)
        return Receipt(Verdict.DONE, "feasible", "Nobody was asked; this is a dry run.")

    def begin(self, step: Step) -> Receipt:
        """Write it down."""
        self._record(Call.BEGIN, step)
        return self._begun

    def look(self, step: Step) -> Receipt:
        """What the executor was told to say."""
        self._record(Call.LOOK, step)
        return self._looked

    def cancel(self, step: Step) -> Receipt:
        """Write it down; what is only recorded can always be cancelled."""
        self._record(Call.CANCEL, step)
        return Receipt(Verdict.CANCELLED, "recorded", "It would have been cancelled; this is a dry run.")

    def _record(self, call: Call, step: Step) -> None:
        recorded = Recorded(call, step)
        self._calls.append(recorded)
        self._note(recorded)
