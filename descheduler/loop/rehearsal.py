"""The hands of a dry run: the very actor of the live loop, on an executor that records, and on stores that keep nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import msgspec

from descheduler.acting.actor import Acted, Actor, Decided, Ports
from descheduler.acting.breakers import Alerts
from descheduler.acting.course import PlanPhase
from descheduler.acting.ledger import Ledger
from descheduler.acting.resource import PlanResource
from descheduler.executors.port import Receipt, Step, Verdict
from descheduler.executors.recording import Call, RecordingExecutor
from descheduler.executors.registry import case_of, route
from descheduler.executors.taint import Change, TaintChange
from descheduler.policy.memory import Moved
from descheduler.policy.plan import PlannedMove
from ullage.config import Configuration
from ullage.model.state import ClusterState

_BEGUN = Receipt(Verdict.UNDER_WAY, "recorded", "It would have been begun; this is a dry run.")


def no_alerts(config: Configuration) -> Alerts:
    """Where there is no cluster, there is nobody to ask."""
    del config
    return Alerts()


@dataclass(frozen=True)
class Rehearsed:
    """A move that would have been begun, by which executor."""

    move: PlannedMove
    executor: str

    def __str__(self) -> str:
        return f"{self.move.workload} from {self.move.source} to {self.move.target} by {self.executor}"


class Rehearsal:
    """`descheduler.loop.app.ActingHands` that write nothing, and tell what would be begun now.

    Nothing is remembered from one cycle to the next: as nothing moves, the same may be said again, and then it is not told.

    Parameters
    ----------
    tell
        Told of every move that would be begun, and was not in the cycle before.
    approves
        Whether plans need no person's word.
    alerts
        What is known of the alerts that are to stop moves.
    """

    def __init__(
        self,
        tell: Callable[[Rehearsed], None],
        *,
        approves: bool = True,
        alerts: Callable[[Configuration], Alerts] = no_alerts,
    ) -> None:
        self._tell, self._approves, self._alerts = tell, approves, alerts
        self._before: tuple[Rehearsed, ...] = ()
        self.identity, self.leader, self.transitions = "dry run", "", 0

    @property
    def leads_since_seconds(self) -> float | None:
        """Since ever: a dry run takes part in no election, and waits for no window of measures."""
        return 0.0

    def requests(self) -> Mapping[tuple[str, str], int]:
        """None was sent."""
        return {}

    def evictions(self) -> Mapping[str, int]:
        """None was asked for."""
        return {}

    def moves(self) -> tuple[Moved, ...]:
        """Nothing was begun."""
        return ()

    def start(self) -> None:
        """Nothing is to be begun."""

    def stop(self) -> None:
        """Nothing is to be given back."""

    def cycle(self, decided: Decided, config: Configuration, leads_since: float, now_seconds: float) -> Acted:
        """What a cycle of acting would come to; what was said in the one before is not said again."""
        recorder = RecordingExecutor(_BEGUN, _BEGUN)
        ports = Ports(
            executor=lambda *_: recorder,
            plans=_NoPlans(),
            ledger=_NoLedger(),
            taints=_NoTaints(),
            tell=lambda *_: None,
            alerts=self._alerts,
        )
        acted = Actor(ports, approves=self._approves).cycle(decided, config, leads_since, now_seconds)
        begun = [each.step for each in recorder.calls if each.call is Call.BEGIN]
        return self._told(acted, tuple(_rehearsed(step, decided.state) for step in begun))

    def _told(self, acted: Acted, begun: tuple[Rehearsed, ...]) -> Acted:
        before, self._before = self._before, begun
        if begun and begun == before:
            return replace(acted, happened=(), planned=0, marks_changed=())
        for each in begun:
            self._tell(each)
        return acted


def _rehearsed(step: Step, state: ClusterState) -> Rehearsed:
    return Rehearsed(step.move, route(case_of(step, state)))


class _NoPlans:
    """`PlanPort` that keeps nothing."""

    def open(self) -> PlanResource | None:
        return None

    def rejected(self) -> list[PlanResource]:
        return []

    def create(self, plan: PlanResource) -> PlanResource:
        """It as the next cycle would find it: evictions wait until the extender has seen that it runs."""
        if plan.status.phase is not PlanPhase.APPROVED:
            return plan
        return msgspec.structs.replace(plan, status=msgspec.structs.replace(plan.status, phase=PlanPhase.RUNNING))

    def update(self, plan: PlanResource) -> PlanResource:
        return plan

    def delete(self, plan: PlanResource) -> None:
        """There is none."""


class _NoLedger:
    """`LedgerPort` that keeps nothing; within a cycle the actor knows what it has begun."""

    def read(self) -> Ledger:
        return Ledger()

    def write(self, ledger: Ledger) -> None:
        """It is not kept."""


class _NoTaints:
    """`Taints` that are not put on."""

    def reconcile(self, wanted: dict[str, str], now_seconds: float) -> list[TaintChange]:
        del now_seconds
        return [TaintChange(name, Change.ADDED) for name in wanted]
