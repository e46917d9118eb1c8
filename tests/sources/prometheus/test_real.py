"""The source against a real Prometheus that scrapes exporters of a cluster of three nodes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from tests.sources.prometheus.exporters import Exposition, prometheus, scrape, serving, wait_until
from ullage.sources.kube_api.clock import SystemClock
from ullage.sources.prometheus.alerts import firing, promql
from ullage.sources.prometheus.connection import Connection
from ullage.sources.prometheus.settings import PrometheusSettings
from ullage.sources.prometheus.source import PrometheusSource
from ullage.telemetry.catalog import GROUPS, Scope, queries
from ullage.telemetry.decode import Answer
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import NodeReading, Readings, Table, WorkloadReading

GIB = 2**30
NODES = NodeIdentities.of({"node-a": ["10.0.0.1"], "node-b": ["10.0.0.2"], "node-c": ["10.0.0.3"]})

NODE_WANTED = {
    NodeReading.CPU_CORES: 2.5,
    NodeReading.MEMORY_BYTES: 9 * GIB,
    NodeReading.MEMORY_TOTAL_BYTES: 16 * GIB,
    NodeReading.MEMORY_AVAILABLE_BYTES: 6 * GIB,
    NodeReading.MEMORY_ANONYMOUS_BYTES: 7 * GIB,
    NodeReading.MEMORY_CACHE_BYTES: 4 * GIB,
    NodeReading.MEMORY_COMMITTED_BYTES: 20 * GIB,
    NodeReading.SWAP_TOTAL_BYTES: 8 * GIB,
    NodeReading.SWAP_USED_BYTES: 1 * GIB,
    NodeReading.SWAP_IN_BYTES_PER_SECOND: 100 * 4096,
    NodeReading.SWAP_OUT_BYTES_PER_SECOND: 50 * 4096,
    NodeReading.KSM_SAVED_BYTES: 1000 * 4096,
    NodeReading.PSI_CPU_SOME_RATIO: 0.2,
    NodeReading.PSI_CPU_FULL_RATIO: 0.05,
    NodeReading.PSI_MEMORY_SOME_RATIO: 0.1,
    NodeReading.PSI_MEMORY_FULL_RATIO: 0.04,
    NodeReading.PSI_IO_SOME_RATIO: 0.3,
    NodeReading.PSI_IO_FULL_RATIO: 0.15,
    NodeReading.MAJOR_FAULTS_PER_SECOND: 7,
}
POD_WANTED = {
    WorkloadReading.CPU_CORES: 0.75,
    WorkloadReading.MEMORY_BYTES: 3 * GIB,
    WorkloadReading.MEMORY_ANONYMOUS_BYTES: 2 * GIB,
    WorkloadReading.MEMORY_CACHE_BYTES: GIB,
    WorkloadReading.CPU_THROTTLED_RATIO: 0.25,
    WorkloadReading.PSI_MEMORY_SOME_RATIO: 0.02,
    WorkloadReading.SWAP_USED_BYTES: 0.5 * GIB,
}
MACHINE_WANTED = {
    WorkloadReading.CPU_CORES: 1.5,
    WorkloadReading.MEMORY_ANONYMOUS_BYTES: 4 * GIB,
    WorkloadReading.BALLOON_BYTES: 8 * GIB,
    WorkloadReading.DIRTY_RATE_BYTES_PER_SECOND: 2**20,
    WorkloadReading.CPU_DELAY_RATIO: 0.3,
    WorkloadReading.MIGRATED_RATIO: 0.75,
}


def _node_exporter(seconds: float) -> str:
    gib = {
        "MemTotal": 16, "MemFree": 4, "MemAvailable": 6, "Inactive_file": 3, "Active_file": 1, "AnonPages": 7,
        "Committed_AS": 20, "SwapTotal": 8, "SwapFree": 7,
    }  # fmt: skip
    lines = [f"node_memory_{name}_bytes {value * GIB}" for name, value in gib.items()]
    lines += [f'node_cpu_seconds_total{{cpu="{cpu}",mode="user"}} {1.25 * seconds}' for cpu in (0, 1)]
    lines += [f'node_cpu_seconds_total{{cpu="0",mode="{mode}"}} {seconds}' for mode in ("idle", "iowait", "steal")]
    vmstat = {"pswpin": 100, "pswpout": 50, "pgmajfault": 7}
    lines += [f"node_vmstat_{name} {rate * seconds}" for name, rate in vmstat.items()]
    psi = {"cpu_waiting": 0.2, "memory_waiting": 0.1, "memory_stalled": 0.04, "io_waiting": 0.3, "io_stalled": 0.15}
    lines += [f"node_pressure_{name}_seconds_total {rate * seconds}" for name, rate in psi.items()]
    return "\n".join([*lines, "node_ksmd_pages_sharing 1000", ""])


def _cadvisor(seconds: float) -> str:
    lines = [f'container_pressure_cpu_stalled_seconds_total{{id="/kubepods.slice"}} {0.05 * seconds}']
    pod = 'namespace="shop",pod="web-0"'
    lines += [f'container_cpu_usage_seconds_total{{{pod},container="",id="/pod"}} {9 * seconds}']
    for container, share in (("app", 2 / 3), ("proxy", 1 / 3)):
        of = f'{{{pod},container="{container}",id="/pod/{container}"}}'
        gauges = {"working_set_bytes": 3, "rss": 2, "cache": 1, "swap": 0.5}
        lines += [f"container_memory_{name}{of} {value * share * GIB}" for name, value in gauges.items()]
        lines += [f"container_cpu_usage_seconds_total{of} {0.75 * share * seconds}"]
    of = f'{{{pod},container="app",id="/pod/app"}}'
    lines += [f"container_cpu_cfs_periods_total{of} {10 * seconds}"]
    lines += [f"container_cpu_cfs_throttled_periods_total{of} {2.5 * seconds}"]
    lines += [f'container_pressure_memory_waiting_seconds_total{{{pod},container="",id="/pod"}} {0.02 * seconds}']
    # The counter of swap that wrapped around: KEP-2400 shows such a sample.
    lines += ['container_memory_swap{namespace="shop",pod="odd",container="app",id="/odd"} 1.8446744073709486e19']
    lines += ['container_memory_working_set_bytes{namespace="shop",pod="odd",container="app",id="/odd"} 1024']
    return "\n".join([*lines, ""])


def _kubevirt(seconds: float) -> str:
    of = 'node="node-c",namespace="shop",name="vm"'
    gauges = {
        "memory_resident_bytes": 4 * GIB,
        "memory_actual_balloon_bytes": 8 * GIB,
        "dirty_rate_bytes_per_second": 2**20,
        "migration_data_remaining_bytes": 2 * GIB,
        "migration_data_total_bytes": 8 * GIB,
    }
    lines = [f"kubevirt_vmi_{name}{{{of}}} {value}" for name, value in gauges.items()]
    lines += [f"kubevirt_vmi_cpu_usage_seconds_total{{{of}}} {1.5 * seconds}"]
    lines += [
        f'kubevirt_vmi_vcpu_delay_seconds_total{{{of},id="{vcpu}"}} {rate * seconds}'
        for vcpu, rate in ((0, 0.2), (1, 0.4))
    ]
    return "\n".join([*lines, ""])


ALERTS: Final = (
    {"alert": "DiskGone", "expr": "up == 1", "labels": {"severity": "critical"}},
    {"alert": "DiskSlow", "expr": "up == 1", "labels": {"severity": "warning"}},
    {"alert": "DiskFull", "expr": "up == 1", "for": "1h", "labels": {"severity": "critical"}},
    {"alert": "DiskNew", "expr": "up == 2", "labels": {"severity": "critical"}},
)
"""Two that fire, one that is pending, and one that does not hold."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Exposition, PrometheusSource]]:
    pages = {f"/{name}": _node_exporter for name in ("a", "b", "c", "stranger")}
    exposition = Exposition({**pages, "/cadvisor": _cadvisor, "/kubevirt": _kubevirt})
    with serving(exposition) as port:
        jobs = [
            scrape("node-exporter/a", port, "/a", instance="10.0.0.1:9100"),
            scrape("node-exporter/b", port, "/b", instance="node-b"),
            scrape("node-exporter/c", port, "/c", instance="192.168.7.7:9100", node="node-c"),
            scrape("node-exporter/stranger", port, "/stranger", instance="bastion:9100"),
            scrape("kubelet/cadvisor", port, "/cadvisor", instance="10.0.0.1:10250", node="node-a"),
            scrape("kubevirt", port, "/kubevirt", instance="10.1.2.3:8443"),
        ]
        with prometheus(_folder(tmp_path_factory), jobs, ALERTS) as url:
            settings = PrometheusSettings(url=url, rate_window_seconds=6, step_seconds=1.0)
            source = PrometheusSource(settings)
            yield exposition, source
            source.close()


@pytest.fixture
def connection(cluster: tuple[Exposition, PrometheusSource]) -> Iterator[Connection]:
    with closing(Connection(cluster[1].settings)) as connection:
        yield connection


def _folder(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("prometheus")


def _now() -> float:
    return SystemClock().unix()


def _wanted(table: Table, key: object, wanted: dict[NodeReading, float] | dict[WorkloadReading, float]) -> None:
    row = table.keys.index(key)
    values = {reading.name: table.value[row, reading] for reading in wanted}
    assert values == pytest.approx({reading.name: value for reading, value in wanted.items()}, rel=0.1)


def _codes(readings: Readings) -> dict[str, tuple[str, ...]]:
    return {problem.code: problem.objects for problem in readings.problems}


def test_every_reading_comes_out_right_whatever_the_label_that_names_a_node(
    cluster: tuple[Exposition, PrometheusSource],
) -> None:
    _, source = cluster
    readings = source.read(NODES, _now())
    assert readings.nodes.keys == ("node-a", "node-b", "node-c")
    _wanted(readings.nodes, "node-a", NODE_WANTED)
    without_cadvisor = {k: v for k, v in NODE_WANTED.items() if k is not NodeReading.PSI_CPU_FULL_RATIO}
    for name in ("node-b", "node-c"):
        _wanted(readings.nodes, name, without_cadvisor)
        assert np.isnan(readings.nodes.value[readings.nodes.keys.index(name), NodeReading.PSI_CPU_FULL_RATIO])
    _wanted(readings.pods, ("shop", "web-0"), POD_WANTED)
    _wanted(readings.machines, ("shop", "vm"), MACHINE_WANTED)


def test_what_cannot_be_used_is_said(cluster: tuple[Exposition, PrometheusSource]) -> None:
    _, source = cluster
    readings = source.read(NODES, _now())
    codes = _codes(readings)
    assert codes.keys() == {"unknown-object", "range"}, readings.problems
    assert codes["unknown-object"] == ("bastion:9100/node-exporter",)
    assert codes["range"] == ("shop/odd",)
    odd = readings.pods.keys.index(("shop", "odd"))
    assert np.isnan(readings.pods.value[odd, WorkloadReading.SWAP_USED_BYTES])
    assert readings.pods.value[odd, WorkloadReading.MEMORY_BYTES] == 1024


def test_times_are_those_of_samples(cluster: tuple[Exposition, PrometheusSource]) -> None:
    _, source = cluster
    now = _now()
    readings = source.read(NODES, now)
    for table in (readings.nodes, readings.pods, readings.machines):
        assert (np.isnan(table.at_seconds) == np.isnan(table.value)).all()
        at = table.at_seconds[~np.isnan(table.at_seconds)]
        assert (np.abs(now - at) < 4).all()
        assert len(np.unique(at)) > 1 or table is not readings.nodes  # not the one time of the query


def test_the_past_has_the_same_values_oldest_first(cluster: tuple[Exposition, PrometheusSource]) -> None:
    _, source = cluster
    now = _now()
    past = list(source.history(NODES, now - 7, now - 1))
    assert [each.asked_at_seconds for each in past] == sorted(each.asked_at_seconds for each in past)
    assert 3 <= len(past) <= 7
    _wanted(past[-1].nodes, "node-a", NODE_WANTED)
    _wanted(past[-1].pods, ("shop", "web-0"), POD_WANTED)
    _wanted(past[-1].machines, ("shop", "vm"), MACHINE_WANTED)
    at = past[-1].nodes.at_seconds
    assert (at[~np.isnan(at)] <= past[-1].asked_at_seconds + 0.001).all()


def test_before_there_was_anything_there_is_no_past(cluster: tuple[Exposition, PrometheusSource]) -> None:
    _, source = cluster
    assert list(source.history(NODES, _now() - 86_400, _now() - 86_390)) == []


def test_every_alternative_is_promql(cluster: tuple[Exposition, PrometheusSource]) -> None:
    _, source = cluster
    connection, scope = Connection(source.settings), Scope(60, 'job!="nobody"')
    depth = max(len(metric.alternatives) for _, group in GROUPS for metric in group)
    for turn in range(depth):
        chosen = {
            (axis, int(m.reading)): m.alternatives[turn % len(m.alternatives)] for axis, group in GROUPS for m in group
        }
        for query in queries(chosen, scope):
            assert Answer(connection.ask("query", {"query": query.promql}, 5.0), "vector").remarks == ()
    connection.close()


def test_an_exporter_that_is_down_leaves_no_value_behind(cluster: tuple[Exposition, PrometheusSource]) -> None:
    exposition, source = cluster
    exposition.down.add("/b")
    try:
        wait_until(lambda: "stale" in _codes(source.read(NODES, _now())), "node-b is stale", 15)
        readings = source.read(NODES, _now())
        row = readings.nodes.keys.index("node-b")  # its rates still have samples in their window, but no age
        assert np.isnan(readings.nodes.value[row]).all()
        assert not np.isnan(readings.nodes.value[readings.nodes.keys.index("node-a")]).all()
        assert _codes(readings)["stale"] == ("node-b/node-exporter",)
    finally:
        exposition.down.clear()


def test_alerts_that_fire_are_told_by_name(connection: Connection) -> None:
    wait_until(lambda: len(firing(connection, promql(), 5.0)) == 2, "two alerts")
    assert firing(connection, promql(), 5.0) == ("DiskGone", "DiskSlow")
    assert firing(connection, promql('severity="critical"'), 5.0) == ("DiskGone",)
    assert firing(connection, promql('severity="critical"', 'alertname!="DiskGone"'), 5.0) == ()
