"""A plan's resource as the value that reports are made of."""

from __future__ import annotations

from descheduler.acting.resource import NodeUse, PlanResource, Use
from descheduler.report import carried as told
from descheduler.report.carried import Carried, CarriedMove, CarriedNode


def carried(plan: PlanResource) -> Carried:
    """The plan with what became of its moves and nodes, as far as it is known."""
    status = plan.status
    return Carried(
        name=plan.metadata.name,
        goal=plan.spec.goal.value,
        phase=status.phase.value,
        message=status.message,
        created=plan.metadata.creation_timestamp or "",
        finished=status.finished_at or "",
        moves=_moves(plan),
        nodes=tuple(map(_node, status.nodes)),
        thresholds=status.thresholds,
    )


def _moves(plan: PlanResource) -> tuple[CarriedMove, ...]:
    course = plan.course()
    return tuple(
        CarriedMove(
            number, move, step.phase.value, step.code, step.reason, step.began_at_seconds, step.ended_at_seconds
        )
        for number, (move, step) in enumerate(zip(course.moves, course.steps, strict=True), 1)
    )


def _node(node: NodeUse) -> CarriedNode:
    after = None if node.after is None else _use(node.after)
    return CarriedNode(node.name, _use(node.before), _use(node.foreseen), after)


def _use(use: Use) -> told.Use:
    return told.Use(use.memory_ratio, use.cpu_ratio)
