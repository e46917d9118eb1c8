from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources.prometheus.server import matrix, vector
from ullage.sources.prometheus.joining import Gathered, Grid, find_machine, find_pod, node_finder
from ullage.telemetry.catalog import Alternative, Axis, Exporter, metrics
from ullage.telemetry.decode import Answer
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import NodeReading, Problem, Table, WorkloadReading

NODES = NodeIdentities.of({"node-a": ["10.0.0.1", "shared"], "node-b": ["fd00::7", "shared"]})
CHOSEN = {(axis, int(m.reading)): m.alternatives[0] for axis in Axis for m in metrics(axis)}
ONE = {key: Alternative(each.expression, Exporter.NODE_EXPORTER) for key, each in CHOSEN.items()}
PODS = ("a", "b", "c", "d")
TOTAL, IO = NodeReading.MEMORY_TOTAL_BYTES, NodeReading.PSI_IO_SOME_RATIO
Sample = tuple[dict[str, str], object]


def _tables(values: list[Sample], times: list[Sample], axis: Axis = Axis.NODES) -> tuple[Table, tuple[Problem, ...]]:
    gathered = Gathered(axis, Grid())
    for samples, is_time in ((values, False), (times, True)):
        for block in Answer(vector(samples), "vector").blocks():
            gathered.add(block, is_time=is_time)
    (table,), problems = gathered.tables(node_finder(NODES) if axis is Axis.NODES else find_machine, ONE)
    return table, problems


def _marked(labels: dict[str, str], mark: int = 0) -> dict[str, str]:
    return {**labels, "ullage": str(int(mark))}


def _one(labels: dict[str, str], value: object, reading: NodeReading = TOTAL) -> tuple[Table, tuple[Problem, ...]]:
    return _tables([(_marked(labels, reading), value)], [(_marked(labels), 100)])


@pytest.mark.parametrize(
    "labels",
    [
        {"instance": "node-b"},
        {"instance": "node-b:9100"},
        {"instance": "[fd00::7]:9100"},
        {"instance": "10.9.9.9:8443", "node": "node-b"},
        {"instance": "10.9.9.9:8443", "kubernetes_node": "node-b"},
        {"instance": "10.9.9.9:8443", "nodename": "node-b"},
        {"instance": "fd00::7", "node": "not-a-node", "job": "x"},
    ],
)
def test_dialects_of_labels_that_name_a_node(labels: dict[str, str]) -> None:
    table, problems = _one(labels, 5)
    assert (table.keys, problems) == (("node-b",), ())
    assert table.value[0, TOTAL] == 5
    assert table.at_seconds[0, TOTAL] == 100


@pytest.mark.parametrize("labels", [{}, {"instance": "shared:9100"}, {"instance": "10.0.0.2:9100"}, {"job": "node-a"}])
def test_a_series_of_nobody_is_told(labels: dict[str, str]) -> None:
    table, problems = _one(labels, 5)
    assert table.keys == ()
    assert [problem.code for problem in problems] == ["unknown-object"]


@pytest.mark.parametrize(
    ("reading", "value", "code"),
    [
        (TOTAL, "NaN", "nan"),
        (TOTAL, "+Inf", "inf"),
        (TOTAL, "-Inf", "inf"),
        (TOTAL, "-1", "range"),
        (TOTAL, "1.8446744073709552e+19", "range"),
        (IO, "1.2", "range"),
        (IO, "37", "range"),
        (NodeReading.CPU_CORES, "1e9", "range"),
    ],
)
def test_a_value_that_cannot_be_true_is_not_read(reading: NodeReading, value: str, code: str) -> None:
    table, problems = _one({"node": "node-a"}, value, reading)
    assert [(problem.code, problem.count, problem.objects) for problem in problems] == [(code, 1, ("node-a",))]
    assert np.isnan(table.value).all()
    assert np.isnan(table.at_seconds).all()


def test_a_rate_that_overshoots_is_one() -> None:
    table, problems = _one({"node": "node-a"}, "1.04", IO)
    assert (table.value[0, IO], problems) == (1.0, ())


def test_two_exporters_that_agree_are_one_and_the_newest_counts() -> None:
    old, new = {"node": "node-a", "job": "old"}, {"instance": "10.0.0.1:9100", "job": "new"}
    table, problems = _tables(
        [(_marked(old, TOTAL), 100), (_marked(new, TOTAL), 98)], [(_marked(old), 10), (_marked(new), 20)]
    )
    assert (table.value[0, TOTAL], table.at_seconds[0, TOTAL], problems) == (98, 20, ())


def test_two_exporters_that_do_not_agree_are_none() -> None:
    one, two = {"node": "node-a", "job": "one"}, {"node": "node-a", "job": "two"}
    table, problems = _tables(
        [(_marked(one, TOTAL), 100), (_marked(two, TOTAL), 200), (_marked(one, IO), 0.5)],
        [(_marked(one), 10), (_marked(two), 20)],
    )
    assert math.isnan(table.value[0, TOTAL])
    assert table.value[0, IO] == 0.5
    assert [(problem.code, problem.objects) for problem in problems] == [("duplicate", ("node-a",))]


def test_the_oldest_time_of_one_series_counts() -> None:
    node = {"node": "node-a"}
    table, _ = _tables([(_marked(node, TOTAL), 1)], [(_marked(node), 30), (_marked(node), 20), (_marked(node), "NaN")])
    assert table.at_seconds[0, TOTAL] == 20


def test_each_reading_has_the_time_of_its_own_exporter() -> None:
    node = {"node": "node-a"}
    gathered = Gathered(Axis.NODES, Grid())
    readings = vector([(_marked(node, NodeReading.CPU_CORES), 1), (_marked(node, TOTAL), 2)])
    times = vector([(_marked(node, Exporter.RESOURCE), 10), (_marked(node, Exporter.NODE_EXPORTER), 20)])
    for body, is_time in ((readings, False), (times, True)):
        for block in Answer(body, "vector").blocks():
            gathered.add(block, is_time=is_time)
    (table,), _ = gathered.tables(node_finder(NODES), CHOSEN)
    assert table.at_seconds[0, [NodeReading.CPU_CORES, TOTAL]].tolist() == [10, 20]


@pytest.mark.parametrize(
    ("labels", "key"),
    [
        ({"namespace": "n", "name": "vm"}, ("n", "vm")),
        ({"namespace": "kubevirt", "exported_namespace": "n", "name": "vm"}, ("n", "vm")),
    ],
)
def test_machines_are_known_by_the_namespace_that_the_exporter_gave(
    labels: dict[str, str], key: tuple[str, str]
) -> None:
    reading = WorkloadReading.CPU_CORES
    table, problems = _tables([(_marked(labels, reading), 1)], [(_marked(labels), 5)], Axis.MACHINES)
    assert (table.keys, problems) == ((key,), ())


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(PODS), unique=True), min_size=1, max_size=5))
def test_series_may_come_in_any_order_with_each_mark(answers: list[list[str]]) -> None:
    gathered = Gathered(Axis.PODS, Grid())
    for mark, pods in enumerate(answers):
        samples = [(_marked({"namespace": "n", "pod": pod}, mark), (PODS.index(pod) + mark) / 100) for pod in pods]
        for block in Answer(vector(samples), "vector").blocks():
            gathered.add(block, is_time=False)
    for block in Answer(vector([(_marked({"namespace": "n", "pod": pod}), 5) for pod in PODS]), "vector").blocks():
        gathered.add(block, is_time=True)
    (table,), problems = gathered.tables(find_pod, {(Axis.PODS, mark): next(iter(ONE.values())) for mark in range(5)})
    assert problems == ()
    assert table.keys == tuple(("n", pod) for pod in PODS)
    for mark, pods in enumerate(answers):
        expected = [(row + mark) / 100 if pod in pods else math.nan for row, pod in enumerate(PODS)]
        np.testing.assert_array_equal(table.value[:, mark], expected)


def test_points_beside_the_grid_are_dropped() -> None:
    gathered = Gathered(Axis.NODES, Grid(100, 10, 3))
    node, spots = {"node": "node-a"}, [(90, 1), (100, 2), (120, 3), (130, 4)]
    for mark, is_time in ((TOTAL, False), (0, True)):
        for block in Answer(matrix([(_marked(node, mark), spots)]), "matrix").blocks():
            gathered.add(block, is_time=is_time)
    tables, _ = gathered.tables(node_finder(NODES), ONE)
    assert repr([float(table.value[0, TOTAL]) for table in tables]) == "[2.0, nan, 3.0]"


LABEL = st.sampled_from(["", "node-a", "node-b", "10.0.0.1:9100", "shared", "stranger", "[", ":9"])
LABELS = st.dictionaries(st.sampled_from(["node", "instance", "job", "replica", "namespace"]), LABEL, max_size=4)
VALUE = st.sampled_from(["NaN", "+Inf", "-Inf", "0", "0.5", "1.09", "2", "-1", "1e300", "90", "100"])
MARK = st.sampled_from(["", "0", "2", "14", "18", "19", "63", "64", "-1", "x"])
SAMPLES = st.lists(st.tuples(LABELS, MARK, VALUE), max_size=14)


@settings(deadline=None)
@given(SAMPLES, SAMPLES, st.integers(0, 2**32))
def test_no_answer_crashes_it_nothing_is_invented_and_the_order_does_not_matter(
    values: list[tuple[dict[str, str], str, str]], times: list[tuple[dict[str, str], str, str]], seed: int
) -> None:
    given_values = [({**labels, "ullage": mark}, value) for labels, mark, value in values]
    given_times = [({**labels, "ullage": mark}, value) for labels, mark, value in times]
    table, problems = _tables(given_values, given_times)
    assert set(table.keys) <= {"node-a", "node-b"}
    assert (np.isnan(table.value) == np.isnan(table.at_seconds)).all()
    told = {
        (int(mark), min(float(value), 1.0) if int(mark) == 14 else float(value))
        for _, mark, value in values
        if mark.isdecimal()
    }
    found = {(m, float(table.value[k, m])) for k, m in zip(*np.nonzero(~np.isnan(table.value)), strict=True)}
    assert found <= told
    assert all(0 <= value < 2**63 for _, value in found)
    Random(seed).shuffle(given_values)
    Random(seed).shuffle(given_times)
    again, same = _tables(given_values, given_times)
    assert repr(again) == repr(table)
    assert sorted(map(repr, same)) == sorted(map(repr, problems))
