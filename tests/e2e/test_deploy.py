"""The kustomize base is taken by a real API server, and its role is enough and no more."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.controlplane.objects import pod
from tests.controlplane.plane import ControlPlane, KubectlError
from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.standin.cluster import StandIn
from tests.standin.nodes import GI, NodeShape
from tests.standin.use import Use
from tests.standin.wire import Json, labels_of, phase_of
from ullage.sources.inputs import load
from ullage.sources.watched import WATCHED, Resource

pytestmark = pytest.mark.xdist_group("control-plane")
NODES = (NodeShape("one"), NodeShape("two"))
BASE: Final = Path(__file__).parents[2] / "deploy" / "kustomize" / "extender"
NAMESPACE: Final = "ullage-system"
NAME: Final = "ullage-extender"
READS: Final = ("get", "list", "watch")
WRITES: Final = ("create", "update", "patch", "delete", "deletecollection")
FORBIDDEN: Final = ("secrets", "configmaps", "serviceaccounts/token", "pods/exec", "nodes/proxy")


@pytest.fixture(scope="module")
def rendered(control_plane: ControlPlane) -> str:
    """What kubectl makes of the base."""
    return control_plane.kubectl("kustomize", str(BASE))


@pytest.fixture(scope="module")
def applied(control_plane: ControlPlane, admin: Rest, cluster: StandIn, rendered: str) -> Iterator[StandIn]:
    """The base in the cluster."""
    control_plane.kubectl("apply", "--server-side", "-f", "-", input=rendered)
    yield cluster
    control_plane.kubectl("delete", "--wait=false", "-f", "-", input=rendered)
    until(lambda: not admin.list(f"/api/v1/namespaces/{NAMESPACE}/pods"), "the end of the pods")


@pytest.fixture(scope="module")
def account(applied: StandIn, control_plane: ControlPlane) -> Iterator[Rest]:
    """The extender, as the API server knows it."""
    del applied
    token = control_plane.service_account_token(NAMESPACE, NAME)
    with Rest(control_plane.url, ca_file=control_plane.ca_file, token=token) as client:
        yield client


def may(account: Rest, verb: str, group: str, resource: str) -> bool:
    """Whether the API server would allow it, in any namespace."""
    name, _, sub = resource.partition("/")
    asked = {"verb": verb, "group": group, "resource": name, "subresource": sub}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    answer = account.post(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {**review, "spec": {"resourceAttributes": asked}}
    )
    return bool(answer["status"]["allowed"])


@pytest.mark.usefixtures("applied")
def test_applying_it_twice_changes_nothing(control_plane: ControlPlane, rendered: str) -> None:
    before = control_plane.kubectl("get", "deployment", NAME, "-n", NAMESPACE, "-o", "jsonpath={.metadata.generation}")
    control_plane.kubectl("apply", "--server-side", "-f", "-", input=rendered)
    after = control_plane.kubectl("get", "deployment", NAME, "-n", NAMESPACE, "-o", "jsonpath={.metadata.generation}")
    assert before == after == "1"


def test_all_objects_know_where_they_belong(rendered: str) -> None:
    objects = list(yaml.safe_load_all(rendered))
    assert {each["kind"] for each in objects} == {
        "Namespace",
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Deployment",
        "Service",
        "PodDisruptionBudget",
        "NetworkPolicy",
    }
    assert all(labels_of(each)["app.kubernetes.io/part-of"] == "ullage" for each in objects)


def test_its_pods_are_admitted_and_run_apart(admin: Rest, applied: StandIn) -> None:
    def running() -> list[Json] | None:
        found = [each for each in admin.list(f"/api/v1/namespaces/{NAMESPACE}/pods") if phase_of(each) == "Running"]
        return found if len(found) == 2 else None

    del applied
    pods = until(running, "two pods")
    assert {each["spec"]["nodeName"] for each in pods} == {"one", "two"}
    budget = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets/{NAME}"
    until(lambda: admin.get(budget)["status"].get("currentHealthy") == 2, "a budget that knows the pods")


@pytest.mark.usefixtures("applied")
def test_other_pods_are_not(admin: Rest) -> None:
    with pytest.raises(RestError, match="violates PodSecurity") as refused:
        admin.post(f"/api/v1/namespaces/{NAMESPACE}/pods", pod("careless"))
    assert refused.value.status == 403


def test_its_service_and_policy_select_its_pods(rendered: str) -> None:
    objects = {each["kind"]: each for each in yaml.safe_load_all(rendered)}
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = (
        objects["Service"]["spec"]["selector"],
        objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    )
    assert all(selector and selector.items() <= labels.items() for selector in selectors)


@pytest.mark.parametrize("resource", WATCHED, ids=lambda resource: resource.name)
def test_it_may_watch_what_it_needs_and_write_nothing(account: Rest, resource: Resource) -> None:
    assert all(may(account, verb, resource.group, resource.plural) for verb in READS)
    assert not any(may(account, verb, resource.group, resource.plural) for verb in WRITES)


@pytest.mark.parametrize("resource", FORBIDDEN)
def test_it_may_see_no_secrets_and_act_for_nobody(account: Rest, resource: str) -> None:
    assert not any(may(account, verb, "", resource) for verb in (*READS, *WRITES))


def test_it_may_find_prometheus_among_the_services(account: Rest) -> None:
    assert may(account, "list", "", "services")
    assert not any(may(account, verb, "", "services") for verb in WRITES)


def test_it_reads_metrics_through_the_aggregation_layer(account: Rest) -> None:
    found = account.get("/apis/metrics.k8s.io/v1beta1/nodes")["items"]
    assert {each["metadata"]["name"] for each in found} == {"one", "two"}


def test_a_live_cluster_is_read_with_its_rights(
    control_plane: ControlPlane, account: Rest, cluster: StandIn, namespace: str, tmp_path: Path
) -> None:
    del account
    cluster.create_vm("db", 2 * GI, 1, namespace=namespace, use=Use(cpu_cores=1, working_set_bytes=GI))
    cluster.settle()
    config = control_plane.service_account_kubeconfig(NAMESPACE, NAME)
    file = tmp_path / "captured.snapshot"
    command = [
        str(Path(sys.executable).with_name("ullage")),
        "snapshot",
        "capture",
        f"--kubeconfig={config}",
        f"-o{file}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    state = load([str(file)])
    assert state.nodes.name == ("one", "two")
    assert "db" in state.workloads.name
    assert "forbidden" not in done.stderr.lower()
    with pytest.raises(KubectlError, match="cannot patch resource"):
        control_plane.kubectl("label", "node", "one", "a=b", config=config)
