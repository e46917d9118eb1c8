"""Who dies next on a cluster, how long memory lasts, and what the worst case needs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import Cluster
from ullage.estimation.danger import (
    dies_next,
    eviction_ranks,
    oom_order,
    present_use,
    shares,
    swap_left_of,
    swap_used_bytes,
    time_to_exhaustion_of,
    worst_case_of,
)
from ullage.estimation.forecast import Prediction, forecast
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.state import ClusterState, WorkloadFlag

GIB = 2.0**30
GROWTH = NodeMeasure.MEMORY_GROWTH_BYTES_PER_SECOND
DEVIATION = NodeMeasure.MEMORY_GROWTH_DEVIATION_BYTES_PER_SECOND


def expected(state: ClusterState):
    return forecast(state, Prediction())


def keys(state: ClusterState, victims):
    return [[state.workloads.name[row] for row in rows] for rows in victims]


def pressed() -> ClusterState:
    """On n1: three above their requests, two below, one critical, one that was never measured."""
    return (
        Cluster()
        .node("n1", memory="64Gi")
        .node("n2", memory="64Gi")
        .vm("a/big", "n1", requests_memory="8Gi", use_memory="12Gi")
        .vm("a/small", "n1", requests_memory="8Gi", use_memory="9Gi")
        .vm("a/high", "n1", requests_memory="8Gi", use_memory="16Gi", priority=100)
        .vm("a/below", "n1", requests_memory="8Gi", use_memory="2Gi")
        .vm("a/lowest", "n1", requests_memory="8Gi", use_memory="7Gi", priority=-5)
        .pod("a/agent", "n1", use_memory="30Gi", priority=2_000_001_000, flags=WorkloadFlag.CRITICAL)
        .pod("a/mirror", "n1", use_memory="30Gi", flags=WorkloadFlag.MIRROR)
        .vm("a/unmeasured", "n1", requests_memory="1Gi", use_memory=None)
        .pod("a/target", "n1", requests_memory="1Gi", use_memory="2Gi", flags=WorkloadFlag.MIGRATION_TARGET)
        .build()
    )


def test_the_kubelet_takes_excess_then_priority_then_size() -> None:
    state = pressed()
    ranks = eviction_ranks(state, present_use(state, expected(state)))
    order = sorted((rank, state.workloads.name[row]) for row, rank in enumerate(ranks) if rank >= 0)
    assert [name for _, name in order] == ["big", "small", "target", "high", "lowest", "below", "unmeasured"]
    assert [rank for rank, _ in order] == list(range(7))
    assert [state.workloads.name[row] for row in np.flatnonzero(ranks < 0)] == ["agent", "mirror"]


def test_the_next_victims_are_the_first_ranks_and_never_unmeasured() -> None:
    state = pressed()
    assert keys(state, dies_next(state, expected(state))) == [["big", "small", "target"], []]
    everyone = keys(state, dies_next(state, expected(state), 99))[0]
    assert everyone == ["big", "small", "target", "high", "lowest", "below"]


def test_a_plan_moves_the_victims_and_wakes_their_swap() -> None:
    state = (
        Cluster()
        .node("n1", swap="32Gi")
        .node("n2", swap="32Gi")
        .vm("a/moves", "n1", requests_memory="8Gi", use_memory="7Gi", swap_used="4Gi")
        .vm("a/stays", "n2", requests_memory="8Gi", use_memory="9Gi")
        .build()
    )
    assert keys(state, dies_next(state, expected(state))) == [["moves"], ["stays"]]
    after = np.array([1, 1])
    assert keys(state, dies_next(state, expected(state), node=after)) == [[], ["moves", "stays"]]
    assert present_use(state, expected(state), after)[0] == 11 * GIB


def test_the_kernel_takes_the_smallest_request_for_its_use() -> None:
    state = (
        Cluster()
        .node("n1", memory="100Gi", swap=0)
        .vm("a/full", "n1", requests_memory="40Gi", use_memory="41Gi")
        .vm("a/half", "n1", requests_memory="40Gi", use_memory="20Gi")
        .pod("a/besteffort", "n1", requests_cpu=0, requests_memory=0, use_memory="1Gi")
        .pod("a/node-critical", "n1", use_memory="1Gi", priority=2_000_001_000)
        .vm("a/unmeasured", "n1", use_memory=None)
        .build()
    )
    # 1000 + 10; 600 + 410; 600 + 200; -997 + 10
    assert keys(state, oom_order(state, expected(state), 9)) == [["besteffort", "full", "half", "node-critical"]]


def test_anonymous_memory_and_swap_count_for_the_kernel() -> None:
    state = (
        Cluster()
        .node("n1", memory="100Gi", swap="100Gi")
        .vm("a/cache", "n1", use_memory="6Gi", measures={WorkloadMeasure.MEMORY_ANONYMOUS_BYTES: "1Gi"})
        .vm("a/plain", "n1", use_memory="5Gi")
        .vm("a/swapped", "n1", use_memory="5Gi", swap_used="3Gi")
        .vm("a/unknown-swap", "n1", use_memory="4Gi", swap_used=None)
        .build()
    )
    assert keys(state, oom_order(state, expected(state), 9)) == [["swapped", "plain", "unknown-swap", "cache"]]


@st.composite
def crowds(draw):
    count = draw(st.integers(1, 12))
    numbers = st.lists(st.integers(0, 4), min_size=count, max_size=count)
    use = draw(st.lists(st.none() | st.integers(0, 4), min_size=count, max_size=count))
    return list(zip(use, draw(numbers), draw(numbers), draw(numbers), strict=True))


@given(crowds())
def test_ranks_are_the_kubelets_order_on_every_node(crowd) -> None:
    builder = Cluster()
    for node in range(5):
        builder.node(f"n{node}")
    for row, (use, request, priority, node) in enumerate(crowd):
        builder.pod(
            f"a/p{row:02d}",
            f"n{node}",
            use_memory=use,
            requests={"memory": 0},
            requests_memory=request,
            priority=priority,
        )
    state = builder.build()
    ranks = eviction_ranks(state, present_use(state, expected(state)))

    def place(row: int):
        use, request, priority, _ = crowd[row]
        if use is None:
            return (1, 1, priority, 0, row)
        return (0, use <= request, priority, request - use, row)

    for node in range(5):
        rows = [row for row in range(len(crowd)) if crowd[row][3] == node]
        assert [int(ranks[row]) for row in sorted(rows, key=place)] == list(range(len(rows)))


def growing(**extras) -> ClusterState:
    measures = {GROWTH: "1Mi", DEVIATION: "100Ki"} | extras.pop("measures", {})
    return Cluster().node("n1", memory="64Gi", use_memory="60Gi", measures=measures, **extras).build()


def test_time_until_ram_and_swap_are_used_up() -> None:
    left = time_to_exhaustion_of(growing(swap="8Gi", use_swap="2Gi"))
    assert left.ram.seconds[0] == 4096
    assert left.ram_and_swap.seconds[0] == 10 * 1024
    assert left.ram.earliest_seconds[0] == pytest.approx(4096 / (1 + 1.959963984540054 * 100 / 1024))
    assert left.ram.earliest_seconds[0] < left.ram.seconds[0] < left.ram.latest_seconds[0]


@pytest.mark.parametrize(
    "state",
    [
        growing(measures={DEVIATION: None}),
        growing(measures={GROWTH: None}),
        growing(measures={DEVIATION: "600Ki"}),
        growing(measures={GROWTH: -(2.0**20)}),
        growing(measures={GROWTH: 2.0**14}),
        growing(ready=False),
        growing(age=400),
    ],
    ids=["no deviation", "no growth", "noise", "shrinking", "beyond a day", "not ready", "stale"],
)
def test_no_time_rather_than_a_wild_guess(state: ClusterState) -> None:
    left = time_to_exhaustion_of(state, 300)
    assert math.isnan(left.ram.seconds[0])
    assert math.isnan(left.ram_and_swap.seconds[0])


def test_unknown_swap_leaves_only_ram() -> None:
    left = time_to_exhaustion_of(growing(swap=None, use_swap=0))
    assert left.ram.seconds[0] == 4096
    assert math.isnan(left.ram_and_swap.seconds[0])


def test_swap_used_and_left() -> None:
    state = (
        Cluster()
        .node("a", swap=0, use_swap=None)
        .node("b", swap="8Gi", use_swap="3Gi")
        .node("c", swap="8Gi", use_swap=None)
        .node("d", swap=None, use_swap="3Gi")
        .node("e", swap="8Gi", use_swap="9Gi")
        .build()
    )
    assert swap_used_bytes(state).tolist()[:2] == [0, 3 * GIB]
    left = swap_left_of(state).tolist()
    assert left[:2] + left[4:] == [0, 5 * GIB, 0]
    assert math.isnan(left[2])
    assert math.isnan(left[3])


def test_request_and_swap_cover_a_guest_if_swap_follows_the_overcommit() -> None:
    def covered(swap: str | int | None) -> bool:
        state = (
            Cluster()
            .node("n", memory="256Gi", swap=swap)
            .vm("a/vm", "n", guest="32Gi", overhead="331Mi", requests_memory=23246230869, swap_request=23246230869)
            .build()
        )
        return bool(shares(state).covered[0])

    assert covered("128Gi")
    assert not covered("64Gi")
    assert not covered(0)
    assert not covered(None)


def test_a_workload_without_swap_needs_no_report_of_it() -> None:
    state = Cluster().node("n", swap=None).vm("a/vm", "n", guest="8Gi", swap_request=0).build()
    own = shares(state)
    assert own.swap_limit_bytes.tolist() == [0]
    assert own.covered.tolist() == [True]


def test_the_worst_case_counts_everything_once() -> None:
    state = (
        Cluster()
        .node("n", memory="64Gi", swap=0)
        .node("o")
        .vm("a/free", "n", guest="16Gi", overhead="1Gi", use_memory="3Gi")
        .vm("a/held", "n", guest="16Gi", overhead="1Gi", use_memory="3Gi", limits={"memory": "12Gi"})
        .vm("a/huge", "n", guest="16Gi", overhead="1Gi", requests={"hugepages-1Gi": "16Gi"}, requests_memory="1Gi")
        .pod("a/limited", "n", use_memory="1Gi", limits={"memory": "4Gi"})
        .pod("a/open", "n", use_memory="2Gi")
        .build()
    )
    assert worst_case_of(state, expected(state)).tolist() == [(17 + 12 + 1 + 4 + 2) * GIB, 0]
    moved = worst_case_of(state, expected(state), np.array([1, 0, 0, 0, 0]))
    assert moved.tolist() == [19 * GIB, 17 * GIB]


def test_nothing_is_no_fault() -> None:
    state = Cluster().build()
    assert dies_next(state, expected(state)) == oom_order(state, expected(state)) == ()
    assert eviction_ranks(state, np.zeros(0)).tolist() == []
    assert worst_case_of(state, expected(state)).tolist() == []
