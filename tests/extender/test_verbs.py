"""Filter, prioritize and explain as pure functions."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extender.verbs import DAEMONSET, NO_STATE, PodRequest, explain, filter_nodes, prioritize, winner
from tests.builders import Cluster
from tests.scoring.states import assumptions, clusters, everything
from ullage.config import defaults
from ullage.model.arrays import Int32Array
from ullage.model.measures import NodeMeasure
from ullage.scoring.assumed import Assumed
from ullage.scoring.columns import NodeView
from ullage.scoring.view import view

GIB = 2.0**30
POD = PodRequest(uid="p", namespace="shop", name="p", requests_cpu_cores=1, requests_memory_bytes=10 * GIB)


def rows(*values: int) -> Int32Array:
    return np.array(values, dtype=np.int64)


@pytest.fixture(scope="module")
def seen() -> NodeView:
    cluster = Cluster()
    for name, used in (("a", "10Gi"), ("b", "30Gi"), ("c", "60Gi")):
        cluster.node(name, cpu=8, memory="64Gi", use_cpu=2, use_memory=used)
    pressed = {NodeMeasure.PSI_MEMORY_FULL_RATIO: 0.5}
    cluster.node("d", cpu=8, memory="64Gi", use_cpu=2, use_memory="10Gi", measures=pressed)
    return view(cluster.node("e", use_cpu=None, use_memory=None).build(generation=7), defaults())


def test_before_the_first_state_all_are_kept_and_equal() -> None:
    verdict = filter_nodes(None, POD, rows(-1, -1))
    assert (verdict.rejected.tolist(), verdict.note, verdict.why(verdict.positions)) == ([False, False], NO_STATE, [])
    assert prioritize(None, POD, rows(-1, -1)).tolist() == [0, 0]
    assert explain(None, POD, rows(-1)).note == NO_STATE


def test_rejected_nodes_say_why_with_numbers_and_whether_eviction_would_help(seen: NodeView) -> None:
    verdict = filter_nodes(seen, POD, rows(3, 2, -1, 4, 0))
    assert verdict.rejected.tolist() == [True, True, False, False, False]
    assert verdict.note == ""
    pressure, memory = verdict.why(verdict.positions)
    assert pressure == "limit-pressure: everything stalls on memory 50% of the time, above the limit of 10%"
    assert memory == ("limit-memory: predicted memory peak 67Gi of 64Gi (105%) with this pod, above the limit of 95%")
    assert [verdict.resolvable[code] for code in verdict.code[:2]] == [False, True]


def test_reasons_count_what_is_assumed(seen: NodeView) -> None:
    assumed = Assumed.on({0: (0.5, 50 * GIB, 0)})
    verdict = filter_nodes(seen, POD, rows(1, 0), assumed)
    assert verdict.rejected.tolist() == [False, True]
    assert "67Gi of 64Gi" in verdict.why(verdict.positions)[0]


def test_a_cpu_reason_says_cores(seen: NodeView) -> None:
    pod = msgspec.structs.replace(POD, requests_cpu_cores=10, requests_memory_bytes=GIB)
    assert filter_nodes(seen, pod, rows(0)).why(rows(0)) == [
        "limit-cpu: predicted CPU peak 10.50 of 8.00 cores (131%) with this pod, above the limit of 100%"
    ]


def test_pods_of_daemonsets_are_never_rejected(seen: NodeView) -> None:
    verdict = filter_nodes(seen, msgspec.structs.replace(POD, owner_kind="DaemonSet", owner_name="d"), rows(2, 3))
    assert (verdict.rejected.any(), verdict.note) == (False, DAEMONSET)


def test_emptier_nodes_score_higher_and_one_wins(seen: NodeView) -> None:
    scores = prioritize(seen, POD, rows(2, 0, 1))
    assert scores[0] == 0 < scores[2] < scores[1] == 10
    assert winner(rows(2, 0, 1), scores) == 0


def test_names_that_are_not_known_score_as_the_median_node(seen: NodeView) -> None:
    scores = prioritize(seen, POD, rows(0, -1, 2, -1, 4))
    assert scores[1] == scores[3]
    assert scores[2] < scores[1] < scores[0]


def test_a_destination_of_a_plan_wins_where_it_is_asked_for(seen: NodeView) -> None:
    assumed = Assumed.on({}, destination=1)
    assert prioritize(seen, POD, rows(0, 1, -1), assumed).tolist() == [0, 10, 0]
    assert prioritize(seen, POD, rows(0, 2), assumed).tolist() == [10, 0]
    assert explain(seen, POD, rows(0), assumed).destination == "b"


def test_winners_stand_out() -> None:
    assert winner(rows(), np.zeros(0, np.int16)) == -1
    assert winner(rows(4), np.zeros(1, np.int16)) == 4
    assert winner(rows(4, 5), np.zeros(2, np.int16)) == -1
    assert winner(rows(4, 5), np.array([1, 3], np.int16)) == 5


@settings(max_examples=40)
@given(st.data())
def test_answers_do_not_depend_on_the_order_of_the_question(data: st.DataObject) -> None:
    state = data.draw(clusters(least=1))
    seen = view(state, everything())
    assumed = data.draw(assumptions(len(seen)))
    asked = np.array(data.draw(st.permutations(range(len(seen)))), dtype=np.int64)
    scores, verdict = prioritize(seen, POD, asked, assumed), filter_nodes(seen, POD, asked, assumed)
    assert scores.dtype == np.int16
    assert scores.min() >= 0
    assert scores.max() <= 10
    order = np.argsort(asked)
    every = np.arange(len(seen), dtype=np.int64)
    np.testing.assert_array_equal(scores[order], prioritize(seen, POD, every, assumed))
    np.testing.assert_array_equal(verdict.code[order], filter_nodes(seen, POD, every, assumed).code)


@settings(max_examples=40)
@given(st.data())
def test_an_explanation_says_what_the_verbs_say(data: st.DataObject) -> None:
    seen = view(data.draw(clusters(least=1)), everything())
    assumed = data.draw(assumptions(len(seen)))
    asked = np.array([*range(len(seen)), -1], dtype=np.int64)
    said = explain(seen, POD, asked, assumed)
    assert [node.score for node in said.nodes] == prioritize(seen, POD, asked, assumed).tolist()
    verdict = filter_nodes(seen, POD, asked, assumed)
    assert [bool(node.code) for node in said.nodes] == verdict.rejected.tolist()
    assert sum(said.weights.values()) == pytest.approx(1.0, abs=1e-4)
    for node in said.nodes:
        weighted = sum(said.weights[name] * value for name, value in node.terms.items())
        assert weighted == pytest.approx(node.raw, abs=1e-4)
    assert msgspec.json.decode(msgspec.json.encode(said))["nodes"][-1]["known"] is False


def test_an_explanation_has_the_numbers(seen: NodeView) -> None:
    assumed = Assumed.on({0: (0.15, 5 * GIB, 0)})
    said = explain(seen, POD, rows(0, 4), assumed)
    first, unknown = said.nodes
    assert (said.generation, said.oldest_measure_seconds) == (7, 10.0)
    assert said.demand is not None
    assert (said.demand.source, said.demand.cpu_cores) == ("requests", 0.85)
    assert first.memory_ratio == pytest.approx((10 + 7 + 5) / 64, abs=1e-5)
    assert first.cpu_ratio == pytest.approx((2 + 0.85 + 0.15) / 8, abs=1e-5)
    assert (first.assumed_memory_bytes, first.known) == (5 * GIB, True)
    assert (unknown.name, unknown.known, unknown.cpu_ratio, unknown.code) == ("e", False, None, "")


def test_an_explanation_names_nodes_that_are_not_known(seen: NodeView) -> None:
    said = explain(seen, POD, rows(-1, 0), names=["new", "a"])
    assert [(node.name, node.known) for node in said.nodes] == [("new", False), ("a", True)]
