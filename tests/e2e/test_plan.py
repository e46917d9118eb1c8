"""What kubectl prints of a cluster goes into ``ullage plan`` as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.e2e.scene import settle_long_ago
from tests.standin.cluster import StandIn
from tests.standin.nodes import GI, NodeShape
from tests.standin.use import Use
from tests.standin.wire import Json

pytestmark = pytest.mark.xdist_group("control-plane")
TAINT = {"key": "team", "value": "a", "effect": "NoSchedule"}
NODES = (
    NodeShape("over", reserved_memory_bytes=2 * GI),
    NodeShape("roomy", reserved_memory_bytes=2 * GI, base=Use(cpu_cores=1, working_set_bytes=8 * GI)),
    NodeShape("used", base=Use(cpu_cores=8, working_set_bytes=46 * GI)),
    NodeShape("tainted", taints=(TAINT,)),
    NodeShape("without-vms", virtual=False),
    NodeShape("cordoned"),
)
TARGET_RATIO = 0.8
METRICS = "/apis/metrics.k8s.io/v1beta1"


@pytest.fixture(scope="module")
def machines(cluster: StandIn, admin: Rest) -> StandIn:
    """Five VMs fill one node by their use; by requests it has room."""
    use = Use(cpu_cores=1.5, working_set_bytes=11 * GI)
    for number in range(5):
        cluster.create_vm(f"vm-{number}", 16 * GI, 2, node="over", requests_bytes=4 * GI, use=use)
    settle_long_ago(cluster, admin, "default")
    admin.patch("/api/v1/nodes/cordoned", {"spec": {"unschedulable": True}})
    return cluster


def printed(plane: ControlPlane, folder: Path) -> list[Path]:
    """Files, made by the commands of the documents."""
    asked = {
        "cluster.json": ("get", "nodes,pods,pdb,vmi,vmim,kubevirt", "-A", "-o", "json"),
        "nodes.json": ("get", "--raw", f"{METRICS}/nodes"),
        "pods.json": ("get", "--raw", f"{METRICS}/pods"),
    }
    for name, arguments in asked.items():
        (folder / name).write_text(plane.kubectl(*arguments))
    return [folder / name for name in asked]


def plan(*arguments: str | Path) -> tuple[Json, str]:
    """The plan, and what was said about it."""
    command = [Path(sys.executable).with_name("ullage"), "plan", "-o", "json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout), done.stderr


@pytest.mark.usefixtures("machines")
def test_the_hot_node_is_relieved(control_plane: ControlPlane, tmp_path: Path) -> None:
    found, said = plan(*printed(control_plane, tmp_path))
    moves = found["spec"]["moves"]
    assert {(each["from"], each["to"]) for each in moves} == {("over", "roomy")}
    assert {each["workload"]["kind"] for each in moves} == {"VirtualMachineInstance"}
    after = {each["name"]: each["after"] for each in found["status"]["nodes"]}
    assert max(after["over"]["memoryRatio"], after["roomy"]["memoryRatio"]) <= TARGET_RATIO
    assert "unknown" not in said


@pytest.mark.usefixtures("machines")
def test_without_metrics_nothing_is_moved(control_plane: ControlPlane, tmp_path: Path) -> None:
    objects, *_ = printed(control_plane, tmp_path)
    found, _ = plan(objects)
    assert found["spec"]["moves"] == []


@pytest.mark.usefixtures("machines")
def test_what_is_read_as_the_user_may_read_it_gives_the_same_plan(control_plane: ControlPlane, tmp_path: Path) -> None:
    yaml = tmp_path / "cluster.yaml"

    def is_the_same() -> bool:
        """Between the two reads a condition or an age may have changed."""
        objects, nodes, pods = printed(control_plane, tmp_path)
        yaml.write_text(control_plane.kubectl("get", "nodes,pods,pdb,vmi,vmim,kubevirt", "-A", "-o", "yaml"))
        return plan(yaml, nodes, pods)[0] == plan(objects, nodes, pods)[0]

    assert until(is_the_same, "a plan from YAML like that from JSON", seconds=60.0)
