"""All rules together, against the plain reference."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import Cluster
from tests.scoring.feasibility.reference import Reference
from tests.scoring.feasibility.strategies import THEMES, clusters, permuted
from ullage.model.changes import Move, apply
from ullage.model.codes import CODES
from ullage.model.placement import Placement, PodTerm
from ullage.model.state import ClusterState
from ullage.scoring.feasibility import Feasibility

MANY = settings(max_examples=60, deadline=None)


def walks(most: int = 6) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Moves as numbers that `steps` fits to a state."""
    return st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=most)


def steps(state: ClusterState, walk: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(w % len(state.workloads), n % len(state.nodes)) for w, n in walk]


def masks(feasibility: Feasibility, state: ClusterState) -> np.ndarray:
    rows = [feasibility.allowed(w) for w in range(len(state.workloads))]
    return np.array(rows, dtype=np.bool_).reshape(len(rows), len(state.nodes))


@MANY
@given(state=clusters())
def test_static_is_the_reference(state):
    feasibility, reference = Feasibility(state), Reference(state)
    rows = np.arange(len(state.workloads))
    table = feasibility.static_many(rows)
    assert table.shape == (len(rows), len(state.nodes))
    for w in rows.tolist():
        assert feasibility.static(w).tolist() == reference.static(w) == table[w].tolist()


@pytest.mark.parametrize("theme", THEMES)
@MANY
@given(data=st.data())
def test_allowed_is_the_reference_after_any_moves(theme, data):
    state, walk = data.draw(clusters(theme)), data.draw(walks())
    feasibility = Feasibility(state)
    bindings = state.workloads.node.tolist()
    for w, n in [*steps(state, walk), (None, None)]:
        reference = Reference(state, bindings)
        for row in range(len(state.workloads)):
            assert feasibility.allowed(row).tolist() == reference.allowed(row)
        if w is not None:
            feasibility.move(w, n)
            bindings[w] = n
    assert [feasibility.node_of(row) for row in range(len(bindings))] == bindings


@MANY
@given(state=clusters())
def test_rejections_give_every_reason_of_the_reference(state):
    feasibility, reference = Feasibility(state), Reference(state)
    for w in range(len(state.workloads)):
        found = list(feasibility.rejections(w))
        assert found[0][0] == "same-node"
        assert np.flatnonzero(found[0][1]).tolist() == [feasibility.node_of(w)]
        for node in reference.nodes:
            assert [code for code, nodes in found[1:] if nodes[node.row]] == list(reference.codes(w, node))
        assert {code for code, _ in found} <= set(CODES)
        assert all(nodes.any() for _, nodes in found)


@MANY
@given(state=clusters())
def test_only_dynamic_workloads_differ_from_static(state):
    feasibility = Feasibility(state)
    for w in np.flatnonzero(~feasibility.dynamic()).tolist():
        assert feasibility.allowed(w).tolist() == feasibility.static(w).tolist()


@pytest.mark.parametrize("theme", ["nodes", "anti-affinity", "spread"])
@MANY
@given(data=st.data())
def test_preference_is_the_reference(theme, data):
    state, walk = data.draw(clusters(theme)), data.draw(walks(3))
    feasibility = Feasibility(state)
    bindings = state.workloads.node.tolist()
    for w, n in steps(state, walk):
        feasibility.preference(w)
        feasibility.move(w, n)
        bindings[w] = n
    reference = Reference(state, bindings)
    for w in range(len(state.workloads)):
        found = feasibility.preference(w)
        assert found.tolist() == pytest.approx(reference.preference(w))
        assert ((found >= 0) & (found <= 1)).all()


@MANY
@given(state=clusters(), walk=walks())
def test_incremental_equals_rebuilt(state, walk):
    feasibility = Feasibility(state)
    masks(feasibility, state)  # counts exist before the moves, so that moves must keep them
    moves = []
    for w, n in steps(state, walk):
        moves.append(Move(w, feasibility.node_of(w), n))
        feasibility.move(w, n)
    rebuilt = Feasibility(apply(state, moves))
    assert np.array_equal(masks(feasibility, state), masks(rebuilt, state))


@MANY
@given(state=clusters(), walk=walks())
def test_moving_back_restores(state, walk):
    feasibility = Feasibility(state)
    before = masks(feasibility, state)
    undo = []
    for w, n in steps(state, walk):
        undo.append((w, feasibility.node_of(w)))
        feasibility.move(w, n)
    for w, n in reversed(undo):
        feasibility.move(w, n)
    assert np.array_equal(masks(feasibility, state), before)


@MANY
@given(state=clusters(), data=st.data())
def test_permuting_rows_permutes_masks(state, data):
    nodes = data.draw(st.permutations(range(len(state.nodes))))
    workloads = data.draw(st.permutations(range(len(state.workloads))))
    other = permuted(state, nodes, workloads)
    expected = masks(Feasibility(state), state)[np.ix_(workloads, nodes)]
    assert np.array_equal(masks(Feasibility(other), other), expected)


@given(state=clusters(), walk=walks())
def test_the_state_is_not_touched(state, walk):
    before = state.workloads.node.copy()
    feasibility = Feasibility(state)
    for w, n in steps(state, walk):
        feasibility.move(w, n)
    assert np.array_equal(state.workloads.node, before)


def test_the_strategy_reaches_every_rule():
    reached: Counter[str] = Counter()

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(state=clusters())
    def collect(state):
        feasibility = Feasibility(state)
        for w in range(len(state.workloads)):
            reached.update(code for code, _ in feasibility.rejections(w))

    collect()
    expected = {
        "same-node",
        "node-not-ready",
        "node-unschedulable",
        "allocatable",
        "taint",
        "kubevirt-node",
        "node-selector",
        "node-affinity",
        "host-port",
        "pod-affinity",
        "pod-anti-affinity",
        "topology-spread",
    }
    assert set(reached) == expected


def test_masks_are_shared_and_read_only_where_they_are_static():
    same = Placement(tolerations=())
    other = Placement(anti_affinity=(PodTerm("kubernetes.io/hostname", (), ("a",)),))
    state = Cluster().node("n1").node("n2").pod("a/p", "n1", placement=same).pod("a/q", "n1", placement=other).build()
    feasibility = Feasibility(state)
    assert feasibility.static(0) is feasibility.static(1)
    assert not feasibility.static(0).flags.writeable
    assert not feasibility.dynamic().flags.writeable
    feasibility.allowed(0)[:] = False
    feasibility.static_many(np.array([0, 1]))[:] = False
    assert feasibility.allowed(0).tolist() == [False, True]
    assert feasibility.static(0).tolist() == [True, True]


def test_an_empty_cluster_and_a_cluster_without_workloads():
    empty = Feasibility(Cluster().build())
    assert empty.dynamic().shape == (0,)
    assert empty.static_many(np.empty(0, dtype=np.int64)).shape == (0, 0)
    assert Feasibility(Cluster().node("n").build()).dynamic().shape == (0,)
