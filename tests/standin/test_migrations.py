"""VMIs and their migrations on a real control plane, with the real scheduler."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families

from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.standin.cluster import StandIn
from tests.standin.kubevirt import names
from tests.standin.kubevirt.outcomes import Outcome
from tests.standin.kubevirt.settings import KubeVirtSettings
from tests.standin.nodes import GI
from tests.standin.use import Use
from tests.standin.wire import Json, Key, phase_of, status_of

pytestmark = pytest.mark.xdist_group("control-plane")
SLOW = KubeVirtSettings(link_bytes_per_second=1e8)
USE = Use(cpu_cores=1, working_set_bytes=6 * GI, dirty_bytes_per_second=1e6)
PHASES = ["Pending", "Scheduling", "Scheduled", "PreparingTarget", "TargetReady", "Running", "Succeeded"]


def machine_of(admin: Rest, key: Key) -> Json:
    found: Json = admin.get(names.machine_path(key))
    return found


def migrations(admin: Rest, namespace: str) -> list[Json]:
    return admin.list(f"{names.API}/namespaces/{namespace}/virtualmachineinstancemigrations")


def migrate(admin: Rest, key: Key, node: str = "", name: str = "move", **spec: object) -> Callable[[], Json]:
    """Create a migration; returns a function that gets it."""
    added = {"addedNodeSelector": {"kubernetes.io/hostname": node}} if node else {}
    body = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": name},
        "spec": {"vmiName": key[1], **added, **spec},
    }
    admin.post(f"{names.API}/namespaces/{key[0]}/virtualmachineinstancemigrations", body)
    return lambda: admin.get(names.migration_path((key[0], name)))


def reach(get: Callable[[], Json], *phases: str) -> Json:
    def found() -> Json | None:
        migration = get()
        return migration if phase_of(migration) in phases else None

    return until(found, f"phase {phases}", seconds=60)


@pytest.fixture
def vm(standin: StandIn, namespace: str) -> Key:
    """A VM that runs at node-0001."""
    key = standin.create_vm("db", 8 * GI, 4, namespace=namespace, node="node-0001", use=USE)
    standin.settle()
    return key


def test_vmi_runs_in_its_pod(control_plane: ControlPlane, admin: Rest, standin: StandIn, namespace: str) -> None:
    key = standin.create_vm("web", 4 * GI, 2, namespace=namespace, use=USE)
    standin.settle()
    status = status_of(machine_of(admin, key))
    (pod,) = admin.list(f"/api/v1/namespaces/{namespace}/pods")
    assert status["phase"] == "Running"
    assert status["nodeName"] == pod["spec"]["nodeName"]
    assert status["activePods"] == {pod["metadata"]["uid"]: pod["spec"]["nodeName"]}
    assert {each["type"]: each["status"] for each in status["conditions"]} == {
        "Ready": "True",
        "LiveMigratable": "True",
    }
    assert status["memory"]["memoryOverhead"] == pod["metadata"]["annotations"][names.OVERHEAD]
    assert pod["status"]["qosClass"] == "Burstable"
    columns = control_plane.kubectl("get", "vmi", "-n", namespace, "--no-headers").split()
    assert columns[2:] == ["Running", status["nodeName"], "True"]


def test_vmi_goes_with_its_pod_and_its_pod_with_it(admin: Rest, standin: StandIn, vm: Key) -> None:
    other = standin.create_vm("other", GI, 1, namespace=vm[0])
    standin.settle()
    admin.delete(names.machine_path(other))
    until(lambda: len(admin.list(f"/api/v1/namespaces/{vm[0]}/pods")) == 1, "one pod left")
    (pod,) = admin.list(f"/api/v1/namespaces/{vm[0]}/pods")
    admin.delete(f"/api/v1/namespaces/{vm[0]}/pods/{pod['metadata']['name']}")
    until(lambda: phase_of(machine_of(admin, vm)) == "Failed", "the VM's end")


def test_vm_moves_to_the_node_that_is_asked_for(admin: Rest, vm: Key) -> None:
    get = migrate(admin, vm, "node-0003")
    migration = reach(get, "Succeeded", "Failed")
    stamps = [each["phase"] for each in status_of(migration)["phaseTransitionTimestamps"]]
    assert stamps == PHASES
    assert migration["metadata"]["labels"] == {names.VMI_LABEL: "db"}
    machine = machine_of(admin, vm)
    state = status_of(machine)["migrationState"]
    assert (state["sourceNode"], state["targetNode"], state["completed"]) == ("node-0001", "node-0003", True)
    assert "failed" not in state
    assert state["migrationUid"] == migration["metadata"]["uid"]
    assert status_of(machine)["nodeName"] == machine["metadata"]["labels"][names.NODE_LABEL] == "node-0003"
    phases = {each["metadata"]["name"]: phase_of(each) for each in admin.list(f"/api/v1/namespaces/{vm[0]}/pods")}
    assert phases == {state["sourcePod"]: "Succeeded", state["targetPod"]: "Running"}
    assert list(status_of(machine)["activePods"].values()) == ["node-0003"]
    until(lambda: "finalizers" not in get()["metadata"], "release")


def test_memory_grows_at_the_target_and_then_all_use_is_there(admin: Rest, standin: StandIn, vm: Key) -> None:
    def used(node: str) -> Use:
        standin.readings.refresh()
        pods = standin.readings.now()[node].pods
        return sum((each.use for each in pods if each.key[0] == vm[0]), Use())

    standin.kubevirt.configure(SLOW)
    get = migrate(admin, vm, "node-0003")
    reach(get, "Running")
    partly = until(lambda: used("node-0003").working_set_bytes, "copied memory")
    assert 0 < partly < 6 * GI
    assert used("node-0001") == USE
    assert used("node-0003").cpu_cores == 0
    reach(get, "Succeeded")
    standin.kubevirt.configure(KubeVirtSettings())
    assert (used("node-0001"), used("node-0003")) == (Use(), USE)


def test_parallel_limits_hold(admin: Rest, standin: StandIn, namespace: str) -> None:
    standin.kubevirt.configure(SLOW)
    homes = ["node-0001"] * 4 + ["node-0002"] * 4 + ["node-0003"] * 2
    keys = [
        standin.create_vm(f"vm{number}", 4 * GI, 1, namespace=namespace, node=node, use=Use(working_set_bytes=4 * GI))
        for number, node in enumerate(homes)
    ]
    standin.settle()
    for key in keys:
        migrate(admin, key, name=f"move-{key[1]}")
    home_of = {key[1]: home for key, home in zip(keys, homes, strict=True)}
    source_of = standin.kubevirt.migrations.source_of
    most: set[tuple[int, int]] = set()

    def are_over() -> bool:
        started = standin.kubevirt.migrations.started()
        # a VM that has arrived counts no longer at its first node, and KubeVirt did not ask about its second one
        at_home = [home for each in started if (home := home_of[each["spec"]["vmiName"]]) == source_of(each)]
        most.add((len(started), max(map(at_home.count, at_home), default=0)))
        return all(phase_of(each) == "Succeeded" for each in migrations(admin, namespace))

    until(are_over, "ten migrations", seconds=120)
    standin.kubevirt.configure(KubeVirtSettings())
    assert max(most)[0] == 5
    assert max(outbound for _, outbound in most) == 2


def test_migration_fails_on_demand_and_the_vm_stays(admin: Rest, standin: StandIn, vm: Key) -> None:
    standin.order(vm, Outcome(fail_at=0.5, reason="no luck"))
    reach(migrate(admin, vm, "node-0002"), "Failed")
    machine = machine_of(admin, vm)
    state = status_of(machine)["migrationState"]
    assert (state["failed"], state["failureReason"]) == (True, "no luck")
    assert status_of(machine)["nodeName"] == "node-0001"
    until(lambda: len(admin.list(f"/api/v1/namespaces/{vm[0]}/pods")) == 1, "the end of the target pod")
    reach(migrate(admin, vm, "node-0002", name="again"), "Succeeded")
    assert "failed" not in status_of(machine_of(admin, vm))["migrationState"]


def test_only_the_newest_finished_migrations_are_kept(admin: Rest, standin: StandIn, vm: Key) -> None:
    standin.order(vm, Outcome(fail_at=0.0, times=7))
    for number in range(7):
        reach(migrate(admin, vm, name=f"m{number}"), "Failed")
    until(lambda: len(migrations(admin, vm[0])) == 5, "five migrations")


def test_deleted_migration_is_called_off(admin: Rest, standin: StandIn, vm: Key) -> None:
    standin.order(vm, Outcome(stall=True))
    reach(migrate(admin, vm, "node-0002"), "Running")
    admin.delete(names.migration_path((vm[0], "move")))
    until(lambda: not migrations(admin, vm[0]), "the end of the migration")
    state = status_of(machine_of(admin, vm))["migrationState"]
    assert (state["abortRequested"], state["failed"]) == (True, True)
    assert status_of(machine_of(admin, vm))["nodeName"] == "node-0001"


def test_target_that_fits_nowhere_is_given_up(admin: Rest, vm: Key) -> None:
    migration = reach(migrate(admin, vm, "node-0001"), "Failed")
    assert "pending for 30" in status_of(migration)["migrationState"]["failureReason"]


@pytest.mark.parametrize(
    ("traits", "spec", "text"),
    [
        ({"not_migratable": "DisksNotLiveMigratable"}, {}, "Reason: DisksNotLiveMigratable"),
        ({}, {"priority": "system-critical"}, "priority can only be set"),
        ({}, {"vmiName": "nobody"}, "does not exist"),
    ],
)
def test_migration_is_refused(
    admin: Rest, standin: StandIn, namespace: str, traits: Json, spec: Json, text: str
) -> None:
    key = standin.create_vm("db", GI, 1, namespace=namespace, **traits)
    standin.settle()
    with pytest.raises(RestError, match=text) as refused:
        migrate(admin, key, **spec)
    assert refused.value.status == 400


def test_migration_is_refused_while_another_is_under_way_or_on_demand(admin: Rest, standin: StandIn, vm: Key) -> None:
    standin.order(vm, Outcome(reject="not today"))
    with pytest.raises(RestError, match="denied the request: not today"):
        migrate(admin, vm)
    standin.order(vm, Outcome(stall=True))
    reach(migrate(admin, vm, "node-0002"), "Running")
    with pytest.raises(RestError, match="in-flight migration detected"):
        migrate(admin, vm, name="second")


def test_prometheus_sees_the_vm_where_it_is(standin: StandIn, vm: Key) -> None:
    answer = urllib3.request("GET", f"{standin.exposition_url}/kubevirt?node=node-0001", retries=False)
    found = {
        sample.name: sample
        for family in text_string_to_metric_families(answer.data.decode())
        for sample in family.samples
        if sample.labels.get("namespace") == vm[0]
    }
    assert found["kubevirt_vmi_memory_domain_bytes"].value == 8 * GI
    assert found["kubevirt_vmi_memory_usable_bytes"].value == 2 * GI
    assert found["kubevirt_vmi_dirty_rate_bytes_per_second"].value == 1e6
    assert found["kubevirt_vmi_vcpu_delay_seconds_total"].labels["id"] == "3"
    assert found["kubevirt_vmi_info"].labels["vmi_pod"].startswith("virt-launcher-db-")
    assert found["kubevirt_vmi_launcher_memory_overhead_bytes"].value == (252 + 8 + 4 * 8) * 2**20
