"""``metrics.k8s.io/v1beta1`` of the stand-in, behind the aggregation layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

from tests.controlplane.rest import Rest, RestError
from tests.controlplane.waiting import until
from tests.standin.https import Answer, Request
from tests.standin.readings import NodeReading, PodReading, Readings
from tests.standin.use import NOTHING, Use
from tests.standin.wire import Json, condition_of, labels_of, timestamp

GROUP: Final = "metrics.k8s.io"
VERSION: Final = f"{GROUP}/v1beta1"
PREFIX: Final = f"/apis/{VERSION}"
API_SERVICES: Final = "/apis/apiregistration.k8s.io/v1/apiservices"
SERVICES: Final = "/api/v1/namespaces/kube-system/services"
SERVICE: Final = "standin-metrics"
WINDOW: Final = "15s"


def usage(use: Use) -> dict[str, str]:
    """Quantities as metrics-server writes them, and swap where there is some."""
    swap = {"swap": f"{use.swap_bytes // 1024}Ki"} if use.swap_bytes else {}
    return {"cpu": f"{round(use.cpu_cores * 1e9)}n", "memory": f"{use.working_set_bytes // 1024}Ki", **swap}


def node_metrics(reading: NodeReading) -> Json:
    """NodeMetrics of a node."""
    labels = {"kubernetes.io/hostname": reading.shape.name, **reading.shape.labels}
    return {
        "kind": "NodeMetrics",
        "apiVersion": VERSION,
        "metadata": {"name": reading.shape.name, "creationTimestamp": timestamp(reading.taken_at), "labels": labels},
        "timestamp": timestamp(reading.taken_at),
        "window": WINDOW,
        "usage": usage(reading.use),
    }


def pod_metrics(pod: PodReading, taken_at: float) -> Json:
    """PodMetrics of a pod: its first container has all of the use."""
    namespace, name = pod.key
    first, *others = pod.containers
    stamp = timestamp(taken_at)
    containers = [{"name": first, "usage": usage(pod.use)}]
    containers += [{"name": each, "usage": usage(NOTHING)} for each in others]
    return {
        "kind": "PodMetrics",
        "apiVersion": VERSION,
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": stamp, "labels": labels_of(pod.pod)},
        "timestamp": stamp,
        "window": WINDOW,
        "containers": containers,
    }


class MetricsApi:
    """Answers what is asked below ``/apis/metrics.k8s.io``."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def route(self, request: Request) -> Answer:
        """Answer of one request."""
        words = request.path.removeprefix(PREFIX).strip("/").split("/")
        match words:
            case [""]:
                return Answer.json(resources())
            case ["nodes", *name]:
                return self._nodes(request, name)
            case ["pods"]:
                return self._pods(request, "", [])
            case ["namespaces", namespace, "pods", *name]:
                return self._pods(request, namespace, name)
        return _not_found(request.path)

    def _nodes(self, request: Request, name: list[str]) -> Answer:
        items = [node_metrics(each) for each in self._readings.now().values()]
        return _chosen("NodeMetricsList", items, name, request)

    def _pods(self, request: Request, namespace: str, name: list[str]) -> Answer:
        items = [pod_metrics(pod, at) for pod, at in self._running() if namespace in ("", pod.key[0])]
        return _chosen("PodMetricsList", items, name, request)

    def _running(self) -> Iterator[tuple[PodReading, float]]:
        for node in self._readings.now().values():
            for pod in node.pods:
                yield pod, node.taken_at


def resources() -> Json:
    """What discovery says of the group version."""
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": VERSION,
        "resources": [
            {"name": "nodes", "singularName": "", "namespaced": False, "kind": "NodeMetrics", "verbs": ["get", "list"]},
            {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]},
        ],
    }


def _chosen(kind: str, items: list[Json], name: list[str], request: Request) -> Answer:
    if name:
        found = next((each for each in items if each["metadata"]["name"] == name[0]), None)
        return _not_found(request.path) if found is None else Answer.json(found)
    wanted = _wanted(request.query.get("labelSelector", ""))
    items = [each for each in items if wanted.items() <= each["metadata"]["labels"].items()]
    return Answer.json({"kind": kind, "apiVersion": VERSION, "metadata": {}, "items": items})


def _wanted(selector: str) -> Mapping[str, str]:
    """Labels of a selector of plain equalities."""
    pairs = (each.replace("==", "=").split("=") for each in selector.split(",") if each)
    return {name.strip(): value.strip() for name, value in pairs}


def _not_found(path: str) -> Answer:
    text = f"{path} is not known here"
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
    return Answer.json({**status, "message": text}, 404)


def register(rest: Rest, port: int) -> None:
    """Have kube-apiserver pass the group on to a loopback port, and wait until it does."""
    unregister(rest)
    spec = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}
    rest.post(SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": SERVICE}, "spec": spec})
    name = f"v1beta1.{GROUP}"
    service = {"name": SERVICE, "namespace": "kube-system", "port": port}
    # The certificate is for the loopback address and not for the name of a Service.
    priorities = {"groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": True}
    body = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name},
        "spec": {"group": GROUP, "version": "v1beta1", "service": service, **priorities},
    }
    rest.post(API_SERVICES, body)
    until(lambda: _is_available(rest), f"{name} available")


def unregister(rest: Rest) -> None:
    """Have kube-apiserver know the group no more."""
    for path in (f"{API_SERVICES}/v1beta1.{GROUP}", f"{SERVICES}/{SERVICE}"):
        with suppress(RestError):
            rest.delete(path)


def _is_available(rest: Rest) -> bool:
    service = rest.get(f"{API_SERVICES}/v1beta1.{GROUP}")
    if condition_of(service, "Available").get("status") != "True":
        return False
    with suppress(RestError):
        return bool(rest.get(PREFIX))
    return False
