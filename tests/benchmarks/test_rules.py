import numpy as np
import pytest

from benchmarks.instances import Instance
from benchmarks.rules_cluster import Cluster
from benchmarks.rules_plan import Step, places_after
from benchmarks.rules_spread import _deviations, drs_like, proxlb_like, watcher_stabilization
from benchmarks.rules_threshold import greedy_cover, low_node_load, low_node_utilization
from tests.benchmarks.small import instance

HOT = ((0, 1, 50), (0, 1, 30), (0, 1, 15), (1, 1, 60), (2, 1, 10))
CALM = ((0, 1, 50), (1, 1, 50), (2, 1, 50))
RULES = (low_node_utilization, low_node_load, greedy_cover, drs_like, watcher_stabilization, proxlb_like)


def test_low_node_utilization_takes_the_first_by_name() -> None:
    # All requests are 0, so that every other node has the same score and the first one wins, however full it is.
    assert list(low_node_utilization(instance(*HOT))) == [Step(0, 0, 1)]
    assert instance(*HOT).hot(places_after(instance(*HOT), [Step(0, 0, 1)])).tolist() == [1]


def test_low_node_utilization_goes_where_requests_leave_most() -> None:
    # a has 3 requests of 5 GiB, b one, c one: b is first among equals; with another VM on b it is c.
    more = (*HOT, (1, 0, 0))
    assert list(low_node_utilization(instance(*more, request=5.0))) == [Step(0, 0, 2)]


def test_low_node_load_takes_the_best_fit_to_the_least_used() -> None:
    assert list(low_node_load(instance(*HOT))) == [Step(2, 0, 2)]


def test_greedy_cover_takes_the_smallest_that_is_enough() -> None:
    assert list(greedy_cover(instance(*HOT))) == [Step(2, 0, 2)]


def test_greedy_cover_leaves_alone_what_clears_too_little() -> None:
    steps = greedy_cover(instance((0, 1, 84), (0, 1, 0.1), (1, 1, 70), (2, 1, 70)))
    assert list(steps) == []


def test_drs_moves_what_makes_nodes_most_alike() -> None:
    steps = drs_like(instance((0, 1, 40), (0, 1, 40), (1, 1, 10), (2, 1, 30)), gib_price=0.0, most_moves=1)
    assert list(steps) == [Step(0, 0, 1)]


def test_proxlb_moves_the_smallest_guests_to_the_freest_node() -> None:
    assert list(proxlb_like(instance(*HOT))) == [Step(2, 0, 2), Step(1, 0, 2)]


def test_watcher_lowers_the_deviation() -> None:
    start = instance((0, 8, 60), (0, 1, 25), (1, 1, 5), (2, 1, 10))
    cluster = Cluster(start)
    before = cluster.ratio.std(axis=0).sum()
    steps = watcher_stabilization(start)
    assert steps
    for step in steps:
        cluster.move(step.vm, step.target)
    assert cluster.ratio.std(axis=0).sum() < before


@pytest.mark.parametrize("rule", RULES)
def test_no_rule_touches_a_calm_cluster(rule: object) -> None:
    assert list(rule(instance(*CALM))) == []  # type: ignore[operator]


def test_deviations_are_those_after_each_move() -> None:
    rng = np.random.default_rng(3)
    start: Instance = instance(
        *((int(i % 3), float(c), float(m)) for i, (c, m) in enumerate(rng.random((7, 2)) * [3, 30]))
    )
    cluster = Cluster(start)
    found = _deviations(cluster, np.arange(7))
    for vm, target in ((0, 1), (4, 2), (6, 1)):
        moved = Cluster(start)
        moved.move(vm, target)
        assert found[vm, target] == pytest.approx(moved.ratio.std(axis=0).sum())


def test_moving_keeps_the_sums() -> None:
    cluster = Cluster(instance(*HOT, request=5.0))
    cluster.move(0, 2)
    cluster.move(3, 0)
    again = instance(*HOT, request=5.0).load(cluster.places)
    np.testing.assert_allclose(cluster.use, again)
    assert cluster.requested.sum() == instance(*HOT, request=5.0).requests.sum()
