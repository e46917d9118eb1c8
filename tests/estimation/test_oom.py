from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ullage.errors import ConfigError
from ullage.estimation.oom import (
    DEFAULT_HARD,
    EvictionThreshold,
    badness,
    eviction_distance_bytes,
    eviction_order,
    is_critical,
    is_node_critical,
    kill_order,
    memory_high_bytes,
    oom_score_adj,
    pod_oom_score_adj,
    pressure_left_seconds,
    qos_reserved,
    sidecar_request_bytes,
    spread_request_bytes,
    tiered_reservation,
)
from ullage.estimation.overhead import GI, MI
from ullage.model.qos import ContainerResources, QoS

CAPACITY = 8_000_000_000


def container(request=None, limit=None, cpu=None, cpu_limit=None, **rest):
    return ContainerResources(
        name="c",
        requests_memory_bytes=request,
        limits_memory_bytes=limit,
        requests_cpu_cores=cpu,
        limits_cpu_cores=cpu_limit,
        **rest,
    )


def sidecar(request):
    return container(request, CAPACITY, init=True, restartable_init=True)


MAIN = container(CAPACITY / 8, 1000 + CAPACITY / 8)
INIT = container(CAPACITY / 8, 1000 + CAPACITY / 8, init=True)


@pytest.mark.parametrize(
    ("capacity_gi", "expected"),
    [(256, 874), (512, 937)],
)
def test_golden_scores_of_the_reference_vm(capacity_gi, expected):
    assert float(oom_score_adj(QoS.BURSTABLE, 34739322881, capacity_gi * GI)) == expected


# The situations of the kubelet's own unit tests.
@pytest.mark.parametrize(
    ("containers", "capacity", "expected"),
    [
        ([container(cpu_limit=10)], 4_000_000_000, (999,)),
        ([container(limit=10e9)], CAPACITY, (999,)),
        ([container(limit=0)], 7_230_457_451, (1000,)),
        ([container()], 4_000_000_000, (1000,)),
        ([container(10e9, 10e9, 0.005, 0.005)], 123_456_789, (-997,)),
        ([container(CAPACITY / 2, 10e9, 0.005)], CAPACITY, (500,)),
        ([container(CAPACITY - 1, None, 0.005)], CAPACITY, (3,)),
        ([MAIN], CAPACITY, (875,)),
        ([INIT, MAIN], CAPACITY, (875, 875)),
        ([INIT, sidecar(CAPACITY / 20), MAIN], CAPACITY, (875, 875, 875)),
        ([INIT, sidecar(CAPACITY / 8), MAIN], CAPACITY, (875, 875, 875)),
        ([INIT, sidecar(CAPACITY / 2), MAIN], CAPACITY, (875, 500, 875)),
    ],
)
def test_the_kubelets_situations(containers, capacity, expected):
    assert pod_oom_score_adj(containers, capacity) == expected


def test_node_critical_pods_are_as_safe_as_guaranteed_ones():
    assert pod_oom_score_adj([container()], CAPACITY, node_critical=True) == (-997,)
    assert is_node_critical(priority=2_000_001_000, static=False, priority_class="system-node-critical")
    assert is_node_critical(priority=0, static=True, priority_class="system-node-critical")
    assert not is_node_critical(priority=2_000_000_000, static=False, priority_class="system-cluster-critical")
    assert is_critical([0, 2_000_000_000, 5], [True, False, False]).tolist() == [True, True, False]


def test_scores_over_rows():
    adj = oom_score_adj(np.array([0, 1, 2, 1]), np.array([0.0, GI, GI, GI]), np.array([GI, 4 * GI, GI, np.nan]))
    assert adj[:3].tolist() == [1000, 750, -997]
    assert np.isnan(adj[3])


def test_requests_that_count_for_the_score():
    assert sidecar_request_bytes(1, [5, 3]) == 3
    assert sidecar_request_bytes(9, [5, 3]) == 9
    assert sidecar_request_bytes(9, []) == 9
    assert spread_request_bytes(1000, [container(300), container(), container(1, init=True)]) == 699 // 3
    assert spread_request_bytes(0, [container(300)]) == 0


@given(st.integers(1, 2**42), st.integers(0, 2**42), st.integers(0, 2**40))
def test_a_burstable_score_is_bounded_and_falls_with_the_request(capacity, request, more):
    score = float(oom_score_adj(QoS.BURSTABLE, request, capacity))
    assert 3 <= score <= 999
    assert float(oom_score_adj(QoS.BURSTABLE, request + more, capacity)) <= score


def rows(*values):
    return np.array(values, dtype=np.float64)


def order(working_set, request, priority=0, critical=False, rank=None, **rest):
    count = len(working_set)
    full = [np.broadcast_to(each, (count,)) for each in (priority, critical)]
    return eviction_order(
        rows(*working_set), rows(*request), *full, np.arange(count) if rank is None else rank, **rest
    ).tolist()


def test_those_above_their_request_go_first_whatever_their_priority():
    assert order([5, 9, 11], [10, 10, 10], priority=[0, 0, 1000]) == [2, 1, 0]


def test_then_the_lower_priority_then_the_larger_excess():
    assert order([20, 30, 15, 99], [10, 10, 10, 10], priority=[5, 5, 1, 9]) == [2, 1, 0, 3]


def test_use_equal_to_the_request_is_not_above_it():
    assert order([10, 11], [10, 10]) == [1, 0]


def test_ties_go_by_key_and_critical_pods_are_left_out():
    assert order([20, 20, 20], [10, 10, 10], rank=np.array([2, 0, 1])) == [1, 2, 0]
    assert order([20, 20, 20], [10, 10, 10], critical=[False, True, False]) == [0, 2]


def test_pods_without_figures_go_last_or_as_the_kubelet_does_first():
    assert order([1, np.nan, 20], [10, 10, 10]) == [2, 0, 1]
    assert order([1, np.nan, 20], [10, 10, 10], missing_first=True) == [1, 2, 0]


def test_order_is_grouped_by_node():
    assert order([20, 30, 40, 50], [10, 10, 10, 10], node=np.array([1, 0, 1, 0])) == [3, 1, 2, 0]


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 20), st.integers(0, 3), st.booleans()), min_size=1, max_size=30
    )
)
def test_order_agrees_with_a_plain_sort(pods):
    expected = sorted(
        (row for row in range(len(pods)) if not pods[row][3]),
        key=lambda row: (
            pods[row][0] <= pods[row][1],
            pods[row][2],
            pods[row][1] - pods[row][0],
            row,
        ),
    )
    used, request, priority, critical = (list(column) for column in zip(*pods, strict=True))
    assert order(used, request, priority, critical) == expected


def test_badness_and_kill_order():
    score = badness(
        rows(10, 40, 5, np.nan, 1), rows(10, 0, 0, 0, 0), rows(0, 0, 5, 0, 0), 100, rows(874, 3, 1000, 500, -1000)
    )
    assert score[:3].tolist() == [1074, 403, 1100]
    assert np.isnan(score[3])
    assert score[4] == -np.inf
    assert kill_order(score, np.arange(5)).tolist() == [2, 0, 1, 3]
    assert kill_order(rows(5, 5, 9), np.array([1, 0, 2]), node=np.array([0, 0, 1])).tolist() == [1, 0, 2]


def test_a_vm_that_uses_all_of_an_overcommitted_guest_scores_about_1000():
    request, ram = 23246230869, 256.0 * GI
    score = badness(32 * GI, 0, 64 * MI, ram, oom_score_adj(QoS.BURSTABLE, request, ram))
    assert float(score) >= 1000


@pytest.mark.parametrize(
    ("text", "capacity", "expected"),
    [("100Mi", 8 * GI, 100 * MI), ("5%", 1000, 50), ("0%", 1000, 0), ("12.5%", 80, 10), ("1.5Gi", GI, 1.5 * GI)],
)
def test_thresholds(text, capacity, expected):
    assert float(EvictionThreshold.parse(text).bytes_of(capacity)) == expected


@pytest.mark.parametrize("text", ["", "%", "ten", "101%", "-5%", "-1Mi", "5%%", "nan%"])
def test_thresholds_that_make_no_sense(text):
    with pytest.raises(ConfigError) as caught:
        EvictionThreshold.parse(text)
    assert repr(text) in caught.value.message
    assert caught.value.path == "evictionHard[memory.available]"
    assert caught.value.hint


def test_distance_to_eviction_ignores_swap():
    assert eviction_distance_bytes(rows(8 * GI, 8 * GI), rows(7 * GI, 8 * GI)).tolist() == [924 * MI, -100 * MI]
    assert np.isnan(eviction_distance_bytes(rows(np.nan), rows(1.0)))
    assert np.isnan(eviction_distance_bytes(rows(1.0), rows(np.nan)))
    assert DEFAULT_HARD.absolute_bytes == 100 * MI


def test_pressure_stays_for_five_minutes():
    assert pressure_left_seconds(rows(0, 100, 300, np.inf)).tolist() == [300, 200, 0, 0]
    assert np.isnan(pressure_left_seconds(np.nan))


def test_memory_high():
    high = memory_high_bytes(np.array([2, 1, 1, 0]), rows(GI, GI, GI, 0), rows(2 * GI, 2 * GI, GI, 10 * 4096))
    assert high.tolist() == [np.inf, (GI + int(0.9 * GI)) // 4096 * 4096, np.inf, 9 * 4096]
    assert np.isnan(memory_high_bytes(1, GI, np.nan))


def test_tiered_reservation():
    protected = tiered_reservation(np.array([0, 1, 2]), rows(0, 5, 7))
    assert protected.min_bytes.tolist() == [0, 0, 7]
    assert protected.low_bytes.tolist() == [0, 5, 0]


@pytest.mark.parametrize(
    ("ratio", "burstable", "best_effort"), [(0.0, 1000, 1000), (0.5, 950, 850), (1.0, 900, 700), (0.29, 971, 913)]
)
def test_qos_reserved(ratio, burstable, best_effort):
    ceilings = qos_reserved(1000, 100, 200, ratio)
    assert float(ceilings.burstable_bytes) == burstable
    assert float(ceilings.best_effort_bytes) == best_effort
