from dataclasses import replace

import numpy as np
import pytest

from benchmarks.instances import state
from benchmarks.rules_plan import places_after
from benchmarks.scenarios import SHARE, Run, configuration, measure, ours, run
from benchmarks.scenarios_anchor import MOST_STEPS, PER_STEP, anchor, classes, pressure, scores
from benchmarks.scenarios_cluster import SCENARIOS, Scenario, build
from descheduler.policy.decide import decide
from descheduler.policy.memory import Memory
from tests.benchmarks.small import instance

LIGHT = SCENARIOS[0]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_a_cluster_is_what_is_known_of_it(scenario: Scenario) -> None:
    built = build(scenario, seed=3)
    ratio = built.load(built.home) / built.capacity
    np.testing.assert_allclose(ratio.mean(axis=0), scenario.means, rtol=1e-9)
    np.testing.assert_allclose(ratio.std(axis=0), scenario.deviations, rtol=1e-9)
    assert ratio.shape == (scenario.nodes, 2)
    assert len(built.home) == scenario.vms
    assert (ratio > 0).all()
    assert (ratio < 1).all()
    np.testing.assert_array_equal(built.use, build(scenario, seed=3).use)
    assert not np.array_equal(built.use, build(scenario, seed=4).use)


def test_the_rule_scores_what_is_above_the_mean() -> None:
    ratio = np.array([[0.5, 0.2], [0.3, 0.2], [0.1, 0.2]])
    np.testing.assert_allclose(scores(ratio), [0.6, 0.0, 0.0])
    # Scores of 60, 0 and 0 have a mean of 20: over is above 30.
    over, under = classes(ratio)
    assert over.tolist() == [True, False, False]
    assert under.tolist() == [False, True, True]
    assert not classes(np.full((3, 2), 0.4))[0].any()


def test_pressure_begins_when_a_node_is_busy() -> None:
    np.testing.assert_allclose(pressure(np.array([0.3, 0.7, 0.8, 0.9, 0.95, 1.0, 1.5])), [0, 0, 0.1, 0.2, 0.35, 0.8, 1])


def test_the_rule_ends_when_no_node_is_over() -> None:
    built = build(LIGHT, seed=1)
    steps = anchor(built, seed=1)
    assert 0 < len(steps) <= PER_STEP * MOST_STEPS
    over, _ = classes(built.load(places_after(built, steps)) / built.capacity)
    assert not over.any()


def test_the_rule_leaves_even_nodes_alone() -> None:
    assert anchor(instance((0, 1, 50), (1, 1, 50), (2, 1, 50)), seed=0) == []


def test_nothing_moves_twice_and_no_node_passes_its_capacity() -> None:
    built = build(LIGHT, seed=2)
    steps = ours(built, most=20)
    assert len({step.vm for step in steps}) == len(steps) > PER_STEP
    for count in range(len(steps) + 1):
        assert (built.load(places_after(built, steps[:count])) <= built.capacity).all()


def test_ours_is_the_product_in_a_closed_loop() -> None:
    built = build(LIGHT, seed=2)
    plan, _ = decide(state(built, requests=False), Memory(), configuration(), 0.0)
    names = [built.vms[step.vm] for step in ours(built, most=5)]
    assert names == [move.workload.name for move in plan.spec.moves]


def test_moves_needed_are_those_of_the_first_look_at_both_deviations() -> None:
    looks = np.array([[0.3, 0.1, 0.9], [0.2, 0.1, 0.8], [0.1, 0.05, 0.7]])
    found = Run(theirs=looks, ours=looks)
    assert found.needed((0.2, 0.1)) == 1
    assert found.needed((0.2, 0.09)) == 2
    assert np.isnan(found.needed((0.0, 0.0)))


def test_it_takes_half_of_the_moves_of_the_rule() -> None:
    figures = measure(LIGHT, seeds=12)
    assert figures[4] <= SHARE * figures[0]
    assert figures[5] <= SHARE * LIGHT.published.moves


def test_a_scenario_that_is_even_needs_nothing() -> None:
    even = replace(LIGHT, deviations=(0.001, 0.001))
    found = run(even, seed=0)
    assert len(found.theirs) == 1
    assert found.needed(found.theirs[-1][:2]) == 0
