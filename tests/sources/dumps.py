"""Small Kubernetes objects for tests, as they stand in a dump."""

from __future__ import annotations

import io
from typing import Any

import msgspec

from ullage.model.state import ClusterState, Note
from ullage.sources.inputs import load

Object = dict[str, Any]


def merge(base: Object, over: Object) -> Object:
    """`over` laid over `base`, folder by folder."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merge(result[key], value) if both else value
    return result


def node(name: str, **over: Any) -> Object:
    amounts = {"cpu": "16", "memory": "64Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    base = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/arch": "amd64",
                "kubevirt.io/schedulable": "true",
            },
        },
        "spec": {},
        "status": {
            "allocatable": dict(amounts),
            "capacity": dict(amounts),
            "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
            "nodeInfo": {"kubeletVersion": "v1.34.1"},
        },
    }
    return merge(base, over)


def container(name: str = "main", cpu: str = "1", memory: str = "1Gi", **over: Any) -> Object:
    return merge({"name": name, "resources": {"requests": {"cpu": cpu, "memory": memory}}}, over)


def pod(name: str, on: str | None = "n1", namespace: str = "ns", **over: Any) -> Object:
    base = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "labels": {"app": name},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "rs", "uid": "rs", "controller": True}],
        },
        "spec": {"nodeName": on, "containers": [container()]},
        "status": {"phase": "Running", "startTime": "2025-12-31T00:00:00Z"},
    }
    return merge(base, over)


def launcher(vm: str, on: str | None = "n1", namespace: str = "ns", suffix: str = "a", **over: Any) -> Object:
    base = {
        "metadata": {
            "labels": {"kubevirt.io": "virt-launcher", "kubevirt.io/created-by": f"uid-vmi-{vm}"},
            "annotations": {"kubevirt.io/domain": vm, "descheduler.alpha.kubernetes.io/request-evict-only": ""},
            "ownerReferences": [
                {"kind": "VirtualMachineInstance", "name": vm, "uid": f"uid-vmi-{vm}", "controller": True}
            ],
        },
        "spec": {
            "containers": [container("compute", "400m", "4452Mi")],
            "volumes": [{"name": "private", "emptyDir": {}}],
            "nodeSelector": {"kubevirt.io/schedulable": "true"},
        },
    }
    return merge(pod(f"virt-launcher-{vm}-{suffix}", on, namespace), merge(base, over))


def vmi(name: str, on: str = "n1", namespace: str = "ns", **over: Any) -> Object:
    base = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-vmi-{name}",
            "ownerReferences": [{"kind": "VirtualMachine", "name": name, "uid": f"uid-vm-{name}", "controller": True}],
        },
        "spec": {"domain": {"cpu": {"cores": 4}, "memory": {"guest": "4Gi"}}},
        "status": {
            "nodeName": on,
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "LiveMigratable", "status": "True"}],
        },
    }
    return merge(base, over)


def kubevirt(version: str = "v1.7.1", **configuration: Any) -> Object:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
        "spec": {"configuration": configuration},
        "status": {"observedKubeVirtVersion": version},
    }


def node_metrics(name: str, at: str | None = "2026-01-01T00:00:00Z", **usage: Any) -> Object:
    return {
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": "NodeMetrics",
        "metadata": {"name": name},
        "timestamp": at,
        "window": "20s",
        "usage": usage,
    }


def pod_metrics(
    name: str, *containers: Object, at: str | None = "2026-01-01T00:00:00Z", namespace: str = "ns"
) -> Object:
    return {
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": "PodMetrics",
        "metadata": {"name": name, "namespace": namespace},
        "timestamp": at,
        "containers": [{"name": f"c{i}", "usage": usage} for i, usage in enumerate(containers)],
    }


def dump(*objects: Object) -> bytes:
    return msgspec.json.encode({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def load_bytes(data: bytes) -> ClusterState:
    return load(["-"], stdin=io.BytesIO(data))


def state_of(*objects: Object) -> ClusterState:
    return load_bytes(dump(*objects))


def row_of(state: ClusterState, name: str) -> int:
    return state.workloads.name.index(name)


def note(state: ClusterState, code: str) -> Note | None:
    return next((each for each in state.notes if each.code == code), None)
