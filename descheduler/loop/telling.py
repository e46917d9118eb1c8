"""What the loop tells Prometheus: cycles and moves are counted here, all else is made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from descheduler.acting.acted import Happened
from descheduler.acting.actor import Acted
from descheduler.acting.course import ENDED, Phase
from descheduler.executors.recording import RecordingExecutor
from descheduler.executors.registry import ROUTES
from descheduler.executors.taint import Change
from descheduler.loop.catalogue import FAMILIAR, told
from descheduler.loop.collectors import (
    ActingCollector,
    FamiliarCollector,
    HealthCollector,
    LeadCollector,
    PlanCollector,
    RequestCollector,
)
from descheduler.loop.cycle import Cycle, Result
from descheduler.loop.modes import Mode
from descheduler.policy.memory import Moved
from descheduler.policy.plan import RebalancePlan
from ullage import __version__
from ullage.config.schema import Thresholds
from ullage.model.codes.holding import HOLDING
from ullage.sources.ports import Health

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_CYCLE_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_MOVE_SECONDS: Final = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
_EXECUTORS: Final = (*(name for name, _ in ROUTES), RecordingExecutor.name)
_REACHED: Final = tuple(phase for phase in Phase if phase is not Phase.PENDING)
_RESULTS: Final = {
    Phase.SUCCEEDED: "success",
    Phase.FAILED: "error",
    Phase.REFUSED: "error",
    Phase.CANCELLED: "error",
}
"""How the existing descheduler calls what became of an eviction."""


@dataclass(frozen=True)
class Sources:
    """Where the figures come from that are made when they are asked for.

    Attributes
    ----------
    health
        How well the cluster is known.
    leads, transitions
        Whether this replica leads, and how often it became the leader.
    requests
        Requests to the API server for acting, by verb and status.
    evictions
        Those for evictions, by code of what the answer means.
    thresholds
        Thresholds in effect.
    mode
        What may be done with a plan.
    moves
        Moves of the last two days.
    """

    health: Callable[[], Health]
    leads: Callable[[], bool] = lambda: False
    transitions: Callable[[], int] = lambda: 0
    requests: Callable[[], dict[tuple[str, str], int]] = dict
    evictions: Callable[[], dict[str, int]] = dict
    thresholds: Callable[[], Thresholds] = Thresholds
    mode: Mode = Mode.PREDICTIVE
    moves: Callable[[], tuple[Moved, ...]] = tuple


class Metrics:
    """The metrics; counters are at 0 from the start, where their labels are known.

    Parameters
    ----------
    sources
        Where figures come from.
    by_node
        Whether there are series per node.

    Attributes
    ----------
    reload_failures
        New configurations that could not be used.
    configuration_valid
        1 while the configuration file in its present form is in effect.
    """

    def __init__(self, sources: Sources, *, by_node: bool = True) -> None:
        self.registry = CollectorRegistry()
        self._cycles = _counter(self.registry, "cycles_total", ((result.value,) for result in Result))
        self._seconds = _histogram(self.registry, "cycle_duration_seconds", _CYCLE_SECONDS)
        self.reload_failures = _counter(self.registry, "configuration_reload_failures_total")
        self.configuration_valid = _gauge(self.registry, "configuration_valid")
        self.configuration_valid.set(1)
        _gauge(self.registry, "ullage_build_info").labels(__version__).set(1)
        self._moves = _Moves(self.registry, by_node=by_node)
        modes = _gauge(self.registry, "mode")
        for mode in Mode:
            modes.labels(mode.value).set(mode is sources.mode)
        self._plan, self._acting = PlanCollector(by_node=by_node), ActingCollector(sources.moves)
        lead = LeadCollector(sources.leads, sources.transitions)
        requests = RequestCollector(sources.health, sources.requests, sources.evictions)
        for each in (self._plan, self._acting, lead, requests, HealthCollector(sources.health)):
            self.registry.register(each)
        if by_node:
            self.registry.register(FamiliarCollector(self._plan, sources.thresholds))

    def cycled(self, cycle: Cycle) -> None:
        """Count a cycle."""
        self._cycles.labels(cycle.result.value).inc()
        self._seconds.observe(cycle.took_seconds)
        if cycle.plan is not None:
            self._plan.plan = cycle.plan
        self._acting.acted, self._acting.at_seconds = cycle.acted, cycle.at_seconds
        if cycle.acted is not None:
            self._moves.acted(cycle.acted, cycle.plan)

    def text(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self.registry)


def _counter(registry: CollectorRegistry, name: str, known: Iterable[tuple[str, ...]] = ()) -> Counter:
    """A counter, at 0 for all labels that are known."""
    found = told(name)
    counter = Counter(found.name, found.text, found.labels, registry=registry)
    for labels in known:
        counter.labels(*labels)
    return counter


def _gauge(registry: CollectorRegistry, name: str) -> Gauge:
    found = told(name)
    return Gauge(found.name, found.text, found.labels, registry=registry)


def _histogram(registry: CollectorRegistry, name: str, buckets: tuple[float, ...]) -> Histogram:
    found = told(name)
    return Histogram(found.name, found.text, found.labels, buckets=buckets, registry=registry)


class _Moves:
    """Counts what becomes of moves, and what holds them back."""

    def __init__(self, registry: CollectorRegistry, *, by_node: bool) -> None:
        self._planned = _counter(registry, "moves_planned_total")
        self._moves = _counter(registry, "moves_total", product(_EXECUTORS, _REACHED))
        self._ended = _counter(registry, "moves_ended_total")
        self._blocked = _counter(registry, "blocked_total", ((code.name,) for code in HOLDING))
        self._marks = _counter(registry, "taint_changes_total", ((change.value,) for change in Change))
        self._seconds = _histogram(registry, "move_duration_seconds", _MOVE_SECONDS)
        for name in _EXECUTORS:
            self._seconds.labels(name)
        self._evicted = _counter(registry, f"{FAMILIAR}pods_evicted_total") if by_node else None

    def acted(self, acted: Acted, plan: RebalancePlan | None) -> None:
        """Count what came of a cycle of acting."""
        self._planned.inc(acted.planned)
        for change in acted.marks_changed:
            self._marks.labels(change.value).inc()
        for code in _blockers(acted, plan):
            self._blocked.labels(code).inc()
        goal = acted.plan.spec.goal.value if acted.plan is not None else ""
        for what in acted.happened:
            self._happened(what, goal)

    def _happened(self, what: Happened, goal: str) -> None:
        self._moves.labels(what.executor, what.phase.value).inc()
        if what.phase in ENDED:
            self._ended.labels(what.phase.value, what.code).inc()
        if what.phase is Phase.SUCCEEDED and what.seconds == what.seconds:
            self._seconds.labels(what.executor).observe(what.seconds)
        if self._evicted is not None and what.phase in _RESULTS:
            self._evicted.labels(_RESULTS[what.phase], "ullage", goal, what.namespace, what.source).inc()


def _blockers(acted: Acted, plan: RebalancePlan | None) -> set[str]:
    """Codes of what held something back in this cycle; a breaker holds nothing back where nothing is to be done."""
    has_work = acted.plan is not None or (plan is not None and bool(plan.spec.moves))
    open_ = {each.code for each in acted.open} if has_work else set()
    held = {acted.held_code} if acted.held_code else set()
    return open_ | held | set(acted.waiting)
