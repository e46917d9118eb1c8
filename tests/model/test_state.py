from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builders import Cluster
from ullage.model.arrays import frozen
from ullage.model.changes import requested_sums
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.placement import Placement, Toleration
from ullage.model.qos import QoS
from ullage.model.state import EvictionStrategy, NodeFlag, WorkloadFlag, WorkloadKind, is_ascending


def cluster() -> Cluster:
    return (
        Cluster()
        .node("n2", cordoned=True, zone="a")
        .node("n1", swap="8Gi", use_cpu=None)
        .vm("shop/db", "n1", guest="8Gi", vcpus=4, use_cpu=1.5, use_memory="6Gi", swap_used="1Gi")
        .pod("shop/app", "n1", requests_cpu=1, requests_memory="1Gi", limits={"cpu": 1, "memory": "1Gi"})
        .pod("bank/app", "n2", owner=None, use_memory=None)
        .budget("shop/pdb", 1, ["shop/db", "shop/app"])
    )


def test_rows_stand_in_key_order_whatever_the_order_of_building():
    state = cluster().build()
    assert state.nodes.name == ("n1", "n2")
    assert [state.workloads.key(i) for i in range(3)] == ["bank/app", "shop/app", "shop/db"]
    assert state.workloads.node.tolist() == [1, 0, 0]
    assert state.budgets[0].members.tolist() == [1, 2]
    assert state.namespaces == ("bank", "shop")
    w = state.workloads
    assert is_ascending(zip(w.namespace, w.name, w.kind.tolist(), w.uid, strict=True))


def test_flags():
    state = cluster().build()
    assert state.nodes.has(NodeFlag.UNSCHEDULABLE).tolist() == [False, True]
    assert state.nodes.has(NodeFlag.READY | NodeFlag.UNSCHEDULABLE).tolist() == [False, True]
    assert state.workloads.has(WorkloadFlag.BARE).tolist() == [True, False, False]
    assert state.workloads.has(WorkloadFlag.LIVE_MIGRATABLE).tolist() == [False, False, True]
    assert state.workloads.has(WorkloadFlag(0)).all()


def test_what_the_builder_says_of_workloads():
    state = cluster().build()
    w = state.workloads
    assert w.kind.tolist() == [WorkloadKind.POD, WorkloadKind.POD, WorkloadKind.VMI]
    assert w.qos.tolist() == [QoS.BURSTABLE, QoS.GUARANTEED, QoS.BURSTABLE]
    assert w.eviction_strategy.tolist() == [
        EvictionStrategy.UNSET,
        EvictionStrategy.UNSET,
        EvictionStrategy.LIVE_MIGRATE,
    ]
    assert w.requests[2].tolist() == [0.4, 8 * 2**30, 1, 0]
    assert w.owner.tolist()[0] == -1
    assert [(o.kind, o.name) for o in state.owners] == [("ReplicaSet", "app"), ("VirtualMachine", "db")]
    assert state.placements[int(w.placement[2])] == Placement(virtual_machine=True)
    np.testing.assert_array_equal(w.measures.column(WorkloadMeasure.MEMORY_MEAN_BYTES)[0], np.nan)


def test_what_the_builder_says_of_nodes():
    state = cluster().build()
    cpu = state.nodes.measures.column(NodeMeasure.CPU_MEAN_CORES)
    memory = state.nodes.measures.column(NodeMeasure.MEMORY_MEAN_BYTES)
    np.testing.assert_array_equal(cpu, [np.nan, 0.05])
    np.testing.assert_array_equal(memory, [6 * 2**30 + 100 * 2**20, 0])
    assert state.nodes.measures.column(NodeMeasure.SWAP_USED_BYTES).tolist() == [2**30, 0]
    np.testing.assert_array_equal(state.nodes.swap_capacity_bytes, [8 * 2**30, np.nan])
    assert [t.key for t in state.nodes.taints[1]] == ["node.kubernetes.io/unschedulable"]
    np.testing.assert_allclose(state.nodes.requested, requested_sums(2, state.workloads.node, state.workloads.requests))


def test_equal_placements_are_one_signature():
    tolerant = Placement(tolerations=(Toleration("k"),))
    same = Placement(tolerations=(Toleration("k"),))
    state = (
        Cluster().node("n").pod("a/a", "n", placement=tolerant).pod("a/b", "n", placement=same).pod("a/c", "n").build()
    )
    assert len(state.placements) == 2
    assert state.workloads.placement.tolist() == [0, 0, 1]


def test_workloads_on_a_node():
    state = cluster().build()
    assert state.workloads_on(0).tolist() == [1, 2]
    assert state.workloads_on(1).tolist() == [0]


def test_resource_columns():
    state = Cluster().node("n", extra={"nvidia.com/gpu": 2}).pod("a/p", "n", requests={"nvidia.com/gpu": 1}).build()
    gpu = state.resource("nvidia.com/gpu")
    assert (state.nodes.allocatable[0, gpu], state.nodes.requested[0, gpu]) == (2, 1)
    with pytest.raises(ValueError, match="not in"):
        state.resource("absent")


def test_a_column_of_another_length_is_refused():
    state = cluster().build()
    with pytest.raises(ValueError, match="node column uid has 1 rows, expected 2"):
        replace(state, nodes=replace(state.nodes, uid=("one",)))
    with pytest.raises(ValueError, match="workload column measures has 2 rows, expected 3"):
        replace(state, workloads=replace(state.workloads, measures=state.nodes.measures))


@pytest.mark.parametrize(("column", "bad"), [("node", 2), ("node", -1), ("placement", 9), ("owner", -2), ("owner", 2)])
def test_a_row_outside_its_table_is_refused(column, bad):
    state = cluster().build()
    values = getattr(state.workloads, column).copy()
    values[0] = bad
    with pytest.raises(ValueError, match=f"workload column {column} points outside"):
        replace(state, workloads=replace(state.workloads, **{column: frozen(values, np.int32)}))


def test_arrays_are_read_only():
    state = cluster().build()
    for array in (state.nodes.allocatable, state.nodes.requested, state.workloads.node, state.workloads.requests):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(("keys", "ok"), [([], True), ([1], True), ([1, 2], True), ([1, 1], False), ([2, 1], False)])
def test_is_ascending(keys, ok):
    assert is_ascending(keys) is ok


@pytest.mark.parametrize(("dtype", "shape"), [(np.float64, (2,)), (np.int32, None)])
def test_frozen_owns_its_memory(dtype, shape):
    source = np.array([1.0, 2.0])
    array = frozen(source, dtype, shape)
    source[0] = 9
    assert array.tolist() == [1, 2]
    assert array.dtype == dtype


def test_frozen_refuses_another_shape_and_reads_none_as_nan():
    with pytest.raises(ValueError, match="expected shape"):
        frozen([1.0], np.float64, (2,))
    np.testing.assert_array_equal(frozen([None, 1.0], np.float64), [np.nan, 1.0])
