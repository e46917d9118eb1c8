"""Gauges of the loop, made of what it shows whenever they are asked for."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from descheduler.acting.actor import Acted
from descheduler.acting.breakers import BREAKERS
from descheduler.acting.budgets import Flying
from descheduler.acting.course import Phase
from descheduler.executors.answers import EVICTION
from descheduler.executors.taint import KEY
from descheduler.loop.catalogue import FAMILIAR, counts, gauge, gauges
from descheduler.policy.memory import Moved
from descheduler.policy.plan import NodeClass, RebalancePlan
from ullage.config.schema import Thresholds
from ullage.model.codes import CODES
from ullage.model.codes.code import Topic
from ullage.model.codes.holding import BUDGETS
from ullage.sources.ports import Health, KindHealth, ReadingHealth

_MOVE_CODES: Final = tuple(code.name for code in CODES.values() if code.topic is Topic.MOVE)
_REJECTED: Final = ("nan", "inf", "range", "stale", "future", "missing", "duplicate", "unit", "implausible", "frozen")
_EVICTION_CODES: Final = ("eviction-accepted", *{rule.code for rule in EVICTION})
_DAY_SECONDS: Final = 86400.0
_CLASSES: Final = {NodeClass.UNDER: 0, NodeClass.FIT: 1, NodeClass.OVER: 2}
_KIND_GAUGES: Final[tuple[tuple[str, Callable[[KindHealth], float]], ...]] = (
    ("watch_lag_seconds", lambda k: k.lag_seconds),
    ("objects", lambda k: k.objects),
    ("objects_quarantined", lambda k: k.quarantined),
    ("watch_failing", lambda k: float(bool(k.error))),
)
_SOURCE_GAUGES: Final[tuple[tuple[str, Callable[[ReadingHealth], float]], ...]] = (
    ("metrics_age_seconds", lambda s: s.age_seconds),
    ("metrics_duration_seconds", lambda s: s.took_seconds),
    ("metrics_failing", lambda s: float(bool(s.error))),
)


class PlanCollector(Collector):
    """Figures of the newest plan.

    Parameters
    ----------
    by_node
        Whether there are series per node.
    """

    def __init__(self, *, by_node: bool) -> None:
        self.plan: RebalancePlan | None = None
        self._by_node = by_node

    def collect(self) -> Iterator[Metric]:
        """Figures, made when they are asked for."""
        plan = self.plan
        classes = Count(n.before.node_class for n in plan.status.nodes) if plan else Count()
        yield gauges("nodes", [(c.value, classes[c]) for c in NodeClass])
        codes = Count(m.code for m in plan.spec.moves) if plan else Count()
        yield gauges("moves_proposed", [(code, codes[code]) for code in _MOVE_CODES])
        if plan is None:
            return
        yield gauge("plan_bytes", plan.status.summary.bytes)
        yield gauge("plan_nodes_over_after", plan.status.summary.nodes_over_after)
        if self._by_node:
            yield gauges("node_utilization_ratio", _uses(plan))


class ActingCollector(Collector):
    """What came of acting in the newest cycle.

    Parameters
    ----------
    moves
        Moves of the last two days.
    """

    def __init__(self, moves: Callable[[], tuple[Moved, ...]]) -> None:
        self.acted: Acted | None = None
        self.at_seconds = 0.0
        self._moves = moves

    def collect(self) -> Iterator[Metric]:
        """Figures, made when they are asked for."""
        acted = self.acted or Acted()
        broken = {each.code for each in acted.open}
        yield gauges("breaker_open", [(name, float(name in broken)) for name in BREAKERS])
        yield gauge("held_back", float(bool(acted.held_back)))
        waiting = Count({code.name: 0 for code in BUDGETS})
        waiting.update(acted.waiting)
        yield gauges("moves_held_back", sorted(waiting.items()))
        yield gauges("moves_in_flight", _in_flight(acted.flying))
        yield gauges("budget_remaining", sorted(acted.left.items()))
        phases = Count(s.phase for s in acted.plan.status.steps) if acted.plan else Count()
        yield gauges("plan_moves", [(phase.value, phases[phase]) for phase in Phase])
        yield gauges("taints", [(KEY, acted.marked)])
        of_workloads = Count(m.uid for m in self._moves() if m.at_seconds > self.at_seconds - _DAY_SECONDS)
        yield gauge("workload_moves", max(of_workloads.values(), default=0))


class LeadCollector(Collector):
    """Our part in the election.

    Parameters
    ----------
    leads, transitions
        Whether we lead, and how often we became the leader.
    """

    def __init__(self, leads: Callable[[], bool], transitions: Callable[[], int]) -> None:
        self._leads, self._transitions = leads, transitions

    def collect(self) -> Iterator[Metric]:
        """Figures, made when they are asked for."""
        yield gauge("leader", float(self._leads()))
        yield counts("leader_transitions_total", [((), self._transitions())])


class RequestCollector(Collector):
    """What was asked of the API server.

    Parameters
    ----------
    health
        What the source says of itself, its requests included.
    requests
        Requests for acting, by verb and status.
    evictions
        Those for evictions, by code of what the answer means.
    """

    def __init__(
        self,
        health: Callable[[], Health],
        requests: Callable[[], dict[tuple[str, str], int]],
        evictions: Callable[[], dict[str, int]],
    ) -> None:
        self._health, self._requests, self._evictions = health, requests, evictions

    def collect(self) -> Iterator[Metric]:
        """Figures, made when they are asked for."""
        watching = [(("watching", verb, code), count) for verb, code, count in self._health().requests]
        acting = [(("acting", *sent), count) for sent, count in sorted(self._requests().items())]
        yield counts("api_requests_total", [*watching, *acting])
        answered = dict.fromkeys(_EVICTION_CODES, 0) | self._evictions()
        yield counts("eviction_requests_total", sorted(answered.items()))


class HealthCollector(Collector):
    """How well the cluster is known.

    Parameters
    ----------
    health
        What the source says of itself.
    """

    def __init__(self, health: Callable[[], Health]) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """Figures, made when they are asked for."""
        health = self._health()
        yield gauge("synced", float(health.is_synced))
        for name, of_kind in _KIND_GAUGES:
            yield gauges(name, [(k.resource, of_kind(k)) for k in health.kinds])
        yield counts("relists_total", [((k.resource, why), n) for k in health.kinds for why, n in k.relists.items()])
        for name, of_source in _SOURCE_GAUGES:
            yield gauges(name, [(s.source, of_source(s)) for s in health.readings])
        rejected = Count(dict.fromkeys(_REJECTED, 0))
        for source in health.readings:
            for problem in source.problems:
                rejected[problem.code] += problem.count
        yield gauges("metrics_rejected", rejected.items())
        aside = Count(a.code for a in health.set_aside)
        yield gauges("nodes_set_aside", sorted(aside.items()))


class FamiliarCollector(Collector):
    """The gauges of OpenShift's fork of the existing descheduler (``metrics/metrics.go``), of our own verdicts.

    Parameters
    ----------
    plans
        What holds the newest plan.
    thresholds
        Gives the thresholds in effect.
    """

    def __init__(self, plans: PlanCollector, thresholds: Callable[[], Thresholds]) -> None:
        self._plans, self._thresholds = plans, thresholds

    def collect(self) -> Iterator[Metric]:
        """Figures, made when they are asked for."""
        plan, bands = self._plans.plan, self._thresholds()
        yield gauge(_fork("threshold_mode"), 0)
        if plan is None:
            return
        yield gauges(_fork("node_utilization_value"), _uses(plan))
        levels = [
            (resource, low_or_high, ratio)
            for resource, band in (("cpu", bands.cpu), ("memory", bands.memory))
            for low_or_high, ratio in (("low", band.low), ("high", band.high))
        ]
        nodes = plan.status.nodes
        limits = [((node.name, resource, kind), ratio) for node in nodes for resource, kind, ratio in levels]
        yield gauges(_fork("node_utilization_threshold"), limits)
        known = [(n.name, _CLASSES[n.before.node_class]) for n in nodes if n.before.node_class in _CLASSES]
        yield gauges(_fork("node_classification"), known)


def _fork(name: str) -> str:
    return f"{FAMILIAR}lownodeutilization_{name}"


def _uses(plan: RebalancePlan) -> Iterator[tuple[tuple[str, str], float]]:
    for node in plan.status.nodes:
        for resource, ratio in (("cpu", node.before.cpu_ratio), ("memory", node.before.memory_ratio)):
            if ratio is not None:
                yield (node.name, resource), ratio


def _in_flight(flying: tuple[Flying, ...]) -> list[tuple[str, float]]:
    def most(nodes: Count[str]) -> int:
        return max((count for name, count in nodes.items() if name), default=0)

    out, into = Count(f.source for f in flying), Count(f.target for f in flying)
    return [("cluster", len(flying)), ("max_node_out", most(out)), ("max_node_in", most(into))]
