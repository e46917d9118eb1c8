from __future__ import annotations

from descheduler.acting.breakers import Alerts
from descheduler.acting.course import Phase, PlanPhase
from descheduler.loop.cycle import Clocks, Cycles
from descheduler.loop.rehearsal import Rehearsal
from descheduler.loop.telling import Metrics, Sources
from tests.builders import Cluster
from tests.descheduler.loop.sources import GivenSource, Time, at
from tests.descheduler.loop.test_telling import figures
from ullage.config.schema import Breakers, Budgets, Configuration, Hysteresis
from ullage.config.windows import Window
from ullage.sources.ports import Health

NOW = 1_000_000.0
CONFIG = Configuration(hysteresis=Hysteresis(persistence_seconds=0))


def hot() -> Cluster:
    """n1 is over by four VMs."""
    cluster = Cluster().node("n1").node("n2").node("n3")
    for i in range(12):
        cluster.vm(f"shop/v{i}", "n1", use_cpu=0.7)
    return cluster


def rehearsed(config: Configuration = CONFIG, **more: object):
    """Cycles on a hot node, and what they say."""
    said: list[str] = []
    source, time = GivenSource(at(hot().build(), NOW)), Time(NOW)
    hands = Rehearsal(lambda each: said.append(str(each)), **more)  # type: ignore[arg-type]
    loop = Cycles(source, Clocks(time, time), 1e9, hands)
    return said, lambda: loop.next(config)


def test_it_says_what_would_be_begun_and_what_would_wait():
    said, cycle = rehearsed()
    acted = cycle().acted
    assert len(said) == 2
    assert all(each.startswith("shop/v") and " from n1 to " in each for each in said)
    assert acted.waiting == ("budget-node-out",) * 2
    assert [step.phase for step in acted.plan.status.steps].count(Phase.RUNNING) == 2


def test_pods_would_be_evicted():
    cluster = Cluster().node("n1").node("n2")
    for i in range(9):
        cluster.pod(f"shop/p{i}", "n1", owner=("ReplicaSet", f"web{i}"), use_cpu=0.9)
    said: list[str] = []
    source, time = GivenSource(at(cluster.build(), NOW)), Time(NOW)
    loop = Cycles(source, Clocks(time, time), 1e9, Rehearsal(lambda each: said.append(str(each))))
    assert loop.next(CONFIG).acted.waiting == ()
    assert len(said) == 2
    assert all(each.startswith("shop/p") and each.endswith(" from n1 to n2 by evict") for each in said)


def test_the_same_is_said_once():
    said, cycle = rehearsed()
    first, second = cycle().acted, cycle().acted
    assert (first.planned, second.planned) == (4, 0)
    assert (len(first.happened), len(second.happened), len(said)) == (2, 0, 2)


def test_the_mode_manual_would_wait_for_a_word():
    said, cycle = rehearsed(approves=False)
    acted = cycle().acted
    assert (said, acted.plan.status.phase) == ([], PlanPhase.PROPOSED)


def test_breakers_and_budgets_are_those_of_the_loop():
    closed = Configuration(breakers=Breakers(windows=(Window((0,), 0, 1),)), hysteresis=CONFIG.hysteresis)
    said, cycle = rehearsed(closed)
    assert [each.code for each in cycle().acted.open] == ["outside-window"]
    alarmed, cycle = rehearsed(alerts=lambda _: Alerts(("NodeDown",)))
    assert [each.code for each in cycle().acted.open] == ["alerts-firing"]
    assert said == alarmed == []
    frugal = Configuration(budgets=Budgets(moves_per_hour=1), hysteresis=CONFIG.hysteresis)
    said, cycle = rehearsed(frugal)
    assert cycle().acted.waiting == ("budget-hour", "budget-hour", "budget-hour")
    assert len(said) == 1


def test_metrics_tell_a_dry_run_from_a_real_one():
    _, cycle = rehearsed()
    metrics = Metrics(Sources(Health))
    for _ in range(3):
        metrics.cycled(cycle())
    found = figures(metrics)
    assert (found["moves_total record Running"], found["moves_total migrate Running"]) == (2, 0)
