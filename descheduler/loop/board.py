"""What the loop shows of itself: the newest cycle, to any number of readers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import msgspec

from descheduler.acting.actor import Acted
from descheduler.loop.cycle import Cycle, Result
from descheduler.policy.plan import RebalancePlan
from descheduler.report import page, render
from ullage.sources.ports import Health


class ActingStatus(msgspec.Struct, frozen=True, rename="camel"):
    """What came of acting.

    Attributes
    ----------
    plan, phase, done
        The plan that is carried out or waits for approval; empty if there is none.
    breakers
        Sentences of the breakers that are open.
    held_back
        Why nothing was written; empty if nothing kept it from it.
    in_flight
        How many moves are under way, of anyone.
    """

    plan: str
    phase: str
    done: str
    breakers: tuple[str, ...]
    held_back: str
    in_flight: int


class CycleStatus(msgspec.Struct, frozen=True, rename="camel"):
    """The newest cycle in brief."""

    result: str
    at_seconds: float
    took_seconds: float
    generation: int
    moves: int
    acting: ActingStatus | None = None


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """What ``/status`` answers.

    Attributes
    ----------
    mode
        Mode of the loop.
    leader
        Who leads, as far as it is known; empty in a mode that does not act.
    cycle
        The newest cycle; ``None`` before the first.
    configuration_error
        Why the configuration file is not in effect; empty if it is.
    health
        How well the cluster is known.
    """

    mode: str
    leader: str
    cycle: CycleStatus | None
    configuration_error: str
    health: Health


class Shown:
    """A plan in the forms that are asked for, each made once."""

    def __init__(self, plan: RebalancePlan) -> None:
        self.plan = plan

    @cached_property
    def json(self) -> bytes:
        """As ``ullage plan -o json`` prints it."""
        return render(self.plan, "json").encode()

    @cached_property
    def html(self) -> bytes:
        """The report."""
        return page(self.plan).encode()


class Board:
    """The newest cycle; one writer, any number of readers."""

    def __init__(self) -> None:
        self.cycle: Cycle | None = None
        self.shown: Shown | None = None

    def put(self, cycle: Cycle) -> None:
        """Show a cycle; without a verdict, the plan before stays."""
        if cycle.plan is not None:
            self.shown = Shown(cycle.plan)
        self.cycle = cycle

    @property
    def is_ready(self) -> bool:
        """Whether the newest cycle came to a verdict."""
        return self.cycle is not None and self.cycle.result is Result.PLANNED

    def status(self, mode: str, leader: str, configuration_error: str, health: Callable[[], Health]) -> Status:
        """The state of the service."""
        return Status(mode, leader, _brief(self.cycle) if self.cycle else None, configuration_error, health())


def _brief(cycle: Cycle) -> CycleStatus:
    plan = cycle.plan
    return CycleStatus(
        result=cycle.result.value,
        at_seconds=cycle.at_seconds,
        took_seconds=cycle.took_seconds,
        generation=plan.status.generation if plan else 0,
        moves=len(plan.spec.moves) if plan else 0,
        acting=_acting(cycle.acted) if cycle.acted else None,
    )


def _acting(acted: Acted) -> ActingStatus:
    plan = acted.plan
    return ActingStatus(
        plan=plan.metadata.name if plan else "",
        phase=plan.status.phase.value if plan else "",
        done=plan.status.done if plan else "",
        breakers=tuple(each.text for each in acted.open),
        held_back=acted.held_back,
        in_flight=len(acted.flying),
    )
