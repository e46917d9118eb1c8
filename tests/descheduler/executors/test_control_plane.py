"""Executors on a real control plane with KubeVirt's stand-in: real preconditions, budgets, webhooks, and writers that race."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from itertools import count

import pytest

from descheduler.executors.evacuate import EvacuateExecutor
from descheduler.executors.events import Events, Happening, Reference
from descheduler.executors.evict import EvictExecutor
from descheduler.executors.migrate import MigrateExecutor, name_of
from descheduler.executors.port import FINAL, MoveExecutor, Receipt, Step, Verdict
from descheduler.executors.taint import EFFECT, KEY, Change, SoftTaints
from descheduler.executors.writer import Writer
from descheduler.policy.plan import PlannedMove, WorkloadRef
from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.standin.cluster import StandIn
from tests.standin.conftest import cluster as cluster
from tests.standin.conftest import standin as standin
from tests.standin.kubevirt import names
from tests.standin.kubevirt.outcomes import Outcome
from tests.standin.nodes import GI
from tests.standin.use import Use
from tests.standin.wire import Json, Key, is_going, pod_path
from ullage.sources.kube_api.connection import Connection

pytestmark = pytest.mark.xdist_group("control-plane")
USE = Use(cpu_cores=1, working_set_bytes=2 * GI)
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


@pytest.fixture
def writer(control_plane: ControlPlane) -> Writer:
    return Writer(Connection.load(control_plane.admin), lambda _: "")


def step_for(admin: Rest, path: str, kind: str, pod: str, target: str = "node-0003") -> Step:
    meta = admin.get(path)["metadata"]
    workload = WorkloadRef(kind, meta["namespace"], meta["name"], meta["uid"])  # type: ignore[arg-type]
    move = PlannedMove(
        workload=workload,
        source="node-0001",
        target=target,
        memory_bytes=2 * GI,
        cpu_cores=1.0,
        code="relieve",
        reason="A test wants it.",
    )
    return Step("plan", 1, move, pod)


def vm(admin: Rest, standin: StandIn, namespace: str, **traits: str | None) -> tuple[Key, Step]:
    key = standin.create_vm("db", 4 * GI, 2, namespace=namespace, node="node-0001", use=USE, **traits)
    standin.settle()
    (pod,) = admin.list(f"/api/v1/namespaces/{namespace}/pods")
    return key, step_for(admin, names.machine_path(key), "VirtualMachineInstance", pod["metadata"]["name"])


def ended(executor: MoveExecutor, step: Step, seconds: float = 60.0) -> Receipt:
    def final() -> Receipt | None:
        receipt = executor.look(step)
        return receipt if receipt.verdict in FINAL else None

    return until(final, "the end of a move", seconds=seconds)


# -- migrations


def test_vm_migrates_to_the_planned_node(admin: Rest, standin: StandIn, namespace: str, writer: Writer) -> None:
    key, step = vm(admin, standin, namespace)
    executor = MigrateExecutor(writer)
    assert executor.probe(step).code == "feasible"
    assert executor.begin(step).verdict is Verdict.UNDER_WAY
    assert MigrateExecutor(writer).begin(step).verdict in {Verdict.UNDER_WAY, Verdict.DONE}
    receipt = ended(executor, step)
    assert (receipt.verdict, receipt.code) == (Verdict.DONE, "moved")
    assert admin.get(names.machine_path(key))["status"]["nodeName"] == "node-0003"
    found = admin.list(f"{names.API}/namespaces/{namespace}/virtualmachineinstancemigrations")
    assert [each["metadata"]["name"] for each in found] == [name_of(step)]


def test_failed_migration_says_why(admin: Rest, standin: StandIn, namespace: str, writer: Writer) -> None:
    key, step = vm(admin, standin, namespace)
    standin.order(key, Outcome(fail_at=0.5, reason="no luck"))
    executor = MigrateExecutor(writer)
    executor.begin(step)
    receipt = ended(executor, step)
    assert (receipt.verdict, receipt.text) == (Verdict.FAILED, "no luck")


def test_migration_is_cancelled(admin: Rest, standin: StandIn, namespace: str, writer: Writer) -> None:
    key, step = vm(admin, standin, namespace)
    standin.order(key, Outcome(stall=True))
    executor = MigrateExecutor(writer)
    executor.begin(step)
    until(lambda: executor.look(step).code == "migration-runs", "the copy")
    assert executor.cancel(step).code == "cancelling"
    assert ended(executor, step).verdict is Verdict.CANCELLED
    assert admin.get(names.machine_path(key))["status"]["nodeName"] == "node-0001"


def test_migration_is_refused_by_the_webhook(admin: Rest, standin: StandIn, namespace: str, writer: Writer) -> None:
    key, step = vm(admin, standin, namespace)
    standin.order(key, Outcome(stall=True))
    first, second = MigrateExecutor(writer), MigrateExecutor(writer)
    first.begin(step)
    for call in (second.probe, second.begin):
        receipt = call(_numbered(step, 2))
        assert (receipt.verdict, receipt.code) == (Verdict.REFUSED, "migrating")
    standin.order(key, Outcome())
    assert ended(first, step).verdict is Verdict.DONE


def test_what_a_policy_forbids_shows_in_the_dry_run(
    admin: Rest, standin: StandIn, namespace: str, writer: Writer
) -> None:
    _, step = vm(admin, standin, namespace)
    executor = MigrateExecutor(writer)
    for path, spec in ((POLICIES, _forbids_migrations()), (BINDINGS, _binding(namespace))):
        admin.post(path, {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": namespace}, **spec})
    try:
        receipt = until(lambda: r if (r := executor.probe(step)).code != "feasible" else None, "the policy")
        assert (receipt.verdict, receipt.code) == (Verdict.REFUSED, "rejected")
        assert "not on a Sunday" in receipt.text
    finally:
        admin.delete(f"{BINDINGS}/{namespace}")
        admin.delete(f"{POLICIES}/{namespace}")
    assert admin.list(f"{names.API}/namespaces/{namespace}/virtualmachineinstancemigrations") == []


def _forbids_migrations() -> Json:
    rule = {
        "apiGroups": ["kubevirt.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": ["virtualmachineinstancemigrations"],
    }
    validations = [{"expression": "false", "message": "not on a Sunday"}]
    constraints = {"resourceRules": [rule]}
    spec = {"failurePolicy": "Fail", "matchConstraints": constraints, "validations": validations}
    return {"kind": "ValidatingAdmissionPolicy", "spec": spec}


def _binding(namespace: str) -> Json:
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    spec = {
        "policyName": namespace,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": selector},
    }
    return {"kind": "ValidatingAdmissionPolicyBinding", "spec": spec}


def _numbered(step: Step, number: int) -> Step:
    return Step(step.plan, number, step.move, step.pod)


# -- evacuations


def test_evicted_vm_migrates(admin: Rest, standin: StandIn, namespace: str, writer: Writer) -> None:
    key, step = vm(admin, standin, namespace)
    executor = EvacuateExecutor(writer)
    assert executor.probe(step).code == "feasible"
    assert "evacuationNodeName" not in admin.get(names.machine_path(key))["status"]
    assert executor.begin(step).code == "evacuating"
    assert ended(executor, step).verdict is Verdict.DONE
    assert admin.get(names.machine_path(key))["status"]["nodeName"] != "node-0001"
    (migration,) = admin.list(f"{names.API}/namespaces/{namespace}/virtualmachineinstancemigrations")
    assert migration["spec"]["priority"] == "system-maintenance"


@pytest.mark.parametrize(
    ("traits", "code"),
    [
        ({"eviction_strategy": None}, "would-kill"),
        ({"eviction_strategy": "External"}, "eviction-strategy"),
        ({"not_migratable": "DisksNotLiveMigratable"}, "not-live-migratable"),
        (
            {"eviction_strategy": "LiveMigrateIfPossible", "not_migratable": "DisksNotLiveMigratable"},
            "not-live-migratable",
        ),
    ],
)
def test_vm_that_an_eviction_would_kill_is_not_touched(
    admin: Rest, standin: StandIn, namespace: str, writer: Writer, traits: dict[str, str | None], code: str
) -> None:
    key, step = vm(admin, standin, namespace, **traits)
    receipt = EvacuateExecutor(writer).begin(step)
    assert (receipt.verdict, receipt.code) == (Verdict.REFUSED, code)
    assert writer.connection.requests().get(("POST", "201"), 0) == 0
    assert admin.get(names.machine_path(key))["status"]["phase"] == "Running"


# -- evictions of pods


def pods_of(admin: Rest, standin: StandIn, namespace: str, budgets: int, allowed: int = 0) -> Step:
    """A pod of a ReplicaSet at node-0001 that some budgets cover, which the real controller has counted."""
    standin.create_replicaset("web", 1, namespace=namespace, node="node-0001")
    spec = {"maxUnavailable": allowed, "selector": {"matchLabels": {"app": "web"}}}
    for number in range(budgets):
        body = {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": f"web-{number}"},
            "spec": spec,
        }
        admin.post(f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets", body)
    standin.settle()
    path = pod_path((namespace, "web-0"))
    until(lambda: admin.get(path)["metadata"].get("ownerReferences"), "adoption by the ReplicaSet")
    # Of several, the controller looks after one alone.
    until(lambda: any(map(_is_counted, budgets_in(admin, namespace))), "a counted budget")
    return step_for(admin, path, "Pod", "web-0")


def budgets_in(admin: Rest, namespace: str) -> list[Json]:
    return admin.list(f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets")


def _is_counted(budget: Json) -> bool:
    status = budget.get("status") or {}
    return bool(status.get("expectedPods")) and status["currentHealthy"] == 1


def test_pod_is_evicted_and_replaced(admin: Rest, standin: StandIn, namespace: str, writer: Writer) -> None:
    step = pods_of(admin, standin, namespace, budgets=1, allowed=1)
    executor = EvictExecutor(writer)
    assert executor.probe(step).code == "feasible"
    assert not is_going(admin.get(pod_path((namespace, "web-0"))))
    assert executor.begin(step).code == "eviction-accepted"
    assert ended(executor, step).code == "evicted"
    assert executor.begin(step).verdict is Verdict.GONE


def test_budget_of_nothing_keeps_the_pod(admin: Rest, standin: StandIn, namespace: str, writer: Writer) -> None:
    step = pods_of(admin, standin, namespace, budgets=1)
    executor = EvictExecutor(writer)
    for call in (executor.probe, executor.begin):
        receipt = call(step)
        assert (receipt.verdict, receipt.code) == (Verdict.LATER, "disruption-budget")
        assert receipt.retry_after_seconds == 5.0
    assert not is_going(admin.get(pod_path((namespace, "web-0"))))


def test_two_budgets_keep_the_pod(admin: Rest, standin: StandIn, namespace: str, writer: Writer) -> None:
    step = pods_of(admin, standin, namespace, budgets=2, allowed=1)
    receipt = EvictExecutor(writer).begin(step)
    assert (receipt.verdict, receipt.code) == (Verdict.REFUSED, "several-budgets")
    # The refusal comes with a status of success: only the body tells.
    assert writer.connection.requests()["POST", "500"] == 1
    assert not is_going(admin.get(pod_path((namespace, "web-0"))))


def test_pod_made_anew_after_the_look_is_kept_by_the_precondition(
    admin: Rest, standin: StandIn, namespace: str, writer: Writer
) -> None:
    """The guard is asked between the look at the pod and the write: just then another one takes its name."""
    key = standin.create_pod("lonely", namespace=namespace, node="node-0001")
    standin.settle()
    step = step_for(admin, pod_path(key), "Pod", "lonely")

    def replaced(_: float) -> str:
        admin.delete(pod_path(key), {"gracePeriodSeconds": 0})
        until(lambda: not _exists(admin, pod_path(key)), "the end of the pod")
        standin.create_pod("lonely", namespace=namespace, node="node-0001")
        return ""

    receipt = EvictExecutor(Writer(writer.connection, replaced)).begin(step)
    assert (receipt.verdict, receipt.code) == (Verdict.GONE, "workload-gone"), receipt.text
    assert not is_going(admin.get(pod_path(key)))


def _exists(admin: Rest, path: str) -> bool:
    try:
        admin.get(path)
    except RestError as error:
        if error.status != 404:
            raise
        return False
    return True


# -- taints


def taints_of(admin: Rest, node: str) -> list[Json]:
    found: list[Json] = admin.get(f"/api/v1/nodes/{node}")["spec"].get("taints", [])
    return found


@pytest.mark.usefixtures("standin")
def test_taints_race_with_another_writer(admin: Rest, writer: Writer) -> None:
    """It adds taints as fast as it can, by the same rules; nobody loses an update, and ours is right."""
    node = "node-0002"
    uid = admin.get(f"/api/v1/nodes/{node}")["metadata"]["uid"]
    before = taints_of(admin, node)
    soft, stop, written = SoftTaints(writer), threading.Event(), set[str]()
    other = threading.Thread(target=_taint_on, args=(admin, node, stop, written))
    other.start()
    try:
        changes = _taint_and_clear(soft, node, uid, written)
        stop.set()
        other.join()
        soft.reconcile({node: uid}, 1_000_100.0)
        after = taints_of(admin, node)
        assert {each["key"] for each in after} == {KEY, *written, *(each["key"] for each in before)}
        assert len(written) > 5
        assert len(changes) >= 10
        soft.clear()
        assert soft.listed() == ()
        assert [each for each in taints_of(admin, node) if each["key"] not in written] == before
    finally:
        stop.set()
        other.join()
        _clear_others(admin, node)


def _taint_and_clear(soft: SoftTaints, node: str, uid: str, written: set[str]) -> list[Change]:
    """Set and take away ours, at least 30 times and until the other one has come to write, too."""
    changes: list[Change] = []
    end = time.monotonic() + 60
    turn = 0
    while turn < 30 or (len(written) <= 5 and time.monotonic() < end):
        kept = soft.reconcile({node: uid} if turn % 2 == 0 else {}, 1_000_000.0 + turn)
        changes += [each.change for each in kept]
        turn += 1
    return changes


def _taint_on(admin: Rest, node: str, stop: threading.Event, written: set[str]) -> None:
    """Add taints one after the other, each on the newest list."""
    for number in count():
        if stop.wait(0.02) or len(written) > 60:
            return
        found = admin.get(f"/api/v1/nodes/{node}")
        key = f"other.example/t{number}"
        taints = [*found["spec"].get("taints", []), {"key": key, "effect": EFFECT}]
        body = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}, "spec": {"taints": taints}}
        with suppress(RestError):  # a conflict: it was not written
            admin.patch(f"/api/v1/nodes/{node}", body)
            written.add(key)


def _clear_others(admin: Rest, node: str) -> None:
    kept = [each for each in taints_of(admin, node) if not each["key"].startswith("other.example/")]
    admin.patch(f"/api/v1/nodes/{node}", {"spec": {"taints": kept}})


@pytest.mark.usefixtures("standin")
def test_taint_passes_the_servers_validation(admin: Rest, writer: Writer) -> None:
    uid = admin.get("/api/v1/nodes/node-0001")["metadata"]["uid"]
    soft = SoftTaints(writer)
    assert [each.change for each in soft.reconcile({"node-0001": uid}, 1_000_000.5)] == [Change.ADDED]
    assert {"key": KEY, "effect": EFFECT, "value": "1000901"} in taints_of(admin, "node-0001")
    assert soft.reconcile({"node-0001": uid}, 1_000_001.0) == ()
    assert [each.change for each in soft.clear()] == [Change.REMOVED]


# -- events


def test_event_is_found_by_kubectl(
    control_plane: ControlPlane, admin: Rest, standin: StandIn, namespace: str, writer: Writer
) -> None:
    key = standin.create_pod("web", namespace=namespace, node="node-0001")
    step = step_for(admin, pod_path(key), "Pod", "web")
    note = "It was moved, since node-0001 is over. " + "x" * 2000
    events = Events(writer, "replica-1")
    related = Reference.node("node-0003")
    assert events.tell(
        Happening(Reference.of(step.move.workload), "NodeOverutilized", "Evicted", note, related=related)
    )
    (found,) = (
        each
        for each in admin.list(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
        if each["reportingController"] == "ullage.dev/descheduler"
    )
    assert len(found["note"].encode()) <= 1024
    assert "NodeOverutilized" in control_plane.kubectl("events", "-n", namespace, "--for", "pod/web")
    assert events.lost == 0
