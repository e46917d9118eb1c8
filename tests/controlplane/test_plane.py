"""A real control plane starts, serves, guards, schedules, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.controlplane.objects import node, pod
from tests.controlplane.plane import ControlPlane, KubectlError
from tests.controlplane.processes import StartError
from tests.controlplane.rest import Rest, RestError
from tests.controlplane.test_processes import alive
from tests.controlplane.waiting import until

pytestmark = pytest.mark.xdist_group("control-plane")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def ready_node(admin: Rest, namespace: str) -> Iterator[str]:
    """A node whose not-ready taint the controllers have taken away."""
    name = f"node-of-{namespace}"
    admin.post("/api/v1/nodes", node(name))
    until(lambda: not admin.get(f"/api/v1/nodes/{name}")["spec"].get("taints"), "node without taints")
    yield name
    admin.delete(f"/api/v1/nodes/{name}")


def _node_of(admin: Rest, namespace: str, name: str) -> str:
    return str(until(lambda: admin.get(_pod(namespace, name))["spec"].get("nodeName"), f"binding of {name}"))


def _pod(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


def test_kubectl_works_with_the_server_of_its_version(control_plane: ControlPlane) -> None:
    version = json.loads(control_plane.kubectl("version", "--output=json"))
    assert version["serverVersion"]["gitVersion"] == version["clientVersion"]["gitVersion"]
    assert version["serverVersion"]["minor"] == "36"
    names = json.loads(control_plane.kubectl("get", "namespaces", "--output=json"))["items"]
    assert {"default", "kube-system"} <= {each["metadata"]["name"] for each in names}


def test_kubectl_takes_input_and_says_why_it_fails(control_plane: ControlPlane, namespace: str) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "v"}})
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", input=text)
    assert control_plane.kubectl("get", "configmap", "c", "-n", namespace, "-o", "jsonpath={.data.k}") == "v"
    with pytest.raises(KubectlError, match='configmaps "d" not found'):
        control_plane.kubectl("get", "configmap", "d", "-n", namespace)


def test_an_unknown_user_may_nothing_and_a_group_what_its_role_says(
    control_plane: ControlPlane, namespace: str
) -> None:
    eve = control_plane.kubeconfig("eve", ["curious"])
    with pytest.raises(KubectlError, match='User "eve" cannot list resource "nodes"'):
        control_plane.kubectl("get", "nodes", config=eve)
    binding = ("create", "rolebinding", "curious", "--clusterrole=view", "--group=curious", "-n", namespace)
    control_plane.kubectl(*binding)
    asked = ("auth", "can-i", "list", "pods", "-n", namespace)
    assert until(lambda: "yes" in _answer(control_plane, *asked, config=eve), "rights of the group")
    with pytest.raises(KubectlError, match="cannot create resource"):
        control_plane.kubectl("create", "configmap", "c", "-n", namespace, config=eve)


def _answer(plane: ControlPlane, *arguments: str, config: Path) -> str:
    try:
        return plane.kubectl(*arguments, config=config)
    except KubectlError as error:
        return str(error)


def test_a_service_account_is_known_by_its_token(control_plane: ControlPlane, namespace: str) -> None:
    config = control_plane.service_account_kubeconfig(namespace, "default")
    review = json.loads(control_plane.kubectl("auth", "whoami", "--output=json", config=config))
    assert review["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:default"
    token = control_plane.service_account_token(namespace, "default")
    with (
        Rest(control_plane.url, ca_file=control_plane.ca_file, token=token) as client,
        pytest.raises(RestError) as denied,
    ):
        client.get("/api/v1/nodes")
    assert (denied.value.status, denied.value.reason) == (403, "Forbidden")


def test_pods_are_bound_by_the_real_scheduler(admin: Rest, namespace: str, ready_node: str) -> None:
    chosen = {"kubernetes.io/hostname": ready_node}
    admin.post(f"/api/v1/namespaces/{namespace}/pods", pod("fits", nodeSelector=chosen))
    admin.post(f"/api/v1/namespaces/{namespace}/pods", pod("huge", memory="1Ti", nodeSelector=chosen))
    assert _node_of(admin, namespace, "fits") == ready_node
    conditions = until(lambda: admin.get(_pod(namespace, "huge"))["status"].get("conditions"), "verdict on huge")
    assert conditions[0]["reason"] == "Unschedulable"
    assert "Insufficient memory" in conditions[0]["message"]


def test_controllers_make_the_pods_of_a_deployment(admin: Rest, namespace: str) -> None:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod("web")["spec"]}
    spec = {"replicas": 3, "selector": {"matchLabels": labels}, "template": template}
    admin.post(
        f"/apis/apps/v1/namespaces/{namespace}/deployments",
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec},
    )
    pods = f"/api/v1/namespaces/{namespace}/pods"
    until(lambda: len(admin.list(pods, limit=2)) == 3, "three pods")
    owners = [each["metadata"]["ownerReferences"][0]["kind"] for each in admin.list(pods, limit=2)]
    assert owners == ["ReplicaSet"] * 3


def test_a_scheduler_with_another_configuration_takes_its_place(
    control_plane: ControlPlane, admin: Rest, namespace: str, ready_node: str, tmp_path: Path
) -> None:
    config = tmp_path / "scheduler.yaml"
    config.write_text(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
        "clientConnection: {qps: 500, burst: 500}\nprofiles: [{schedulerName: ours}]\n"
    )
    control_plane.start_scheduler(config)
    try:
        mine = pod("mine", schedulerName="ours", nodeSelector={"kubernetes.io/hostname": ready_node})
        admin.post(f"/api/v1/namespaces/{namespace}/pods", mine)
        assert _node_of(admin, namespace, "mine") == ready_node
        with control_plane.client(control_plane.scheduler_url) as scheduler:
            metrics = scheduler.raw("GET", "/metrics").decode()
        assert 'scheduler_schedule_attempts_total{profile="ours",result="scheduled"} 1' in metrics
    finally:
        control_plane.start_scheduler()


def test_who_asked_for_what_is_in_the_audit_log(control_plane: ControlPlane, namespace: str) -> None:
    config = control_plane.kubeconfig("watched")
    _answer(control_plane, "get", "secrets", "-n", namespace, config=config)
    events = [json.loads(line) for line in control_plane.audit_log.read_text().splitlines()]
    path = f"/api/v1/namespaces/{namespace}/secrets"
    asked = [each for each in events if each["user"]["username"] == "watched" and path in each["requestURI"]]
    assert [(each["verb"], each["responseStatus"]["code"]) for each in asked] == [("list", 403)]


def test_changes_come_as_a_stream(admin: Rest, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    version = admin.get(path)["metadata"]["resourceVersion"]
    admin.post(path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    admin.patch(f"{path}/a", {"data": {"big": "x" * 300_000}})
    admin.patch(f"{path}/a", [{"op": "replace", "path": "/data", "value": {"k": "ä"}}], kind="json")
    admin.delete(f"{path}/a")
    seen = admin.stream(path, resourceVersion=version, timeoutSeconds=20, fieldSelector="metadata.name=a")
    events = [next(seen) for _ in range(4)]
    seen.close()
    assert [each["type"] for each in events] == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]
    assert [len(each["object"].get("data", {}).get("big", "")) for each in events] == [0, 300_000, 0, 0]
    assert events[2]["object"]["data"] == {"k": "ä"}


def test_a_client_that_is_closed_ends_its_streams(control_plane: ControlPlane) -> None:
    client = control_plane.client()
    seen = client.stream("/api/v1/namespaces")
    assert next(seen)["type"] == "ADDED"
    client.close()
    assert {each["type"] for each in seen} <= {"ADDED"}


def test_admission_policies_are_on(admin: Rest) -> None:
    found = admin.get("/apis/admissionregistration.k8s.io/v1")
    assert "validatingadmissionpolicies" in {each["name"] for each in found["resources"]}


@pytest.mark.usefixtures("control_plane_programs")
def test_without_controllers_pods_are_bound_too_and_the_end_leaves_nothing(tmp_path: Path) -> None:
    begun = time.monotonic()
    with ControlPlane.start(tmp_path / "plane", controllers=False) as plane, plane.client() as admin:
        assert time.monotonic() - begun < 60
        assert list(plane.programs) == ["etcd", "kube-apiserver", "kube-scheduler"]
        admin.post("/api/v1/nodes", node("n1"))
        admin.post("/api/v1/namespaces/default/pods", pod("web"))
        assert _node_of(admin, "default", "web") == "n1"
        pids = [program.pid for program in plane.programs.values()]
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 30
    assert not any(map(alive, pids))
    for url in (plane.url, plane.scheduler_url):
        with socket.socket() as freed:
            freed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            freed.bind(("127.0.0.1", urlsplit(url).port))
    assert not (tmp_path / "plane" / "etcd").exists()
    assert (tmp_path / "plane" / "logs" / "kube-apiserver.log").stat().st_size > 0


@pytest.mark.usefixtures("control_plane_programs")
def test_a_server_that_does_not_start_shows_its_log_and_etcd_is_stopped(tmp_path: Path) -> None:
    with (
        pytest.raises(StartError, match=r"(?s)kube-apiserver ended.*unknown flag: --no-such-flag"),
        ControlPlane.start(tmp_path / "plane", apiserver_flags=["--no-such-flag"]),
    ):
        pytest.fail("it started")
    assert not (tmp_path / "plane" / "etcd").exists()


@pytest.mark.usefixtures("control_plane_programs")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_one_for_a_person_ends_with_all_its_programs(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.controlplane", "--no-controllers"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as person:
        assert person.stdout is not None
        lines = [next(person.stdout) for _ in range(3)]
        children = _children(person.pid)
        assert len(children) == 3
        config = Path(lines[1].partition("=")[2].strip())
        assert config.is_relative_to(tmp_path)
        person.send_signal(number)
        person.communicate(timeout=30)
    until(lambda: not any(map(alive, children)), "end of the programs", seconds=20)
    if number != signal.SIGKILL:
        assert person.returncode == 0
        assert not list(tmp_path.iterdir())


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(each) for task in tasks for each in (task / "children").read_text().split()]
