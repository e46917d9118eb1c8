"""What the loop tells Prometheus: nodes by class, moves proposed, cycles, and how well the cluster is known."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from descheduler.acting.actor import Acted
from descheduler.acting.breakers import BREAKERS
from descheduler.acting.course import Phase
from descheduler.executors.registry import ROUTES
from descheduler.loop.cycle import Cycle, Result
from descheduler.policy.plan import NodeClass, RebalancePlan
from ullage import __version__
from ullage.model.codes import CODES
from ullage.model.codes.code import Topic
from ullage.sources.ports import Health, KindHealth, ReadingHealth

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_PREFIX: Final = "ullage_descheduler_"
_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_EXECUTORS: Final = tuple(name for name, _ in ROUTES)
_REACHED: Final = tuple(phase for phase in Phase if phase is not Phase.PENDING)
_MOVE_CODES: Final = tuple(code.name for code in CODES.values() if code.topic is Topic.MOVE)


class Metrics:
    """The metrics, each at 0 from the start.

    Attributes
    ----------
    reload_failures
        New configurations that could not be used.
    configuration_valid
        1 while the configuration file in its present form is in effect.
    """

    def __init__(
        self, health: Callable[[], Health], leads: Callable[[], bool] = lambda: False, *, by_node: bool = True
    ) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self._cycles = Counter(_PREFIX + "cycles", "Cycles, by what they came to.", ["result"], registry=registry)
        self._seconds = Histogram(
            _PREFIX + "cycle_duration_seconds", "Duration of a cycle.", buckets=_SECONDS, registry=registry
        )
        self.reload_failures = Counter(
            _PREFIX + "configuration_reload_failures", "New configurations that could not be used.", registry=registry
        )
        self.configuration_valid = Gauge(
            _PREFIX + "configuration_valid",
            "Whether the configuration file as it is now is in effect.",
            registry=registry,
        )
        self.configuration_valid.set(1)
        for result in Result:
            self._cycles.labels(result.value)
        self._moves = Counter(
            _PREFIX + "moves", "Moves that came into a phase.", ["executor", "phase"], registry=registry
        )
        for name, phase in product(_EXECUTORS, _REACHED):
            self._moves.labels(name, phase.value)
        build = Gauge("ullage_build_info", "Version of this program.", ["version"], registry=registry)
        build.labels(__version__).set(1)
        leader = Gauge(_PREFIX + "leader", "Whether this replica leads and acts.", registry=registry)
        leader.set_function(lambda: float(leads()))
        self._plan = _PlanCollector(by_node=by_node)
        self._acting = _ActingCollector()
        self.registry.register(self._acting)
        self.registry.register(self._plan)
        self.registry.register(_HealthCollector(health))

    def cycled(self, cycle: Cycle) -> None:
        """Count a cycle."""
        self._cycles.labels(cycle.result.value).inc()
        self._seconds.observe(cycle.took_seconds)
        if cycle.plan is not None:
            self._plan.plan = cycle.plan
        self._acting.acted = cycle.acted
        for name, phase in cycle.acted.happened if cycle.acted is not None else ():
            self._moves.labels(name, phase.value).inc()

    def text(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self.registry)


class _PlanCollector(Collector):
    """Figures of the newest plan."""

    def __init__(self, *, by_node: bool) -> None:
        self.plan: RebalancePlan | None = None
        self._by_node = by_node

    def collect(self) -> Iterator[Metric]:
        """Figures, made when they are asked for."""
        plan = self.plan
        classes = Count(n.before.node_class for n in plan.status.nodes) if plan else Count()
        yield _gauges("nodes", "Nodes, by class.", "class", ((c.value, classes[c]) for c in NodeClass))
        codes = Count(m.code for m in plan.spec.moves) if plan else Count()
        moves = ((code, codes[code]) for code in _MOVE_CODES)
        yield _gauges("moves_proposed", "Moves in the newest plan, by code.", "code", moves)
        if plan is None:
            return
        yield _gauge("plan_bytes", "Memory that the newest plan would move.", plan.status.summary.bytes)
        yield _gauge("plan_nodes_over_after", "Nodes over after it.", plan.status.summary.nodes_over_after)
        if self._by_node:
            yield _utilization(plan)


class _ActingCollector(Collector):
    """What came of acting."""

    def __init__(self) -> None:
        self.acted: Acted | None = None

    def collect(self) -> Iterator[Metric]:
        """Figures, made when they are asked for."""
        acted = self.acted or Acted()
        broken = {each.code for each in acted.open}
        yield _gauges("breaker_open", "Whether it is open.", "name", [(b, float(b in broken)) for b in BREAKERS])
        yield _gauge("held_back", "Whether something keeps us from writing.", float(bool(acted.held_back)))
        yield _gauge("moves_in_flight", "Moves under way, of anyone.", len(acted.flying))
        yield _gauges("budget_remaining", "What may still begin.", "scope", sorted(acted.left.items()))
        phases = Count(s.phase for s in acted.plan.status.steps) if acted.plan else Count()
        yield _gauges(
            "plan_moves", "Moves of the plan that is carried out.", "phase", [(p.value, phases[p]) for p in Phase]
        )


class _HealthCollector(Collector):
    """How well the cluster is known."""

    def __init__(self, health: Callable[[], Health]) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """Figures, made when they are asked for."""
        health = self._health()
        yield _gauge("synced", "Whether every needed resource was listed.", float(health.is_synced))
        for name, text, of_kind in _KIND_GAUGES:
            yield _gauges(name, text, "kind", [(k.resource, of_kind(k)) for k in health.kinds])
        for name, text, of_source in _SOURCE_GAUGES:
            yield _gauges(name, text, "source", [(s.source, of_source(s)) for s in health.readings])
        rejected = Count(dict.fromkeys(_REJECTED, 0))
        for source in health.readings:
            for problem in source.problems:
                rejected[problem.code] += problem.count
        yield _gauges("metrics_rejected", "Values of the newest answers that cannot be used.", "why", rejected.items())
        aside = Count(a.code for a in health.set_aside)
        yield _gauges("nodes_set_aside", "Nodes that cannot be judged, by code.", "code", sorted(aside.items()))


_KIND_GAUGES: Final[tuple[tuple[str, str, Callable[[KindHealth], float]], ...]] = (
    ("watch_lag_seconds", "Time since something was last heard of a resource.", lambda k: k.lag_seconds),
    ("objects", "Objects that are held.", lambda k: k.objects),
    ("objects_quarantined", "Objects that cannot be read.", lambda k: k.quarantined),
    ("relists", "Lists after the first one.", lambda k: k.relists),
    ("watch_failing", "Whether a watch fails at the moment.", lambda k: float(bool(k.error))),
)
_SOURCE_GAUGES: Final[tuple[tuple[str, str, Callable[[ReadingHealth], float]], ...]] = (
    ("metrics_age_seconds", "Time since a source of measures last answered.", lambda s: s.age_seconds),
    ("metrics_duration_seconds", "Duration of its last answer.", lambda s: s.took_seconds),
    ("metrics_failing", "Whether it fails at the moment.", lambda s: float(bool(s.error))),
)
_REJECTED: Final = ("nan", "inf", "range", "stale", "future", "missing", "duplicate", "unit", "implausible", "frozen")


def _utilization(plan: RebalancePlan) -> Metric:
    family = GaugeMetricFamily(
        _PREFIX + "node_utilization_ratio", "Predicted use over allocatable.", labels=["node", "resource"]
    )
    for node in plan.status.nodes:
        for resource, ratio in (("cpu", node.before.cpu_ratio), ("memory", node.before.memory_ratio)):
            if ratio is not None:
                family.add_metric([node.name, resource], ratio)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


def _gauges(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, text, labels=[label])
    for of, value in values:
        family.add_metric([of], value)
    return family
