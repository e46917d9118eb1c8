from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descheduler.policy.decide import decide
from descheduler.policy.engines import engine
from descheduler.policy.engines.search.position import position
from descheduler.policy.engines.search.product import columns_of, evenness, mean_of, relief
from descheduler.policy.goals.balance import price, worth_of
from descheduler.policy.memory import Memory
from descheduler.policy.pace import Pace, Progress
from descheduler.policy.plan import NodeClass
from descheduler.policy.setting import problem, setting
from tests.builders import Cluster
from tests.descheduler.policy.checking import Checker
from tests.descheduler.policy.making import configuration, moves, plan
from tests.strategies import Traits, clusters, tight

SHORT = 0.1
KERNELS = ("numpy", "numba") if find_spec("numba") else ("numpy",)
few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])

searches = st.builds(
    configuration,
    high=st.sampled_from((0.8, 0.7)),
    target=st.sampled_from((0.7, 0.6)),
    goal=st.sampled_from(("relieve", "balance", "consolidate")),
    engine=st.just("search"),
    search_kernel=st.just("numpy"),
    search_time_limit_seconds=st.just(SHORT),
    minimize=st.sampled_from(("moves", "bytes")),
    max_moves=st.sampled_from((None, None, 0, 1, 2)),
    rounds=st.just(4),
    seed=st.integers(0, 5),
)


def tasks(state, config):
    given_setting = setting(state, Memory(), config, state.observed_at_seconds, must_leave=False)
    return given_setting, problem(given_setting, given_setting.rows(NodeClass.OVER))


def places(state, made):
    row = {uid: w for w, uid in enumerate(state.workloads.uid)}
    return {row[m.workload.uid]: state.nodes.name.index(m.target) for m in made.spec.moves}


@few
@given(clusters(), searches)
def test_every_prefix_of_every_searched_plan_is_safe(state, config):
    assert Checker(state, plan(state, config=config), config).problems() == []


@few
@given(clusters(Traits(gaps=False, bound=False), nodes=6, workloads=16), searches)
def test_searched_plans_of_clusters_full_of_rules_are_safe(state, config):
    assert Checker(state, plan(state, config=config), config).problems() == []


@few
@given(clusters(nodes=6, workloads=16), searches)
def test_the_columns_say_what_the_tally_says(state, config):
    """Loads, room and cost of a search are those of the planner, at the start and wherever the greedy engine leads."""
    given_setting, task = tasks(state, config)
    columns = columns_of(task, evenness(given_setting.known(), 0.01))
    tally = engine("greedy")(task, time_limit_seconds=1.0).tally
    # Where a full node is closed to idle workloads, too, each of them brings next to nothing.
    slight = 1e-6 + 2e-12 * len(task.home) * np.array([d.scale.mean() for d in task.dimensions])
    for away in ({}, dict(tally.away)):
        tally.restore(away)
        at = position(columns, tally.node.astype(np.int32))
        count = len(task.dimensions)
        load = at.sums.over[:, :count] + columns.lanes.threshold[:, :count]
        assert (np.abs(load - tally.capacity.load) <= slight + 1e-9 * np.abs(load)).all()
        slack = at.sums.slack[:, :count]
        assert np.isclose(slack, tally.capacity.room.T, rtol=1e-9, atol=slight + 1e-3).all()
        assert at.cost() == pytest.approx(price(task, away, given_setting.known(), 0.01), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_search_balances_at_least_as_well_as_steps_do(kernel):
    for seed in (1, 2):
        state = tight(seed)
        options = {"goal": "balance", "search_time_limit_seconds": 0.5, "search_kernel": kernel}
        given_setting, task = tasks(state, configuration(**options))
        known, worth = given_setting.known(), worth_of(given_setting)
        greedy, searched = (plan(state, engine=name, **options) for name in ("greedy", "search"))
        before, one, other = (
            price(task, p, known, worth) for p in ({}, places(state, greedy), places(state, searched))
        )
        assert other <= one < before
        assert searched.status.engine == ("search" if other < one else "greedy")


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_search_finds_the_exchange_that_steps_do_not(kernel):
    """Nodes with 5 + 4 and 3 + 2 cores in use: no single move helps, and exchanging two makes them equal."""
    cluster = Cluster()
    for node, cores in (("a", (5, 4)), ("b", (3, 2))):
        cluster.node(node, cpu=20, memory="64Gi")
        for use in cores:
            cluster.vm(f"shop/w{use}", node, guest="1Gi", requests_cpu=0.1, use_cpu=use, use_memory="1Gi")
    state = cluster.build()
    options = {"goal": "balance", "search_kernel": kernel, "search_time_limit_seconds": 0.5}
    assert moves(plan(state, engine="greedy", **options)) == []
    made = plan(state, engine="search", **options)
    assert sorted(moves(made)) in ([("w2", "b", "a"), ("w4", "a", "b")], [("w3", "b", "a"), ("w5", "a", "b")])
    assert made.status.engine == "search"
    assert Checker(state, made, configuration(**options)).problems() == []


@pytest.mark.parametrize("goal", ["relieve", "balance", "consolidate"])
def test_without_a_clock_the_same_seed_gives_the_same_plan(goal):
    state = tight(3)
    options = {"goal": goal, "engine": "search", "search_kernel": "numpy", "search_time_limit_seconds": 0.3}
    assert plan(state, **options) == plan(state, **options)


def test_consolidation_by_search_empties_no_fewer_nodes():
    for seed in range(3):
        state = tight(seed)
        options = {"goal": "consolidate", "search_kernel": "numpy", "search_time_limit_seconds": 0.3, "target": 0.9}
        greedy, searched = (plan(state, engine=name, **options).status.summary for name in ("greedy", "search"))
        assert searched.nodes_emptied >= greedy.nodes_emptied


def test_a_search_that_is_stopped_gives_the_plan_so_far():
    told, ticks = list[Progress](), iter(range(10**9))
    cluster = Cluster()
    for node, cores in (("a", (5, 4)), ("b", (3, 2))):
        cluster.node(node, cpu=20, memory="64Gi")
        for use in cores:
            cluster.vm(f"shop/w{use}", node, guest="1Gi", requests_cpu=0.1, use_cpu=use, use_memory="2Gi")
    state = cluster.build()
    pace = Pace(now=lambda: next(ticks) * 1e-3, stopped=lambda: len(told) >= 1, tell=told.append)
    config = configuration(goal="balance", engine="search", search_kernel="numpy", search_time_limit_seconds=600.0)
    made, _ = decide(state, Memory(), config, state.observed_at_seconds, pace=pace)
    assert [(p.moves, p.moved_bytes) for p in told] == [(2, 4 * 2.0**30)]
    assert len(made.spec.moves) == 2
    assert next(ticks) < 60_000


def test_what_no_column_covers_stays():
    """Workloads with anti-affinity and the like are left to the greedy engine; a search does not move them."""
    cluster = Cluster().node("a", cpu=20).node("b", cpu=20)
    cluster.vm("shop/w1", "a", use_cpu=1).vm("shop/w2", "a", use_cpu=1)
    cluster.budget("shop/one", 1, ["shop/w1"]).budget("shop/two", 1, ["shop/w1"])
    state = cluster.build()
    _, task = tasks(state, configuration())
    assert task.movable.tolist() == [True, True]
    assert columns_of(task, relief).by_size.tolist() == [1]


def test_who_stands_where_nothing_is_known_stays():
    state = tight(2)
    _, task = tasks(state, configuration())
    closed = task.open_nodes.copy()
    closed[int(task.home[task.movable][0])] = False
    moved = columns_of(replace(task, open_nodes=closed, sources=task.sources[:0]), relief).by_size
    assert closed[task.home[moved]].all()
    assert len(moved) < len(columns_of(replace(task, sources=task.sources[:0]), relief).by_size)


def test_the_centre_is_the_mean_of_the_nodes_that_are_judged():
    state = tight(2)
    given_setting, task = tasks(state, configuration())
    known = given_setting.known()
    found = [mean_of(d, known) for d in task.dimensions[:2]]
    assert found == pytest.approx(np.nanmean(given_setting.ratio[known], axis=0).tolist())
