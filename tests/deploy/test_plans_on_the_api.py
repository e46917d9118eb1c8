"""RebalancePlans on a real API server: what is kept is what was given, what makes no sense is refused, kubectl works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from descheduler.acting.course import Phase, PlanPhase
from descheduler.acting.kube_stores import KubePlans
from descheduler.acting.resource import MOST_MOVES, Approval, NodeUse, PlanResource, Spec, Use
from descheduler.executors.port import Receipt, Verdict
from descheduler.executors.writer import Writer
from tests.controlplane.plane import ControlPlane, KubectlError
from tests.controlplane.rest import Rest, RestError
from tests.deploy.bases import PLANS
from tests.deploy.plans import NOW, document, relief, resource
from ullage.sources.kube_api.connection import Connection
from ullage.sources.kube_api.errors import ApiError, ConflictError, ForbiddenError

pytestmark = pytest.mark.xdist_group("control-plane")


@pytest.fixture
def connection(account_config: Path, admin: Rest) -> Iterator[Connection]:
    """The descheduler's connection, with the rights of its role; no plan outlives the test."""
    yield Connection.load(account_config)
    admin.delete(PLANS)


@pytest.fixture
def plans(connection: Connection) -> KubePlans:
    return KubePlans(Writer(connection, lambda _: ""), keep=2)


def ended(plans: KubePlans, plan: PlanResource) -> PlanResource:
    return plans.update(plan.at(plan.course().in_phase(PlanPhase.FINISHED), NOW))


def unlisted(plan: PlanResource) -> PlanResource:
    """The plan but for what the API server sets."""
    meta = msgspec.structs.replace(plan.metadata, uid="", resource_version="", creation_timestamp=None)
    return msgspec.structs.replace(plan, metadata=meta)


def approve(plane: ControlPlane, name: str, word: str = "Approved") -> str:
    return plane.kubectl("patch", "rebalanceplan", name, "--type=merge", "-p", f'{{"spec": {{"approval": "{word}"}}}}')


def test_a_plan_is_kept_as_it_was_made(plans: KubePlans) -> None:
    wanted = resource("p1", approved=True)
    made = plans.create(wanted)
    assert unlisted(made) == wanted
    assert made.metadata.uid
    assert plans.open() == made
    assert plans.all() == [made]


def test_its_course_is_kept_step_by_step_and_what_is_not_known_stays_unknown(plans: KubePlans) -> None:
    plan = resource("p1")
    unknown = (NodeUse("n9", Use(), Use(cpu_ratio=1.25)), *plan.status.nodes)
    moves = tuple(msgspec.structs.replace(m, expected_seconds=None) for m in plan.spec.moves)
    plan = msgspec.structs.replace(
        plan, spec=Spec(plan.spec.goal, moves), status=msgspec.structs.replace(plan.status, nodes=unknown)
    )
    plan = plans.create(plan)
    course = plan.course().noting(1, Receipt(Verdict.UNDER_WAY, "accepted", "It is wörking."), NOW)
    running = plans.update(plan.at(course.in_phase(PlanPhase.RUNNING), NOW, "on its way"))
    assert running.status.nodes == unknown
    assert running.status.steps[0].began_at_seconds == NOW
    course = course.noting(1, Receipt(Verdict.DONE, "moved"), NOW + 7).skipping(2, "not-needed", "No need.", NOW + 8)
    done = running.at(course.in_phase(PlanPhase.FINISHED), NOW + 8).with_after(relief())
    kept = plans.update(done)
    assert unlisted(kept) == unlisted(done)
    assert [s.phase for s in kept.status.steps] == [Phase.SUCCEEDED, Phase.SKIPPED]
    assert (kept.status.done, kept.status.finished_at, kept.status.message) == ("2/2", "2023-11-14T22:13:28Z", "")
    assert plans.open() is None
    assert plans.all() == [kept]


def test_what_was_begun_to_be_made_is_made_to_the_end(plans: KubePlans, admin: Rest) -> None:
    admin.post(PLANS, document("p1"))  # the process died before it wrote the status, or the reply was lost
    assert plans.create(resource("p1", approved=True)).status.phase is PlanPhase.APPROVED
    again = plans.create(resource("p1"))
    assert again.status.phase is PlanPhase.APPROVED
    assert plans.all() == [again]


def test_plans_that_ended_make_room_and_others_do_not(plans: KubePlans) -> None:
    for name in ("a", "b", "c"):
        ended(plans, plans.create(resource(name)))
    waiting = plans.create(resource("d"))
    plans.create(resource("e"))
    assert [p.metadata.name for p in plans.all()] == ["b", "c", "d", "e"]
    assert plans.open() == waiting


def test_a_plan_is_forgotten_only_as_it_was_read(plans: KubePlans, control_plane: ControlPlane) -> None:
    plan = plans.create(resource("p1"))
    approve(control_plane, "p1")
    with pytest.raises(ConflictError):
        plans.delete(plan)
    (approved,) = plans.all()
    plans.delete(approved)
    plans.delete(approved)
    assert plans.all() == []


def test_another_plan_of_the_same_name_is_not_written(plans: KubePlans) -> None:
    first = plans.create(resource("p1"))
    plans.delete(first)
    second = plans.create(resource("p1"))
    with pytest.raises(ApiError, match="422 Invalid: the server rejected our request"):
        ended(plans, first)
    assert plans.all() == [second]


def test_plans_of_others_do_not_stop_ours(plans: KubePlans, admin: Rest) -> None:
    admin.post(PLANS, document("written-by-hand"))
    ours = plans.create(resource("z"))
    assert [p.metadata.name for p in plans.all()] == ["written-by-hand", "z"]
    assert plans.all()[1] == ours


def test_a_plan_of_many_moves_fits_and_a_longer_one_is_cut(plans: KubePlans) -> None:
    plan = relief()
    move = msgspec.structs.replace(plan.spec.moves[0], reason="x" * 1000)
    many = msgspec.structs.replace(plan, spec=msgspec.structs.replace(plan.spec, moves=(move,) * (MOST_MOVES + 1)))
    made = plans.create(PlanResource.of("long", many, approved=True))
    course = made.course()
    for number in range(1, MOST_MOVES + 1):
        course = course.noting(number, Receipt(Verdict.FAILED, "migration-failed", "y" * 1000), NOW)
    kept = plans.update(made.at(course, NOW))
    assert (len(kept.spec.moves), kept.status.done) == (MOST_MOVES, f"{MOST_MOVES}/{MOST_MOVES}")


def test_people_see_columns_and_approve_with_kubectl(plans: KubePlans, control_plane: ControlPlane) -> None:
    plans.create(resource("p1"))
    head, row = control_plane.kubectl("get", "rbp").splitlines()
    assert head.split() == ["NAME", "GOAL", "MOVES", "PHASE", "APPROVAL", "AGE"]
    assert row.split()[:4] == ["p1", "relieve", "0/2", "Proposed"]
    assert approve(control_plane, "p1") == "rebalanceplan.ullage.dev/p1 patched\n"
    (plan,) = plans.all()
    assert plan.spec.approval is Approval.APPROVED
    assert plan.course().phase is PlanPhase.APPROVED
    plans.update(plan.at(plan.course().in_phase(PlanPhase.RUNNING), NOW, "as asked"))
    head, row = control_plane.kubectl("get", "rebalanceplans", "-o", "wide").splitlines()
    assert row.split()[:5] == ["p1", "relieve", "0/2", "Running", "Approved"]
    assert row.endswith("as asked")


@pytest.mark.parametrize(
    ("first", "second"), [("Approved", "Rejected"), ("Rejected", "Approved"), ("Approved", ""), ("Rejected", "")]
)
def test_a_word_is_not_taken_back(plans: KubePlans, control_plane: ControlPlane, first: str, second: str) -> None:
    plans.create(resource("p1"))
    approve(control_plane, "p1", first)
    with pytest.raises(KubectlError, match="are given once, and not taken back"):
        approve(control_plane, "p1", second)
    approve(control_plane, "p1", first)


def test_a_plan_that_does_not_wait_is_not_approved(plans: KubePlans, control_plane: ControlPlane) -> None:
    plans.create(resource("p1", approved=True))
    with pytest.raises(KubectlError, match="approved or rejected while its phase is Proposed"):
        approve(control_plane, "p1")


@pytest.mark.usefixtures("connection")
def test_goal_and_moves_do_not_change(admin: Rest) -> None:
    admin.post(PLANS, document("p1"))
    elsewhere = [{"op": "replace", "path": "/spec/moves/0/to", "value": "n3"}]
    for patch, kind, message in (
        ({"spec": {"goal": "balance"}}, "merge", "the goal of a plan does not change"),
        ({"spec": {"moves": []}}, "merge", "should have at least 1 items"),
        (elsewhere, "json", "the moves of a plan do not change"),
        ([{"op": "remove", "path": "/spec/moves/1"}], "json", "the moves of a plan do not change"),
    ):
        with pytest.raises(RestError, match=message) as refused:
            admin.patch(f"{PLANS}/p1", patch, kind)  # type: ignore[arg-type]
        assert refused.value.status == 422


@pytest.mark.usefixtures("connection")
def test_what_makes_no_sense_is_refused_with_its_place(admin: Rest) -> None:
    (move, _) = document("p")["spec"]["moves"]  # type: ignore[index]
    workload = move["workload"]
    for spec, message in (
        ({"goal": "chaos"}, "spec.goal: Unsupported value"),
        ({"goal": None}, "spec.goal: Required value"),
        ({"moves": [{**move, "to": "n1"}]}, "a move leads to another node"),
        ({"moves": [{**move, "memoryBytes": -1}]}, r"spec.moves\[0\].memoryBytes: Invalid value"),
        ({"moves": [{**move, "memoryBytes": "2Gi"}]}, r"spec.moves\[0\].memoryBytes: Invalid value"),
        ({"moves": [{**move, "workload": {**workload, "kind": "Node"}}]}, "workload.kind: Unsupported value"),
        ({"moves": [{**move, "workload": {**workload, "uid": ""}}]}, r"spec.moves\[0\].workload.uid: Invalid value"),
        ({"moves": [move] * (MOST_MOVES + 1)}, "spec.moves: Too many"),
        ({"approval": "Perhaps"}, "spec.approval: Unsupported value"),
        ({"approval": "Approved"}, "a new plan has no approval"),
    ):
        with pytest.raises(RestError, match=message) as refused:
            admin.post(PLANS, document("p", **spec))
        assert refused.value.status == 422
    assert admin.list(PLANS) == []


@pytest.mark.usefixtures("connection")
def test_a_status_is_one_of_ours(admin: Rest) -> None:
    admin.post(PLANS, document("p1"))
    for status in ({"phase": "Thinking"}, {"steps": [{"phase": "Lost"}]}, {"finishedAt": "yesterday"}):
        with pytest.raises(RestError, match=r"Invalid value|Unsupported value"):
            admin.patch(f"{PLANS}/p1/status", {"status": status})


def test_the_descheduler_cannot_approve_its_own_plans(plans: KubePlans, connection: Connection) -> None:
    plans.create(resource("p1"))
    body, merge = json.dumps({"spec": {"approval": "Approved"}}).encode(), "application/merge-patch+json"
    with pytest.raises(ForbiddenError, match="cannot patch resource"):
        connection.request("PATCH", f"{PLANS}/p1", body=body, content_type=merge)
    connection.request("PATCH", f"{PLANS}/p1/status", body=body, content_type=merge)
    (plan,) = plans.all()
    assert plan.spec.approval is Approval.NONE
