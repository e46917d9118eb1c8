"""The resource RebalancePlan (``ullage.dev/v1alpha1``): a plan that is carried out, for people and over restarts.

It holds the moves and where each of them stands, and of the nodes that it touches what was foreseen and what came. What else
``ullage plan`` prints (every refusal, every node) would not fit into an object of the API.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec

from descheduler.acting.course import Course, PlanPhase, StepState
from descheduler.policy.plan import API_VERSION, KIND, Goal, PlannedMove, RebalancePlan, Threshold

GROUP: Final = "ullage.dev"
PLURAL: Final = "rebalanceplans"
PATH: Final = f"/apis/{API_VERSION}/{PLURAL}"
MOST_MOVES: Final = 250
"""Of a plan with more moves the first ones are kept, and later plans go on from there.

Every change of the status has the API server read and write the whole object: with 1000 moves this took 2 s on two busy cores.
"""


class Approval(StrEnum):
    """What a person says of a plan; it needs no word in the mode Automatic."""

    NONE = ""
    APPROVED = "Approved"
    REJECTED = "Rejected"


class Use(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Predicted use of a node over what it can allocate; ``None`` where it is not known."""

    cpu_ratio: float | None = None
    memory_ratio: float | None = None


class NodeUse(msgspec.Struct, frozen=True, rename="camel"):
    """A node that a plan touches: before it, as foreseen, and after it (``None`` until it has ended)."""

    name: str
    before: Use
    foreseen: Use
    after: Use | None = None


class Meta(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What is read and written of ``metadata``."""

    name: str
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: str | None = None


class Spec(msgspec.Struct, frozen=True, rename="camel"):
    """What is to be done, and whether it may be."""

    goal: Goal
    moves: tuple[PlannedMove, ...]
    approval: Approval = Approval.NONE


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """Where it stands."""

    phase: PlanPhase = PlanPhase.PROPOSED
    steps: tuple[StepState, ...] = ()
    nodes: tuple[NodeUse, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    message: str = ""
    done: str = ""
    """Moves that ended, of all; for the table."""
    finished_at: str | None = None


class PlanResource(msgspec.Struct, frozen=True, rename="camel"):
    """The resource."""

    metadata: Meta
    spec: Spec
    status: Status = Status()
    api_version: str = API_VERSION
    kind: str = KIND

    @classmethod
    def of(cls, name: str, plan: RebalancePlan, *, approved: bool) -> PlanResource:
        """Resource of a new plan."""
        plan = _kept(plan)
        course = Course.of(name, plan, approved=approved)
        status = Status(course.phase, course.steps, _touched(plan), plan.status.thresholds, done=_done(course))
        return cls(Meta(name), Spec(plan.spec.goal, plan.spec.moves), status)

    def moves(self) -> list[tuple[str, str]]:
        """Workload and destination of each move, in order: two plans with the same are the same."""
        return [(m.workload.uid, m.target) for m in self.spec.moves]

    def course(self) -> Course:
        """Its course; steps that the status lacks are pending."""
        steps = self.status.steps[: len(self.spec.moves)]
        missing = len(self.spec.moves) - len(steps)
        phase = self.status.phase
        if phase is PlanPhase.PROPOSED and self.spec.approval is not Approval.NONE:
            phase = PlanPhase(self.spec.approval.value)
        return Course(
            self.metadata.name, self.spec.goal, self.spec.moves, phase, (*steps, *(StepState() for _ in range(missing)))
        )

    def at(self, course: Course, now_seconds: float, message: str = "") -> PlanResource:
        """The resource with where its course stands now."""
        finished = self.status.finished_at
        if course.phase in (PlanPhase.FINISHED, PlanPhase.REJECTED) and finished is None:
            finished = timestamp(now_seconds)
        status = msgspec.structs.replace(
            self.status,
            phase=course.phase,
            steps=course.steps,
            message=message,
            done=_done(course),
            finished_at=finished,
        )
        return msgspec.structs.replace(self, status=status)

    def with_after(self, plan: RebalancePlan) -> PlanResource:
        """The resource with what came of the nodes, as a later plan sees them before it."""
        seen = {n.name: Use(n.before.cpu_ratio, n.before.memory_ratio) for n in plan.status.nodes}
        nodes = tuple(msgspec.structs.replace(n, after=seen.get(n.name)) for n in self.status.nodes)
        return msgspec.structs.replace(self, status=msgspec.structs.replace(self.status, nodes=nodes))


def _kept(plan: RebalancePlan) -> RebalancePlan:
    spec = msgspec.structs.replace(plan.spec, moves=plan.spec.moves[:MOST_MOVES])
    return msgspec.structs.replace(plan, spec=spec)


def _touched(plan: RebalancePlan) -> tuple[NodeUse, ...]:
    return tuple(
        NodeUse(n.name, Use(n.before.cpu_ratio, n.before.memory_ratio), Use(n.after.cpu_ratio, n.after.memory_ratio))
        for n in plan.status.nodes
        if n.moves_in or n.moves_out
    )


def _done(course: Course) -> str:
    return f"{sum(s.ended_at_seconds is not None for s in course.steps)}/{len(course.steps)}"


def timestamp(seconds: float) -> str:
    """Unix time as Kubernetes writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
