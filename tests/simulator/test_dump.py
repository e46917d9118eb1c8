"""A dump of a made-up cluster, read back, is the same cluster as far as a dump can say; the example is what the code makes."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simulator import dump
from simulator.dump_wire import quantity
from simulator.generator import generate
from simulator.spec import EXAMPLE, ClusterSpec
from ullage.model.measures import NodeMeasure, WorkloadMeasure
from ullage.model.quantity import to_float
from ullage.model.state import ClusterState, NodeFlag, WorkloadFlag
from ullage.sources.inputs import load

EXAMPLE_FILE = Path(__file__).parents[2] / "examples" / "cluster.json.gz"

NODE_COLUMNS = ("name", "uid", "allocatable", "capacity", "requested", "swap_capacity_bytes", "flags", "taints")
WORKLOAD_COLUMNS = (
    *("kind", "namespace", "name", "uid", "pod", "node", "requests", "limits", "guest_memory_bytes", "overhead_bytes"),
    *("swap_request_bytes", "qos", "priority", "owner", "placement", "flags", "eviction_strategy", "migration_target"),
    *("started_at_seconds", "last_moved_at_seconds", "blocked_reason"),
)


def read_back(state: ClusterState, folder: Path) -> ClusterState:
    path = folder / "dump.json"
    path.write_bytes(dump.encode(state))
    return load([str(path)])


@pytest.mark.parametrize(
    "spec", [EXAMPLE, ClusterSpec(nodes=3, seed=2), ClusterSpec(nodes=2, workloads=40, vm_share=0.0, swap_share=0.0)]
)
def test_a_dump_comes_back(spec: ClusterSpec, tmp_path: Path) -> None:
    state = generate(spec)
    found = read_back(state, tmp_path)
    assert found.notes == ()
    for one, other, columns in (
        (state.nodes, found.nodes, (*NODE_COLUMNS, "kubelet_version")),
        (state.workloads, found.workloads, WORKLOAD_COLUMNS),
    ):
        for column in columns:
            a, b = getattr(one, column), getattr(other, column)
            assert np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray) else a == b, column
        assert [one.labels.row(i) for i in range(len(one))] == [other.labels.row(i) for i in range(len(one))]
    for part in ("resources", "placements", "owners", "namespaces", "quotas", "kubevirt", "observed_at_seconds"):
        assert getattr(found, part) == getattr(state, part), part
    budgets = [
        [(b.namespace, b.name, b.disruptions_allowed, b.members.tolist()) for b in s.budgets] for s in (state, found)
    ]
    assert budgets[0] == budgets[1]


def test_use_comes_back_with_its_age(tmp_path: Path) -> None:
    state = generate(EXAMPLE)
    found = read_back(state, tmp_path)
    for one, other, axis in (
        (state.nodes, found.nodes, NodeMeasure),
        (state.workloads, found.workloads, WorkloadMeasure),
    ):
        carried = [axis.CPU_MEAN_CORES, axis.MEMORY_MEAN_BYTES, axis.SWAP_USED_BYTES]
        for part in ("value", "age_seconds"):
            a, b = (getattr(each.measures, part)[:, carried] for each in (one, other))
            assert np.array_equal(a, b, equal_nan=True), part


def test_flags_that_the_generator_does_not_set_come_back(tmp_path: Path) -> None:
    state = generate(replace(EXAMPLE, workloads=60))
    rows = state.workloads
    vm, app = len(rows) - 1, 0
    flags = rows.flags.copy()
    flags[vm] |= int(WorkloadFlag.PAUSED | WorkloadFlag.EVICT | WorkloadFlag.MIGRATING)
    flags[app] |= int(WorkloadFlag.LOCAL_STORAGE | WorkloadFlag.TERMINATING | WorkloadFlag.PENDING)
    target = rows.migration_target.copy()
    target[vm] = (rows.node[vm] + 1) % len(state.nodes)
    moved = rows.last_moved_at_seconds.copy()
    moved[vm] = np.nan
    changed = replace(rows, flags=flags, migration_target=target, last_moved_at_seconds=moved)
    found = read_back(replace(state, workloads=changed), tmp_path).workloads
    assert found.flags.tolist() == flags.tolist()
    assert found.migration_target.tolist() == target.tolist()


def test_objects_look_like_those_of_a_cluster() -> None:
    found = list(dump.objects(generate(EXAMPLE)))
    kinds = {str(each["kind"]) for each in found}
    assert kinds == {
        *("Namespace", "Node", "KubeVirt", "VirtualMachineInstance", "Pod", "PodDisruptionBudget", "ResourceQuota"),
        *("NodeMetrics", "PodMetrics"),
    }
    launcher = next(
        each for each in found if each["kind"] == "Pod" and each["metadata"]["name"].startswith("virt-launcher-")
    )
    metadata = launcher["metadata"]
    assert metadata["labels"]["kubevirt.io"] == "virt-launcher"
    owner = metadata["ownerReferences"][0]
    assert owner["kind"] == "VirtualMachineInstance"
    assert metadata["annotations"]["kubevirt.io/domain"] == owner["name"]
    assert metadata["annotations"]["descheduler.alpha.kubernetes.io/request-evict-only"] == ""
    assert metadata["labels"]["kubevirt.io/created-by"] == owner["uid"]
    assert metadata["labels"]["kubevirt.io/nodeName"] == launcher["spec"]["nodeName"]
    compute = launcher["spec"]["containers"][0]
    assert compute["name"] == "compute"
    assert compute["resources"]["limits"]["devices.kubevirt.io/kvm"] == "1"
    assert launcher["spec"]["initContainers"][0]["name"] == "guest-console-log"
    assert launcher["spec"]["initContainers"][0]["resources"]["requests"] == {"cpu": "5m", "memory": "35M"}


def test_the_example_is_what_the_generator_makes() -> None:
    raw = EXAMPLE_FILE.read_bytes()
    assert gzip.decompress(raw) == dump.encode(generate(EXAMPLE))
    assert raw[4:8] == bytes(4), "the gzip header holds a time"
    assert len(raw) <= 200_000


def test_the_example_has_a_story() -> None:
    state = load([str(EXAMPLE_FILE)])
    assert (len(state.nodes), len(state.workloads)) == (22, 300)
    measures = state.nodes.measures.value[:, [NodeMeasure.CPU_MEAN_CORES, NodeMeasure.MEMORY_MEAN_BYTES]]
    over = measures / state.nodes.allocatable[:, :2] > 0.8
    assert over[:, 0].sum() >= 2
    assert over[:, 1].sum() >= 3
    assert np.isnan(measures).all(axis=1).sum() == 1
    assert state.nodes.has(NodeFlag.UNSCHEDULABLE).sum() == 1
    assert 5 <= (state.nodes.swap_capacity_bytes > 0).sum() <= 17
    stuck = state.workloads.has(WorkloadFlag.NOT_LIVE_MIGRATABLE)
    assert stuck[over.any(axis=1)[state.workloads.node]].any()


@pytest.mark.parametrize(
    ("resource", "value", "text"),
    [
        ("cpu", 4.0, "4"),
        ("cpu", 0.105, "105m"),
        ("cpu", 0.123456, "123456000n"),
        ("cpu", 0.0, "0"),
        ("memory", 2.0**30, "1048576Ki"),
        ("memory", 35e6, "35000000"),
        ("memory", 0.0, "0"),
        ("pods", 250.0, "250"),
    ],
)
def test_quantities(resource: str, value: float, text: str) -> None:
    assert quantity(resource, value) == text
    assert to_float(text) == value


def test_a_dump_is_one_list() -> None:
    document = json.loads(dump.encode(generate(ClusterSpec(nodes=1, workloads=0))))
    assert document["kind"] == "List"
    assert [each["kind"] for each in document["items"]] == ["Node", "KubeVirt", "NodeMetrics"]
