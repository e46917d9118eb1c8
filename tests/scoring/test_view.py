"""What a view knows of nodes, what it adds to their measures, and the numbers that scorers and filters make of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.builders import Cluster
from tests.scoring.states import with_measure
from ullage.config import defaults, load_text
from ullage.model.measures import NodeMeasure
from ullage.model.state import ClusterState, WorkloadFlag
from ullage.scoring.columns import Column, NodeView, Room
from ullage.scoring.combine import combine, reject, scaled
from ullage.scoring.demand import Demand
from ullage.scoring.landing import Landing
from ullage.scoring.registry import SCORERS
from ullage.scoring.view import view

GIB = 2.0**30
NOW = 1_000_000.0


def of(state: ClusterState) -> NodeView:
    return view(state, defaults())


def score(name: str, state: ClusterState, demand: Demand, row: int = 0) -> float:
    scorer = next(each for each in SCORERS if each.name == name)
    return float(scorer.score(Landing(of(state), demand), None)[row])


def test_shares_are_predicted_peaks_over_the_hard_limit() -> None:
    state = (
        Cluster()
        .node(
            "a", cpu=10, memory="100Gi", use_cpu=3, use_memory="38Gi", measures={NodeMeasure.CPU_DEVIATION_CORES: 0.5}
        )
        .build()
    )
    seen = of(state)
    assert seen.raw[Column.CPU_SHARE, 0] == pytest.approx(0.375), "3 + 1.5 x 0.5 of 10 cores"
    assert seen.raw[Column.MEMORY_SHARE, 0] == pytest.approx(0.4), "38 of 95 GiB"
    assert seen.room[Room.CPU_CORES, 0] == pytest.approx(6.25)
    assert seen.room[Room.MEMORY_BYTES, 0] == pytest.approx(57 * GIB)
    assert np.isinf(seen.room[Room.COMMIT_BYTES, 0]), "no worst case is enforced by default"


def test_scores_of_a_landing_by_hand() -> None:
    state = (
        Cluster()
        .kubevirt(memory_overcommit_ratio=1.5)
        .node(
            "a",
            cpu=10,
            memory="100Gi",
            swap="50Gi",
            use_cpu=3,
            use_memory="28.5Gi",
            use_swap="30Gi",
            measures={
                NodeMeasure.CPU_DEVIATION_CORES: 0.5,
                NodeMeasure.MEMORY_GROWTH_BYTES_PER_SECOND: 9.5 * GIB / 3600,
                NodeMeasure.PSI_MEMORY_SOME_RATIO: 0.02,
                NodeMeasure.PSI_MEMORY_FULL_RATIO: 0.03,
                NodeMeasure.PSI_CPU_SOME_RATIO: 0.1,
            },
        )
        .vm("shop/a", "a", guest="90Gi", use_cpu=1, use_memory="20Gi")
        .build()
    )
    demand = Demand(cpu_cores=1.5, memory_bytes=9.5 * GIB, committed_bytes=30 * GIB)
    assert score("peak_cpu", state, demand) == pytest.approx(1 - (0.525 + 0.525**2) / 2)
    assert score("peak_memory", state, demand) == pytest.approx(1 - (0.4 + 0.16) / 2)
    assert score("balance", state, demand) == pytest.approx(1 - 0.525 + 0.4)
    assert score("growth", state, demand) == pytest.approx(0.5)
    assert score("deviation", state, demand) == pytest.approx(1 - 1.5 * 0.05)
    assert score("overcommit", state, demand) == pytest.approx(0.8), "120 of 100 GiB"
    assert score("worst_case", state, demand) == pytest.approx(0.2), "120 of 150 GiB"
    assert score("swap_headroom", state, demand) == pytest.approx(0.4), "20 of the 50 GiB that 1.5 times needs"
    assert score("pressure", state, demand) == pytest.approx(0.7), "memory full is at 0.03 of 0.1"


def test_growth_that_may_be_noise_is_none() -> None:
    measures = {
        NodeMeasure.MEMORY_GROWTH_BYTES_PER_SECOND: 1e6,
        NodeMeasure.MEMORY_GROWTH_DEVIATION_BYTES_PER_SECOND: 1e6,
    }
    assert of(Cluster().node("a", measures=measures).build()).raw[Column.GROWTH_SHARE, 0] == 0


def test_a_node_without_data_stands_at_the_median_of_the_others_and_is_never_rejected() -> None:
    cluster = Cluster().node("d", use_cpu=None, use_memory=None)
    for name, used in (("a", "10Gi"), ("b", "20Gi"), ("c", "60Gi")):
        cluster.node(name, cpu=8, memory="64Gi", use_cpu=4, use_memory=used)
    seen = of(cluster.node("e", ready=False, use_cpu=0, use_memory="1Gi").node("f", age=900, use_cpu=0).build())
    demand = Demand(cpu_cores=1, memory_bytes=2 * GIB)
    raw = combine(seen, demand)
    assert seen.known.tolist() == [True, True, True, False, False, False]
    assert raw[2] < raw[1] < raw[0]
    for row in (3, 4, 5):
        assert raw[row] == pytest.approx(raw[1], abs=1e-6)
    huge = Landing(seen, Demand(cpu_cores=100, memory_bytes=1e13))
    assert reject(huge).tolist()[3:] == [0, 0, 0, 0]


def test_filters_reject_in_order_and_only_on_fresh_proof() -> None:
    config = load_text(
        "apiVersion: ullage.dev/v1alpha1\nkind: Configuration\nmemory: {worstCaseLimitRatio: 100%}\n", "test"
    )
    pressed = {NodeMeasure.PSI_MEMORY_FULL_RATIO: 0.2}
    state = (
        Cluster()
        .node("calm", use_cpu=1, use_memory="8Gi")
        .node("cpu", use_cpu=7.5, use_memory="8Gi")
        .node("full", use_cpu=1, use_memory="62Gi")
        .node("guests", use_cpu=1, use_memory="8Gi")
        .node("old", use_cpu=1, use_memory="62Gi", age=1000, measures=pressed)
        .node("pressed", use_cpu=1, use_memory="62Gi", measures=pressed)
        .node("swapped", swap="10Gi", use_swap="9.5Gi", measures=pressed)
        .vm("shop/a", "guests", guest="62Gi", use_memory="4Gi")
        .build()
    )
    seen = view(state, config)
    at = Landing(seen, Demand(cpu_cores=1, memory_bytes=4 * GIB, committed_bytes=4 * GIB))
    codes = [seen.codes[code] for code in reject(at)[:-1]]
    assert codes == ["", "limit-cpu", "limit-memory", "worst-case-memory", "", "limit-pressure", "limit-swap"]


def test_a_workload_that_just_started_is_added_to_its_node() -> None:
    def shares(started_at: float, use: str | None) -> NodeView:
        cluster = Cluster().node("a", cpu=10, memory="100Gi", use_cpu=1, use_memory="9.5Gi")
        return of(
            cluster.pod(
                "shop/new",
                "a",
                requests_cpu=2,
                requests_memory="10Gi",
                use_cpu=use and 0.1,
                use_memory=use,
                started_at=started_at,
            ).build(NOW)
        )

    old, shown_in_part, unseen = shares(NOW - 5000, "1Gi"), shares(NOW - 60, "1Gi"), shares(NOW - 60, None)
    assert old.unshown.tolist() == [[0, 0]]
    assert shown_in_part.unshown[0] == pytest.approx([0.85 * 2 - 0.1, 6 * GIB]), (
        "70 % of the request less what is measured"
    )
    assert unseen.unshown[0] == pytest.approx([1.7, 7 * GIB])
    assert unseen.raw[Column.MEMORY_SHARE, 0] == pytest.approx((9.5 + 7) / 95)
    after = shares(NOW - 5, None)
    assert after.forecast.node_use[0, 1] + after.unshown[0, 1] == pytest.approx((9.5 + 10) * GIB), "the forecast has it"


def test_a_pod_that_waits_for_its_start_counts_and_a_migration_target_counts_with_its_vm() -> None:
    cluster = Cluster().node("a", use_memory="8Gi").node("b", use_memory="8Gi")
    cluster.pod("shop/slow", "a", requests_memory="10Gi", use_cpu=None, use_memory=None, flags=WorkloadFlag.PENDING)
    cluster.vm("shop/vm", "a", guest="10Gi", use_memory="6Gi", migration_target="b")
    cluster.pod(
        "shop/virt-launcher-vm-2",
        "b",
        requests_memory="10Gi",
        use_cpu=None,
        use_memory=None,
        flags=WorkloadFlag.PENDING | WorkloadFlag.MIGRATION_TARGET,
    )
    seen = of(cluster.build(NOW))
    assert seen.unshown[:, 1] == pytest.approx([7 * GIB, 0])
    assert seen.forecast.node_use[:, 1] == pytest.approx([8 * GIB, 14 * GIB])
    assert seen.raw[Column.COMMIT_OVER_RAM] == pytest.approx([(10 + 10) / 64, (10 + 10) / 64, np.nan], nan_ok=True)


def test_scaling_stretches_the_range_and_has_one_winner() -> None:
    rows = np.array([4, 2, 7, 1], dtype=np.int32)
    raw = np.array([0.9, 0.9, 0.5, 0.1], dtype=np.float32)
    assert scaled(raw, rows, 10, 0.1).tolist() == [9, 10, 5, 0], "of equals the lowest row wins"
    assert scaled(raw, rows, 100, 0.1).tolist() == [99, 100, 50, 0]
    close = np.array([0.5, 0.52, 0.51, 0.5], dtype=np.float32)
    assert scaled(close, rows, 10, 0.1).tolist() == [8, 10, 9, 8], "what differs little is not blown up"
    assert scaled(raw[:0], rows[:0], 10, 0.1).tolist() == []
    assert scaled(np.zeros(2, dtype=np.float32), rows[:2], 10, 0.0001).tolist() == [9, 10]


def test_without_any_weight_all_nodes_are_alike() -> None:
    config = defaults()
    weights = type(config.scoring.weights)(**dict.fromkeys(config.scoring.weights.__struct_fields__, 0.0))
    seen = view(Cluster().node("a").node("b").build(), type(config)(scoring=type(config.scoring)(weights=weights)))
    assert combine(seen, Demand()).tolist() == [0, 0]
    assert scaled(combine(seen, Demand()), np.array([1, 0], dtype=np.int32), 10, 0.0).tolist() == [9, 10]


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300, -5.0])
def test_impossible_measures_reject_nothing_and_give_numbers(value: float) -> None:
    state = with_measure(
        Cluster().node("a", use_cpu=2).node("b", use_cpu=2).build(), 0, NodeMeasure.MEMORY_MEAN_BYTES, value
    )
    seen = of(state)
    demand = Demand(cpu_cores=1, memory_bytes=GIB)
    assert np.isfinite(combine(seen, demand)).all()
    assert reject(Landing(seen, demand))[1] == 0
    assert np.isinf(value) <= (reject(Landing(seen, demand))[0] == 0)
