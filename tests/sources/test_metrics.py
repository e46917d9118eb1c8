from __future__ import annotations

import numpy as np
import pytest

from tests.sources.dumps import launcher, node, node_metrics, note, pod, pod_metrics, state_of, vmi
from ullage.model.measures import NodeMeasure, WorkloadMeasure

GI = 2**30
NEW_YEAR = 1767225600.0


def node_values(state, row=0):
    axis = (NodeMeasure.CPU_MEAN_CORES, NodeMeasure.MEMORY_MEAN_BYTES, NodeMeasure.SWAP_USED_BYTES)
    return [state.nodes.measures.value[row, each] for each in axis]


def pod_values(state, row=0):
    axis = (WorkloadMeasure.CPU_MEAN_CORES, WorkloadMeasure.MEMORY_MEAN_BYTES, WorkloadMeasure.SWAP_USED_BYTES)
    return [state.workloads.measures.value[row, each] for each in axis]


def test_use_of_a_node_with_its_age_and_source():
    state = state_of(
        node("n1"),
        node("n2"),
        node("n3"),
        node_metrics("n1", "2026-01-01T00:00:00Z", cpu="1500m", memory="2Gi", swap="1Gi"),
        node_metrics("n2", "2025-12-31T23:59:30.5Z", cpu="250000000n", memory="1Gi"),
    )
    assert state.observed_at_seconds == NEW_YEAR
    assert state.sources == ("metrics.k8s.io",)
    measures = state.nodes.measures
    assert node_values(state) == [1.5, 2 * GI, GI]
    assert node_values(state, 1)[:2] == [0.25, GI]
    known = np.isfinite(measures.value)
    assert known.sum(axis=1).tolist() == [3, 2, 0]
    assert (np.isfinite(measures.age_seconds) == known).all()
    assert ((measures.source == 0) == known).all()
    assert (measures.source[~known] == -1).all()
    assert measures.age_seconds[:2, NodeMeasure.CPU_MEAN_CORES].tolist() == [0, 29.5]


def test_use_of_a_pod_is_the_sum_of_its_containers():
    state = state_of(
        node("n1"), pod("p"), pod_metrics("p", {"cpu": "100m", "memory": "1Gi"}, {"cpu": "1", "memory": "2Gi"})
    )
    assert pod_values(state)[:2] == [1.1, 3 * GI]
    assert np.isnan(pod_values(state)[2])


def test_use_of_a_launcher_is_that_of_its_vm():
    state = state_of(
        node("n1"), launcher("vm"), vmi("vm"), pod_metrics("virt-launcher-vm-a", {"cpu": "2", "memory": "3Gi"})
    )
    assert state.workloads.name == ("vm",)
    assert pod_values(state)[:2] == [2, 3 * GI]


@pytest.mark.parametrize("bad", ["-1", "NaN", "Infinity", "1e400", "10Zi", "much", -1])
def test_a_bad_value_is_not_measured(bad):
    state = state_of(
        node("n1"),
        pod("p"),
        node_metrics("n1", cpu=bad, memory="2Gi"),
        pod_metrics("p", {"cpu": "1", "memory": "1Gi"}, {"cpu": bad, "memory": "1Gi"}),
    )
    assert np.isnan(node_values(state)[0])
    assert node_values(state)[1] == 2 * GI
    assert np.isnan(pod_values(state)[0])
    assert pod_values(state)[1] == 2 * GI
    found = note(state, "bad-measure")
    assert found is not None
    assert found.objects == ("node n1", "pod ns/p")


def test_more_than_a_hundred_nodes_worth_is_not_believed():
    state = state_of(
        node("n1"),
        pod("p"),
        node_metrics("n1", cpu="1601", memory="6400Gi"),
        pod_metrics("p", {"cpu": "1600", "memory": "6401Gi"}),
    )
    assert np.isnan(node_values(state)).tolist() == [True, False, True]
    assert np.isnan(pod_values(state)).tolist() == [False, True, True]
    assert (note(state, "bad-measure") or pytest.fail("no note")).objects == ("node n1", "pod ns/p")


def test_without_capacity_any_use_is_believed():
    bare = node("n1")
    bare["status"] = {}
    assert node_values(state_of(bare, node_metrics("n1", cpu="1601", memory="1Gi")))[0] == 1601


def test_a_clock_that_runs_ahead_is_dropped():
    times = ["2026-01-01T00:00:00Z", "2025-12-31T23:59:00Z", "2026-01-01T02:00:00Z"]
    metrics = [node_metrics(f"n{i}", at, cpu="1", memory="1Gi") for i, at in enumerate(times)]
    state = state_of(*(node(f"n{i}") for i in range(3)), *metrics)
    assert state.observed_at_seconds == NEW_YEAR
    assert np.isnan(node_values(state, 2)).all()
    assert state.nodes.measures.age_seconds[:2, 0].tolist() == [0, 60]
    found = note(state, "bad-measure")
    assert found is not None
    assert "node n2: its time is more than 1 h ahead" in found.text


@pytest.mark.parametrize("time", [None, "soon"])
def test_a_sample_without_time_is_new(time):
    state = state_of(node("n1"), node_metrics("n1", time, cpu="1", memory="1Gi"))
    assert state.nodes.measures.age_seconds[0, 0] == 0


def test_measures_of_what_is_not_there():
    state = state_of(
        node("n1"),
        pod("waits", None),
        node_metrics("n2", cpu="1", memory="1Gi"),
        pod_metrics("gone", {"cpu": "1", "memory": "1Gi"}),
        pod_metrics("waits", {"cpu": "1", "memory": "1Gi"}),
    )
    assert (note(state, "metrics-of-unknown") or pytest.fail("no note")).objects == ("node n2", "pod ns/gone")
    assert state.sources == ()


class TestObservedAt:
    def test_without_metrics_it_is_the_newest_heartbeat_or_start(self):
        assert state_of(node("n1"), pod("p")).observed_at_seconds == NEW_YEAR
        late = pod("p", status={"startTime": "2026-01-01T01:00:00Z"})
        assert state_of(node("n1"), late).observed_at_seconds == NEW_YEAR + 3600

    def test_without_any_time_it_is_zero(self):
        bare = node("n1")
        bare["status"]["conditions"] = []
        assert state_of(bare).observed_at_seconds == 0


def test_empty_metrics_measure_nothing():
    state = state_of(node("n1"), pod("p"), node_metrics("n1"), pod_metrics("p"))
    assert state.sources == ()
    assert np.isnan(state.nodes.measures.value).all()
    assert not state.notes
