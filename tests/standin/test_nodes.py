"""Nodes, pods and their use on a real control plane."""

from __future__ import annotations

import json

import pytest

from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.standin.cluster import StandIn
from tests.standin.nodes import GI, LEASES, NodeShape
from tests.standin.pods import HOLD
from tests.standin.use import Use
from tests.standin.wire import Json, pod_path

pytestmark = pytest.mark.xdist_group("control-plane")


def get_pod(admin: Rest, namespace: str, name: str) -> Json:
    found: Json = admin.get(pod_path((namespace, name)))
    return found


def pods(admin: Rest, namespace: str) -> list[Json]:
    return admin.list(f"/api/v1/namespaces/{namespace}/pods")


def evict(admin: Rest, namespace: str, name: str) -> None:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    admin.post(f"{pod_path((namespace, name))}/eviction", body)


def test_node_looks_as_it_should(admin: Rest, standin: StandIn) -> None:
    taint = {"key": "team", "value": "a", "effect": "NoSchedule"}
    wanted = NodeShape("odd", cores=8, reserved_cores=0.5, swap_bytes=4 * GI, zone="b", virtual=False, taints=(taint,))
    standin.add_nodes([wanted])
    node = admin.get("/api/v1/nodes/odd")
    assert node["status"]["allocatable"]["cpu"] == "7500m"
    assert node["status"]["capacity"]["cpu"] == "8"
    assert node["status"]["nodeInfo"]["swap"] == {"capacity": 4 * GI}
    assert node["metadata"]["labels"]["topology.kubernetes.io/zone"] == "b"
    assert "kubevirt.io/schedulable" not in node["metadata"]["labels"]
    assert node["spec"]["taints"] == [taint]
    assert admin.get("/api/v1/nodes/node-0001")["status"]["allocatable"]["devices.kubevirt.io/kvm"] == "1k"


def test_pressure_that_a_node_reports_becomes_a_taint(admin: Rest, standin: StandIn) -> None:
    def keys() -> set[str]:
        return {each["key"] for each in admin.get("/api/v1/nodes/node-0004")["spec"].get("taints", ())}

    standin.nodes.change("node-0004", memory_pressure=True)
    until(lambda: "node.kubernetes.io/memory-pressure" in keys(), "taint")
    standin.nodes.change("node-0004", memory_pressure=False)
    until(lambda: not keys(), "no taint")


def test_silent_node_lets_its_lease_grow_old(admin: Rest, standin: StandIn) -> None:
    def renewed(name: str) -> str:
        return str(admin.get(f"{LEASES}/{name}")["spec"]["renewTime"])

    standin.nodes.silence("node-0003")
    before = renewed("node-0003"), renewed("node-0002")
    until(lambda: renewed("node-0002") != before[1], "a heartbeat", seconds=40)
    assert renewed("node-0003") == before[0]
    standin.nodes.revive("node-0003")


def test_bound_pod_runs_until_it_is_deleted(admin: Rest, standin: StandIn, namespace: str) -> None:
    standin.create_pod("p", namespace=namespace)
    until(lambda: get_pod(admin, namespace, "p")["spec"].get("nodeName"), "binding")
    standin.settle()
    status = get_pod(admin, namespace, "p")["status"]
    assert status["phase"] == "Running"
    assert {each["type"]: each["status"] for each in status["conditions"]}["Ready"] == "True"
    assert status["podIP"]
    assert status["containerStatuses"][0]["state"].keys() == {"running"}
    admin.delete(pod_path((namespace, "p")), {"gracePeriodSeconds": 30})
    until(lambda: not pods(admin, namespace), "the end of the pod")


def test_held_pod_stays_pending(admin: Rest, standin: StandIn, namespace: str) -> None:
    standin.create_pod("held", namespace=namespace, node="node-0001", annotations={HOLD: ""})
    standin.create_pod("free", namespace=namespace, node="node-0001")
    standin.settle()
    phases = {each["metadata"]["name"]: each["status"]["phase"] for each in pods(admin, namespace)}
    assert phases == {"held": "Pending", "free": "Running"}


def test_use_passes_on_to_the_successor_of_an_evicted_pod(admin: Rest, standin: StandIn, namespace: str) -> None:
    use = Use(cpu_cores=3, working_set_bytes=5 * GI)
    standin.create_replicaset("web", namespace=namespace, node="node-0002", use=use)
    standin.settle()
    (first,) = pods(admin, namespace)
    assert first["spec"]["nodeName"] == "node-0002"
    until(lambda: get_pod(admin, namespace, "web-0")["metadata"].get("ownerReferences"), "adoption")
    evict(admin, namespace, "web-0")
    until(lambda: [each["metadata"]["name"] for each in pods(admin, namespace)] != ["web-0"], "another pod")
    until(lambda: len(pods(admin, namespace)) == 1, "one pod")
    standin.settle(bound=True)
    (second,) = pods(admin, namespace)
    node = standin.readings.now()[second["spec"]["nodeName"]]
    assert next(each.use for each in node.pods if each.key[1] == second["metadata"]["name"]) == use


def test_budget_refuses_with_another_text_than_kubevirt(admin: Rest, standin: StandIn, namespace: str) -> None:
    standin.create_replicaset("web", namespace=namespace, node="node-0002")
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    budgets = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
    body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": spec}
    admin.post(budgets, body)
    standin.settle()
    until(lambda: admin.get(f"{budgets}/web")["status"].get("currentHealthy"), "the disruption controller")
    with pytest.raises(RestError, match="violate the pod's disruption budget") as refused:
        evict(admin, namespace, "web-0")
    assert refused.value.status == 429


def test_kubectl_top_shows_the_use(control_plane: ControlPlane, admin: Rest, standin: StandIn, namespace: str) -> None:
    standin.add_nodes([NodeShape("mine", cores=16, memory_bytes=64 * GI, reserved_memory_bytes=2 * GI)])
    standin.create_pod("p", namespace=namespace, node="mine")
    standin.settle()
    standin.set_use((namespace, "p"), Use(cpu_cores=2.5, working_set_bytes=31 * GI))
    words = control_plane.kubectl("top", "nodes", "mine", "--no-headers").split()
    assert words == ["mine", "2500m", "15%", "31744Mi", "50%"]
    assert control_plane.kubectl("top", "pods", "-n", namespace, "--no-headers").split() == ["p", "2500m", "31744Mi"]
    metrics = json.loads(control_plane.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes/mine"))
    assert metrics["usage"] == {"cpu": "2500000000n", "memory": f"{31 * 2**20}Ki"}
    standin.readings.hide("mine")
    listed = admin.get("/apis/metrics.k8s.io/v1beta1/nodes")["items"]
    assert "mine" not in {each["metadata"]["name"] for each in listed}
