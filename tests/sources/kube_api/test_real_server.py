"""The reflector against a real kube-apiserver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.controlplane.objects import node, pod
from tests.controlplane.plane import ControlPlane
from tests.controlplane.rest import Rest
from tests.controlplane.waiting import until
from tests.sources.kube_api.sinks import Held, MemorySink
from tests.sources.live_parts import comes_to
from ullage.config import defaults
from ullage.sources.kube_api.clock import SystemClock
from ullage.sources.kube_api.connection import Connection
from ullage.sources.kube_api.discovery import Discovery
from ullage.sources.kube_api.errors import ForbiddenError, NotFoundError
from ullage.sources.kube_api.reflector import Reflector, Server
from ullage.sources.opening import open_cluster
from ullage.sources.watched import WATCHED, Resource

pytestmark = pytest.mark.xdist_group("control-plane")

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
GADGETS = Resource("ullage.example.org", "v1", "gadgets", "Gadget", is_optional=True)
DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": GADGETS.name},
    "spec": {
        "group": GADGETS.group,
        "names": {"plural": GADGETS.plural, "kind": GADGETS.kind},
        "scope": "Namespaced",
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@contextmanager
def reflecting(plane: ControlPlane, resource: Resource) -> Iterator[tuple[Reflector, MemorySink, Connection]]:
    connection = Connection.load(plane.admin, None)
    sink = MemorySink(SystemClock())
    reflector = Reflector(resource, Server(connection, Discovery(connection, look_seconds=0.2)), sink)
    reflector.start()
    try:
        yield reflector, sink, connection
    finally:
        reflector.stop()
        assert reflector.join(2.0)


def held(admin: Rest, resource: Resource) -> Held:
    """What the server has."""
    metas = [each["metadata"] for each in admin.list(resource.path)]
    return {(each["namespace"], each["name"]): (each["uid"], each.get("labels", {})) for each in metas}


def config_map(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": {}}


def test_pages_and_events(control_plane: ControlPlane, admin: Rest, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for number in range(120):
        admin.post(path, config_map(f"at-first-{number}"))
    with reflecting(control_plane, CONFIG_MAPS) as (reflector, sink, connection):
        assert sink.comes_to(lambda: sink.objects == held(admin, CONFIG_MAPS))
        assert connection.requests()["GET", "200"] >= 2
        admin.post(path, config_map("more"))
        admin.patch(f"{path}/at-first-0", {"metadata": {"labels": {"changed": "yes"}}})
        admin.delete(f"{path}/at-first-1")
        admin.delete(f"{path}/at-first-2")
        again = admin.post(path, config_map("at-first-2"))
        assert sink.comes_to(lambda: sink.objects == held(admin, CONFIG_MAPS))
        assert sink.objects[namespace, "at-first-2"][0] == again["metadata"]["uid"]
        assert sink.objects[namespace, "at-first-0"][1] == {"changed": "yes"}
        assert (namespace, "at-first-1") not in sink.objects
        health = reflector.health()
        assert (health.is_synced, sum(health.relists.values()), health.error, sink.quarantined) == (True, 0, "", 0)
        assert sink.calls.count("replace") == 1


def test_a_custom_resource_appears_and_vanishes(control_plane: ControlPlane, admin: Rest, namespace: str) -> None:
    path = f"/apis/{GADGETS.group}/v1/namespaces/{namespace}/gadgets"
    with reflecting(control_plane, GADGETS) as (reflector, sink, _):
        assert sink.comes_to(lambda: sink.calls == ["forget"])
        assert (reflector.health().is_served, reflector.health().is_synced) == (False, True)
        admin.post(DEFINITIONS, DEFINITION)
        until(lambda: reflector.health().is_served, "the resource to appear")
        body = {"apiVersion": f"{GADGETS.group}/v1", "kind": "Gadget", "metadata": {"name": "one"}}
        admin.post(path, body)
        assert sink.comes_to(lambda: (namespace, "one") in sink.objects)
        admin.delete(f"{DEFINITIONS}/{GADGETS.name}")
        assert sink.comes_to(lambda: sink.calls[-1] == "forget", 30.0)
        assert sink.objects == {}
        until(lambda: reflector.health().is_synced and not reflector.health().is_served, "the resource to vanish")


def test_the_ways_in(control_plane: ControlPlane, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    account = control_plane.service_account_kubeconfig(namespace, "default")
    with pytest.raises(ForbiddenError, match=f"system:serviceaccount:{namespace}:default"):
        Connection.load(account, None).get(path)
    nobody = Connection.load(control_plane.kubeconfig("nobody"), None)
    with pytest.raises(ForbiddenError, match='User "nobody" cannot list'):
        nobody.get(path)
    connection = Connection.load(control_plane.admin, None)
    made = connection.request("POST", path, {"dryRun": "All"}, b'{"metadata":{"name":"not-there"}}')
    assert b'"not-there"' in made
    with pytest.raises(NotFoundError):
        connection.get(f"{path}/not-there")


def test_a_whole_cluster(control_plane: ControlPlane, admin: Rest, namespace: str) -> None:
    admin.post("/api/v1/nodes", node(f"node-{namespace}"))
    admin.post(f"/api/v1/namespaces/{namespace}/pods", pod("one", nodeName=f"node-{namespace}"))
    source = open_cluster(control_plane.admin, None, defaults())
    source.start()
    try:
        assert source.wait(20.0)
        state = source.current()
        assert state is not None
        row = state.nodes.name.index(f"node-{namespace}")
        assert state.nodes.allocatable[row, state.resources.index("cpu")] == 4.0
        assert [name for name, at in zip(state.workloads.name, state.workloads.node, strict=True) if at == row] == [
            "one"
        ]
        absent = [each.resource for each in source.health().kinds if not each.is_served]
        assert absent == [each.name for each in WATCHED if each.is_optional and each.name not in _defined(admin)]
        assert [each.error for each in source.health().kinds] == [""] * len(WATCHED)
        assert all(each.error for each in source.health().readings)
        assert [each.node for each in source.health().set_aside] == list(state.nodes.name)
        admin.delete(f"/api/v1/namespaces/{namespace}/pods/one", {"gracePeriodSeconds": 0})
        assert comes_to(lambda: "one" not in (source.current() or state).workloads.name)
    finally:
        source.stop()
        admin.delete(f"/api/v1/nodes/node-{namespace}")


def _defined(admin: Rest) -> set[str]:
    """Names of the custom resources that this server has: tests before this one may have brought some."""
    return {each["metadata"]["name"] for each in admin.get(DEFINITIONS)["items"]}
