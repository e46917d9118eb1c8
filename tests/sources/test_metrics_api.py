from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ullage.errors import UllageError
from ullage.sources.metrics_api import PATH, MetricsApiSource, duration_seconds
from ullage.telemetry.identity import NodeIdentities
from ullage.telemetry.readings import NodeReading, Readings, WorkloadReading

NODES = NodeIdentities.of({"node-a": ["10.0.0.1"], "node-b": []})
AT, AT_SECONDS = "2026-03-01T10:00:00Z", 1772359200.0
CPU, MEMORY, SWAP = WorkloadReading.CPU_CORES, WorkloadReading.MEMORY_BYTES, WorkloadReading.SWAP_USED_BYTES
Item = dict[str, object]


def _node(name: str, **more: object) -> Item:
    item = {"timestamp": AT, "window": "20.04s", "usage": {"cpu": "1500m", "memory": "8Gi"}}
    return {"metadata": {"name": name, "labels": {"a": "b"}}, **item, **more}


def _pod(name: str, *usages: Mapping[str, str], **more: object) -> Item:
    containers = [{"name": f"c{number}", "usage": dict(usage)} for number, usage in enumerate(usages)]
    return {
        "metadata": {"name": name, "namespace": "n"},
        "timestamp": AT,
        "window": "15s",
        "containers": containers,
        **more,
    }


def _get(nodes: list[Item], pods: list[Item]) -> Callable[[str, Mapping[str, str]], bytes]:
    lists = {f"{PATH}/nodes": ("NodeMetricsList", nodes), f"{PATH}/pods": ("PodMetricsList", pods)}

    def get(path: str, _: Mapping[str, str]) -> bytes:
        kind, items = lists[path]
        return json.dumps({"kind": kind, "metadata": {}, "items": items}).encode()

    return get


def _read(nodes: list[Item], pods: list[Item]) -> Readings:
    return MetricsApiSource(_get(nodes, pods)).read(NODES, AT_SECONDS + 10)


def _codes(readings: Readings) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {problem.code: (problem.count, problem.objects) for problem in readings.problems}


def test_nodes_and_sums_over_containers() -> None:
    usages = {"cpu": "250m", "memory": "1Gi"}, {"cpu": "15n", "memory": "512Mi", "swap": "1Ki"}
    readings = _read([_node("node-a")], [_pod("p", *usages)])
    assert (readings.source, readings.problems) == ("metrics.k8s.io", ())
    assert readings.nodes.keys == ("node-a",)
    assert readings.nodes.value[0, [NodeReading.CPU_CORES, NodeReading.MEMORY_BYTES]].tolist() == [1.5, 8 * 2**30]
    assert readings.nodes.at_seconds[0, NodeReading.CPU_CORES] == AT_SECONDS
    assert readings.pods.keys == (("n", "p"),)
    assert readings.pods.value[0, [CPU, MEMORY]].tolist() == [0.250000015, 1.5 * 2**30]
    assert readings.machines.keys == ()


def test_what_the_api_lacks_is_unknown_and_no_problem() -> None:
    readings = _read([_node("node-a")], [_pod("p", {"cpu": "1", "memory": "1"})])
    assert np.isnan(readings.nodes.value).sum() == len(NodeReading) - 2
    assert np.isnan(readings.pods.value).sum() == len(WorkloadReading) - 2
    assert readings.problems == ()


def test_swap_where_the_server_tells_it() -> None:
    usage = {"cpu": "1", "memory": "1Gi", "swap": "64Mi"}
    readings = _read([_node("node-a", usage=usage)], [_pod("p", usage)])
    assert readings.nodes.value[0, NodeReading.SWAP_USED_BYTES] == 64 * 2**20
    assert readings.pods.value[0, SWAP] == 64 * 2**20


def test_one_container_without_use_makes_the_pod_unknown() -> None:
    readings = _read([], [_pod("p", {"cpu": "1", "memory": "1Gi"}, {"memory": "1Gi"})])
    assert np.isnan(readings.pods.value[0, CPU])
    assert readings.pods.value[0, MEMORY] == 2 * 2**30
    assert _codes(readings) == {"nan": (1, ("n/p",))}


@pytest.mark.parametrize("more", [{"timestamp": None}, {"timestamp": "today"}, {"window": "10m0s"}, {"window": "soon"}])
def test_use_of_an_unknown_or_long_time_is_stale(more: dict[str, object]) -> None:
    readings = _read([_node("node-a", **more)], [])
    assert np.isnan(readings.nodes.value).all()
    assert _codes(readings) == {"stale": (1, ("node-a",))}


def test_nodes_that_the_cluster_does_not_have() -> None:
    readings = _read([_node("node-x"), _node("10.0.0.1"), _node("node-b")], [])
    assert readings.nodes.keys == ("node-b",)
    assert _codes(readings) == {"unknown-object": (2, ("10.0.0.1", "node-x"))}


def test_an_object_that_cannot_be_read_costs_only_itself() -> None:
    readings = _read([{"metadata": 5}, _node("node-a")], [])
    assert readings.nodes.keys == ("node-a",)
    assert _codes(readings) == {"missing": (1, ("?",))}


def test_twice_the_same_object() -> None:
    other = _node("node-a", usage={"cpu": "9", "memory": "8Gi"})
    readings = _read([_node("node-a"), other], [])
    assert np.isnan(readings.nodes.value[0, NodeReading.CPU_CORES])
    assert readings.nodes.value[0, NodeReading.MEMORY_BYTES] == 8 * 2**30
    assert _codes(readings) == {"duplicate": (1, ("node-a",))}


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"items":5}', b'{"kind":"NodeMetricsList","items":[{'])
def test_no_list_of_nodes_is_an_error(body: bytes) -> None:
    with pytest.raises(UllageError, match="list of nodes cannot be read"):
        MetricsApiSource(lambda *_: body).read(NODES, 0.0)


def test_no_list_of_pods_is_partial() -> None:
    get = _get([_node("node-a")], [])
    readings = MetricsApiSource(lambda path, p: get(path, p) if path.endswith("nodes") else b"<html>").read(NODES, 0.0)
    assert readings.nodes.keys == ("node-a",)
    assert readings.pods.keys == ()
    assert [problem.code for problem in readings.problems] == ["partial"]


def test_there_is_no_past() -> None:
    assert list(MetricsApiSource(_get([], [])).history(NODES, 0.0, 1e9)) == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15s", 15),
        ("1m30.5s", 90.5),
        ("1h0m0s", 3600),
        ("500ms", 0.5),
        ("10\u00b5s", 1e-5),
        ("0", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_durations(text: str | None, seconds: float) -> None:
    assert duration_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["15", "s", "-5s", "1d", "5s!"])
def test_what_is_no_duration(text: str) -> None:
    assert np.isnan(duration_seconds(text))


QUANTITY = st.sampled_from(["1", "250m", "0", "-1", "NaN", "1e30", "9Ei", "x", "", "7Gi"])
USAGE = st.dictionaries(st.sampled_from(["cpu", "memory", "swap", "other"]), QUANTITY, max_size=4)
PODS = st.lists(
    st.builds(
        lambda name, usages, at: _pod(name, *usages, timestamp=at),
        st.sampled_from(["a", "b", "c"]),
        st.lists(USAGE, max_size=3),
        st.sampled_from([AT, "", None, "2026-13-01"]),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(PODS)
def test_nothing_crashes_it_and_values_have_times(pods: list[Item]) -> None:
    table = _read([], pods).pods
    assert list(table.keys) == sorted({("n", pod["metadata"]["name"]) for pod in pods})
    assert (np.isnan(table.value) == np.isnan(table.at_seconds)).all()
    found = table.value[~np.isnan(table.value)]
    assert (found >= 0).all()
    assert (found < 2**63).all()
