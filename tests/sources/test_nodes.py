from __future__ import annotations

import numpy as np
import pytest

from tests.sources.dumps import container, node, note, pod, state_of
from ullage.model.placement import Taint
from ullage.model.state import NodeFlag


def flags(**over) -> NodeFlag:
    return NodeFlag(int(state_of(node("n1", **over)).nodes.flags[0]))


def test_rows_stand_in_order_of_name():
    assert state_of(node("b"), node("a"), node("c")).nodes.name == ("a", "b", "c")


def test_the_axis_holds_what_is_offered_or_requested():
    offered = {"hugepages-1Gi": "4Gi", "nvidia.com/gpu": "2", "attachable-volumes-aws-ebs": "25"}
    wants = container(resources={"requests": {"example.com/fpga": "1"}})
    state = state_of(node("n1", status={"allocatable": offered}), pod("p", spec={"containers": [wants]}))
    assert state.resources[4:] == ("example.com/fpga", "hugepages-1Gi", "nvidia.com/gpu")
    assert state.nodes.allocatable[0].tolist() == [16, 64 * 2**30, 110, 100 * 2**30, 0, 4 * 2**30, 2]
    assert state.workloads.requests[0].tolist() == [1, 2**30, 1, 0, 1, 0, 0]


def test_requests_are_summed_over_the_node():
    state = state_of(node("n1"), node("n2"), pod("a"), pod("b"), pod("c", "n2"))
    assert state.nodes.requested[:, :3].tolist() == [[2, 2 * 2**30, 2], [1, 2**30, 1]]


@pytest.mark.parametrize("status", [{"allocatable": None}, {"allocatable": {}}])
def test_without_allocatable_nothing_is_known(status):
    bare = node("n1")
    bare["status"] |= status
    state = state_of(bare, node("n2"))
    assert np.isnan(state.nodes.allocatable[0]).all()
    assert np.isfinite(state.nodes.allocatable[1]).all()
    assert state.nodes.capacity[0, 0] == 16
    assert (note(state, "node-without-allocatable") or pytest.fail("no note")).objects == ("n1",)


@pytest.mark.parametrize("quantity", ["-1", "1e400", "10Zi", "NaN", "Infinity", "", "1e99", -5])
def test_bad_amounts_are_missing(quantity):
    state = state_of(node("n1", status={"allocatable": {"memory": quantity}}))
    assert np.isnan(state.nodes.allocatable[0, 1])
    assert state.nodes.allocatable[0, 0] == 16
    found = note(state, "malformed-object")
    assert found is not None
    assert f"memory cannot be {quantity!r}" in found.text
    assert note(state, "node-without-allocatable") is not None


def test_cpu_memory_and_pods_that_are_not_named_are_unknown_and_others_are_not_offered():
    few = node("n1")
    few["status"]["allocatable"] = {"memory": "1Gi"}
    state = state_of(few)
    assert np.isnan(state.nodes.allocatable[0]).tolist() == [True, False, True, False]
    assert state.nodes.allocatable[0, 3] == 0


def test_bare_numbers_are_quantities():
    state = state_of(node("n1", status={"allocatable": {"cpu": 1.5, "memory": 2**30}}))
    assert state.nodes.allocatable[0, :2].tolist() == [1.5, 2**30]


def test_flags():
    def conditions(**status):
        return {"conditions": [{"type": kind, "status": value} for kind, value in status.items()]}

    assert flags(status=conditions(Ready="True")) == NodeFlag.READY | NodeFlag.VM_SCHEDULABLE
    assert NodeFlag.READY not in flags(status=conditions(Ready="Unknown"))
    assert NodeFlag.READY not in flags(status=conditions(MemoryPressure="False"))
    pressed = flags(
        status=conditions(MemoryPressure="True", DiskPressure="True", PIDPressure="True", NetworkUnavailable="True")
    )
    wanted = NodeFlag.MEMORY_PRESSURE | NodeFlag.DISK_PRESSURE | NodeFlag.PID_PRESSURE | NodeFlag.NETWORK_UNAVAILABLE
    assert wanted in pressed
    assert NodeFlag.UNSCHEDULABLE in flags(spec={"unschedulable": True})
    assert NodeFlag.VM_SCHEDULABLE not in flags(metadata={"labels": {"kubevirt.io/schedulable": "false"}})
    for role in ("control-plane", "master"):
        assert NodeFlag.CONTROL_PLANE in flags(metadata={"labels": {f"node-role.kubernetes.io/{role}": ""}})


def test_taints_labels_swap_and_version():
    taints = [{"key": "a", "value": "b", "effect": "NoExecute", "timeAdded": None}, {"key": "c"}]
    info = {"nodeInfo": {"swap": {"capacity": 8 * 2**30}}}
    state = state_of(node("n1", spec={"taints": taints}, status=info), node("n2"))
    assert state.nodes.taints == ((Taint("a", "b", "NoExecute"), Taint("c")), ())
    assert state.nodes.swap_capacity_bytes[0] == 8 * 2**30
    assert np.isnan(state.nodes.swap_capacity_bytes[1])
    assert state.nodes.labels.row(0)["kubernetes.io/hostname"] == "n1"
    assert state.nodes.kubelet_version == ("v1.34.1", "v1.34.1")


def test_an_empty_cluster_is_a_state_that_says_so():
    state = state_of(pod("p"))
    assert (len(state.nodes), len(state.workloads)) == (0, 0)
    assert {each.code for each in state.notes} == {"empty-cluster", "pod-on-unknown-node"}
    assert state_of().notes[0].code == "empty-cluster"
