"""What is kept from question to question is what would be computed anew, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import Cluster
from tests.scoring.states import CORES, GIB, RAM_GIB, clusters, demands, everything
from ullage.config import defaults
from ullage.scoring import judged
from ullage.scoring.assumed import NOTHING, Amounts, Assumed, Change
from ullage.scoring.columns import Float32Array
from ullage.scoring.combine import combine, graded, reject
from ullage.scoring.demand import Demand
from ullage.scoring.landing import Landing
from ullage.scoring.registry import FILTERS
from ullage.scoring.view import NodeView, view

POD = Demand(cpu_cores=1, memory_bytes=4e9, committed_bytes=4e9)

ratios = st.tuples(*(st.sampled_from([0.0, 0.1, 0.3, 0.9]) for _ in range(3)))
amounts = ratios.map(lambda of: (of[0] * CORES, of[1] * RAM_GIB * GIB, of[2] * RAM_GIB * GIB))


def assumed(on: dict[int, tuple[float, ...]]) -> Assumed:
    """So much on some rows, of which nobody knows how it came there."""
    return Assumed.on(
        {row: (cpu * CORES, ram * RAM_GIB * GIB, full * RAM_GIB * GIB) for row, (cpu, ram, full) in on.items()}
    )


class Course:
    """What is assumed from question to question, in one log until it begins anew."""

    def __init__(self) -> None:
        self.log: list[Change] = []
        self.totals: dict[int, Amounts] = {}

    def add(self, row: int, amounts: Amounts) -> None:
        cpu, memory, commit = self.totals.get(row, (0.0, 0.0, 0.0))
        self.totals[row] = cpu + amounts[0], memory + amounts[1], commit + amounts[2]
        self.log.append(Change(row, self.totals[row], amounts))

    def put(self, row: int, amounts: Amounts) -> None:
        self.totals[row] = amounts
        self.log.append(Change(row, amounts))

    def begin(self) -> None:
        self.log = [Change(row, amounts) for row, amounts in self.totals.items()]

    def taken(self) -> Assumed:
        return Assumed(self.log, len(self.log))


@st.composite
def ledgers(draw: st.DrawFn, nodes: int, asked: list[Demand]) -> list[Assumed]:
    """What is assumed, question by question: pods like those that are asked about come, others come and go; now and then the
    log begins anew, a node is assumed nothing on any more, or it steps back."""
    course, found = Course(), [NOTHING]
    rows, comes = (
        st.integers(0, nodes - 1),
        st.sampled_from(["one", "one", "one", "two", "other", "begin", "drop", "back"]),
    )
    for _ in range(draw(st.integers(1, 8))):
        match draw(comes):
            case "one":
                course.add(draw(rows), draw(st.sampled_from(asked)).amounts)
            case "two":
                row, demand = draw(rows), draw(st.sampled_from(asked))
                course.add(row, demand.amounts)
                course.add(draw(st.sampled_from([row, draw(rows)])), demand.amounts)
            case "other":
                course.put(draw(rows), draw(amounts))
            case "drop":
                course.totals = dict(list(course.totals.items())[1:])
                course.begin()
            case "begin":
                course.begin()
            case "back":
                found.append(draw(st.sampled_from(found)))
                continue
        found.append(course.taken())
    return found


def reasons_anew(seen: NodeView, demand: Demand, with_others: Assumed, row: int) -> str:
    rows = np.array([row])
    code = int(reject(Landing(seen, demand, with_others, rows))[0])
    told = FILTERS[code - 1].reasons(Landing(seen, demand, with_others, rows))
    return f"{seen.codes[code]}: {told[0]}"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_answers_are_those_of_a_view_that_was_never_asked(data: st.DataObject) -> None:
    state = data.draw(clusters(least=1))
    kept = view(state, everything())
    asked = data.draw(st.lists(demands(), min_size=1, max_size=2))
    for with_others in data.draw(ledgers(len(kept), asked)):
        demand = data.draw(st.sampled_from(asked))
        rows = np.array(data.draw(st.lists(st.integers(-1, len(kept) - 1), max_size=8)), dtype=np.int64)
        fresh = view(state, everything())
        codes = judged.codes(kept, demand, with_others, rows)
        np.testing.assert_array_equal(codes, reject(Landing(fresh, demand, with_others, rows)))
        raw = judged.scores(kept, demand, with_others, rows)
        assert raw.tobytes() == combine(fresh, demand, with_others, rows).tobytes()
        if len(rows):
            grades = judged.grades(kept, demand, with_others, rows)
            assert grades.tobytes() == graded(fresh, raw, rows).tobytes()
            assert judged.grades(kept, demand, with_others, rows).tobytes() == grades.tobytes()
            assert judged.codes(kept, demand, with_others, rows).tobytes() == codes.tobytes()
        gone = rows[codes != 0]
        told = judged.reasons(kept, demand, with_others, gone, codes[codes != 0])
        assert told == [reasons_anew(fresh, demand, with_others, row) for row in gone.tolist()]


def test_the_same_answer_is_the_same_object_until_something_about_its_rows_changes() -> None:
    seen, rows = many(10), np.arange(6)
    other, before = np.arange(6), assumed({1: (0.1, 0.1, 0.1), 2: (0.0, 0.0, 0.0), 8: (0.0, 0.0, 0.0)})
    judged.codes(seen, POD, before, rows)
    codes, grades = judged.codes(seen, POD, before, rows), judged.grades(seen, POD, before, rows)
    assert judged.codes(seen, POD, before, rows) is codes
    assert judged.grades(seen, POD, before, rows) is grades
    assert judged.codes(seen, POD, before, other) is not codes
    codes = judged.codes(seen, POD, before, rows)
    elsewhere = assumed({1: (0.1, 0.1, 0.1), 2: (0.0, 0.0, 0.0), 8: (0.3, 0.3, 0.3)})
    assert judged.codes(seen, POD, elsewhere, rows) is codes
    assert judged.grades(seen, POD, elsewhere, rows) is grades
    still_kept = assumed({1: (0.1, 0.1, 0.1), 2: (0.1, 0.1, 0.1), 8: (0.3, 0.3, 0.3)})
    assert judged.codes(seen, POD, still_kept, rows) is codes
    assert judged.grades(seen, POD, still_kept, rows) is not grades
    rejected_for_more = assumed({1: (0.3, 0.3, 0.3), 2: (0.1, 0.1, 0.1), 8: (0.3, 0.3, 0.3)})
    found = judged.codes(seen, POD, rejected_for_more, rows)
    assert found is not codes
    assert found.tolist() == codes.tolist() == [0, 3, 0, 3, 0, 3]


def test_one_more_pod_like_the_last_on_another_node_is_computed_before_it_comes() -> None:
    seen, rows, computed = many(100), np.arange(100), list[int]()
    (first, *others) = seen.terms

    def counted(at: Landing, out: Float32Array | None) -> Float32Array:
        computed.append(at.size)
        return first.score(at, out)

    seen = replace(seen, terms=(replace(first, score=counted), *others))
    course = Course()
    judged.scores(seen, POD, course.taken(), rows)
    for row in (3, 5, 7, 9):
        course.add(row, POD.amounts)
        judged.scores(seen, POD, course.taken(), rows)
    assert computed == [101, 1 + 101]
    course.add(7, POD.amounts)
    judged.scores(seen, POD, course.taken(), rows)
    assert computed == [101, 1 + 101, 1 + 3]


def many(nodes: int) -> NodeView:
    small = view(
        Cluster().node("a", use_cpu=2, use_memory="8Gi").node("b", use_cpu=6, use_memory="63Gi").build(), defaults()
    )
    order = np.append(np.arange(nodes) % 2, 2)
    columns = {
        name: getattr(small, name).take(order, axis=-1) for name in ("matrix", "raw", "room", "trouble", "fixed")
    }
    return replace(small, names=tuple(f"n{i:05}" for i in range(nodes)), **columns)


@pytest.mark.parametrize(("nodes", "asked", "keeps"), [(100, 3, True), (30_000, 3, False), (30_000, 20_000, True)])
def test_few_rows_of_a_large_view_are_computed_alone(nodes: int, asked: int, keeps: bool) -> None:
    seen, rows = many(nodes), np.arange(asked)
    with_others = assumed({1: (0.1, 0.1, 0.1), nodes - 1: (0.9, 0.9, 0.9)})
    raw, codes = judged.scores(seen, POD, with_others, rows), judged.codes(seen, POD, with_others, rows)
    assert bool(seen.judged) is keeps
    np.testing.assert_array_equal(raw, combine(seen, POD, with_others, rows))
    assert raw[0] > raw[1]
    assert codes[:3].tolist() == [0, 3, 0]
    assert judged.reasons(seen, POD, with_others, rows[1:2], codes[1:2]) == [
        "limit-memory: predicted memory peak 73.1Gi of 64Gi (114%) with this pod, above the limit of 95%"
    ]


def test_the_oldest_demands_are_forgotten_and_a_changed_view_knows_none() -> None:
    seen, rows = many(10), np.arange(10)
    for number in range(200):
        judged.codes(seen, Demand(cpu_cores=number), NOTHING, rows)
    assert len(seen.judged) == 64
    assert Demand(cpu_cores=199) in seen.judged
    assert not replace(seen, names=seen.names).judged
