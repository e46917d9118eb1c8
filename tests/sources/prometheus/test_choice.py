from __future__ import annotations

from ullage.sources.prometheus.choice import Choice
from ullage.telemetry.catalog import Axis, Exporter, metrics
from ullage.telemetry.readings import NodeReading

CPU = (Axis.NODES, int(NodeReading.CPU_CORES))
NOTHING: dict[Axis, set[int]] = {axis: set() for axis in Axis}
ALL = {axis: {int(metric.reading) for metric in metrics(axis)} for axis in Axis}
BOTH = {"container_cpu_usage_seconds_total", "node_cpu_seconds_total"}


def test_the_first_alternative_whose_metrics_exist_is_asked_for() -> None:
    assert Choice(BOTH).chosen[CPU].exporter is Exporter.CADVISOR
    assert Choice(BOTH | {"node_cpu_usage_seconds_total"}).chosen[CPU].exporter is Exporter.RESOURCE
    assert CPU not in Choice({"node_memory_MemTotal_bytes"}).chosen


def test_an_alternative_needs_all_of_its_metrics() -> None:
    swap = (Axis.NODES, int(NodeReading.SWAP_USED_BYTES))
    assert swap not in Choice({"node_memory_SwapTotal_bytes"}).chosen
    assert swap in Choice({"node_memory_SwapTotal_bytes", "node_memory_SwapFree_bytes"}).chosen


def test_where_nothing_comes_the_next_has_its_turn_and_keeps_it() -> None:
    choice = Choice(BOTH)
    choice.pass_on(NOTHING)
    assert choice.chosen[CPU].exporter is Exporter.NODE_EXPORTER
    choice.pass_on(ALL)
    assert choice.chosen[CPU].exporter is Exporter.NODE_EXPORTER
    choice.pass_on(NOTHING)
    assert choice.chosen[CPU].exporter is Exporter.CADVISOR


def test_alternatives_that_have_series_come_first() -> None:
    choice = Choice(BOTH)
    alive = [each for each in choice.doubtful() if each.exporter is Exporter.NODE_EXPORTER]
    choice.prefer(alive)
    assert choice.chosen[CPU].exporter is Exporter.NODE_EXPORTER


def test_where_there_is_one_alternative_there_is_no_doubt() -> None:
    assert Choice({"node_memory_MemTotal_bytes", "kubevirt_vmi_memory_resident_bytes"}).doubtful() == ()
