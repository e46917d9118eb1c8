from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import Cluster
from ullage.model.changes import Move, Use, apply, measured_use, requested_sums
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.state import ClusterState

GIB = 2.0**30


def small() -> Cluster:
    return (
        Cluster()
        .node("n1", swap="8Gi", measures={NodeMeasure.MEMORY_AVAILABLE_BYTES: "20Gi", NodeMeasure.CPU_PEAK_CORES: 3})
        .node("n2", swap="8Gi", use_cpu=None)
        .vm("a/db", "n1", guest="8Gi", use_cpu=1.0, use_memory="6Gi", swap_used="1Gi")
        .pod("a/web", "n1", use_cpu=0.5, use_memory="1Gi")
    )


@st.composite
def walks(draw: st.DrawFn) -> tuple[ClusterState, list[Move]]:
    """A state without swap and a chain of moves that fits it."""
    nodes = [f"n{i}" for i in range(draw(st.integers(2, 4)))]
    cluster = Cluster()
    for name in nodes:
        cluster.node(name, use_memory=draw(st.sampled_from(("sum", "50Gi"))))
    amounts = st.integers(0, 64)
    for number in range(draw(st.integers(1, 5))):
        use_cpu, use_memory = draw(st.none() | amounts), draw(st.none() | amounts)
        cluster.pod(
            f"a/p{number}",
            draw(st.sampled_from(nodes)),
            requests_cpu=draw(amounts),
            requests_memory=draw(amounts) * GIB,
            use_cpu=use_cpu,
            use_memory=None if use_memory is None else use_memory * GIB,
        )
    state = cluster.build()
    at = state.workloads.node.tolist()
    moves = []
    for w in draw(st.lists(st.integers(0, len(at) - 1), max_size=8)):
        target = draw(st.integers(0, len(nodes) - 1))
        moves.append(Move(w, at[w], target))
        at[w] = target
    return state, moves


@given(walks())
def test_apply_conserves_totals_and_counts(walk):
    state, moves = walk
    after = apply(state, moves)
    assert after.generation == state.generation + 1
    assert len(after.workloads) == len(state.workloads)
    np.testing.assert_allclose(after.nodes.requested.sum(axis=0), state.nodes.requested.sum(axis=0))
    for measure in (NodeMeasure.CPU_MEAN_CORES, NodeMeasure.MEMORY_MEAN_BYTES):
        before, now = (s.nodes.measures.column(measure).sum() for s in (state, after))
        assert now == pytest.approx(before)


@given(walks())
def test_request_sums_are_those_of_the_new_bindings(walk):
    state, moves = walk
    after = apply(state, moves)
    at = state.workloads.node.tolist()
    for move in moves:
        at[move.workload] = move.target
    assert after.workloads.node.tolist() == at
    expected = requested_sums(len(state.nodes), after.workloads.node, after.workloads.requests)
    np.testing.assert_allclose(after.nodes.requested, expected, atol=1e-6)


@given(walks())
def test_one_by_one_is_all_at_once(walk):
    state, moves = walk
    stepwise = state
    for move in moves:
        stepwise = apply(stepwise, [move])
    at_once = apply(state, moves)
    assert stepwise.workloads.node.tolist() == at_once.workloads.node.tolist()
    np.testing.assert_allclose(stepwise.nodes.requested, at_once.nodes.requested)
    np.testing.assert_allclose(stepwise.nodes.measures.value, at_once.nodes.measures.value)


@settings(deadline=None)
@given(walks())
def test_moving_back_restores(walk):
    state, moves = walk
    back = [Move(m.workload, m.target, m.source) for m in reversed(moves)]
    after = apply(state, [*moves, *back])
    assert after.workloads.node.tolist() == state.workloads.node.tolist()
    np.testing.assert_allclose(after.nodes.measures.value, state.nodes.measures.value, atol=1e-3)


@given(walks())
def test_the_state_before_is_not_touched_and_the_one_after_is_read_only(walk):
    state, moves = walk
    arrays = (state.workloads.node, state.nodes.requested, state.nodes.measures.value)
    copies = [array.copy() for array in arrays]
    after = apply(state, moves)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    for array in (after.workloads.node, after.nodes.requested, after.nodes.measures.value):
        assert not array.flags.writeable
    assert after.nodes.measures.age_seconds is state.nodes.measures.age_seconds
    assert after.workloads.measures is state.workloads.measures


def test_no_move_changes_nothing():
    state = small().build()
    after = apply(state, [])
    np.testing.assert_array_equal(after.nodes.measures.value, state.nodes.measures.value)
    np.testing.assert_array_equal(after.nodes.requested, state.nodes.requested)


def test_swapped_pages_come_back_where_a_vm_lands():
    state = small().node("n3", swap="8Gi").build()
    after = apply(state, [Move(0, 0, 2)])

    def change(measure: NodeMeasure) -> list[float]:
        return (after.nodes.measures.column(measure) - state.nodes.measures.column(measure)).tolist()

    assert change(NodeMeasure.MEMORY_MEAN_BYTES) == [-6 * GIB, 0, 7 * GIB]
    assert change(NodeMeasure.SWAP_USED_BYTES) == [-1 * GIB, 0, 0]
    assert change(NodeMeasure.MEMORY_AVAILABLE_BYTES)[0] == 6 * GIB
    assert change(NodeMeasure.CPU_PEAK_CORES)[0] == -1


def test_swapped_pages_stay_resident_on_the_next_move():
    state = small().node("n3", swap="8Gi").build()
    after = apply(state, [Move(0, 0, 2), Move(0, 2, 1)])
    memory = after.nodes.measures.column(NodeMeasure.MEMORY_MEAN_BYTES)
    assert memory.tolist() == [1 * GIB, 7 * GIB, 0]
    assert after.nodes.measures.column(NodeMeasure.SWAP_USED_BYTES).tolist() == [0, 0, 0]


def test_what_was_not_measured_stays_unknown():
    state = small().build()
    after = apply(state, [Move(0, 0, 1)])
    assert np.isnan(after.nodes.measures.column(NodeMeasure.CPU_MEAN_CORES)[1])
    assert after.nodes.measures.column(NodeMeasure.MEMORY_MEAN_BYTES)[1] == 7 * GIB


def test_a_given_use_counts_instead_of_the_measured_one():
    state = small().build()
    use = Use(leaving=np.array([[1.0, GIB], [0.0, 0.0]]), landing=np.array([[2.0, 3 * GIB], [0.0, 0.0]]))
    memory = apply(state, [Move(0, 0, 1)], use).nodes.measures.column(NodeMeasure.MEMORY_MEAN_BYTES)
    assert memory.tolist() == [6 * GIB, 3 * GIB]


def test_measured_use():
    state = small().vm("a/x", "n2", use_cpu=None, use_memory=None, swap_used=None).build()
    use = measured_use(state)
    assert use.leaving.tolist() == [[1.0, 6 * GIB], [0.5, GIB], [0.0, 0.0]]
    assert use.landing.tolist() == [[1.0, 7 * GIB], [0.5, GIB], [0.0, 0.0]]
    assert np.isnan(state.workloads.measures.column(WorkloadMeasure.CPU_MEAN_CORES)[2])


def test_a_move_from_where_the_workload_is_not_is_refused():
    state = small().build()
    with pytest.raises(ValueError, match="workload a/web is not on node n2"):
        apply(state, [Move(1, 1, 0)])


def test_request_sums_of_nothing():
    assert requested_sums(2, np.empty(0, dtype=np.int64), np.empty((0, 4))).tolist() == [[0.0] * 4] * 2
