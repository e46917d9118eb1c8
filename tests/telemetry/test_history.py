from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import Cluster
from tests.telemetry.readings import GIB, NAN, NOON, cluster, node, pod, reading
from ullage.config.schema import Configuration, Telemetry
from ullage.estimation.peak import estimator
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.state import ClusterState
from ullage.telemetry.history import History
from ullage.telemetry.readings import NodeReading, Readings, Table

FAULTY = "n2"
HEALTHY = ("n1", "n3")
NODES = ("n1", "n2", "n3")
STATE = cluster(NODES, [("a", "n1"), ("b", "n2"), ("c", "n3")])


def launcher(name: str) -> tuple[str, str]:
    return "vms", f"virt-launcher-{name}-abcde"


def usual(now: float, step: int = 0) -> Readings:
    """Nodes that use 2 cores and 8 GiB, a little more with each step, and VMs with half a core and 2 GiB."""
    nodes = {name: node(2.0 + 0.01 * step, (8 + 0.01 * step) * GIB) for name in NODES}
    return reading(now, nodes, {launcher(name): pod(0.5 + 0.01 * step) for name in "abc"})


def history(readings: int = 3, **telemetry: float) -> History:
    made = History(Configuration(telemetry=Telemetry(**telemetry)))
    for step in range(readings):
        made.observe(usual(NOON + 60 * step, step), STATE)
    return made


def cpu(made: History, now: float, state: ClusterState = STATE) -> dict[str, float]:
    measured = made.measured(state, now)
    return dict(zip(state.nodes.name, measured.nodes.measures.column(NodeMeasure.CPU_MEAN_CORES).tolist(), strict=True))


def with_cell(of: Readings, column: NodeReading, value: float, at: float | None = None) -> Readings:
    """The reading with another value, or time, of the faulty node."""
    row = of.nodes.keys.index(FAULTY)
    values, times = of.nodes.value.copy(), of.nodes.at_seconds.copy()
    values[row, column] = value
    times[row, column] = of.asked_at_seconds if at is None else at
    return replace(of, nodes=Table(of.nodes.keys, values, times))


def cell(column: NodeReading, value: float) -> Callable[[Readings], Readings]:
    return lambda of: with_cell(of, column, value)


def twice(of: Readings) -> Readings:
    row = of.nodes.keys.index(FAULTY)
    value = np.vstack((of.nodes.value, of.nodes.value[row] * 1.2))
    at = np.vstack((of.nodes.at_seconds, of.nodes.at_seconds[row]))
    return replace(of, nodes=Table((*of.nodes.keys, FAULTY), value, at))


def low_beside_its_vm(of: Readings) -> Readings:
    pods = {launcher(name): pod(4.0 if name == "b" else 0.5) for name in "abc"}
    return replace(with_cell(of, NodeReading.CPU_CORES, 0.3), pods=reading(of.asked_at_seconds, pods=pods).pods)


CPU, MEMORY = NodeReading.CPU_CORES, NodeReading.MEMORY_BYTES
FAULTS = {
    "not a number": (cell(CPU, NAN), "nan", "Its CPU use is not a number."),
    "infinite": (cell(MEMORY, float("inf")), "inf", "Its memory use is infinite."),
    "negative": (cell(CPU, -3.2), "range", "Its CPU use is below 0: -3.2 cores."),
    "millicores": (cell(CPU, 2000.0), "unit", "another unit, it seems: 2e+03 cores of 8 cores"),
    "kibibytes": (cell(MEMORY, 8 * 2.0**20), "unit", "another unit, it seems: 8MiB of 64GiB"),
    "total in kibibytes": (cell(NodeReading.MEMORY_TOTAL_BYTES, 64 * 2.0**20), "unit", "of 64GiB"),
    "above capacity": (cell(CPU, 9.0), "implausible", "above its capacity: 9 cores of 8 cores"),
    "from the future": (
        lambda of: with_cell(of, CPU, 2.0, of.asked_at_seconds + 31),
        "future",
        "31 s in the future; 30 s",
    ),
    "stale": (lambda of: with_cell(of, CPU, 2.0, of.asked_at_seconds - 91), "stale", "91 s before it was read; 90 s"),
    "without a time": (lambda of: with_cell(of, CPU, 2.0, NAN), "stale", "an unknown time before it was read"),
    "twice": (twice, "duplicate", "differ by more than 5 %"),
    "no CPU at all": (cell(CPU, 0.0), "implausible", "CPU use is exactly 0, as that of no running node is"),
    "no memory at all": (cell(MEMORY, 0.0), "implausible", "memory use is exactly 0, as that of no running node is"),
    "lying low": (low_beside_its_vm, "implausible", "It claims a CPU use of 0.3 cores, and its workloads use 4 cores."),
    "idle but stalled": (cell(NodeReading.PSI_MEMORY_FULL_RATIO, 0.2), "implausible", "looks idle with 2.03 cores"),
    "idle but swapping": (cell(NodeReading.SWAP_IN_BYTES_PER_SECOND, 5e6), "implausible", "tasks wait for memory"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_bad_reading_sets_its_node_aside_and_no_other(name):
    spoil, code, sentence = FAULTS[name]
    made, now = history(), NOON + 180
    made.observe(spoil(usual(now, 3)), STATE)
    found = cpu(made, now)
    assert np.isnan(found.pop(FAULTY))
    assert found == dict.fromkeys(HEALTHY, pytest.approx(2.015))
    ((aside, said, text),) = made.set_aside(STATE, now)
    assert (aside, said) == (FAULTY, code)
    assert sentence in text
    assert code in {problem.code for problem in made.problems}


@pytest.mark.parametrize("name", FAULTS)
def test_a_node_counts_again_after_two_good_readings(name):
    spoil, code, _ = FAULTS[name]
    made = history()
    made.observe(spoil(usual(NOON + 180, 3)), STATE)
    made.observe(usual(NOON + 240, 4), STATE)
    ((aside, said, text),) = made.set_aside(STATE, NOON + 240)
    assert (aside, said) == (FAULTY, code)
    assert text.startswith("1 of 2 readings in a row were believed. ")
    made.observe(usual(NOON + 300, 5), STATE)
    assert made.set_aside(STATE, NOON + 300) == ()
    assert cpu(made, NOON + 300)[FAULTY] == pytest.approx(np.mean([2.0, 2.01, 2.02, 2.04, 2.05]), abs=0.01)


@pytest.mark.parametrize(
    "column", [NodeReading.PSI_CPU_SOME_RATIO, NodeReading.SWAP_OUT_BYTES_PER_SECOND, NodeReading.SWAP_USED_BYTES]
)
def test_a_bad_cell_beside_cpu_and_memory_is_dropped_alone(column):
    made, now = history(), NOON + 180
    made.observe(with_cell(usual(now, 3), column, 55.0 if column.name.endswith("RATIO") else -1.0), STATE)
    measures = made.measured(STATE, now).nodes.measures
    assert np.isnan(measures.column(NodeMeasure[column.name])).all()
    assert made.set_aside(STATE, now) == ()
    assert [problem.code for problem in made.problems] == ["unit" if column.name.endswith("RATIO") else "range"]


def test_a_ratio_a_little_above_one_is_one():
    made = history()
    made.observe(with_cell(usual(NOON + 180, 3), NodeReading.PSI_CPU_SOME_RATIO, 1.04), STATE)
    assert made.measured(STATE, NOON + 180).nodes.measures.column(NodeMeasure.PSI_CPU_SOME_RATIO)[1] == 1.0


def test_a_node_that_stands_still_bit_by_bit_is_not_believed():
    made = history(1)
    for step in range(1, 12):
        made.observe(with_cell(usual(NOON + 60 * step, step), CPU, 2.0), STATE)
        aside = {name: code for name, code, _ in made.set_aside(STATE, NOON + 60 * step)}
        assert aside == ({FAULTY: "frozen"} if step >= 9 else {})
    ((_, _, text),) = made.set_aside(STATE, NOON + 660)
    assert text == "Its CPU use has been the same bit by bit for 12 readings: 2 cores."


def test_the_rule_against_frozen_values_can_be_switched_off():
    made = history(1, frozen_readings=0)
    for step in range(1, 30):
        made.observe(usual(NOON + 60 * step), STATE)
    assert made.set_aside(STATE, NOON + 1740) == ()


def test_of_two_values_that_agree_the_newest_counts():
    made = history(0, minimum_samples=1)
    both = Table(("n1", "n1"), np.array([[2.0, GIB], [2.05, GIB]]), np.array([[NOON - 10] * 2, [NOON - 20] * 2]))
    padded = [np.hstack((part, np.full((2, len(NodeReading) - 2), NAN))) for part in (both.value, both.at_seconds)]
    made.observe(replace(reading(NOON), nodes=Table(both.keys, *padded)), STATE)
    assert cpu(made, NOON)["n1"] == 2.0


def test_the_same_sample_again_is_no_standstill():
    made = history()
    for step in range(20):
        again = usual(NOON + 121 + step, 2)
        old = replace(again.nodes, at_seconds=np.where(np.isnan(again.nodes.value), NAN, NOON + 120))
        made.observe(replace(again, nodes=old), STATE)
    assert made.set_aside(STATE, NOON + 140) == ()


def test_a_node_that_is_missing_grows_old():
    made = history()
    for step in range(3, 9):
        nodes = usual(NOON + 60 * step, step).nodes
        rest = Table(("n1", "n3", "renamed"), nodes.value, nodes.at_seconds)
        made.observe(replace(usual(NOON + 60 * step, step), nodes=rest), STATE)
    assert {problem.code for problem in made.problems} == {"missing", "unknown-object"}
    measures = made.measured(STATE, NOON + 480).nodes.measures
    assert measures.age_seconds[:, NodeMeasure.CPU_MEAN_CORES].tolist() == [0.0, 360.0, 0.0]
    assert made.set_aside(STATE, NOON + 480) == (
        ("n2", "stale", "Its CPU or memory was last read 360 s ago; 300 s may be."),
    )


def test_a_source_that_says_nothing_leaves_all_as_it_was():
    made = history()
    before = made.measured(STATE, NOON + 200)
    made.observe(reading(NOON + 180), STATE)
    after = made.measured(STATE, NOON + 200)
    np.testing.assert_array_equal(before.nodes.measures.value, after.nodes.measures.value)
    np.testing.assert_array_equal(before.workloads.measures.value, after.workloads.measures.value)
    assert [(problem.code, problem.count) for problem in made.problems] == [("missing", 3)]


def test_nodes_that_were_never_read_are_set_aside():
    made = History(Configuration())
    assert made.set_aside(STATE, NOON) == tuple((n, "missing", "Its CPU and memory were not read.") for n in NODES)
    assert np.isnan(made.measured(STATE, NOON).nodes.measures.value).all()
    made.observe(usual(NOON), STATE)
    assert {code for _, code, _ in made.set_aside(STATE, NOON)} == {"few-readings"}
    assert np.isnan(list(cpu(made, NOON).values())).all()


def test_one_reading_is_enough_if_one_says_so():
    made = History(Configuration(telemetry=Telemetry(minimum_samples=1)))
    made.observe(usual(NOON), STATE)
    assert cpu(made, NOON) == dict.fromkeys(NODES, 2.0)


def test_measures_have_values_ages_and_sources():
    made = history()
    made.observe(replace(usual(NOON + 170, 3), source="other", nodes=reading(NOON).nodes), STATE)
    measured = made.measured(STATE, NOON + 200)
    assert measured.observed_at_seconds == NOON + 200
    assert measured.sources == ("test", "other")
    nodes, workloads = measured.nodes.measures, measured.workloads.measures
    assert nodes.age_seconds[:, NodeMeasure.CPU_MEAN_CORES].tolist() == [80.0] * 3
    assert nodes.source[:, NodeMeasure.CPU_MEAN_CORES].tolist() == [0] * 3
    assert workloads.age_seconds[:, WorkloadMeasure.CPU_MEAN_CORES].tolist() == [30.0] * 3
    assert workloads.source[:, WorkloadMeasure.MEMORY_MEAN_BYTES].tolist() == [1] * 3
    assert workloads.column(WorkloadMeasure.CPU_MEAN_CORES) == pytest.approx([0.515] * 3)
    assert workloads.column(WorkloadMeasure.CPU_DEVIATION_CORES) == pytest.approx(
        [np.std([0, 1, 2, 3], ddof=1) / 100] * 3
    )
    for measures in (nodes, workloads):
        np.testing.assert_array_equal(np.isnan(measures.value), np.isnan(measures.age_seconds))
        np.testing.assert_array_equal(np.isnan(measures.value), measures.source == -1)
        assert not measures.value.flags.writeable


def test_of_a_vm_its_pod_has_the_word_and_its_vmi_the_rest():
    made = history(0)
    machine = pod(7.0, 7 * GIB, dirty_rate_bytes_per_second=1e6)
    made.observe(
        reading(NOON, {}, {launcher("a"): pod(0.5, 2 * GIB)}, {("vms", "a"): machine, ("vms", "b"): machine}), STATE
    )
    measures = made.measured(STATE, NOON).workloads.measures
    assert measures.column(WorkloadMeasure.CPU_MEAN_CORES).tolist()[:2] == [0.5, 7.0]
    assert measures.column(WorkloadMeasure.DIRTY_RATE_BYTES_PER_SECOND).tolist()[:2] == [1e6, 1e6]
    assert np.isnan(measures.value[2]).all()


def test_growth_is_the_slope_of_memory():
    made = history(0)
    for step in range(120):
        nodes = {name: node(2 + 0.001 * (step % 7), 8 * GIB + step * 60 * 1e5) for name in NODES}
        made.observe(reading(NOON + 60 * step, nodes), STATE)
    measures = made.measured(STATE, NOON + 7200).nodes.measures
    assert measures.column(NodeMeasure.MEMORY_GROWTH_BYTES_PER_SECOND) == pytest.approx([1e5] * 3, rel=1e-2)
    assert (measures.column(NodeMeasure.MEMORY_GROWTH_DEVIATION_BYTES_PER_SECOND) < 2e3).all()


def moved(state: ClusterState, workload: int, to: int) -> ClusterState:
    homes = state.workloads.node.copy()
    homes[workload] = to
    return replace(state, workloads=replace(state.workloads, node=homes))


def test_a_vm_keeps_its_past_and_takes_its_share_of_the_nodes_past_along():
    made = history(30)
    before, after = cpu(made, NOON + 1800), cpu(made, NOON + 1800, moved(STATE, 0, 1))
    vm = made.measured(STATE, NOON + 1800).workloads.measures.column(WorkloadMeasure.CPU_MEAN_CORES)[0]
    assert vm == pytest.approx(0.645)
    assert after == {
        "n1": pytest.approx(before["n1"] - vm, rel=1e-4),
        "n2": pytest.approx(before["n2"] + vm, rel=1e-4),
        "n3": before["n3"],
    }
    assert cpu(made, NOON + 1800) == pytest.approx(before, rel=1e-4)


def test_samples_of_the_passage_stay_out_of_the_windows_of_both_nodes():
    made, there = history(30), moved(STATE, 0, 1)
    expected = cpu(made, NOON + 1800, there)
    made.observe(usual(NOON + 1800, 30), there)
    assert {name: cpu(made, NOON + 1800, there)[name] for name in ("n1", "n2")} == pytest.approx(
        {name: expected[name] for name in ("n1", "n2")}
    )
    assert made.set_aside(there, NOON + 1800) == ()
    assert made.measured(there, NOON + 1810).nodes.measures.age_seconds[0, 0] == 10.0


def test_a_guest_that_is_being_copied_stays_out_of_the_windows_of_where_it_goes():
    made = history(30)
    expected = cpu(made, NOON + 1800)
    target = np.array([1, -1, -1], dtype=STATE.workloads.migration_target.dtype)
    coming = replace(STATE, workloads=replace(STATE.workloads, migration_target=target))
    now = NOON + 1800
    nodes = {name: node(2.3, 8 * GIB) for name in NODES} | {"n2": node(4.0, 16 * GIB)}
    made.observe(reading(now, nodes, {launcher(name): pod(0.8, 2 * GIB) for name in "abc"}), coming)
    after = cpu(made, now, coming)
    assert after["n2"] == pytest.approx(expected["n2"])
    assert after["n1"] > expected["n1"]


def test_more_cores_than_a_node_has_are_believed_where_its_workloads_use_them():
    made, now = history(), NOON + 180
    pods = {launcher(name): pod(8.5 if name == "b" else 0.5) for name in "abc"}
    above = with_cell(usual(now, 3), CPU, 9.0)
    made.observe(replace(above, pods=reading(now, pods=pods).pods), STATE)
    assert made.set_aside(STATE, now) == ()
    assert made.problems == ()


def owned(*pods: tuple[str, str]) -> ClusterState:
    """Pods of one ReplicaSet, and beside each of them a VM."""
    builder = Cluster()
    for name in NODES:
        builder.node(name, cpu=8, memory="64Gi")
    for name, home in pods:
        builder.pod(f"shop/{name}", home, owner=("ReplicaSet", "web"))
    return builder.build()


def with_pods(now: float, *names: str) -> Readings:
    nodes = {name: node(3.0 + 0.001 * (now % 7), 8 * GIB) for name in NODES}
    return reading(now, nodes, {("shop", name): pod(1.5) for name in names})


FIRST = owned(("one", "n1"), ("two", "n3"))
AFTER = owned(("new", "n2"), ("two", "n3"))
BETWEEN = {
    "at once": (),
    "gone first": (owned(("two", "n3")),),
    "both for a while": (owned(("new", "n2"), ("one", "n1"), ("two", "n3")),),
}


@pytest.mark.parametrize("how", BETWEEN)
def test_a_pod_that_replaces_another_has_its_past(how):
    made, now = history(0, frozen_readings=0), NOON + 600
    for step in range(10):
        made.observe(with_pods(NOON + 60 * step, "one", "two"), FIRST)
    before = cpu(made, now, FIRST)
    for state in (*BETWEEN[how], AFTER):
        made.measured(state, now)
    after = cpu(made, now, AFTER)
    assert after == {
        "n1": pytest.approx(before["n1"] - 1.5, rel=1e-3),
        "n2": pytest.approx(before["n2"] + 1.5, rel=1e-3),
        "n3": before["n3"],
    }
    measures = made.measured(AFTER, now).workloads.measures
    assert measures.column(WorkloadMeasure.CPU_MEAN_CORES)[AFTER.workloads.name.index("new")] == pytest.approx(1.5)


def test_a_pod_more_is_nobodys_heir():
    made, now = history(0, frozen_readings=0), NOON + 600
    for step in range(10):
        made.observe(with_pods(NOON + 60 * step, "one", "two"), FIRST)
    more = owned(("new", "n2"), ("one", "n1"), ("two", "n3"))
    assert cpu(made, now, more) == cpu(made, now, FIRST)
    assert np.isnan(made.measured(more, now).workloads.measures.column(WorkloadMeasure.CPU_MEAN_CORES)[0])


def test_who_comes_long_after_another_went_is_not_its_heir():
    made, now = history(0, frozen_readings=0), NOON + 600
    for step in range(10):
        made.observe(with_pods(NOON + 60 * step, "one", "two"), FIRST)
    made.measured(owned(("two", "n3")), now)
    before = cpu(made, now + 599, owned(("two", "n3")))
    assert cpu(made, now + 601, AFTER) == before


def without(name: str) -> ClusterState:
    """The cluster without one of its VMs."""
    return cluster(NODES, [(vm, f"n{row + 1}") for row, vm in enumerate("abc") if vm != name])


def test_load_that_comes_and_goes_stays_in_the_past_of_its_node():
    made = history(30)
    assert cpu(made, NOON + 1800, without("a")) == cpu(made, NOON + 1800)


def test_what_ran_for_long_and_is_gone_is_not_expected_any_more_unless_it_comes_back():
    made = history(180, frozen_readings=0)
    now = NOON + 180 * 60
    before = cpu(made, now)
    vm = made.measured(STATE, now).workloads.measures.column(WorkloadMeasure.CPU_MEAN_CORES)[0]
    assert cpu(made, now, without("a"))["n1"] == pytest.approx(before["n1"] - vm, rel=1e-3)
    assert cpu(made, now)["n1"] == pytest.approx(before["n1"], rel=1e-3)


def test_what_is_gone_for_an_hour_is_forgotten():
    made, gone = history(), without("a")
    made.observe(usual(NOON + 180, 3), gone)
    assert not np.isnan(made.measured(STATE, NOON + 180).workloads.measures.value[0, 0])
    for minute in range(4, 66):
        made.observe(usual(NOON + 60 * minute, minute), gone)
    assert np.isnan(made.measured(STATE, NOON + 3960).workloads.measures.value[0]).all()
    assert not np.isnan(made.measured(STATE, NOON + 3960).workloads.measures.value[1, 0])


def test_a_node_that_is_made_anew_under_its_name_is_another_one():
    made = history()
    anew = replace(STATE, nodes=replace(STATE.nodes, uid=("other", *STATE.nodes.uid[1:])))
    assert made.set_aside(anew, NOON + 120) == (("n1", "missing", "Its CPU and memory were not read."),)


def test_what_comes_late_is_passed_over():
    made = history()
    before = made.measured(STATE, NOON + 130)
    made.observe(usual(NOON + 60, 50), STATE)
    np.testing.assert_array_equal(made.measured(STATE, NOON + 130).nodes.measures.value, before.nodes.measures.value)


samples = st.lists(st.tuples(st.floats(0.1, 7.9), st.floats(1, 60), st.floats(0.05, 0.1)), min_size=2, max_size=12)


def read(values: list[tuple[float, float, float]], step: int, names: tuple[str, ...] = NODES) -> Readings:
    cores, gib, of_vm = values[step]
    nodes = {name: node(cores + 0.01 * NODES.index(name), gib * GIB) for name in names}
    return reading(NOON + 60 * step, nodes, {launcher(vm): pod(of_vm) for vm in "abc"})


@settings(max_examples=25)
@given(samples, st.permutations(NODES))
def test_neither_the_order_of_rows_nor_a_restart_matters(values, order):
    live, restored = History(Configuration()), History(Configuration())
    for step in range(len(values)):
        live.observe(read(values, step), STATE)
        live.measured(STATE, NOON + 60 * step)
    for step in range(len(values)):
        restored.observe(read(values, step, tuple(order)), STATE)
    now = NOON + 60 * len(values)
    one, other = live.measured(STATE, now), restored.measured(STATE, now)
    np.testing.assert_array_equal(one.nodes.measures.value, other.nodes.measures.value)
    np.testing.assert_array_equal(one.workloads.measures.value, other.workloads.measures.value)
    assert live.set_aside(STATE, now) == restored.set_aside(STATE, now)


@settings(max_examples=25)
@given(samples)
def test_a_reading_in_two_parts_is_a_reading(values):
    whole, split = History(Configuration()), History(Configuration())
    for step in range(len(values)):
        now = read(values, step)
        whole.observe(now, STATE)
        split.observe(replace(now, nodes=reading(0).nodes), STATE)
        split.observe(replace(now, pods=reading(0).pods), STATE)
    at = NOON + 60 * len(values)
    one, other = whole.measured(STATE, at), split.measured(STATE, at)
    np.testing.assert_array_equal(one.nodes.measures.value, other.nodes.measures.value)
    np.testing.assert_array_equal(one.workloads.measures.value, other.workloads.measures.value)


@settings(max_examples=25)
@given(samples)
def test_mean_deviation_and_peak_are_those_of_the_samples(values):
    made = History(Configuration())
    for step in range(len(values)):
        made.observe(read(values, step), STATE)
    measures = made.measured(STATE, NOON + 60 * len(values)).nodes.measures.value[0]
    cores = np.array([cores for cores, _, _ in values])
    np.testing.assert_allclose(measures[:2], [cores.mean(), cores.std(ddof=1)], rtol=1e-4, atol=1e-5)
    buckets = [cores[start : start + 5] for start in range(0, len(cores), 5)]
    full = [bucket.mean() for bucket in buckets if 2 * len(bucket) >= max(map(len, buckets))]
    np.testing.assert_allclose(measures[2], max(full), rtol=1e-5)


@settings(max_examples=40)
@given(st.lists(st.sampled_from([NAN, float("inf"), -float("inf"), -1.0, 1e300]), min_size=19, max_size=19))
def test_what_cannot_be_never_comes_out(row):
    made = History(Configuration())
    for step in range(3):
        now = NOON + 60 * step
        values = np.array([row] * 3)
        made.observe(replace(reading(now), nodes=Table(NODES, values, np.full(values.shape, now))), STATE)
    measures = made.measured(STATE, NOON + 120).nodes.measures.value
    found = measures[~np.isnan(measures)]
    assert ((found >= 0) & np.isfinite(found)).all()
    assert np.isnan(measures[:, :6]).all()


@pytest.mark.parametrize("nodes", [6, 12, 50])
def test_steady_noise_gives_a_steady_forecast(nodes):
    """Three points of noise on balanced nodes: the forecasts lie close together and hardly change within hours."""
    random, names = np.random.default_rng(nodes), tuple(f"n{row:02d}" for row in range(nodes))
    state, made = cluster(names), History(Configuration())
    made_of, forecasts = Configuration().prediction, []
    for minute in range(0, 26 * 60, 2):
        cores = 8 * (0.6 + 0.03 * random.standard_normal(nodes))
        rows = {name: node(core, (32 + random.random()) * GIB) for name, core in zip(names, cores, strict=True)}
        made.observe(reading(NOON + 60 * minute, rows), state)
        if minute >= 24 * 60 and minute % 10 == 0:
            mean, deviation, peak = made.measured(state, NOON + 60 * minute).nodes.measures.value[:, :3].T
            forecasts.append(estimator(made_of.estimator)(mean, deviation, peak, made_of.deviations) / 8)
    found = np.array(forecasts)
    assert found.max() < 0.71
    assert found.min() > 0.63
    assert np.ptp(found, axis=0).max() < 0.04
