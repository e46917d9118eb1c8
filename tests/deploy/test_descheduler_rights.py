"""The descheduler's base is taken by a real API server, and its rights are those that its code needs, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from descheduler.leading.kube_lease import KubeLease
from descheduler.leading.lease import Record
from descheduler.loop_command import descheduler
from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.deploy.bases import NAME, NAMESPACE, rendered
from ullage.serving.address import Address
from ullage.sources.kube_api.connection import Connection
from ullage.sources.kube_api.errors import ForbiddenError
from ullage.sources.prometheus.discovery import discover
from ullage.sources.watched import WATCHED

pytestmark = pytest.mark.xdist_group("control-plane")

Right = tuple[str, str, str, str]
"""Verb, API group, resource, and the one name that it is limited to."""
READ: Final = ("get", "list", "watch")
ANY_USER: Final = {"authentication.k8s.io", "authorization.k8s.io"}


def rights(verbs: Iterable[str], group: str, resources: Iterable[str], name: str = "") -> set[Right]:
    return {(verb, group, resource, name) for verb, resource in product(verbs, resources)}


NEEDED: Final = (
    rights(READ, "", ("nodes", "pods", "namespaces", "persistentvolumes", "persistentvolumeclaims", "resourcequotas"))
    | rights(READ, "policy", ("poddisruptionbudgets",))
    | rights(READ, "kubevirt.io", ("virtualmachineinstances", "virtualmachineinstancemigrations", "kubevirts"))
    | rights(("get", "list"), "metrics.k8s.io", ("nodes", "pods"))
    | rights(("create",), "", ("pods/eviction",))
    | rights(("create", "delete"), "kubevirt.io", ("virtualmachineinstancemigrations",))
    | rights(
        ("update",),
        "subresources.kubevirt.io",
        ("virtualmachineinstances/evacuate", "virtualmachineinstances/evacuate/cancel"),
    )
    | rights(("patch",), "", ("nodes",))
    | rights(("create",), "events.k8s.io", ("events",))
    | rights((*READ, "create", "delete"), "ullage.dev", ("rebalanceplans",))
    | rights(("patch",), "ullage.dev", ("rebalanceplans/status",))
    | rights(("list",), "", ("services",))
)
LEASES: Final = rights(("create",), "coordination.k8s.io", ("leases",)) | rights(
    ("get", "patch"), "coordination.k8s.io", ("leases",), NAME
)
NEVER: Final = (
    *product(("delete", "deletecollection", "update", "patch", "create"), ("",), ("pods",)),
    *product(("update", "create", "delete"), ("",), ("nodes",)),
    *product(("patch", "update"), ("",), ("nodes/status", "pods/status")),
    *product((*READ, "create"), ("",), ("secrets", "configmaps", "serviceaccounts/token", "pods/exec", "nodes/proxy")),
    *product(("update", "patch"), ("kubevirt.io",), ("virtualmachineinstances", "virtualmachineinstancemigrations")),
    *product(("update", "patch"), ("ullage.dev",), ("rebalanceplans",)),
    *product(("delete", "list"), ("coordination.k8s.io",), ("leases",)),
    *product(("create", "bind", "escalate"), ("rbac.authorization.k8s.io",), ("clusterroles", "clusterrolebindings")),
    *product(("patch", "delete"), ("admissionregistration.k8s.io",), ("validatingadmissionpolicies",)),
    ("impersonate", "", "users"),
    ("*", "*", "*"),
    ("get", "*", "*"),
    ("*", "", "pods"),
)


def allowed(account: Rest, namespace: str) -> set[Right]:
    """Everything that the API server's RBAC allows it in a namespace, but for what any user may ask of oneself."""
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    status = account.post(path, {**review, "spec": {"namespace": namespace}})["status"]
    found: set[Right] = set()
    for rule in status["resourceRules"]:
        names = rule.get("resourceNames") or ("",)
        found |= set(product(rule["verbs"], rule["apiGroups"], rule["resources"], names))
    return {each for each in found if each[1] not in ANY_USER}


def may(account: Rest, verb: str, group: str, resource: str, **where: str) -> bool:
    """Whether the API server would allow it; everywhere, if no namespace is given."""
    name, _, sub = resource.partition("/")
    asked = {"verb": verb, "group": group, "resource": name, "subresource": sub, **where}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    answer = account.post(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {**review, "spec": {"resourceAttributes": asked}}
    )
    return bool(answer["status"]["allowed"])


@pytest.fixture
def connection(account_config: Path) -> Connection:
    return Connection.load(account_config)


@pytest.fixture
def objects(base: str) -> dict[str, Any]:
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in yaml.safe_load_all(base)}


def test_its_rights_are_these_and_no_others(account: Rest) -> None:
    until(lambda: ("list", "", "services", "") in allowed(account, "default"), "RBAC")
    assert allowed(account, "default") == NEEDED
    assert allowed(account, NAMESPACE) == NEEDED | LEASES


def test_what_its_code_needs_is_allowed_everywhere(account: Rest) -> None:
    until(lambda: may(account, "list", "", "services"), "RBAC")
    assert [each for each in sorted(NEEDED) if not may(account, *each[:3])] == []


def test_all_else_is_denied_even_where_it_lives(account: Rest) -> None:
    assert [each for each in NEVER if may(account, *each)] == []
    assert [each for each in NEVER if may(account, *each, namespace=NAMESPACE)] == []


def test_every_resource_that_is_watched_can_be(connection: Connection) -> None:
    for resource in WATCHED:
        connection.get(resource.path, {"limit": "1"})
    assert discover(connection.get) == ()


def test_its_lease_is_the_only_one_that_it_can_renew(connection: Connection, admin: Rest) -> None:
    lease = KubeLease(connection, NAMESPACE, NAME)
    made = lease.create(Record("a"), 5.0)
    renewed = lease.replace(Record("b"), made, 5.0)
    noted = lease.annotate({"ullage.dev/ledger": "[]"}, renewed, 5.0)
    found = lease.read(5.0)
    assert found == noted
    assert (noted.record.holder_identity, noted.annotations) == ("b", {"ullage.dev/ledger": "[]"})
    other = KubeLease(connection, NAMESPACE, "other")
    with pytest.raises(ForbiddenError):
        other.replace(Record("c"), other.create(Record("c"), 5.0), 5.0)
    for name in (NAME, "other"):
        admin.delete(f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{name}")


def test_the_api_server_lets_it_take_back_an_evacuation(account: Rest) -> None:
    """Nothing serves it here: 404 says that authorization is past."""
    machines = "/apis/subresources.kubevirt.io/v1/namespaces/shop/virtualmachineinstances"
    for path, status in ((f"{machines}/db/evacuate/cancel", 404), (f"{machines}/db/pause", 403)):
        with pytest.raises(RestError) as refused:
            account.put(path, {})
        assert refused.value.status == status


@pytest.mark.usefixtures("base")
def test_its_pods_are_admitted_by_the_restricted_profile(admin: Rest) -> None:
    selector = f"app.kubernetes.io/name={NAME}"
    pods = until(
        lambda: (found := admin.list(f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector=selector))[1:] and found,
        "two pods",
    )
    assert len(pods) == 2
    budget = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets/{NAME}"
    until(lambda: admin.get(budget)["status"].get("expectedPods") == 2, "a budget that knows the pods")
    assert {pod["metadata"]["namespace"] for pod in pods} == {NAMESPACE}


def test_applying_it_twice_changes_nothing(control_plane: ControlPlane, base: str) -> None:
    asked = ("get", "deployment", NAME, "-n", NAMESPACE, "-o", "jsonpath={.metadata.generation}")
    before = control_plane.kubectl(*asked)
    control_plane.kubectl("apply", "--server-side", "-f", "-", input=base)
    assert control_plane.kubectl(*asked) == before


def test_its_selectors_select_its_pods(objects: dict[str, Any]) -> None:
    labels = objects[f"Deployment/{NAME}"]["spec"]["template"]["metadata"]["labels"]
    policy = objects[f"NetworkPolicy/{NAME}"]["spec"]
    budget = objects[f"PodDisruptionBudget/{NAME}"]["spec"]
    for selector in (policy["podSelector"]["matchLabels"], budget["selector"]["matchLabels"]):
        assert selector
        assert selector.items() <= labels.items()


def arguments(objects: dict[str, Any]) -> list[str]:
    (container,) = objects[f"Deployment/{NAME}"]["spec"]["template"]["spec"]["containers"]
    found: list[str] = container["args"]
    return found


def test_its_arguments_are_taken_and_write_nothing(objects: dict[str, Any]) -> None:
    name, *given = [each.replace("$(NAMESPACE)", NAMESPACE) for each in arguments(objects)]
    assert name == "descheduler"
    taken = descheduler.make_context(name, given).params
    assert (taken["mode"], taken["lease"]) == ("Predictive", f"{NAMESPACE}/{NAME}")
    (container,) = objects[f"Deployment/{NAME}"]["spec"]["template"]["spec"]["containers"]
    assert Address.parse(taken["listen"]) == Address("0.0.0.0", container["ports"][0]["containerPort"])  # noqa: S104
    assert taken["allow_plain_http"]


def test_the_definitions_stand_apart(control_plane: ControlPlane, base: str) -> None:
    """Who deletes the service keeps the plans."""
    kinds = {each["kind"] for each in yaml.safe_load_all(rendered(control_plane, "crds"))}
    assert kinds == {"CustomResourceDefinition"}
    assert "CustomResourceDefinition" not in base


@pytest.fixture
def elsewhere(control_plane: ControlPlane, tmp_path: Path) -> list[dict[str, Any]]:
    """The base in another namespace, as an overlay has it."""
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    source = Path(__file__).parents[2] / "deploy" / "kustomize" / "descheduler"
    for each in source.iterdir():
        (overlay / each.name).write_text(each.read_text().replace("namespace: ullage-system", "namespace: elsewhere"))
    return list(yaml.safe_load_all(control_plane.kubectl("kustomize", str(overlay))))


def test_an_overlay_may_have_another_namespace(elsewhere: list[dict[str, Any]]) -> None:
    bindings = [each for each in elsewhere if each["kind"].endswith("RoleBinding")]
    assert {subject["namespace"] for each in bindings for subject in each["subjects"]} == {"elsewhere"}
    policies = [each for each in elsewhere if each["kind"] == "ValidatingAdmissionPolicy"]
    assert all(NAMESPACE not in yaml.safe_dump(each["spec"]) for each in policies)
