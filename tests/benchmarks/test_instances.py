import numpy as np
import pytest

from benchmarks import instances
from benchmarks.instances import MIB, Instance, parse, state
from tests.benchmarks.small import instance
from ullage.model.measures import NodeMeasure, WorkloadMeasure

DOCUMENT = {
    "name": "two",
    "threshold": 0.8,
    "nodes": [{"name": "n0", "cpu_cores": 8.0, "mem_mib": 1000}, {"name": "n1", "cpu_cores": 4.0, "mem_mib": 500}],
    "vms": {
        "node": [1, 0, 1],
        "vcpu": [1, 2, 3],
        "mem_capacity_mib": [100, 200, 300],
        "cpu_req_cores": [0.1, 0.2, 0.3],
        "mem_req_mib": [60, 120, 180],
        "cpu_used_cores": [0.5, 1.5, 0.25],
        "mem_used_mib": [50, 150, 90],
    },
}


def test_a_document_becomes_columns_in_base_units() -> None:
    found = parse(DOCUMENT)
    assert found.nodes == ("n0", "n1")
    assert found.vms == ("vm-00000", "vm-00001", "vm-00002")
    np.testing.assert_array_equal(found.capacity, [[8, 1000 * MIB], [4, 500 * MIB]])
    np.testing.assert_array_equal(found.load(found.home), [[1.5, 150 * MIB], [0.75, 140 * MIB]])


def test_hot_nodes_are_those_above_the_threshold() -> None:
    found = instance((0, 8.0, 10), (1, 8.001, 10), (2, 1, 80.5))
    assert found.hot(found.home).tolist() == [1, 2]


@pytest.mark.parametrize("requests", [True, False])
def test_a_state_keeps_the_totals(requests: bool) -> None:
    _assert_totals(parse(DOCUMENT), requests=requests)


@pytest.mark.parametrize("name", instances.names("bb22")[:2] or [pytest.param("", marks=pytest.mark.skip("no data"))])
def test_a_real_instance_keeps_the_totals(name: str) -> None:
    found = instances.read(name)
    _assert_totals(found, requests=True)
    assert len(found.hot(found.home)) == instances.optima()[name]["hot"]


def _assert_totals(found: Instance, *, requests: bool) -> None:
    made = state(found, requests=requests)
    on_nodes = made.nodes.measures.value[:, [NodeMeasure.CPU_MEAN_CORES, NodeMeasure.MEMORY_MEAN_BYTES]]
    np.testing.assert_allclose(on_nodes.sum(axis=0), found.use.sum(axis=0))
    of_vms = made.workloads.measures.value[:, [WorkloadMeasure.CPU_MEAN_CORES, WorkloadMeasure.MEMORY_MEAN_BYTES]]
    np.testing.assert_array_equal(of_vms, found.use)
    np.testing.assert_allclose(made.nodes.requested[:, :2].sum(axis=0), found.requests.sum(axis=0) * requests)
    assert made.nodes.requested[:, 2].sum() == len(found.home)
    np.testing.assert_array_equal(made.workloads.node, found.home)


def test_without_the_data_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks import anchors, rebalance_instances

    monkeypatch.setenv("ULLAGE_DATA", "/nowhere")
    for benchmark in (rebalance_instances, anchors):
        benchmark.main()
        assert capsys.readouterr().out == instances.ABSENT + "\n"
