"""A whole live source over a small API server, with the store, the windows and the metrics API as they are used."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tests.sources.kube_api.following import served
from tests.sources.kube_api.server import FakeApi
from tests.sources.kube_api.test_credentials import kubeconfig
from tests.sources.live_parts import comes_to
from ullage.config import defaults, override
from ullage.model.measures import NodeMeasure
from ullage.sources.kube_api.clock import SystemClock
from ullage.sources.opening import open_cluster
from ullage.sources.watched import NODES, PODS, WATCHED

METRICS = "/apis/metrics.k8s.io/v1beta1"


def node(name: str) -> dict[str, Any]:
    size = {"cpu": "8", "memory": "32Gi", "pods": "110"}
    ready = [{"type": "Ready", "status": "True"}]
    status = {"allocatable": size, "capacity": size, "conditions": ready}
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "status": status}


def pod(name: str, on: str) -> dict[str, Any]:
    container = {"name": "main", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}
    meta = {"name": name, "namespace": "shop", "uid": f"uid-{name}"}
    return {"metadata": meta, "spec": {"nodeName": on, "containers": [container]}, "status": {"phase": "Running"}}


def fill(api: FakeApi) -> None:
    for resource in WATCHED:
        if not resource.is_optional:
            api.serve(resource.path)
    api.put_raw(NODES.path, "node-1", node("node-1"))
    api.put_raw(PODS.path, "pod-1", pod("pod-1", "node-1"))
    now = datetime.fromtimestamp(SystemClock().unix(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    use = {"cpu": "1500m", "memory": "4Gi"}
    api.put_raw(
        f"{METRICS}/nodes", "node-1", {"metadata": {"name": "node-1"}, "timestamp": now, "window": "30s", "usage": use}
    )
    containers = [{"name": "main", "usage": {"cpu": "250m", "memory": "512Mi"}}]
    meta = {"name": "pod-1", "namespace": "shop"}
    api.put_raw(
        f"{METRICS}/pods", "pod-1", {"metadata": meta, "timestamp": now, "window": "30s", "containers": containers}
    )


def test_a_cluster_as_it_is_now(tmp_path: Path) -> None:
    with served() as api:
        fill(api)
        config = override(defaults(), "telemetry.minimumSamples", 1)
        departed: list[str] = []
        source = open_cluster(
            kubeconfig(tmp_path, {"u": {"token": "t"}}, api.url), None, config, departed=departed.append
        )
        source.start()
        try:
            assert source.wait(10.0)
            state = source.current()
            assert state is not None
            assert (state.nodes.name, state.workloads.name) == (("node-1",), ("pod-1",))
            np.testing.assert_allclose(state.nodes.requested[0, state.resources.index("cpu")], 0.5)
            np.testing.assert_allclose(state.nodes.measures.column(NodeMeasure.CPU_MEAN_CORES), [1.5])
            assert state.sources == ("metrics.k8s.io",)
            health = source.health()
            assert health.is_synced
            assert {each.resource: each.objects for each in health.kinds if each.objects} == {"nodes": 1, "pods": 1}
            assert [each.resource for each in health.kinds if not each.is_served] == [
                each.name for each in WATCHED if each.is_optional
            ]
            assert [bool(each.error) for each in health.readings] == [True, False]
            api.put_raw(PODS.path, "pod-2", pod("pod-2", "node-1"))
            assert comes_to(lambda: (source.current() or state).workloads.name == ("pod-1", "pod-2"))
            waiting = pod("pod-3", "")
            api.put_raw(PODS.path, "pod-3", waiting)
            api.delete(PODS.path, "pod-3")
            assert comes_to(lambda: departed == ["uid-pod-3"])
        finally:
            source.stop()
