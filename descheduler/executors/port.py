"""What the loop asks of an executor: begin a move, look what became of it, cancel it."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from descheduler.policy.plan import PlannedMove


class Verdict(StrEnum):
    """What became of a request."""

    DONE = "done"
    """The effect was observed."""
    UNDER_WAY = "under-way"
    """It was accepted; the effect is not observed yet."""
    LATER = "later"
    """Not now: a budget, a limit, or load on the server. The same may be asked again after a while."""
    REFUSED = "refused"
    """The server does not want it for this object; the same must not be asked again."""
    FAILED = "failed"
    """It was tried, and did not succeed."""
    CANCELLED = "cancelled"
    """It was ended on our request."""
    GONE = "gone"
    """The object is gone or was replaced: there is nothing left to do."""
    UNKNOWN = "unknown"
    """No reply came: it may have been applied. Look before anything else is asked."""


FINAL = frozenset({Verdict.DONE, Verdict.REFUSED, Verdict.FAILED, Verdict.CANCELLED, Verdict.GONE})
"""Verdicts after which nothing more comes."""


class Receipt(msgspec.Struct, frozen=True):
    """What became of a request, with the code and the sentence that say why.

    Attributes
    ----------
    verdict
        What became of it.
    code
        Lower case with hyphens, from a closed set; a label of metrics.
    text
        One sentence, with what the server said.
    retry_after_seconds
        With `LATER`: how long to leave it alone.
    seconds
        Of what ended: how long it took; NaN if that is not known.
    """

    verdict: Verdict
    code: str
    text: str = ""
    retry_after_seconds: float = 0.0
    seconds: float = float("nan")


class Step(msgspec.Struct, frozen=True):
    """One move of a plan that is being carried out.

    Attributes
    ----------
    plan
        Name of the plan.
    number
        Position of the move in the plan, from 1.
    move
        The move.
    pod
        Name of the pod that runs the workload: the virt-launcher of a VM.
    """

    plan: str
    number: int
    move: PlannedMove
    pod: str


class MoveExecutor(Protocol):
    """Carries moves out. Calls block, end by their own timeouts, and never raise for what a server answers.

    `begin` may be called again for the same step, after a restart or an unknown reply: it adopts what is there and does
    nothing twice.
    """

    @property
    def name(self) -> str:
        """Label of metrics and logs, such as ``migrate``."""

    def probe(self, step: Step) -> Receipt:
        """Whether the server would let the move pass, by a dry run there that no guard is asked for: it changes nothing.

        `Verdict.DONE` says that it would; what else comes is what `begin` would come to.
        """

    def begin(self, step: Step) -> Receipt:
        """Ask for the move."""

    def look(self, step: Step) -> Receipt:
        """What became of a move that was begun."""

    def cancel(self, step: Step) -> Receipt:
        """End a move that was begun and is pointless now, if it can be ended."""
