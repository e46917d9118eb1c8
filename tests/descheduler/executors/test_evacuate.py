"""Evictions of VMs: none that would kill one is ever asked for."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descheduler.executors.evacuate import EvacuateExecutor
from descheduler.executors.port import Verdict
from descheduler.executors.unsettled import SETTLES_SECONDS
from tests.descheduler.executors.api import DENIED, MIGRATIONS, Json, Request, status
from tests.descheduler.executors.world import KUBEVIRT, LAUNCHER, LIVE_MIGRATABLE, VMI, World, vm_step

STEP = vm_step()
FALSE = {"type": "LiveMigratable", "status": "False", "reason": "HostDeviceNotLiveMigratable"}


@pytest.fixture
def executor(world: World) -> EvacuateExecutor:
    return EvacuateExecutor(world.writer)


def test_eviction_is_probed_first_and_names_pod_and_sender(world: World, executor: EvacuateExecutor) -> None:
    receipt = executor.begin(STEP)
    assert (receipt.verdict, receipt.code) == (Verdict.UNDER_WAY, "evacuating")
    probe, real = world.api.asked("POST", "/eviction")
    assert (probe.query, probe.body["deleteOptions"]["dryRun"]) == ({"dryRun": "All"}, ["All"])
    assert (real.query, real.body["deleteOptions"]) == ({}, {"preconditions": {"uid": "uid-of-virt-launcher-db-1"}})
    assert real.body["metadata"]["annotations"] == {"requested-by": "sigs.k8s.io/descheduler"}
    assert real.body["apiVersion"] == "policy/v1"


def test_urgent_evictions_do_not_yield(world: World) -> None:
    executor = EvacuateExecutor(world.writer, urgent=True)
    assert executor.name == "evacuate-urgent"
    assert executor.begin(STEP).code == "evacuating"
    assert all("annotations" not in each.body["metadata"] for each in world.api.asked("POST", "/eviction"))


STRATEGIES = [None, "None", "LiveMigrate", "LiveMigrateIfPossible", "External", "Unheard"]
MIGRATES = ("LiveMigrate", "LiveMigrateIfPossible")


@pytest.mark.parametrize(("own", "cluster"), list(itertools.product(STRATEGIES, [None, "None", "LiveMigrate"])))
@pytest.mark.parametrize("condition", [LIVE_MIGRATABLE, FALSE, None])
def test_only_vms_that_migrate_are_evicted(
    world: World, executor: EvacuateExecutor, own: str | None, cluster: str | None, condition: Json | None
) -> None:
    world.api.cluster_strategy = cluster
    world.api.change(
        VMI, {"spec": {"evictionStrategy": own}, "status": {"conditions": [condition] if condition else []}}
    )
    migrates = own in MIGRATES or (own in (None, "Unheard") and cluster == "LiveMigrate")
    may = condition is LIVE_MIGRATABLE and migrates
    receipt = executor.begin(STEP)
    if own != "Unheard":  # which this server takes for one that kills
        assert (receipt.verdict is Verdict.UNDER_WAY) == may
        assert len(world.api.writes("POST", "/eviction")) == may
    if not may:
        assert receipt.verdict is Verdict.REFUSED
        assert receipt.code in {"would-kill", "eviction-strategy", "not-live-migratable"}
    assert "deletionTimestamp" not in world.api.objects[LAUNCHER]["metadata"]


def test_absent_webhook_is_noticed_by_the_dry_run(world: World, executor: EvacuateExecutor) -> None:
    """As in old releases, whose webhook is passed over when it is down."""
    world.api.webhook = False
    receipt = executor.begin(STEP)
    assert (receipt.verdict, receipt.code) == (Verdict.REFUSED, "would-kill")
    assert executor.probe(STEP) == receipt
    assert world.api.writes("POST") == []
    assert "deletionTimestamp" not in world.api.objects[LAUNCHER]["metadata"]


def test_strategy_that_flips_between_plan_and_act(world: World, executor: EvacuateExecutor) -> None:
    world.api.change(VMI, {"spec": {"evictionStrategy": "None"}})
    assert executor.begin(STEP).code == "would-kill"
    assert world.api.asked("POST") == []


def test_vm_killed_after_a_promise_is_reported_as_it_is(world: World, executor: EvacuateExecutor) -> None:
    def flips(_: Request) -> None:
        world.api.webhook = False

    world.api.meanwhile = flips
    receipt = executor.begin(STEP)
    assert (receipt.verdict, receipt.code) == (Verdict.FAILED, "vm-evicted")


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (LAUNCHER, {"metadata": {"labels": {"kubevirt.io/created-by": "another"}}}),
        (LAUNCHER, {"spec": {"nodeName": "node-2"}}),
        (LAUNCHER, {"status": {"phase": "Succeeded"}}),
        (LAUNCHER, {"metadata": {"deletionTimestamp": "x"}}),
    ],
)
def test_pod_that_does_not_run_the_vm_is_left_alone(
    world: World, executor: EvacuateExecutor, path: str, change: Json
) -> None:
    world.api.change(path, change)
    receipt = executor.begin(STEP)
    assert (receipt.verdict, receipt.code) == (Verdict.REFUSED, "workload-elsewhere")
    assert world.api.asked("POST") == []


def test_evacuation_that_others_have_begun_is_taken_up(world: World, executor: EvacuateExecutor) -> None:
    world.api.change(VMI, {"status": {"evacuationNodeName": "node-1"}})
    assert executor.begin(STEP).code == "evacuating"
    assert world.api.asked("POST") == []


def test_webhook_that_is_down_is_asked_again_later(world: World, executor: EvacuateExecutor) -> None:
    real = world.api._evacuate
    world.api._evacuate = lambda *_: status(500, "InternalError", 'failed calling webhook "x"')  # type: ignore[method-assign]
    receipt = executor.begin(STEP)
    assert (receipt.verdict, receipt.code) == (Verdict.LATER, "webhook-down")
    world.api._evacuate = real  # type: ignore[method-assign]
    assert executor.begin(STEP).verdict is Verdict.UNDER_WAY


def test_refusal_of_the_real_eviction_is_final(world: World, executor: EvacuateExecutor) -> None:
    world.api.answers = [status(429, "", f"{DENIED}kubevirt failed marking the vmi for eviction: x")]
    assert executor.begin(STEP).code == "evacuation-refused"
    assert world.api.done == []


def test_arrival_anywhere_is_what_was_asked_for(world: World, executor: EvacuateExecutor) -> None:
    executor.begin(STEP)
    world.arrive("node-7")
    receipt = executor.look(STEP)
    assert (receipt.verdict, receipt.code) == (Verdict.DONE, "moved-elsewhere")


def test_retries_of_kubevirt_are_waited_for(world: World, executor: EvacuateExecutor) -> None:
    executor.begin(STEP)
    world.api.change(VMI, {"status": {"migrationState": {"startTimestamp": "a", "endTimestamp": "b", "failed": True}}})
    world.clock.now = 10_000.0
    assert executor.look(STEP).code == "evacuating"


def test_migration_after_the_mark_is_followed(world: World, executor: EvacuateExecutor) -> None:
    executor.begin(STEP)
    world.api.change(VMI, {"status": {"evacuationNodeName": None}})
    world.clock.now = SETTLES_SECONDS
    path = f"{KUBEVIRT}/{MIGRATIONS}/kubevirt-evacuation-x"
    world.api.put(path, {"metadata": {"labels": {"kubevirt.io/vmi-name": "db"}}, "spec": {"vmiName": "db"}})
    assert executor.look(STEP).code == "migration-runs"
    world.api.change(path, {"status": {"phase": "Failed"}})
    receipt = executor.look(STEP)
    assert (receipt.verdict, receipt.code) == (Verdict.CANCELLED, "evacuation-ended")


def test_mark_is_taken_off_only_if_it_is_of_this_node(world: World, executor: EvacuateExecutor) -> None:
    executor.begin(STEP)
    assert executor.cancel(STEP).code == "cancelling"
    (request,) = world.api.writes("PUT")
    assert request.path == "/apis/subresources.kubevirt.io/v1/namespaces/app/virtualmachineinstances/db/evacuate/cancel"
    assert request.body == {"evacuationNodeName": "node-1"}
    assert "evacuationNodeName" not in world.api.objects[VMI]["status"]
    world.clock.now = SETTLES_SECONDS
    assert executor.cancel(STEP).verdict is Verdict.CANCELLED
    assert len(world.api.writes("PUT")) == 1


def test_old_releases_cannot_cancel(world: World, executor: EvacuateExecutor) -> None:
    world.api.has_cancel = False
    executor.begin(STEP)
    receipt = executor.cancel(STEP)
    assert (receipt.verdict, receipt.code) == (Verdict.UNDER_WAY, "cancel-impossible")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    strategy=st.sampled_from(STRATEGIES),
    cluster=st.sampled_from(STRATEGIES),
    condition=st.sampled_from(["True", "False", "Unknown", None]),
    webhook=st.booleans(),
    phase=st.sampled_from(["Running", "Scheduled", "Failed"]),
    node=st.sampled_from(["node-1", "node-2", "node-3"]),
    uid=st.sampled_from(["vmi-uid", "another"]),
)
def test_no_vm_is_ever_killed(world: World, webhook: bool, **given_: str | None) -> None:
    """Whatever the VM, the cluster and the webhook are like."""
    condition = {"type": "LiveMigratable", "status": given_["condition"]}
    world.api.webhook, world.api.cluster_strategy = webhook, given_["cluster"]
    made = {
        "metadata": {"uid": given_["uid"]},
        "spec": {"evictionStrategy": given_["strategy"]},
        "status": {
            "phase": given_["phase"],
            "nodeName": given_["node"],
            "conditions": [condition] if given_["condition"] else [],
            "evacuationNodeName": None,
        },
    }
    world.api.change(VMI, made)
    executor = EvacuateExecutor(world.writer)
    executor.begin(STEP)
    executor.begin(STEP)
    executor.look(STEP)
    executor.cancel(STEP)
    assert "deletionTimestamp" not in world.api.objects[LAUNCHER]["metadata"]
