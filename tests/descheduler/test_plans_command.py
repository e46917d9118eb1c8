"""``ullage plans`` as a person uses it, on a real API server and on one that has nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from descheduler.acting.course import PlanPhase
from descheduler.acting.kube_stores import KubePlans
from descheduler.acting.resource import Approval, PlanResource
from descheduler.acting.story import carried
from descheduler.executors.port import Receipt, Verdict
from descheduler.executors.writer import Writer
from descheduler.plans_command import age_of, described
from descheduler.report.carried_html import page
from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.deploy.bases import PLANS, apply_definitions
from tests.deploy.plans import NOW, relief, resource
from tests.sources.kube_api.following import served
from ullage import cli
from ullage.commands import Console
from ullage.sources.kube_api.connection import Connection

pytestmark = pytest.mark.xdist_group("control-plane")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def run(control_plane: ControlPlane, admin: Rest) -> Run:
    """Calls the command as the admin."""
    apply_definitions(control_plane, admin)

    def called(*arguments: str, config: Path = control_plane.admin) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        code = cli.run(["plans", *arguments, f"--kubeconfig={config}"], Console(out, err, {}))
        return code, out.getvalue(), err.getvalue()

    return called


@pytest.fixture
def plans(run: Run, control_plane: ControlPlane, admin: Rest) -> Iterator[KubePlans]:
    del run
    yield KubePlans(Writer(Connection.load(control_plane.admin), lambda _: ""))
    admin.delete(PLANS)


def running(name: str = "p1") -> PlanResource:
    """A plan of which one move has ended and the other is under way."""
    plan = resource(name, approved=True)
    course = plan.course().noting(1, Receipt(Verdict.UNDER_WAY, "accepted"), NOW)
    course = course.noting(1, Receipt(Verdict.FAILED, "migration-failed", "It hit\x1b[2J a deadline."), NOW + 75)
    return plan.at(course.noting(2, Receipt(Verdict.UNDER_WAY, "accepted"), NOW + 80).in_phase(PlanPhase.RUNNING), NOW)


def test_plans_are_listed_as_kubectl_does(run: Run, plans: KubePlans, control_plane: ControlPlane) -> None:
    assert run("list") == (0, "", "No plans found.\n")
    plans.create(resource("p1"))
    plans.create(running("p2"))
    code, out, err = run("list")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["NAME", "GOAL", "MOVES", "PHASE", "APPROVAL", "AGE"]
    assert [row[:5] for row in rows[1:]] == [
        ["p1", "relieve", "0/2", "Proposed", "-"],
        ["p2", "relieve", "1/2", "Running", "-"],
    ]
    assert run("list", "-o", "name") == (0, control_plane.kubectl("get", "rbp", "-o", "name"), "")


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_programs_get_what_kubectl_gives(
    run: Run, plans: KubePlans, control_plane: ControlPlane, output: str, read: Callable[[str], object]
) -> None:
    plans.create(running())
    listed = json.loads(control_plane.kubectl("get", "rbp", "-o", "json"))
    assert read(run("list", "-o", output)[1]) == {key: listed[key] for key in ("apiVersion", "kind", "items")}
    assert read(run("show", "p1", "-o", output)[1]) == listed["items"][0]
    control_plane.kubectl("replace", "-f", "-", input=run("show", "p1", "-o", output)[1])
    assert run("show", "p1", "-o", "name") == (0, "rebalanceplan.ullage.dev/p1\n", "")


def test_a_plan_is_approved_once(run: Run, plans: KubePlans) -> None:
    plans.create(resource("p1"))
    assert run("approve", "p1") == (0, "rebalanceplan.ullage.dev/p1 approved\n", "")
    (plan,) = plans.all()
    assert plan.spec.approval is Approval.APPROVED
    assert run("approve", "p1") == (0, "", "p1 was approved already.\n")
    code, out, err = run("reject", "p1")
    assert (code, out) == (1, "")
    assert "p1 does not wait for a decision: it is approved" in err


def test_a_plan_is_rejected(run: Run, plans: KubePlans) -> None:
    plans.create(resource("p1"))
    assert run("reject", "p1") == (0, "rebalanceplan.ullage.dev/p1 rejected\n", "")
    (plan,) = plans.all()
    assert plan.course().phase is PlanPhase.REJECTED


@pytest.mark.parametrize(("mode", "suffix"), [("client", "(dry run)"), ("server", "(server dry run)")])
def test_a_dry_run_changes_nothing(run: Run, plans: KubePlans, mode: str, suffix: str) -> None:
    made = plans.create(resource("p1"))
    said = f"rebalanceplan.ullage.dev/p1 approved {suffix}\n"
    assert run("approve", "p1", f"--dry-run={mode}") == (0, said, "")
    assert plans.all() == [made]


def test_a_dry_run_on_the_server_asks_it(run: Run, plans: KubePlans, control_plane: ControlPlane, admin: Rest) -> None:
    """Who may only read is told so; without the server nobody knows."""
    plans.create(resource("p1"))
    reader = control_plane.kubeconfig("reads-plans")
    role = ("reads-plans", "--verb=get", "--resource=rebalanceplans.ullage.dev")
    control_plane.kubectl("create", "clusterrole", *role)
    binding = ("reads-plans", "--clusterrole=reads-plans", "--user=reads-plans")
    control_plane.kubectl("create", "clusterrolebinding", *binding)
    try:
        until(lambda: run("show", "p1", config=reader)[0] == 0, "the reader's rights")
        code, out, err = run("approve", "p1", "--dry-run=server", config=reader)
        assert (code, out) == (1, "")
        assert "403 Forbidden" in err
        assert run("approve", "p1", "--dry-run=client", config=reader)[0] == 0
    finally:
        admin.delete("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/reads-plans")
        admin.delete("/apis/rbac.authorization.k8s.io/v1/clusterroles/reads-plans")


def test_a_plan_that_runs_is_not_approved(run: Run, plans: KubePlans) -> None:
    plans.create(running())
    code, _, err = run("approve", "p1")
    assert code == 1
    assert "it is in the phase Running" in err


def test_what_is_not_there_is_said(run: Run, plans: KubePlans) -> None:
    assert plans.all() == []
    for verb in ("show", "approve", "reject"):
        code, out, err = run(verb, "p9")
        assert (code, out) == (1, "")
        assert err.startswith("error: there is no plan p9\nhint: ullage plans list")


def test_a_name_leads_nowhere_else(run: Run, plans: KubePlans) -> None:
    plans.create(resource("p1"))
    assert run("show", "../rebalanceplans/p1")[0] == 1
    assert run("show", "p1?x=y")[0] == 1


def test_a_plan_of_another_release_is_left_out_and_named(run: Run, plans: KubePlans, admin: Rest) -> None:
    plans.create(resource("p1"))
    definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rebalanceplans.ullage.dev"
    goals = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/goal/enum"
    before = admin.get(definition)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    later = [*before["properties"]["goal"]["enum"], "cool"]
    admin.patch(definition, [{"op": "replace", "path": goals, "value": later}], "json")
    try:
        _until_made(admin, {**msgspec.to_builtins(resource("p2")), "spec": {**_spec(), "goal": "cool"}})
        code, out, err = run("list", "-o", "name")
        assert (code, out) == (0, "rebalanceplan.ullage.dev/p1\n")
        assert "a plan is left out, it may be one of another release" in err
    finally:
        admin.patch(definition, [{"op": "replace", "path": goals, "value": later[:-1]}], "json")


def _spec() -> dict[str, object]:
    made: dict[str, object] = msgspec.to_builtins(resource("p").spec)
    return made


def _until_made(admin: Rest, body: dict[str, object]) -> None:
    def is_made() -> bool:
        try:
            admin.post(PLANS, body)
        except RestError as error:
            if error.status != 422:
                raise
            return False
        return True

    until(is_made, "the later definition")


def test_a_plan_is_told_with_its_moves_and_what_came_of_the_nodes() -> None:
    plan = running()
    text = described(plan)
    lines = text.splitlines()
    assert lines[:4] == ["Name:      p1", "Goal:      relieve", "Phase:     Running", "Moves:     1/2"]
    head = next(line for line in lines if line.startswith("STEP"))
    first, second = lines[lines.index(head) + 1 :][:2]
    assert head.split() == ["STEP", "NAMESPACE", "NAME", "FROM", "TO", "MEMORY", "PHASE", "TOOK", "REASON"]
    move = plan.spec.moves[0]
    assert first.split()[:7] == ["1", "shop", move.workload.name, "n1", "n2", "2Gi", "Failed"]
    assert "1 min 15 s   migration-failed: It hit\\x1b[2J a deadline." in first
    assert second.split()[6:] == ["Running", "-", "accepted"]
    rows = {line.split()[0]: line.split()[1:] for line in lines[lines.index(second) + 3 :]}
    assert rows == {
        "n1": ["101.2%", "78.8%", "-", "28.1%", "21.9%", "-"],
        "n2": ["0.0%", "22.5%", "-", "0.0%", "6.2%", "-"],
    }
    assert "\x1b" not in text


def test_what_came_is_told_once_it_is_known() -> None:
    after = msgspec.structs.replace(relief().status.nodes[0].before, cpu_ratio=0.5, memory_ratio=None)
    seen = msgspec.structs.replace(relief().status.nodes[0], before=after)
    plan = msgspec.structs.replace(relief(), status=msgspec.structs.replace(relief().status, nodes=(seen,)))
    lines = described(running().with_after(plan)).splitlines()
    assert lines[-2].split() == ["n1", "101.2%", "78.8%", "50.0%", "28.1%", "21.9%", "?"]


def test_a_move_that_waits_says_why_it_is_wanted() -> None:
    plan = resource("p1")
    assert plan.spec.moves[0].reason in described(plan)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (10799, "179m"),
        (10800, "3h"),
        (172800, "2d"),
        (float("nan"), "-"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert age_of(seconds) == text


def test_a_cluster_that_knows_no_plans_says_what_to_do(tmp_path: Path) -> None:
    with served() as api:
        config = tmp_path / "config"
        config.write_text(_kubeconfig(api.port))
        out, err = io.StringIO(), io.StringIO()
        assert cli.run(["plans", "list", f"--kubeconfig={config}"], Console(out, err, {})) == 1
        assert "this cluster knows no RebalancePlans" in err.getvalue()
        assert "kubectl apply -k deploy/kustomize/crds" in err.getvalue()


def _kubeconfig(port: int) -> str:
    named = {"clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}]}
    contexts = [{"name": "c", "context": {"cluster": "c", "user": "c"}}]
    users = [{"name": "c", "user": {"token": "t"}}]
    head = {"apiVersion": "v1", "kind": "Config", "current-context": "c"}
    return yaml.safe_dump({**head, **named, "contexts": contexts, "users": users})


def test_a_plan_is_told_as_a_page(run: Run, plans: KubePlans, tmp_path: Path) -> None:
    """Thresholds and all else that the page needs are kept by the API server."""
    plans.create(running())
    file = tmp_path / "story.html"
    code, _, err = run("show", "p1", "--report", str(file))
    assert (code, err) == (0, f"report written to {file}\n")
    text = file.read_text()
    assert text == page(carried(plans.all()[0]))
    assert "threshold 80%" in text
    assert "0 of 2 moves made" in text
    assert "1 failed, 1 running" in text
