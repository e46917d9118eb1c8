"""The target pod of a live migration is scored by what its VM uses, counted at both ends, and otherwise left alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.e2e.extenders import Extender
from tests.e2e.scene import settle_long_ago
from tests.e2e.schedulers import Schedulers, configuration
from tests.e2e.workloads import Pods
from tests.standin.cluster import StandIn
from tests.standin.kubevirt.names import API, JOB_LABEL, SCHEDULABLE, machine_path, migration_path
from tests.standin.kubevirt.outcomes import Outcome
from tests.standin.nodes import GI, NodeShape
from tests.standin.objects import PodShape
from tests.standin.use import Use
from tests.standin.wire import Json, Key, labels_of, phase_of, status_of

pytestmark = pytest.mark.xdist_group("control-plane")
USED_BYTES = 10 * GI
USE = Use(cpu_cores=6, working_set_bytes=USED_BYTES)
NODES = (
    NodeShape("home"),
    NodeShape("calm"),
    NodeShape("busy", base=Use(cpu_cores=7, working_set_bytes=28 * GI)),
    NodeShape("full", base=Use(cpu_cores=15, working_set_bytes=60 * GI)),
)
MEMORY_BYTES = 64 * GI


@pytest.fixture(autouse=True)
def scheduler(schedulers: Schedulers, port: int) -> None:
    """Both verbs."""
    schedulers.use(configuration("filter-and-score", port))


@pytest.fixture
def machine(cluster: StandIn, admin: Rest, pods: Pods) -> Iterator[Key]:
    """A VM whose migrations are under way until they are called off; by requests the calm node is the worst for it."""
    key = cluster.create_vm("db", 12 * GI, 8, namespace=pods.namespace, node="home", use=USE, requests_bytes=2 * GI)
    pods.create(1, "idle", node="calm", cores=14, memory_bytes=56 * GI)
    cluster.order(key, Outcome(hold_target=True))
    settle_long_ago(cluster, admin, pods.namespace)
    yield key
    for migration in admin.list(f"{API}/namespaces/{key[0]}/virtualmachineinstancemigrations"):
        admin.patch(migration_path((key[0], migration["metadata"]["name"])), {"metadata": {"finalizers": None}})
        admin.delete(migration_path((key[0], migration["metadata"]["name"])))
    admin.delete(machine_path(key))


def migrate(admin: Rest, machine: Key, node: str = "") -> None:
    """Create a migration, as a descheduler or a person does."""
    added = {"addedNodeSelector": {"kubernetes.io/hostname": node}} if node else {}
    body = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": "move"},
        "spec": {"vmiName": machine[1], **added},
    }
    admin.post(f"{API}/namespaces/{machine[0]}/virtualmachineinstancemigrations", body)


def target_of(pods: Pods) -> Json:
    """The target pod, once it is there."""
    return until(lambda: next((each for each in pods.all() if JOB_LABEL in labels_of(each)), None), "the target pod")


def test_the_target_goes_where_its_vm_has_room(admin: Rest, machine: Key, extender: Extender, pods: Pods) -> None:
    migrate(admin, machine)
    name = target_of(pods)["metadata"]["name"]
    assert set(pods.landed(name)) == {"calm"}
    pod = pods.get(name)
    assert pod["spec"]["nodeSelector"] == {SCHEDULABLE: "true"}
    demand = extender.explain(pod)["demand"]
    assert demand["source"] == "vmi"
    assert demand["memoryBytes"] == pytest.approx(USED_BYTES, rel=0.05)
    assert extender.answers("scored", "prioritize") == extender.answers("scored") == 1


def test_the_node_that_a_migration_names_stays(admin: Rest, machine: Key, extender: Extender, pods: Pods) -> None:
    migrate(admin, machine, "busy")
    name = target_of(pods)["metadata"]["name"]
    assert set(pods.landed(name)) == {"busy"}
    assert pods.get(name)["spec"]["nodeSelector"] == {"kubernetes.io/hostname": "busy", SCHEDULABLE: "true"}
    assert extender.answers("scored") == 1


def test_a_named_node_without_room_is_refused_with_a_reason(
    admin: Rest, machine: Key, extender: Extender, pods: Pods
) -> None:
    del extender
    migrate(admin, machine, "full")
    name = target_of(pods)["metadata"]["name"]
    assert "above the limit" in pods.verdict(name, "limit-memory")["message"]
    assert pods.get(name)["spec"]["nodeSelector"] == {"kubernetes.io/hostname": "full", SCHEDULABLE: "true"}


def test_the_vm_counts_at_both_ends(admin: Rest, machine: Key, extender: Extender, pods: Pods) -> None:
    other = PodShape("other", namespace=pods.namespace).wire()

    def memory(node: str) -> float:
        """What the extender takes into account on a node, for another pod."""
        seen = extender.explain(other)["nodes"][node]
        return float(seen["memoryRatio"] * MEMORY_BYTES)

    before = {node: memory(node) for node in ("home", "calm")}
    migrate(admin, machine, "calm")
    pods.landed(target_of(pods)["metadata"]["name"])
    answered = {node: memory(node) for node in before}
    extender.learn()
    observed = {node: memory(node) for node in before}
    for seen in (answered, observed):
        assert seen["home"] == pytest.approx(before["home"], rel=0.02)
        assert seen["calm"] - before["calm"] == pytest.approx(USED_BYTES, rel=0.1)


def test_after_the_migration_it_counts_where_it_is(
    cluster: StandIn, admin: Rest, machine: Key, extender: Extender, pods: Pods
) -> None:
    cluster.order(machine, Outcome())
    migrate(admin, machine, "calm")
    path = machine_path(machine)
    until(lambda: status_of(admin.get(path)).get("nodeName") == "calm", "the VM at its target", seconds=60)
    until(lambda: phase_of(admin.get(migration_path((machine[0], "move")))) == "Succeeded", "success")
    settle_long_ago(cluster, admin, pods.namespace)
    extender.learn()
    other = PodShape("other", namespace=pods.namespace).wire()
    nodes = extender.explain(other)["nodes"]
    assert nodes["home"]["memoryRatio"] * MEMORY_BYTES < GI
    assert nodes["calm"]["memoryRatio"] * MEMORY_BYTES == pytest.approx(USED_BYTES, rel=0.15)
