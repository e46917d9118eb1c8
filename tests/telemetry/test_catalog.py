from __future__ import annotations

import re

import numpy as np
import pytest

from ullage.telemetry.catalog import (
    GROUPS,
    Alternative,
    Axis,
    Exporter,
    Scope,
    highest,
    known_names,
    max_ages_seconds,
    metrics,
    presence,
    queries,
)
from ullage.telemetry.decode import Labels
from ullage.telemetry.readings import NodeReading, WorkloadReading

SCOPE = Scope(120)
FIRST = {(axis, int(metric.reading)): metric.alternatives[0] for axis in Axis for metric in metrics(axis)}
ALTERNATIVES = [each for _, group in GROUPS for metric in group for each in metric.alternatives]


def test_every_reading_has_one_entry_at_most_per_axis() -> None:
    for axis in Axis:
        found = [metric.reading for metric in metrics(axis)]
        assert len(set(found)) == len(found)
    assert {metric.reading for metric in metrics(Axis.NODES)} == set(NodeReading)
    of_workloads = {metric.reading for axis in (Axis.PODS, Axis.MACHINES) for metric in metrics(axis)}
    assert of_workloads == set(WorkloadReading)


def test_a_refresh_takes_at_most_twelve_queries() -> None:
    found = queries(FIRST, SCOPE)
    assert len(found) == 9
    assert {query.axis for query in found if query.is_time} == set(Axis)
    assert not any("$" in query.promql for query in found)


def test_every_selector_takes_matchers_and_every_rate_the_window() -> None:
    for query in queries(FIRST, Scope(90, 'cluster="a"')):
        assert query.promql.count("{") == query.promql.count('cluster="a"')
        assert set(re.findall(r"\[(.*?)\]", query.promql.replace("[.]", ""))) <= {"90s"}


def test_split_queries_hold_one_reading_each() -> None:
    found = queries(FIRST, SCOPE, is_split=True)
    assert len([query for query in found if not query.is_time]) == len(FIRST)
    assert all(query.promql.count("label_replace") == 1 for query in found)


def test_nothing_chosen_asks_nothing() -> None:
    assert queries({}, SCOPE) == ()
    (only, times) = queries({(Axis.MACHINES, 9): FIRST[Axis.MACHINES, 9]}, SCOPE)
    assert "kubevirt_vmi_memory_actual_balloon_bytes{}" in only.promql
    assert "timestamp(kubevirt_vmi_memory_actual_balloon_bytes{})" in times.promql


def test_times_come_from_a_metric_that_every_row_has() -> None:
    chosen = {key: each for key, each in FIRST.items() if key[0] is Axis.PODS and each.exporter is Exporter.CADVISOR}
    (times,) = [query for query in queries(chosen, SCOPE) if query.is_time]
    assert "timestamp(container_memory_rss{" in times.promql
    assert f'"{int(Exporter.CADVISOR)}"' in times.promql


@pytest.mark.parametrize("alternative", ALTERNATIVES, ids=lambda each: each.expression[:50])
def test_alternatives_are_well_formed(alternative: Alternative) -> None:
    text = alternative.expression
    assert text.count("{") == text.count("$s}") == len(alternative.names)
    assert text.count("(") == text.count(")")
    assert ("rate(" in text) == ("[$w]" in text)
    rated = re.findall(r"rate\((\w+)", text)
    assert all(name.endswith(("_total", "_seconds")) or "vmstat" in name for name in rated)


def test_all_labels_of_an_axis_are_decoded() -> None:
    assert {label for axis in Axis for label in axis.value} | {"ullage"} <= set(Labels.__struct_fields__)


def test_bounds_by_reading() -> None:
    assert highest(Axis.NODES)[NodeReading.PSI_IO_FULL_RATIO] == 1
    assert highest(Axis.NODES)[NodeReading.SWAP_USED_BYTES] == 2**63
    assert np.isnan(highest(Axis.PODS)[WorkloadReading.BALLOON_BYTES])
    assert max_ages_seconds(Axis.NODES).tolist() == [90.0] * len(NodeReading)


def test_names_and_presence() -> None:
    assert {"node_vmstat_pswpin", "kubevirt_vmi_migration_data_total_bytes", "pod_swap_usage_bytes"} <= set(
        known_names()
    )
    assert list(known_names()) == sorted(known_names())
    root = Alternative('rate(container_cpu_usage_seconds_total{id="/",$s}[$w])', Exporter.CADVISOR)
    assert presence([root], Scope(60, 'a="b"')) == (
        'label_replace(count(container_cpu_usage_seconds_total{id="/",a="b"}), "ullage", "0", "", "")'
    )
