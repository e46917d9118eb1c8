"""Migrations to a planned node, from their creation to every end that they can have."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descheduler.executors.migrate import MACHINE, PLAN, STEP, MigrateExecutor, labels_of, name_of
from descheduler.executors.port import Verdict
from descheduler.executors.writer import HeldBackError
from tests.descheduler.executors.api import MIGRATIONS, Json, Request, status
from tests.descheduler.executors.world import KUBEVIRT, VMI, World, vm_step

STEP_1 = vm_step()


@pytest.fixture
def executor(world: World) -> MigrateExecutor:
    return MigrateExecutor(world.writer, pending_seconds=300.0)


def test_migration_names_vm_destination_and_plan(world: World, executor: MigrateExecutor) -> None:
    receipt = executor.begin(STEP_1)
    assert (receipt.verdict, receipt.code) == (Verdict.UNDER_WAY, "migration-waits")
    (request,) = world.api.done
    assert (request.method, request.path) == ("POST", f"{KUBEVIRT}/{MIGRATIONS}")
    assert request.body["spec"] == {"vmiName": "db", "addedNodeSelector": {"kubernetes.io/hostname": "host-of-node-2"}}
    meta = request.body["metadata"]
    assert meta["name"] == name_of(STEP_1)
    assert meta["labels"] == {PLAN: "relieve-1", STEP: "1", MACHINE: "vmi-uid"}
    assert meta["annotations"]["ullage.dev/reason"] == "It brings node-1 from 91 % to 78 %."


@given(st.text(min_size=1, max_size=300), st.integers(1, 10**6))
def test_names_and_labels_are_valid_for_any_plan(plan: str, number: int) -> None:
    step = vm_step(plan, number)
    assert re.fullmatch(r"ullage-[0-9a-f]{20}", name_of(step))
    assert max(map(len, labels_of(step).values())) <= 63


@given(st.lists(st.tuples(st.sampled_from(["a", "a1", "b"]), st.integers(1, 30)), min_size=2, max_size=9, unique=True))
def test_each_step_has_a_name_of_its_own(steps: list[tuple[str, int]]) -> None:
    assert len({name_of(vm_step(*each)) for each in steps}) == len(steps)


@pytest.mark.parametrize(
    ("change", "verdict", "code"),
    [
        ({"metadata": {"uid": "another"}}, "gone", "workload-gone"),
        ({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, "gone", "workload-ended"),
        ({"status": {"phase": "Failed"}}, "gone", "workload-ended"),
        ({"status": {"nodeName": "node-2"}}, "done", "moved"),
        ({"status": {"nodeName": "node-3"}}, "refused", "workload-elsewhere"),
        ({"status": {"nodeName": None}}, "refused", "workload-elsewhere"),
        ({"status": {"evacuationNodeName": "node-1"}}, "refused", "eviction-in-progress"),
        ({"status": {"migrationState": {"startTimestamp": "2026-01-01T00:00:00Z"}}}, "refused", "migrating"),
        ({"status": {"conditions": []}}, "refused", "not-live-migratable"),
        (
            {
                "status": {
                    "conditions": [{"type": "LiveMigratable", "status": "False", "reason": "DisksNotLiveMigratable"}]
                }
            },
            "refused",
            "not-live-migratable",
        ),
    ],
)
def test_vm_that_must_not_move_is_left_alone(
    world: World, executor: MigrateExecutor, change: Json, verdict: str, code: str
) -> None:
    world.api.change(VMI, change)
    receipt = executor.begin(STEP_1)
    assert (receipt.verdict, receipt.code) == (verdict, code)
    assert executor.probe(STEP_1).code == code
    assert world.api.asked("POST") == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (None, "node-gone"),
        ({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, "node-gone"),
        ({"spec": {"unschedulable": True}}, "node-unschedulable"),
        ({"metadata": {"labels": None}}, "node-without-hostname"),
    ],
)
def test_destination_is_looked_at_again(
    world: World, executor: MigrateExecutor, change: Json | None, code: str
) -> None:
    if change is None:
        world.api.remove("/api/v1/nodes/node-2")
    else:
        world.api.change("/api/v1/nodes/node-2", change)
    receipt = executor.begin(STEP_1)
    assert (receipt.verdict, receipt.code) == (Verdict.REFUSED, code)
    assert world.api.asked("POST") == []


def test_names_of_a_plan_lead_nowhere_else(world: World, executor: MigrateExecutor) -> None:
    assert executor.begin(vm_step(target="../pods?x=1#")).code == "node-gone"
    assert world.api.asked("GET", "/nodes")[-1].path == "/api/v1/nodes/..%2Fpods%3Fx%3D1%23"


def test_webhook_says_no(world: World, executor: MigrateExecutor) -> None:
    text = 'admission webhook "x" denied the request: Cannot migrate VMI, Reason: HotplugNotLiveMigratable, Message: m'
    world.api.answers = [status(400, "BadRequest", text)]
    receipt = executor.begin(STEP_1)
    assert (receipt.verdict, receipt.code, receipt.text) == (
        Verdict.REFUSED,
        "not-live-migratable",
        f"400 BadRequest: {text}",
    )


def test_migration_of_others_is_not_doubled(world: World, executor: MigrateExecutor) -> None:
    world.api.put(f"{KUBEVIRT}/{MIGRATIONS}/theirs", {"metadata": {}, "spec": {"vmiName": "db"}})
    assert executor.begin(STEP_1).code == "migrating"
    assert executor.probe(STEP_1).code == "migrating"
    assert world.api.writes("POST") == []


def test_created_at_the_same_time_by_another_replica_is_adopted(world: World, executor: MigrateExecutor) -> None:
    def race(request: Request) -> None:
        world.api.meanwhile = None
        world.api._post(request)

    world.api.meanwhile = race
    assert executor.begin(STEP_1).code == "migration-waits"
    assert world.api.done == []
    assert executor.look(STEP_1).verdict is Verdict.UNDER_WAY


@pytest.mark.parametrize("label", [PLAN, STEP, MACHINE])
def test_foreign_object_of_our_name_is_neither_adopted_nor_deleted(
    world: World, executor: MigrateExecutor, label: str
) -> None:
    executor.begin(STEP_1)
    world.api.change(world.migration, {"metadata": {"labels": {label: "other"}}})
    for call in (executor.begin, executor.look, executor.cancel):
        assert call(STEP_1).code == "name-taken"
    assert world.api.writes("DELETE") == []


@pytest.mark.parametrize(
    ("phase", "code"),
    [
        ("", "migration-waits"),
        ("Pending", "migration-waits"),
        ("Scheduling", "migration-prepares"),
        ("Scheduled", "migration-prepares"),
        ("PreparingTarget", "migration-prepares"),
        ("TargetReady", "migration-prepares"),
        ("WaitingForSync", "migration-prepares"),
        ("Running", "migration-runs"),
        ("Synchronizing", "migration-runs"),
        ("ANewOne", "migration-prepares"),
    ],
)
def test_phases_under_way(world: World, executor: MigrateExecutor, phase: str, code: str) -> None:
    executor.begin(STEP_1)
    world.migrate(phase)
    receipt = executor.look(STEP_1)
    assert (receipt.verdict, receipt.code) == (Verdict.UNDER_WAY, code)


TIMES = {"startTimestamp": "2026-01-01T00:00:10Z", "endTimestamp": "2026-01-01T00:01:40Z"}


def test_success_is_what_the_vm_says(world: World, executor: MigrateExecutor) -> None:
    executor.begin(STEP_1)
    world.migrate("Succeeded", **TIMES)
    assert executor.look(STEP_1).verdict is Verdict.UNDER_WAY
    world.arrive("node-2")
    receipt = executor.look(STEP_1)
    assert (receipt.verdict, receipt.code, receipt.seconds) == (Verdict.DONE, "moved", 90.0)


def test_success_at_another_node_is_a_failure(world: World, executor: MigrateExecutor) -> None:
    executor.begin(STEP_1)
    world.migrate("Succeeded", **TIMES)
    world.arrive("node-7")
    assert executor.look(STEP_1).verdict is Verdict.FAILED
    assert executor.look(STEP_1).code == "moved-elsewhere"


def test_failure_carries_its_reason_and_is_not_begun_again(world: World, executor: MigrateExecutor) -> None:
    executor.begin(STEP_1)
    world.migrate("Failed", failureReason="no luck", failed=True, **TIMES)
    for call in (executor.look, executor.begin, executor.cancel):
        receipt = call(STEP_1)
        assert (receipt.verdict, receipt.code, receipt.text, receipt.seconds) == (
            "failed",
            "migration-failed",
            "no luck",
            90,
        )
    assert len(world.api.done) == 1


@pytest.mark.parametrize(
    "change", [{"status": {"migrationState": {"abortRequested": True}}}, {"metadata": {"deletionTimestamp": "x"}}]
)
def test_failure_on_request_is_no_failure(world: World, executor: MigrateExecutor, change: Json) -> None:
    executor.begin(STEP_1)
    world.migrate("Failed", failed=True)
    world.api.change(world.migration, change)
    assert executor.look(STEP_1).verdict is Verdict.CANCELLED


@pytest.mark.parametrize(
    ("change", "verdict", "code"),
    [
        ({"status": {"nodeName": "node-2"}}, "done", "moved"),
        ({"status": {"nodeName": "node-3"}}, "done", "moved-elsewhere"),
        ({}, "cancelled", "migration-vanished"),
        ({"status": {"evacuationNodeName": "node-1"}}, "under-way", "migration-runs"),
        ({"status": {"migrationState": {"startTimestamp": "2026-01-01T00:00:00Z"}}}, "under-way", "migration-runs"),
        (
            {"status": {"migrationState": {**TIMES, "failed": True, "targetNode": "node-2"}}},
            "failed",
            "migration-failed",
        ),
        (
            {"status": {"migrationState": {**TIMES, "failed": True, "abortRequested": True, "targetNode": "node-2"}}},
            "cancelled",
            "migration-vanished",
        ),
        ({"metadata": {"uid": "another"}}, "gone", "workload-gone"),
    ],
)
def test_migration_that_vanished(
    world: World, executor: MigrateExecutor, change: Json, verdict: str, code: str
) -> None:
    executor.begin(STEP_1)
    world.api.remove(world.migration)
    world.api.change(VMI, change)
    for call in (executor.look, executor.cancel):
        receipt = call(STEP_1)
        assert (receipt.verdict, receipt.code) == (verdict, code)


def test_slot_that_never_comes_is_given_up(world: World, executor: MigrateExecutor) -> None:
    executor.begin(STEP_1)
    world.clock.now = 300.0
    assert executor.look(STEP_1).code == "migration-waits"
    world.clock.now = 301.0
    assert executor.look(STEP_1).code == "pending-too-long"
    (request,) = world.api.writes("DELETE")
    assert request.body["preconditions"] == {"uid": f"uid-of-{name_of(STEP_1)}"}
    assert executor.look(STEP_1).verdict is Verdict.CANCELLED


def test_scheduling_is_left_to_the_limits_of_kubevirt(world: World, executor: MigrateExecutor) -> None:
    executor.begin(STEP_1)
    world.migrate("Scheduling")
    world.clock.now = 800.0
    assert executor.look(STEP_1).code == "migration-prepares"


@pytest.mark.parametrize(("configured", "allowed"), [(150, 1800.0), (20, 500.0), (None, 1800.0)])
def test_copy_beyond_the_deadline_of_kubevirt_is_ended(
    world: World, executor: MigrateExecutor, configured: int | None, allowed: float
) -> None:
    """4Gi are 5 units of a decimal gigabyte; a paused guest has as long again, and 300 s are grace."""
    executor.begin(STEP_1)
    world.migrate("Running", startTimestamp="2026-01-01T00:00:10Z")
    if configured is not None:
        limits = {"completionTimeoutPerGiB": configured}
        state = {"startTimestamp": "2026-01-01T00:00:10Z", "migrationConfiguration": limits}
        world.api.change(VMI, {"status": {"migrationState": state}})
    world.clock.now = allowed + 10.0
    assert executor.look(STEP_1).code == "migration-runs"
    world.clock.now += 1.0
    assert executor.look(STEP_1).code == "migration-overdue"
    assert executor.look(STEP_1).code == "cancelling"
    assert len(world.api.writes("DELETE")) == 1


def test_post_copy_is_never_cancelled_for_being_late(world: World, executor: MigrateExecutor) -> None:
    executor.begin(STEP_1)
    world.migrate("Running", startTimestamp="2026-01-01T00:00:10Z", mode="PostCopy")
    world.clock.now = 10**6
    assert executor.look(STEP_1).code == "migration-runs"


def test_kubevirt_that_drops_the_destination_migrates_nothing(world: World, executor: MigrateExecutor) -> None:
    world.api.drops_destinations = True
    receipt = executor.begin(STEP_1)
    assert (receipt.verdict, receipt.code) == (Verdict.REFUSED, "no-targeted-migration")
    assert len(world.api.writes("DELETE")) == 1
    assert world.migration not in world.api.objects


def test_undirected_migration_that_could_not_be_ended_is_ended_later(world: World, executor: MigrateExecutor) -> None:
    world.api.drops_destinations = True

    def slow(request: Request) -> None:
        world.api.lose = "before" if request.method == "DELETE" else None

    world.api.meanwhile = slow
    assert executor.begin(STEP_1).verdict is Verdict.UNKNOWN
    world.api.meanwhile = None
    assert executor.look(STEP_1).code == "no-targeted-migration"
    assert world.migration not in world.api.objects


def test_cancelling_is_asked_once_and_of_this_very_object(world: World, executor: MigrateExecutor) -> None:
    executor.begin(STEP_1)
    world.migrate("Running", startTimestamp="2026-01-01T00:00:10Z")
    assert executor.cancel(STEP_1).code == "cancelling"
    assert executor.cancel(STEP_1).code == "cancelling"
    assert len(world.api.writes("DELETE")) == 1
    world.migrate("Succeeded", **TIMES)
    world.arrive("node-2")
    assert executor.look(STEP_1).verdict is Verdict.DONE


def test_object_of_the_same_name_made_anew_is_not_cancelled(world: World, executor: MigrateExecutor) -> None:
    executor.begin(STEP_1)

    def replaced(_: Request) -> None:
        world.api.change(world.migration, {"metadata": {"uid": "newer"}})

    world.api.meanwhile = replaced
    assert executor.cancel(STEP_1).verdict is Verdict.UNDER_WAY
    assert world.api.writes("DELETE") == []
    assert world.migration in world.api.objects


@pytest.mark.parametrize("moment", ["before", "committed"])
def test_lost_reply_to_a_cancellation(world: World, executor: MigrateExecutor, moment: str) -> None:
    executor.begin(STEP_1)
    world.api.lose = moment
    assert executor.cancel(STEP_1).verdict is Verdict.UNKNOWN
    if moment == "before":
        assert executor.cancel(STEP_1).verdict is Verdict.UNDER_WAY
    assert executor.look(STEP_1).verdict is Verdict.CANCELLED
    assert len(world.api.writes("DELETE")) == 1


def test_held_back_cancellation_is_not_sent(world: World, executor: MigrateExecutor) -> None:
    executor.begin(STEP_1)
    world.held_back = "paused"
    with pytest.raises(HeldBackError):
        executor.cancel(STEP_1)
    assert world.migration in world.api.objects
