"""Evictions of launcher pods: every row of kubevirt.md 2.5 on a real control plane."""

from __future__ import annotations

import pytest

from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.standin.cluster import StandIn
from tests.standin.kubevirt import names
from tests.standin.kubevirt.outcomes import Outcome
from tests.standin.nodes import GI
from tests.standin.test_migrations import machine_of, migrate, migrations, reach
from tests.standin.use import Use
from tests.standin.wire import Json, Key, annotations_of, key_of, labels_of, phase_of, pod_path, status_of

pytestmark = pytest.mark.xdist_group("control-plane")
USE = Use(cpu_cores=1, working_set_bytes=2 * GI)


def vm(standin: StandIn, namespace: str, **traits: str | None) -> Key:
    key = standin.create_vm("db", 4 * GI, 2, namespace=namespace, node="node-0001", use=USE, **traits)
    standin.settle()
    return key


def launchers(admin: Rest, key: Key) -> list[Json]:
    return admin.list(f"/api/v1/namespaces/{key[0]}/pods", labelSelector=f"{names.NAME_LABEL}={key[1]}")


def evict(admin: Rest, pod: Json, *, dry_run: bool = False, requested_by: str = "") -> str:
    """Message of the refusal; empty if the pod is evicted."""
    namespace, name = key_of(pod)
    annotations = {"annotations": {"requested-by": requested_by}} if requested_by else {}
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace, **annotations},
        **({"deleteOptions": {"dryRun": ["All"]}} if dry_run else {}),
    }
    try:
        admin.post(f"{pod_path((namespace, name))}/eviction", body)
    except RestError as error:
        if error.status != 429:
            raise
        return error.body.decode().replace("\\", "")
    return ""


def test_eviction_is_refused_and_the_vm_moves(admin: Rest, standin: StandIn, namespace: str) -> None:
    key = vm(standin, namespace)
    (pod,) = launchers(admin, key)
    text = f'denied the request: Eviction triggered evacuation of VMI "{namespace}/db"'
    assert 'admission webhook "virt-launcher-eviction-interceptor.kubevirt.io"' in evict(admin, pod, dry_run=True)
    assert text in evict(admin, pod, dry_run=True)
    assert "evacuationNodeName" not in status_of(machine_of(admin, key))
    assert migrations(admin, namespace) == []
    standin.order(key, Outcome(hold_target=True))
    assert text in evict(admin, pod)
    assert status_of(machine_of(admin, key))["evacuationNodeName"] == "node-0001"
    until(lambda: names.EVICTING in annotations_of(admin.get(pod_path(key_of(pod)))), "the mark on the pod")
    assert "Evacuation in progress: Eviction triggered evacuation" in evict(admin, pod)
    standin.order(key, Outcome())
    (migration,) = until(lambda: migrations(admin, namespace), "an evacuation")
    assert key_of(migration)[1].startswith("kubevirt-evacuation-")
    assert annotations_of(migration) == {names.EVACUATION: "node-0001"}
    assert migration["spec"]["priority"] == "system-critical"


def test_evacuation_ends_elsewhere_and_the_mark_goes(admin: Rest, standin: StandIn, namespace: str) -> None:
    key = vm(standin, namespace)
    (pod,) = launchers(admin, key)
    evict(admin, pod, requested_by="sigs.k8s.io/descheduler")
    until(lambda: status_of(machine_of(admin, key))["nodeName"] != "node-0001", "another node")
    (migration,) = migrations(admin, namespace)
    assert migration["spec"]["priority"] == "system-maintenance"
    machine = machine_of(admin, key)
    assert "evacuationNodeName" not in status_of(machine)
    assert names.EVICTION_SOURCE not in annotations_of(machine)
    assert phase_of(machine) == "Running"


def test_vm_without_a_strategy_is_killed(admin: Rest, standin: StandIn, namespace: str) -> None:
    key = vm(standin, namespace, eviction_strategy=None)
    (pod,) = launchers(admin, key)
    assert evict(admin, pod) == ""
    until(lambda: phase_of(machine_of(admin, key)) == "Failed", "the end of the VM")


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        ("LiveMigrate", "VMI db is configured with an eviction strategy but is not live-migratable"),
        ("External", "Eviction triggered evacuation of VMI"),
        ("LiveMigrateIfPossible", ""),
    ],
)
def test_vm_that_cannot_migrate(admin: Rest, standin: StandIn, namespace: str, strategy: str, text: str) -> None:
    key = vm(standin, namespace, eviction_strategy=strategy, not_migratable="DisksNotLiveMigratable")
    (pod,) = launchers(admin, key)
    refused = evict(admin, pod)
    assert text in refused
    assert bool(refused) == bool(text)
    assert ("evacuationNodeName" in status_of(machine_of(admin, key))) == (strategy == "External")
    assert migrations(admin, namespace) == []


def test_target_of_a_migration_is_not_evicted(admin: Rest, standin: StandIn, namespace: str) -> None:
    key = vm(standin, namespace)
    standin.order(key, Outcome(stall=True))
    reach(migrate(admin, key), "Running")
    target = next(each for each in launchers(admin, key) if names.JOB_LABEL in labels_of(each))
    assert "Eviction request for target Pod" in evict(admin, target)


def test_failed_evacuation_is_tried_again(admin: Rest, standin: StandIn, namespace: str) -> None:
    key = vm(standin, namespace)
    standin.order(key, Outcome(fail_at=0.1, times=2))
    (pod,) = launchers(admin, key)
    evict(admin, pod)
    wanted = ["Failed", "Failed", "Succeeded"]
    until(lambda: sorted(map(phase_of, migrations(admin, namespace))) == wanted, "three tries", seconds=60)
    assert status_of(machine_of(admin, key))["nodeName"] != "node-0001"
