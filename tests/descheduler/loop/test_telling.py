"""Every figure of /metrics, on cycles that are made up."""

from __future__ import annotations

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from descheduler.acting.acted import Acted, Happened
from descheduler.acting.breakers import Open
from descheduler.acting.budgets import Flying
from descheduler.acting.course import Phase
from descheduler.acting.resource import PlanResource
from descheduler.executors.taint import Change
from descheduler.loop.catalogue import CATALOGUE
from descheduler.loop.cycle import Cycle, Result
from descheduler.loop.modes import Mode
from descheduler.loop.telling import Metrics, Sources
from descheduler.policy.memory import Moved
from descheduler.policy.plan import RebalancePlan
from tests.builders import Cluster
from tests.descheduler.policy.making import plan
from ullage.config.schema import Band, Thresholds
from ullage.sources.ports import Health, KindHealth, ReadingHealth, SetAside

ENDS = ("_total", "_bucket", "_count", "_sum", "_created", "")


def relief() -> RebalancePlan:
    cluster = Cluster().node("n1").node("n2").node("n3", use_cpu=None).vm("shop/v", "n1", use_cpu=2)
    return plan(cluster.vm("shop/w", "n1", use_cpu=5).build())


def everything() -> Metrics:
    """Metrics of which each has a sample."""
    health = Health(
        kinds=(KindHealth("pods", relists={"gone": 4}),),
        readings=(ReadingHealth("prometheus"),),
        set_aside=(SetAside("n3", "stale", ""),),
        requests=(("GET", "200", 9),),
    )
    metrics = Metrics(
        Sources(
            lambda: health,
            leads=lambda: True,
            transitions=lambda: 2,
            requests=lambda: {("POST", "201"): 3},
            mode=Mode.AUTOMATIC,
            moves=lambda: (Moved("u", -90_000.0), Moved("u", -9.0), Moved("u", -8.0), Moved("v", -7.0)),
            evictions=lambda: {"disruption-budget": 5},
            thresholds=lambda: Thresholds(cpu=Band(0.4, 0.8, 0.7)),
        )
    )
    metrics.cycled(acting(happened=(moved(), moved(Phase.FAILED, "migration-failed"))))
    return metrics


def acting(**acted: object) -> Cycle:
    made = relief()
    resource = PlanResource.of("p1", made, approved=True)
    return Cycle(Result.PLANNED, 0.0, 0.5, None, made, Acted(resource, **{"left": {"hour": 7}, **acted}))  # type: ignore[arg-type]


def moved(phase: Phase = Phase.SUCCEEDED, code: str = "moved", seconds: float = 40.0) -> Happened:
    return Happened("migrate", phase, code, "shop", "n1", seconds)


def figures(metrics: Metrics) -> dict[str, float]:
    """Samples by name without prefix, and label values in the order of their names."""
    families = text_string_to_metric_families(metrics.text().decode())
    samples = [sample for family in families for sample in family.samples]
    return {" ".join((s.name.removeprefix("ullage_descheduler_"), *s.labels.values())): s.value for s in samples}


def test_the_catalogue_holds_what_is_told_and_nothing_else():
    found: dict[str, set[str]] = {}
    kinds = {}
    for family in text_string_to_metric_families(everything().text().decode()):
        if family.name.endswith("_created"):
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        kinds[name] = family.type
        labels = {label for s in family.samples for label in s.labels if label != "le"}
        found[name] = labels
    assert found == {name: set(each.labels) for name, each in CATALOGUE.items()}
    assert kinds == {name: each.kind for name, each in CATALOGUE.items()}


def test_counters_are_there_before_the_first_event():
    before = figures(Metrics(Sources(Health)))
    for name in (
        "cycles_total planned",
        "moves_planned_total",
        "moves_total migrate Running",
        "moves_total evict Failed",
        "blocked_total budget-hour",
        "blocked_total kill-switch",
        "taint_changes_total removed",
        "leader_transitions_total",
        "move_duration_seconds_count migrate",
        "breaker_open alerts-firing",
        "moves_held_back budget-cluster",
    ):
        assert before[name] == 0, name


def test_moves_are_counted_by_what_became_of_them():
    metrics = Metrics(Sources(Health))
    metrics.cycled(acting(planned=2, happened=(moved(Phase.RUNNING, "migration-waits", math.nan),) * 2))
    metrics.cycled(acting(happened=(moved(), moved(Phase.FAILED, "migration-failed", 100.0))))
    metrics.cycled(acting(happened=(moved(Phase.SKIPPED, "not-needed", math.nan),)))
    found = figures(metrics)
    assert found["moves_planned_total"] == 2
    phases = {phase: found[f"moves_total migrate {phase.value}"] for phase in Phase if phase is not Phase.PENDING}
    assert phases == {
        Phase.RUNNING: 2,
        Phase.SUCCEEDED: 1,
        Phase.FAILED: 1,
        Phase.SKIPPED: 1,
        Phase.REFUSED: 0,
        Phase.CANCELLED: 0,
    }
    assert found["moves_ended_total migration-failed Failed"] == found["moves_ended_total not-needed Skipped"] == 1
    assert (found["move_duration_seconds_count migrate"], found["move_duration_seconds_sum migrate"]) == (1, 40)
    assert found["descheduler_pods_evicted_total shop n1 relieve success ullage"] == 1
    assert found["descheduler_pods_evicted_total shop n1 relieve error ullage"] == 1


def test_what_holds_back_is_counted_once_a_cycle():
    metrics = Metrics(Sources(Health))
    metrics.cycled(acting(waiting=("budget-node-out", "budget-node-out", "disruption-budget")))
    metrics.cycled(acting(open=(Open("settling", "."),)))
    metrics.cycled(acting(held_back="It is held back.", held_code="kill-switch"))
    found = figures(metrics)
    assert [found[f"blocked_total {c}"] for c in ("budget-node-out", "disruption-budget", "settling")] == [1, 1, 1]
    assert (found["blocked_total kill-switch"], found["held_back"]) == (1, 1)
    assert found["moves_held_back budget-node-out"] == 0
    metrics.cycled(acting(waiting=("budget-node-out",) * 2))
    assert figures(metrics)["moves_held_back budget-node-out"] == 2
    idle = Cycle(Result.PLANNED, 0.0, 0.5, None, None, Acted(open=(Open("settling", "."),)))
    metrics.cycled(idle)
    found = figures(metrics)
    assert (found["breaker_open settling"], found["blocked_total settling"]) == (1, 1)


def test_what_is_under_way_is_told_in_all_and_where_it_is_most():
    metrics = Metrics(Sources(Health))
    ways = [("n1", "n2"), ("n1", "n3"), ("n4", "n3"), ("n5", "n3"), ("n6", ""), ("n7", ""), ("n8", "")]
    flying = tuple(Flying(f"u{i}", source, target, "shop", "") for i, (source, target) in enumerate(ways))
    metrics.cycled(acting(flying=flying, marked=3, marks_changed=(Change.ADDED, Change.ADDED, Change.REMOVED)))
    found = figures(metrics)
    assert [found[f"moves_in_flight {s}"] for s in ("cluster", "max_node_out", "max_node_in")] == [7, 2, 3]
    assert found["budget_remaining hour"] == 7
    assert found["taints ullage.dev/overutilized"] == 3
    assert (found["taint_changes_total added"], found["taint_changes_total removed"]) == (2, 1)


def test_people_of_the_existing_descheduler_find_their_gauges():
    found = figures(everything())
    fork = "descheduler_lownodeutilization_"
    assert found[f"{fork}node_utilization_value n1 cpu"] == pytest.approx(7 / 8)
    assert found[f"{fork}node_utilization_threshold n1 cpu low"] == 0.4
    assert found[f"{fork}node_utilization_threshold n2 cpu high"] == 0.8
    assert (found[f"{fork}node_classification n1"], found[f"{fork}node_classification n2"]) == (2, 0)
    assert f"{fork}node_classification n3" not in found
    assert found[f"{fork}threshold_mode"] == 0
    assert found["leader_transitions_total"] == 2


def test_who_asks_for_a_mode_and_for_what_is_moved_again_and_again_finds_it():
    found = figures(everything())
    assert [found[f"mode {mode.value}"] for mode in Mode] == [0, 0, 0, 1]
    assert found["workload_moves"] == 2


def test_requests_are_told_by_what_they_are_for_and_lists_by_why():
    found = figures(everything())
    assert (found["api_requests_total 201 acting POST"], found["api_requests_total 200 watching GET"]) == (3, 9)
    assert (found["eviction_requests_total disruption-budget"], found["eviction_requests_total evacuating"]) == (5, 0)
    assert found["relists_total pods gone"] == 4


def test_without_metrics_by_node_no_series_names_one():
    metrics = Metrics(Sources(Health), by_node=False)
    metrics.cycled(acting(happened=(moved(),)))
    assert "n1" not in metrics.text().decode()
    assert figures(metrics)["moves_total migrate Succeeded"] == 1
