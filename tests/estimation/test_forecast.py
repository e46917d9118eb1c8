from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.builders import Cluster
from tests.descheduler.policy.checking import landing, leaving, measured, node_use
from tests.strategies import Traits, clusters
from ullage.config.schema import defaults
from ullage.errors import ConfigError
from ullage.estimation.forecast import Prediction, forecast
from ullage.model.changes import Move, apply
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.state import WorkloadFlag

GIB = 2.0**30
NOW = 1_000_000.0
few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def node_row(cluster: Cluster, prediction: Prediction | None = None) -> list[float]:
    return forecast(cluster.build(NOW), prediction or Prediction()).node_use[0].tolist()


def test_a_node_is_expected_at_its_peak():
    measures = {
        NodeMeasure.CPU_DEVIATION_CORES: 0.5,
        NodeMeasure.CPU_PEAK_CORES: 3.0,
        NodeMeasure.MEMORY_DEVIATION_BYTES: GIB,
        NodeMeasure.MEMORY_PEAK_BYTES: 40 * GIB,
    }
    cluster = Cluster().node("n1", use_cpu=2, use_memory=30 * GIB, measures=measures)
    assert node_row(cluster) == [3.35, pytest.approx(40.7 * GIB)]
    assert node_row(cluster, Prediction(deviations=5)) == [4.5, pytest.approx(40.7 * GIB)]
    assert node_row(cluster, Prediction("mean")) == [2.0, 30 * GIB]
    assert node_row(cluster, Prediction("sigma")) == [2.75, 31.5 * GIB]
    assert node_row(cluster, Prediction("peak", 3.0)) == [3.5, 40 * GIB]
    assert node_row(cluster, Prediction("recent-peak")) == [3.0, 40 * GIB]


@pytest.mark.parametrize("gap", [{"use_cpu": None}, {"use_memory": None}, {"ready": False}, {"age": 301.0}])
def test_a_node_is_known_as_a_whole_or_not_at_all(gap):
    assert np.isnan(node_row(Cluster().node("n1", **gap))).all()


def test_an_unknown_estimator_is_refused():
    with pytest.raises(ConfigError):
        forecast(Cluster().node("n1").build(), Prediction("oracle"))


def test_a_workload_leaves_with_its_mean_and_lands_with_its_peak_and_its_swap():
    measures = {WorkloadMeasure.CPU_DEVIATION_CORES: 0.5, WorkloadMeasure.MEMORY_PEAK_BYTES: 9 * GIB}
    cluster = Cluster().node("n1").vm("a/v", "n1", use_cpu=2, use_memory=6 * GIB, swap_used=2 * GIB, measures=measures)
    use = forecast(cluster.build(), Prediction()).use
    assert use.leaving.tolist() == [[2.0, 6 * GIB]]
    assert use.landing.tolist() == [[2.75, 11 * GIB]]


@pytest.mark.parametrize("gap", [{"use_cpu": None}, {"use_memory": None}, {"age": 301.0}])
def test_what_was_not_measured_gives_no_relief_and_lands_as_its_guest(gap):
    cluster = (
        Cluster().node("n1").vm("a/v", "n1", guest=8 * GIB, overhead=GIB, requests_cpu=0.5, requests_memory=GIB, **gap)
    )
    expected = forecast(cluster.build(), Prediction())
    assert expected.measured.tolist() == [False]
    assert expected.use.leaving.tolist() == [[0.0, 0.0]]
    assert expected.use.landing.tolist() == [[0.5, 9 * GIB]]


def test_half_of_its_share_by_variance_of_the_margin_goes_with_a_workload():
    cluster = Cluster().node("n1", use_cpu=4, measures={NodeMeasure.CPU_DEVIATION_CORES: 0.5})
    cluster.vm("a/v", "n1", use_cpu=2, use_memory=0, measures={WorkloadMeasure.CPU_DEVIATION_CORES: 0.3})
    cluster.vm("a/w", "n1", use_cpu=2, use_memory=0)
    use = forecast(cluster.build(), Prediction()).use
    assert use.leaving[:, 0] == pytest.approx([2 + 0.75 * 0.09 / 0.5, 2])
    assert use.landing[:, 0] == pytest.approx([2.45, 2])


def test_nothing_takes_more_away_than_it_brings():
    node = {NodeMeasure.CPU_PEAK_CORES: 12}
    cluster = Cluster().node("n1", cpu=16, use_cpu=2, measures=node)
    cluster.vm("a/v", "n1", use_cpu=1, measures={WorkloadMeasure.CPU_DEVIATION_CORES: 0.25})
    use = forecast(cluster.build(), Prediction()).use
    assert (use.leaving <= use.landing).all()


def test_siblings_speak_for_each_other_and_for_no_one_else():
    cluster, owner = Cluster().node("n1"), ("ReplicaSet", "web")
    for name, cores, of in (("p0", 1, owner), ("p1", 3, owner), ("p2", None, owner), ("p3", None, ("ReplicaSet", "x"))):
        cluster.pod(f"a/{name}", "n1", use_cpu=cores, use_memory=cores and cores * GIB, requests_cpu=0.1, owner=of)
    cluster.pod("a/p4", "n1", use_cpu=None, use_memory=None, requests_cpu=0.2, owner=None)
    cluster.pod("a/p5", "n1", use_cpu=7, use_memory=GIB, owner=None)
    cpu = forecast(cluster.build(), Prediction()).use.landing[:, 0]
    assert cpu.tolist() == [1.0, 3.0, 2.0, 0.1, 0.2, 7.0]


def test_what_started_after_the_measure_comes_on_top():
    cluster = Cluster().node("n1", age=60, use_cpu=1, use_memory=0)
    for name, started in (("late", NOW - 59), ("early", NOW - 61), ("unsaid", None)):
        cluster.pod(f"a/{name}", "n1", use_cpu=None, use_memory=None, requests_cpu=2, started_at=started)
    cluster.pod("a/seen", "n1", use_cpu=0.5, use_memory=0, started_at=NOW - 1)
    assert node_row(cluster)[0] == 3.0


def test_both_ends_of_a_migration_hold_the_vm():
    cluster = Cluster().node("n1").node("n2")
    cluster.vm(
        "a/v", "n1", use_cpu=2, use_memory=4 * GIB, swap_used=GIB, migration_target="n2", flags=WorkloadFlag.MIGRATING
    )
    assert forecast(cluster.build(), Prediction()).node_use.tolist() == [[2.0, 4 * GIB], [2.0, 5 * GIB]]


def test_an_empty_cluster_has_an_empty_forecast():
    expected = forecast(Cluster().build(), Prediction())
    assert expected.node_use.shape == (0, 2)
    assert expected.use.landing.shape == (0, 2)


@few
@given(clusters())
def test_use_is_what_a_slow_reading_of_the_rules_finds(state):
    config, expected = defaults(), forecast(state, Prediction())
    workloads = range(len(state.workloads))
    assert expected.measured.tolist() == [measured(state, w, config) for w in workloads]
    np.testing.assert_allclose(
        expected.use.leaving, np.reshape([leaving(state, w, config) for w in workloads], (-1, 2))
    )
    np.testing.assert_allclose(
        expected.use.landing, np.reshape([landing(state, w, config) for w in workloads], (-1, 2))
    )
    for n in range(len(state.nodes)):
        use = node_use(state, n, config)
        if use is not None:
            np.testing.assert_allclose(expected.node_use[n], use)


@few
@given(clusters(Traits(gaps=False, bound=False)))
def test_the_forecast_of_what_if_is_the_forecast_with_the_difference(state):
    before = forecast(state, Prediction())
    moves = [
        Move(w, int(n), (int(n) + 1) % len(state.nodes))
        for w, n in enumerate(state.workloads.node)
        if len(state.nodes) > 1
    ]
    after = forecast(apply(state, moves, before.use), Prediction())
    expected = before.node_use.copy()
    for move in moves:
        expected[move.source] -= before.use.leaving[move.workload]
        expected[move.target] += before.use.landing[move.workload]
    np.testing.assert_allclose(after.node_use, expected, atol=1e-3)
