"""The course of a plan that is being carried out, as values: phases of its moves, and what comes next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from descheduler.executors.port import Receipt, Verdict
from descheduler.policy.plan import Goal, PlannedMove, RebalancePlan


class Phase(StrEnum):
    """Phase of a move."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    REFUSED = "Refused"
    CANCELLED = "Cancelled"
    SKIPPED = "Skipped"
    """It was not begun, since it became impossible or pointless."""


class PlanPhase(StrEnum):
    """Phase of a plan."""

    PROPOSED = "Proposed"
    """It waits for a person."""
    APPROVED = "Approved"
    REJECTED = "Rejected"
    RUNNING = "Running"
    FINISHED = "Finished"


ENDED: Final = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.REFUSED, Phase.CANCELLED, Phase.SKIPPED})
WAITS: Final = frozenset(
    {
        "target-cpu",
        "target-memory",
        "allocatable",
        "worst-case-memory",
        "migrating",
        "eviction-in-progress",
        "node-use-unknown",
        "pod-anti-affinity",
    }
)
"""Codes that may pass while earlier moves of the plan are under way."""
NEVER_BEGUN: Final = frozenset({"migration-vanished", "evacuation-ended", "not-applied"})
"""Codes by which an executor says of a move that nothing is seen of it."""
_PHASES: Final = {
    Verdict.DONE: Phase.SUCCEEDED,
    Verdict.REFUSED: Phase.REFUSED,
    Verdict.FAILED: Phase.FAILED,
    Verdict.CANCELLED: Phase.CANCELLED,
    Verdict.GONE: Phase.SKIPPED,
    Verdict.UNDER_WAY: Phase.RUNNING,
    Verdict.UNKNOWN: Phase.RUNNING,
}


class StepState(msgspec.Struct, frozen=True, rename="camel"):
    """Where one move of a plan stands.

    Attributes
    ----------
    phase
        Its phase.
    code, reason
        Why, in a code and a sentence; empty while nothing is to be said.
    began_at_seconds, ended_at_seconds
        Unix times; ``None`` if it has not begun, or not ended.
    """

    phase: Phase = Phase.PENDING
    code: str = ""
    reason: str = ""
    began_at_seconds: float | None = None
    ended_at_seconds: float | None = None


class Course(msgspec.Struct, frozen=True, rename="camel"):
    """A plan that is being carried out.

    Attributes
    ----------
    name
        Name of the plan's resource.
    goal
        What the plan is for.
    moves
        Its moves, in order.
    phase
        Its phase.
    steps
        One per move.
    """

    name: str
    goal: Goal
    moves: tuple[PlannedMove, ...]
    phase: PlanPhase
    steps: tuple[StepState, ...]

    @classmethod
    def of(cls, name: str, plan: RebalancePlan, *, approved: bool) -> Course:
        """Course of a new plan."""
        phase = PlanPhase.APPROVED if approved else PlanPhase.PROPOSED
        return cls(name, plan.spec.goal, plan.spec.moves, phase, tuple(StepState() for _ in plan.spec.moves))

    def move(self, number: int) -> PlannedMove:
        """Move `number`, from 1."""
        return self.moves[number - 1]

    def numbers(self, phase: Phase) -> list[int]:
        """Numbers of the moves in a phase, ascending."""
        return [i for i, step in enumerate(self.steps, 1) if step.phase is phase]

    @property
    def is_over(self) -> bool:
        """Whether every move has ended."""
        return all(step.phase in ENDED for step in self.steps)

    def noting(self, number: int, receipt: Receipt, now_seconds: float) -> Course:
        """The course after an executor said what became of a move."""
        before = self.steps[number - 1]
        phase = _PHASES.get(receipt.verdict, before.phase)
        began = before.began_at_seconds
        after = StepState(
            phase=phase,
            code=receipt.code,
            reason=receipt.text,
            began_at_seconds=now_seconds if began is None and phase is not Phase.PENDING else began,
            ended_at_seconds=now_seconds if phase in ENDED else None,
        )
        return self._with(number, after)

    def skipping(self, number: int, code: str, reason: str, now_seconds: float) -> Course:
        """The course without a move that was not begun."""
        return self._with(number, StepState(Phase.SKIPPED, code, reason, None, now_seconds))

    def in_phase(self, phase: PlanPhase) -> Course:
        """The course in another phase."""
        return msgspec.structs.replace(self, phase=phase)

    def _with(self, number: int, step: StepState) -> Course:
        steps = (*self.steps[: number - 1], step, *self.steps[number:])
        return msgspec.structs.replace(self, steps=steps)


class Intent(msgspec.Struct, frozen=True):
    """What is to be done with a move: `begin` it, `skip` it, or (neither) wait; `code` says why."""

    number: int
    begin: bool = False
    skip: bool = False
    code: str = ""


def intents(
    course: Course,
    codes: Sequence[str],
    held_back: Callable[[int, Sequence[int]], str],
    most: int | None = None,
    *,
    settling: bool = False,
) -> list[Intent]:
    """What is to be done with the pending moves of a course, in order.

    Parameters
    ----------
    course
        The course.
    codes
        What `descheduler.policy.recheck.recheck` says of each pending move, in their order.
    held_back
        Given a move and those that are to begin before it: code of a budget that it would pass, or empty.
    most
        How many may begin; ``None`` for no limit beside the budgets.
    settling
        Moves have ended that the newest state does not show yet.
    """
    # As long as anything before a move is to come, what is in its way may pass.
    comes = settling or bool(course.numbers(Phase.RUNNING))
    begun: list[int] = []
    found = []
    for number, code in zip(course.numbers(Phase.PENDING), codes, strict=True):
        if code:
            found.append(Intent(number, skip=not (comes and code in WAITS), code=code))
            continue
        comes = True
        budget = "budget-half-open" if most is not None and len(begun) >= most else held_back(number, begun)
        if not budget:
            begun.append(number)
        found.append(Intent(number, begin=not budget, code=budget))
    return found
