"""What every filter and every scorer of the registry must keep, and the sum of the scorers with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import Cluster
from tests.scoring.states import LIMITED, LOADS, assumptions, clusters, demands, everything, with_measure
from ullage.config import defaults
from ullage.config.schema import Weights
from ullage.model.codes import CODES
from ullage.model.measures import NodeMeasure
from ullage.model.state import ClusterState
from ullage.scoring.assumed import NOTHING, Assumed
from ullage.scoring.combine import combine, reject
from ullage.scoring.demand import Demand
from ullage.scoring.landing import Filter, Landing, Scorer
from ullage.scoring.registry import FILTERS, SCORERS
from ullage.scoring.view import NodeView, view

scorers = pytest.mark.parametrize("scorer", SCORERS, ids=lambda each: each.name)
monotone = pytest.mark.parametrize("scorer", [each for each in SCORERS if each.is_monotone], ids=lambda each: each.name)
filters = pytest.mark.parametrize("each", FILTERS, ids=lambda each: each.code)
UNKNOWN = np.array([-1], dtype=np.int32)


def landing(state: ClusterState, demand: Demand, assumed: Assumed = NOTHING) -> Landing:
    return Landing(view(state, LIMITED), demand, assumed)


def test_registries_fit_the_configuration_and_the_table_of_codes() -> None:
    assert [each.name for each in SCORERS] == list(Weights.__struct_fields__)
    assert len({each.code for each in FILTERS}) == len(FILTERS)
    assert {each.code for each in FILTERS} <= CODES.keys()


@scorers
@settings(max_examples=15)
@given(st.data())
def test_a_scorer_stays_in_bounds_and_writes_where_it_is_told(scorer: Scorer, data: st.DataObject) -> None:
    state = data.draw(clusters())
    at = landing(state, data.draw(demands()), data.draw(assumptions(len(state.nodes))))
    score = scorer.score(at, None)
    assert score.dtype == np.float32
    assert score.shape == (len(state.nodes) + 1,)
    assert not np.isnan(score).any()
    assert (score >= 0).all()
    assert (score <= 1).all()
    out = np.full_like(score, np.nan)
    assert scorer.score(at, out) is out
    np.testing.assert_array_equal(out, score)
    np.testing.assert_array_equal(scorer.score(at, None), score)


@scorers
@settings(max_examples=15)
@given(st.data())
def test_a_scorer_says_the_same_of_a_row_wherever_it_stands(scorer: Scorer, data: st.DataObject) -> None:
    state = data.draw(clusters(least=1))
    seen, demand = view(state, LIMITED), data.draw(demands())
    assumed = data.draw(assumptions(len(seen)))
    rows = np.array(data.draw(st.lists(st.integers(-1, len(seen) - 1), min_size=1)), dtype=np.int32)
    whole = scorer.score(Landing(seen, demand, assumed), None)
    np.testing.assert_array_equal(scorer.score(Landing(seen, demand, assumed, rows), None), whole[rows])
    part = slice(1, len(seen))
    np.testing.assert_array_equal(scorer.score(Landing(seen, demand, assumed, part), None), whole[part])


def grown(state: ClusterState, seen: NodeView, node: int, measure: NodeMeasure, factor: float) -> NodeView | None:
    """View with more of a measure on one node; None where there is nothing to grow."""
    before = state.nodes.measures.column(measure)[node]
    if np.isnan(before) or not seen.known[node]:
        return None
    return view(with_measure(state, node, measure, before * factor if before > 0 else before), seen.config)


@monotone
@settings(max_examples=15)
@given(st.data())
def test_more_load_never_raises_the_score(scorer: Scorer, data: st.DataObject) -> None:
    state, demand = data.draw(clusters(least=1)), data.draw(demands())
    node, measure = data.draw(st.integers(0, len(state.nodes) - 1)), data.draw(st.sampled_from(LOADS))
    seen = view(state, LIMITED)
    after = grown(state, seen, node, measure, data.draw(st.floats(1, 3)))
    if after is not None:
        before = scorer.score(Landing(seen, demand), None)[node]
        # LowRiskOverCommitment takes more deviation for less risk where the mean is far above the requests
        if scorer.name == "low_risk_overcommitment" and "DEVIATION" in measure.name:
            return
        assert scorer.score(Landing(after, demand), None)[node] <= before + 1e-6


@given(st.data())
def test_more_load_of_any_kind_never_raises_the_sum_nor_takes_a_rejection_back(data: st.DataObject) -> None:
    state, demand = data.draw(clusters(least=1)), data.draw(demands())
    node, measure = data.draw(st.integers(0, len(state.nodes) - 1)), data.draw(st.sampled_from(LOADS))
    seen = view(state, LIMITED)
    after = grown(state, seen, node, measure, data.draw(st.floats(1, 3)))
    if after is not None:
        assert combine(after, demand)[node] <= combine(seen, demand)[node] + 1e-6
        was = reject(Landing(seen, demand))[node]
        now = reject(Landing(after, demand))[node]
        assert now or not was


@given(st.data())
def test_what_is_assumed_on_a_node_never_raises_its_score_nor_frees_it(data: st.DataObject) -> None:
    state, demand = data.draw(clusters(least=1)), data.draw(demands())
    seen = view(state, LIMITED)
    assumed = data.draw(assumptions(len(seen)))
    assert (combine(seen, demand, assumed) <= combine(seen, demand) + 1e-6).all()
    bare = Landing(seen, demand)
    for each in FILTERS:
        assert (each.rejects(Landing(seen, demand, assumed)) >= each.rejects(bare)).all()


@scorers
def test_a_scorer_takes_no_node_and_one_node(scorer: Scorer) -> None:
    none = landing(Cluster().build(), Demand(cpu_cores=1, memory_bytes=1e9))
    assert scorer.score(none, None).shape == (1,)
    assert not np.isnan(scorer.score(none, None)).any()
    one = landing(Cluster().node("a", use_cpu=2, use_memory="8Gi").build(), Demand(cpu_cores=1, memory_bytes=1e9))
    score = scorer.score(one, None)
    assert score[0] == pytest.approx(score[1]), "the median node is the one node"


@filters
@settings(max_examples=25)
@given(st.data())
def test_a_filter_rejects_only_what_is_known(each: Filter, data: st.DataObject) -> None:
    state = data.draw(clusters())
    at = landing(state, data.draw(demands()), data.draw(assumptions(len(state.nodes))))
    rejected = each.rejects(at)
    assert rejected.dtype == np.bool_
    assert rejected.shape == (len(state.nodes) + 1,)
    assert not rejected[-1]
    if not each.is_fixed and each.code != "worst-case-memory":
        assert not rejected[:-1][~at.view.known].any()
    told = each.reasons(Landing(at.view, at.demand, at.assumed, np.flatnonzero(rejected)))
    assert len(told) == np.count_nonzero(rejected)
    assert all("%" in reason for reason in told)


@given(st.data())
def test_the_sum_is_the_weighted_mean_of_all_scorers_by_every_way_to_compute_it(data: st.DataObject) -> None:
    state, demand = data.draw(clusters(least=1)), data.draw(demands())
    seen = view(state, everything())
    assumed = data.draw(assumptions(len(seen)))
    at = Landing(seen, demand, assumed)
    mean = np.mean([each.score(at, None) for each in SCORERS], axis=0)
    found = combine(seen, demand, assumed)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, mean[:-1], atol=1e-6)
    rows = np.array([*range(len(seen)), -1], dtype=np.int32)
    np.testing.assert_allclose(combine(seen, demand, assumed, rows), mean, atol=1e-6)
    np.testing.assert_allclose(combine(seen, demand, assumed, UNKNOWN), mean[-1:], atol=1e-6)


def test_blocks_and_gathering_agree_on_many_nodes() -> None:
    small = view(
        Cluster().node("a", use_cpu=2, use_memory="8Gi").node("b", use_cpu=6, use_memory="40Gi").build(), defaults()
    )
    order = np.append(np.arange(30_000) % 2, 2)
    big = replace(
        small,
        names=tuple(f"n{i:05}" for i in range(30_000)),
        matrix=small.matrix.take(order, axis=1),
        fixed=small.fixed[order],
    )
    demand = Demand(cpu_cores=1, memory_bytes=4e9, committed_bytes=4e9)
    assumed = Assumed.on({1: (1, 1e9, 0), 20_000: (2, 2e9, 0)})
    whole = combine(big, demand, assumed)
    rows = np.array([20_000, 29_999, 1, 0, -1], dtype=np.int32)
    np.testing.assert_allclose(combine(big, demand, assumed, rows)[:4], whole[rows[:4]], atol=1e-6)
    assert whole[20_000] < whole[0] == whole[2]
    assert whole[1] < whole[3]


def test_views_and_assumptions_cannot_be_written() -> None:
    seen = view(Cluster().node("a").build(), defaults())
    for array in (seen.matrix, seen.raw, seen.room, seen.trouble, seen.fixed, seen.weights, NOTHING.amount):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
